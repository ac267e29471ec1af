//===- AdapterProducts.cpp - products of adapters -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// IR before: attn.linear and attn.qkv_projection by weights of the model.
// After: beside each of them that an adapter changes, a product by `down`, one
// by `up` and a sum; and, for DoRA, a factor for every column of the model's
// product. The sources of the new weights are named after the tensors that they
// belong to, so that a dumped program tells what its adapters have to give.
// Declined: tensors that are used in another way than by a product, and
// products that are fused with more than a bias.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/AdapterSet.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace attnc::attn;

namespace attnc {

SmallVector<StringRef> getSources(WeightOp weight) {
  SmallVector<StringRef> names;
  for (auto name : weight.getSources().getAsRange<StringAttr>())
    names.push_back(name.getValue());
  return names;
}

namespace {

/// The weights of one low-rank path.
struct LowRankPath {
  WeightOp down, up;
  WeightOp factor; ///< or null
};

class ProductAdder {
public:
  ProductAdder(ModuleOp module, const AdapterSet &adapters)
      : module(module), context(*module.getContext()), adapters(adapters),
        builder(&context) {}
  LogicalResult run();

private:
  LogicalResult fail(StringRef code, const llvm::Twine &what,
                     const llvm::Twine &todo) {
    return reportError(&context, code, what, todo);
  }
  SmallVector<OpOperand *> findUses(WeightOp weight);
  LogicalResult checkUses(WeightOp weight, ArrayRef<OpOperand *> uses);
  LogicalResult checkRecipe(WeightOp weight, ArrayRef<StringRef> tensors);
  LowRankPath declare(WeightOp weight, ArrayRef<StringRef> tensors);
  template <typename Op> void addPath(Op op, LowRankPath path);
  template <typename Op> void scaleRows(Op op, Value factor);
  Value get(Location loc, WeightOp weight) {
    return GetWeightOp::create(builder, loc, weight.getType(),
                               FlatSymbolRefAttr::get(weight.getSymNameAttr()));
  }
  Value add(Location loc, Value a, Value b);

  ModuleOp module;
  MLIRContext &context;
  const AdapterSet &adapters;
  OpBuilder builder;
};

} // namespace

LogicalResult ProductAdder::checkRecipe(WeightOp weight,
                                        ArrayRef<StringRef> tensors) {
  bool isOne = tensors.size() == 1;
  if (weight.getPlus() ||
      (!isOne && (weight.getTranspose() || weight.getConcat() != 0)))
    return fail("A0244",
                "the weight @" + weight.getSymName() +
                    " is made of several tensors in a way that no low-rank "
                    "product follows",
                kMergeAdapter);
  for (StringRef tensor : tensors)
    for (const SeparateAdapter &adapter : adapters.get())
      if (const LowRankUpdate *update = adapter.findUpdate(tensor);
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

LowRankPath ProductAdder::declare(WeightOp weight,
                                  ArrayRef<StringRef> tensors) {
  auto type = cast<RankedTensorType>(weight.getType());
  const int64_t out = type.getDimSize(0), in = type.getDimSize(1);
  const int64_t rank = adapters.getRank(tensors);
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
  path.down = create("down", kAdapterDown, {rank, in}, {});
  // Rows of `up` and factors are regrouped as the weight's rows are.
  path.up = create("up", kAdapterUp, {out, rank}, weight.getGroupsAttr());
  if (adapters.hasFactor(tensors))
    path.factor =
        create("factor", kAdapterFactor, {out}, weight.getGroupsAttr());
  return path;
}

Value ProductAdder::add(Location loc, Value a, Value b) {
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
template <typename Op> void ProductAdder::scaleRows(Op op, Value factor) {
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

template <typename Op> void ProductAdder::addPath(Op op, LowRankPath path) {
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
}

SmallVector<OpOperand *> ProductAdder::findUses(WeightOp weight) {
  SmallVector<OpOperand *> uses;
  module.walk([&](GetWeightOp op) {
    if (op.getWeight() == weight.getSymName())
      for (OpOperand &use : op->getUses())
        uses.push_back(&use);
  });
  return uses;
}

LogicalResult ProductAdder::checkUses(WeightOp weight,
                                      ArrayRef<OpOperand *> uses) {
  constexpr unsigned kWeightOperand = 1;
  for (OpOperand *use : uses) {
    Operation *owner = use->getOwner();
    auto linear = dyn_cast<LinearOp>(owner);
    auto projection = dyn_cast<QkvProjectionOp>(owner);
    if ((!linear && !projection) || use->getOperandNumber() != kWeightOperand)
      return fail("A0244",
                  "an adapter changes @" + weight.getSymName() + ", which '" +
                      owner->getName().getStringRef() +
                      "' uses; only products have adapters apart",
                  kMergeAdapter);
    if (linear ? !isPlain(linear) : !isPlain(projection))
      return fail("A0244",
                  "the product of an adapter of @" + weight.getSymName() +
                      " would have to stand before what is fused already",
                  "give the model's folder, or a program with plain products");
  }
  return success();
}

LogicalResult ProductAdder::run() {
  if (module->hasAttr(AttnDialect::kStageAttr))
    return fail("A0244", "the program is one of a later stage",
                "give --adapters where the model is imported");
  for (WeightOp weight : llvm::to_vector(module.getOps<WeightOp>())) {
    SmallVector<StringRef> tensors = getSources(weight);
    if (adapters.getRank(tensors) == 0)
      continue;
    SmallVector<OpOperand *> uses = findUses(weight);
    if (uses.empty())
      continue; // it became a part of another
    if (failed(checkUses(weight, uses)) || failed(checkRecipe(weight, tensors)))
      return failure();
    LowRankPath path = declare(weight, tensors);
    for (OpOperand *use : uses)
      if (auto linear = dyn_cast<LinearOp>(use->getOwner()))
        addPath(linear, path);
      else
        addPath(cast<QkvProjectionOp>(use->getOwner()), path);
  }
  return success();
}

LogicalResult addAdapterProducts(ModuleOp module, const AdapterSet &adapters) {
  return ProductAdder(module, adapters).run();
}

} // namespace attnc
