//===- SeparateAdapters.cpp - adapters that sessions choose ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// IR before: attn.linear and attn.qkv_projection by weights of the model.
// After: beside each of them that an adapter changes, a product by `down`, one
// by `up` and a sum. Several sources of one weight share both products: `down`
// has the ranks of all of them, one after the other, and `up` a block for each.
//
// The weights' sources are named after the tensors that they belong to, so that
// a dumped program tells what its adapters have to give. Declined: tensors that
// are used in another way than by a product, and by products that are fused
// with more than a bias.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/SeparateAdapters.h"
#include "compiler/import/Adapter.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace attnc::attn;

namespace attnc {
namespace {

// What stands before the names of tensors, which '|' separates.
constexpr llvm::StringLiteral kDown = "attn.adapter.down:";
constexpr llvm::StringLiteral kUp = "attn.adapter.up:";
constexpr llvm::StringLiteral kFactor = "attn.adapter.factor:";

constexpr llvm::StringLiteral kMerge =
    "merge the adapter when the library is compiled: --adapter=DIR";

struct SeparateAdapter {
  std::string name, folder;
  unsigned choice = 0;
  AdapterContents contents;
};

/// The weights of one low-rank path.
struct LowRankPath {
  WeightOp down, up;
  WeightOp factor; ///< or null
};

class SeparateAdapters {
public:
  SeparateAdapters(ModuleOp module, WeightTable &weights)
      : module(module), context(*module.getContext()), weights(weights),
        builder(&context) {}

  LogicalResult read(ArrayRef<std::string> given);
  LogicalResult addProducts();
  LogicalResult addTensors();
  void nameFolders();

private:
  LogicalResult fail(StringRef code, const llvm::Twine &what,
                     const llvm::Twine &todo) {
    return reportError(&context, code, what, todo);
  }
  const LowRankUpdate *findUpdate(const SeparateAdapter &adapter,
                                  StringRef tensor) const {
    auto found = adapter.contents.updates.find(tensor.str());
    return found == adapter.contents.updates.end() ? nullptr : &found->second;
  }
  int64_t getRank(StringRef tensor) const;
  int64_t getRank(ArrayRef<StringRef> tensors) const;
  int64_t getRows(StringRef tensor) const;
  int64_t getColumns(StringRef tensor) const;
  bool hasFactor(ArrayRef<StringRef> tensors) const;
  LogicalResult checkReplacements(const SeparateAdapter &adapter);

  // IR.
  LogicalResult checkRecipe(WeightOp weight, ArrayRef<StringRef> tensors);
  LowRankPath declare(WeightOp weight, ArrayRef<StringRef> tensors);
  LogicalResult addPath(WeightOp weight, LowRankPath path);
  template <typename Op> LogicalResult addPath(Op op, LowRankPath path);
  template <typename Op> void scaleRows(Op op, Value factor);
  Value get(Location loc, WeightOp weight) {
    return GetWeightOp::create(builder, loc, weight.getType(),
                               FlatSymbolRefAttr::get(weight.getSymNameAttr()));
  }
  Value add(Location loc, Value a, Value b);

  // Tensors.
  std::vector<float> makeDown(ArrayRef<StringRef> tensors,
                              const SeparateAdapter *adapter) const;
  std::vector<float> makeUp(ArrayRef<StringRef> tensors,
                            ArrayRef<float> factors,
                            const SeparateAdapter *adapter) const;
  /// A factor for every row.
  llvm::Expected<std::vector<float>>
  makeFactors(ArrayRef<StringRef> tensors,
              const SeparateAdapter *adapter) const;
  llvm::Error addTensor(StringRef source, const SeparateAdapter *adapter);

  ModuleOp module;
  MLIRContext &context;
  WeightTable &weights;
  OpBuilder builder;
  std::vector<SeparateAdapter> adapters;
};

} // namespace

//===----------------------------------------------------------------------===//
// Folders
//===----------------------------------------------------------------------===//

LogicalResult SeparateAdapters::read(ArrayRef<std::string> given) {
  for (StringRef text : given) {
    auto [name, folder] = text.split('=');
    if (folder.empty()) {
      folder = text;
      name = llvm::sys::path::filename(text.rtrim('/'));
    }
    if (name.empty() || !llvm::all_of(name, [](char c) {
          return llvm::isAlnum(c) || c == '_' || c == '-' || c == '.';
        }))
      return fail("A0245", "an adapter has the name " + quote(name),
                  "names have letters, digits and '_-.': give NAME=DIR");
    if (llvm::any_of(adapters, [&, name = name](const SeparateAdapter &other) {
          return other.name == name;
        }))
      return fail("A0245", "two adapters have the name " + quote(name),
                  "give NAME=DIR for one of them");
    SeparateAdapter &adapter = adapters.emplace_back();
    adapter.name = name.str();
    SmallString<256> absolute(folder);
    (void)llvm::sys::fs::make_absolute(absolute);
    adapter.folder = absolute.str().str();
    if (failed(readAdapter(context, folder, weights, adapter.contents)) ||
        failed(checkReplacements(adapter)))
      return failure();
  }
  return success();
}

LogicalResult
SeparateAdapters::checkReplacements(const SeparateAdapter &adapter) {
  for (const auto &[name, entry] : adapter.contents.replacements) {
    const WeightEntry *base = weights.find(name);
    if (!base)
      return fail("A0244",
                  adapter.folder + ": the model has no tensor " + quote(name) +
                      ", which sessions without this adapter need",
                  kMerge);
    if (base->shape != entry.shape)
      return fail("A0243",
                  adapter.folder + ": the tensor " + quote(name) + " is " +
                      formatShape(entry.shape) + "; the model's is " +
                      formatShape(base->shape),
                  kMerge);
  }
  return success();
}

void SeparateAdapters::nameFolders() {
  SmallVector<Attribute> names;
  for (const SeparateAdapter &adapter : adapters)
    names.push_back(builder.getStringAttr(adapter.name + "=" + adapter.folder));
  module->setAttr(AttnDialect::kAdaptersAttr, builder.getArrayAttr(names));
}

/// The largest rank of all adapters; 0 if none changes the tensor.
int64_t SeparateAdapters::getRank(StringRef tensor) const {
  int64_t rank = 0;
  for (const SeparateAdapter &adapter : adapters)
    if (const LowRankUpdate *update = findUpdate(adapter, tensor))
      rank = std::max(rank, update->rank);
  return rank;
}

int64_t SeparateAdapters::getRank(ArrayRef<StringRef> tensors) const {
  int64_t rank = 0;
  for (StringRef tensor : tensors)
    rank += getRank(tensor);
  return rank;
}

int64_t SeparateAdapters::getRows(StringRef tensor) const {
  for (const SeparateAdapter &adapter : adapters)
    if (const LowRankUpdate *update = findUpdate(adapter, tensor))
      return update->out;
  return weights.find(tensor)->shape[0];
}

int64_t SeparateAdapters::getColumns(StringRef tensor) const {
  for (const SeparateAdapter &adapter : adapters)
    if (const LowRankUpdate *update = findUpdate(adapter, tensor))
      return update->in;
  return weights.find(tensor)->shape[1];
}

bool SeparateAdapters::hasFactor(ArrayRef<StringRef> tensors) const {
  return llvm::any_of(tensors, [&](StringRef tensor) {
    return llvm::any_of(adapters, [&](const SeparateAdapter &adapter) {
      const LowRankUpdate *update = findUpdate(adapter, tensor);
      return update && !update->magnitude.empty();
    });
  });
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

static SmallVector<StringRef> getSources(WeightOp weight) {
  SmallVector<StringRef> names;
  for (auto name : weight.getSources().getAsRange<StringAttr>())
    names.push_back(name.getValue());
  return names;
}

LogicalResult SeparateAdapters::checkRecipe(WeightOp weight,
                                            ArrayRef<StringRef> tensors) {
  bool isOne = tensors.size() == 1;
  if (weight.getPlus() ||
      (!isOne && (weight.getTranspose() || weight.getConcat() != 0)))
    return fail("A0244",
                "the weight @" + weight.getSymName() +
                    " is made of several tensors in a way that no low-rank "
                    "product follows",
                kMerge);
  for (StringRef tensor : tensors)
    for (const SeparateAdapter &adapter : adapters)
      if (const LowRankUpdate *update = findUpdate(adapter, tensor);
          update && update->transposed != weight.getTranspose())
        return fail("A0243",
                    adapter.folder + ": 'fan_in_fan_out' is " +
                        (update->transposed ? "true" : "false") +
                        ", but the model keeps " + quote(tensor) +
                        (weight.getTranspose() ? "" : " not") +
                        " as [inputs, outputs]",
                    "give the adapter of this model, as PEFT saves it");
  return success();
}

LowRankPath SeparateAdapters::declare(WeightOp weight,
                                      ArrayRef<StringRef> tensors) {
  auto type = cast<RankedTensorType>(weight.getType());
  const int64_t out = type.getDimSize(0), in = type.getDimSize(1);
  const int64_t rank = getRank(tensors);
  const std::string names = llvm::join(tensors, "|");
  auto create = [&](StringRef name, StringRef prefix, ArrayRef<int64_t> shape,
                    DenseI64ArrayAttr groups) {
    return WeightOp::create(builder, weight.getLoc(),
                            (weight.getSymName() + ".adapter." + name).str(),
                            builder.getStrArrayAttr({(prefix + names).str()}),
                            /*concat=*/IntegerAttr(), /*transpose=*/false,
                            groups,
                            /*plus=*/FloatAttr(), /*digest=*/StringAttr(),
                            RankedTensorType::get(shape, builder.getF32Type()));
  };
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfter(weight);
  LowRankPath path;
  path.down = create("down", kDown, {rank, in}, {});
  // Rows of `up` and factors are regrouped as the weight's rows are.
  path.up = create("up", kUp, {out, rank}, weight.getGroupsAttr());
  if (hasFactor(tensors))
    path.factor = create("factor", kFactor, {out}, weight.getGroupsAttr());
  return path;
}

Value SeparateAdapters::add(Location loc, Value a, Value b) {
  auto type = cast<RankedTensorType>(a.getType());
  AffineMap same = AffineMap::getMultiDimIdentityMap(type.getRank(), &context);
  auto op =
      MapOp::create(builder, loc, type, ValueRange{a, b}, ValueRange(),
                    builder.getAffineMapArrayAttr({same, same}), ArrayAttr());
  OpBuilder::InsertionGuard guard(builder);
  Type f32 = builder.getF32Type();
  Block *block =
      builder.createBlock(&op.getElement(), {}, {f32, f32}, {loc, loc});
  YieldOp::create(builder, loc,
                  arith::AddFOp::create(builder, loc, block->getArgument(0),
                                        block->getArgument(1))
                      .getResult());
  return op.getResult();
}

/// Multiplies the product by a factor for each column, before anything that is
/// fused with it.
template <typename Op> void SeparateAdapters::scaleRows(Op op, Value factor) {
  const unsigned rank =
      cast<RankedTensorType>(op.getInput().getType()).getRank();
  SmallVector<Attribute> maps;
  if (ArrayAttr before = op.getElementMapsAttr())
    maps.append(before.begin(), before.end());
  maps.push_back(AffineMapAttr::get(
      AffineMap::get(rank, 0, builder.getAffineDimExpr(rank - 1))));
  op.getElementCapturesMutable().append(factor);
  op.setElementMapsAttr(builder.getArrayAttr(maps));
  OpBuilder::InsertionGuard guard(builder);
  Location loc = op.getLoc();
  Type f32 = builder.getF32Type();
  if (op.getElement().empty()) {
    Block *block = builder.createBlock(&op.getElement(), {}, {f32}, {loc});
    YieldOp::create(builder, loc, block->getArgument(0));
  }
  Block &block = op.getElement().front();
  Value column = block.addArgument(f32, loc), product = block.getArgument(0);
  builder.setInsertionPointToStart(&block);
  auto scaled = arith::MulFOp::create(builder, loc, product, column);
  product.replaceAllUsesExcept(scaled.getResult(), scaled);
}

/// True if nothing, or one sum with something captured, is fused with it.
template <typename Op> static bool isPlain(Op op) {
  if constexpr (std::is_same_v<Op, LinearOp>)
    if (!op.getRow().empty())
      return false;
  if (op.getElement().empty())
    return true;
  Block &block = op.getElement().front();
  return block.getNumArguments() == 2 && llvm::range_size(block) == 2 &&
         isa<arith::AddFOp>(block.front()) &&
         llvm::is_contained(block.front().getOperands(),
                            block.getArgument(0)) &&
         llvm::is_contained(block.front().getOperands(), block.getArgument(1));
}

template <typename Op>
LogicalResult SeparateAdapters::addPath(Op op, LowRankPath path) {
  if (!isPlain(op))
    return fail("A0244",
                "a product by @" + path.up.getSymName() +
                    " would have to stand before what is fused already",
                "give the model's folder, or a program with plain products");
  auto at = [&](StringRef what) -> Location {
    std::string name = "adapter";
    if (auto given = dyn_cast<NameLoc>(op.getLoc()))
      name = given.getName().str();
    return NameLoc::get(builder.getStringAttr(name + "." + what));
  };
  builder.setInsertionPoint(op);
  if (path.factor)
    scaleRows(op, get(at("adapter.factor"), path.factor));
  builder.setInsertionPoint(op);
  Location down = at("adapter.down"), up = at("adapter.up");
  SmallVector<SizeExpr> shape = getNamedShape(op.getInput().getType());
  shape.back() =
      SizeExpr(cast<RankedTensorType>(path.down.getType()).getDimSize(0));
  Value narrow = LinearOp::create(
                     builder, down, getNamedTensor(shape, builder.getF32Type()),
                     op.getInput(), get(down, path.down), ValueRange(),
                     ValueRange(), ArrayAttr(), ArrayAttr())
                     .getResult();
  builder.setInsertionPointAfter(op);
  Value matrix = get(up, path.up);
  Operation *wide;
  if constexpr (std::is_same_v<Op, LinearOp>)
    wide =
        LinearOp::create(builder, up, op.getResult().getType(), narrow, matrix,
                         ValueRange(), ValueRange(), ArrayAttr(), ArrayAttr());
  else
    wide = QkvProjectionOp::create(
        builder, up, op.getQuery().getType(), op.getKey().getType(),
        op.getValue().getType(), narrow, matrix, ValueRange(), ArrayAttr());
  for (auto [result, more] :
       llvm::zip_equal(op->getResults(), wide->getResults())) {
    Value sum = add(at("adapter.sum"), result, more);
    result.replaceAllUsesExcept(sum, sum.getDefiningOp());
  }
  return success();
}

LogicalResult SeparateAdapters::addPath(WeightOp weight, LowRankPath path) {
  SmallVector<OpOperand *> uses;
  module.walk([&](GetWeightOp op) {
    if (op.getWeight() == weight.getSymName())
      for (OpOperand &use : op->getUses())
        uses.push_back(&use);
  });
  for (OpOperand *use : uses) {
    Operation *owner = use->getOwner();
    constexpr unsigned kWeightOperand = 1;
    auto linear = dyn_cast<LinearOp>(owner);
    auto projection = dyn_cast<QkvProjectionOp>(owner);
    if ((!linear && !projection) || use->getOperandNumber() != kWeightOperand)
      return fail("A0244",
                  "an adapter changes @" + weight.getSymName() + ", which '" +
                      owner->getName().getStringRef() +
                      "' uses; only products have adapters apart",
                  kMerge);
    if (failed(linear ? addPath(linear, path) : addPath(projection, path)))
      return failure();
  }
  return success();
}

LogicalResult SeparateAdapters::addProducts() {
  if (module->hasAttr(AttnDialect::kStageAttr))
    return fail("A0244", "the program is one of a later stage",
                "give --adapters where the model is imported");
  for (WeightOp weight : llvm::to_vector(module.getOps<WeightOp>())) {
    SmallVector<StringRef> tensors = getSources(weight);
    if (getRank(tensors) == 0)
      continue;
    if (failed(checkRecipe(weight, tensors)) ||
        failed(addPath(weight, declare(weight, tensors))))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

std::vector<float>
SeparateAdapters::makeDown(ArrayRef<StringRef> tensors,
                           const SeparateAdapter *adapter) const {
  const int64_t in = getColumns(tensors.front());
  std::vector<float> down(getRank(tensors) * in);
  int64_t before = 0;
  for (StringRef tensor : tensors) {
    if (const LowRankUpdate *update =
            adapter ? findUpdate(*adapter, tensor) : nullptr)
      llvm::copy(update->down, down.begin() + before * in);
    before += getRank(tensor);
  }
  return down;
}

llvm::Expected<std::vector<float>>
SeparateAdapters::makeFactors(ArrayRef<StringRef> tensors,
                              const SeparateAdapter *adapter) const {
  std::vector<float> factors;
  for (StringRef tensor : tensors) {
    const LowRankUpdate *update =
        adapter ? findUpdate(*adapter, tensor) : nullptr;
    if (!update || update->magnitude.empty()) {
      factors.insert(factors.end(), getRows(tensor), 1.0f);
      continue;
    }
    llvm::Expected<std::vector<float>> elements = weights.read(tensor);
    if (!elements)
      return elements.takeError();
    for (double factor : update->getRowFactors(*elements))
      factors.push_back(static_cast<float>(factor));
  }
  return factors;
}

std::vector<float>
SeparateAdapters::makeUp(ArrayRef<StringRef> tensors, ArrayRef<float> factors,
                         const SeparateAdapter *adapter) const {
  const int64_t width = getRank(tensors);
  std::vector<float> up(factors.size() * width);
  int64_t row = 0, column = 0;
  for (StringRef tensor : tensors) {
    if (const LowRankUpdate *update =
            adapter ? findUpdate(*adapter, tensor) : nullptr)
      for (int64_t o = 0; o < update->out; ++o)
        for (int64_t k = 0; k < update->rank; ++k)
          up[(row + o) * width + column + k] = static_cast<float>(
              update->scale * update->up[o * update->rank + k] *
              factors[row + o]);
    row += getRows(tensor);
    column += getRank(tensor);
  }
  return up;
}

/// Gives `source` its tensor, of one adapter or of sessions without any.
llvm::Error SeparateAdapters::addTensor(StringRef source,
                                        const SeparateAdapter *adapter) {
  StringRef names = source.substr(source.find(':') + 1);
  SmallVector<StringRef> tensors;
  names.split(tensors, '|');
  std::optional<unsigned> choice;
  if (adapter) {
    choice = adapter->choice;
    if (llvm::none_of(tensors, [&](StringRef tensor) {
          return findUpdate(*adapter, tensor) != nullptr;
        }))
      return llvm::Error::success();
  }
  for (StringRef tensor : tensors)
    if (!weights.find(tensor))
      return makeError("A0244",
                       "the program has adapters of the tensor " +
                           quote(tensor) + ", which is in no weights file",
                       "give the model that the program was made from");
  if (getRank(tensors) == 0)
    return makeError("A0244",
                     "no adapter changes " + listNames(tensors) +
                         ", for which the program has products",
                     "give the adapters that the program was made with");
  if (source.starts_with(kDown)) {
    weights.addTensor(source, {getRank(tensors), getColumns(tensors.front())},
                      makeDown(tensors, adapter), choice);
    return llvm::Error::success();
  }
  llvm::Expected<std::vector<float>> factors = makeFactors(tensors, adapter);
  if (!factors)
    return factors.takeError();
  const int64_t rows = factors->size();
  if (source.starts_with(kFactor))
    weights.addTensor(source, {rows}, std::move(*factors), choice);
  else
    weights.addTensor(source, {rows, getRank(tensors)},
                      makeUp(tensors, *factors, adapter), choice);
  return llvm::Error::success();
}

LogicalResult SeparateAdapters::addTensors() {
  for (SeparateAdapter &adapter : adapters)
    adapter.choice = weights.addChoice(adapter.name);
  bool good = true;
  auto addSource = [&](StringRef source) -> llvm::Error {
    if (llvm::Error error = addTensor(source, nullptr))
      return error;
    for (const SeparateAdapter &adapter : adapters)
      if (llvm::Error error = addTensor(source, &adapter))
        return error;
    return llvm::Error::success();
  };
  // A lowered program keeps its weights in a module inside.
  module.walk([&](WeightOp weight) {
    for (StringRef source : getSources(weight))
      if (source.starts_with(kDown) || source.starts_with(kUp) ||
          source.starts_with(kFactor))
        if (llvm::Error error = addSource(source))
          good &= succeeded(reportError(&context, std::move(error)));
  });
  for (SeparateAdapter &adapter : adapters) {
    for (const auto &[name, entry] : adapter.contents.replacements)
      weights.replaceInChoice(adapter.choice, name, entry);
    weights.keepAlive(std::move(adapter.contents.tensors));
  }
  return success(good);
}

LogicalResult addSeparateAdapters(ModuleOp module, ArrayRef<std::string> given,
                                  WeightTable &weights) {
  SeparateAdapters adapters(module, weights);
  if (failed(adapters.read(given)))
    return failure();
  if (!module->hasAttr(AttnDialect::kAdaptersAttr) &&
      failed(adapters.addProducts()))
    return failure();
  adapters.nameFolders();
  return adapters.addTensors();
}

} // namespace attnc
