//===- KernelForms.cpp - ops in the forms that kernels have ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   attn.qkv_projection      attn.linear into one buffer, three kernel.views
//   attn.output_projection   kernel.view, attn.linear
//   attn.split_heads, merge_heads   kernel.view
//   attn.positions           attn.map of attn.index
//   attn.norm, softmax       attn.map: identity, then the op as row region
//   attn.linear by a computed tensor   attn.matmul, attn.map of its epilogues
//   attn.get_weight, constant   kernel.weight, kernel.constant
//   attn.get_state           kernel.state, one per state
//   a returned argument, view or constant, or a value returned twice: a copy
//
// Declined with an error: any other op, by name.
//
//===----------------------------------------------------------------------===//
#include "compiler/schedule/KernelForms.h"
#include "compiler/schedule/ProgramInfo.h"
#include "compiler/schedule/StateLayout.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attnc {

bool isKernelForm(Operation *op) {
  return isa<attn::LinearOp, attn::MatmulOp, attn::HeadLinearOp,
             attn::AttentionOp, attn::MapOp, attn::EmbeddingOp,
             attn::TokenPositionsOp, attn::PackIndexOp, attn::PackOp,
             attn::UnpackOp, attn::PoolOp, attn::RopeOp, attn::PastOp,
             attn::PackedPositionsOp, attn::AppendOp, attn::CachedAttentionOp>(
      op);
}

namespace {

/// Builds an attn.map step by step: operands and their maps first, regions
/// once the op stands.
struct MapParts {
  SmallVector<Value> elementCaptures, rowCaptures;
  SmallVector<AffineMap> elementMaps, rowMaps;

  attn::MapOp create(OpBuilder &b, Location loc, RankedTensorType type) {
    auto maps = [&](ArrayRef<AffineMap> list) {
      return list.empty() ? ArrayAttr() : b.getAffineMapArrayAttr(list);
    };
    return attn::MapOp::create(b, loc, type, elementCaptures, rowCaptures,
                               maps(elementMaps), maps(rowMaps));
  }
};

class FormRewriter {
public:
  explicit FormRewriter(attn::EntryOp entry)
      : entry(entry), rewriter(entry.getContext()) {}

  LogicalResult run();

private:
  LogicalResult rewrite(Operation *op);
  void rewriteQkv(attn::QkvProjectionOp op);
  void rewriteOutputProjection(attn::OutputProjectionOp op);
  void rewriteLinear(attn::LinearOp op);
  void rewritePositions(attn::PositionsOp op);
  void rewriteNorm(attn::NormOp op);
  void rewriteSoftmax(attn::SoftmaxOp op);
  void copyResults(attn::ReturnOp op);
  /// One value per state, so that who appends and who reads meet.
  void rewriteStates();

  Value view(Location loc, Value base, RankedTensorType type,
             int64_t offset = 0) {
    if (base.getType() == type)
      return base;
    return kernel::ViewOp::create(rewriter, loc, type, base, offset);
  }
  AffineMap identity(unsigned rank) {
    return rewriter.getMultiDimIdentityMap(rank);
  }
  /// An element region that yields capture 0.
  void fillIdentity(attn::MapOp map);
  /// A map that copies `value` into memory of its own.
  Value copy(Location loc, Value value);
  /// `value` itself if its rows lie without gaps, else a copy: only heads that
  /// a projection made keep gaps, so that a row is always their last two
  /// dimensions.
  Value withoutGaps(Location loc, Value value) {
    return getPlace(value).stride ? copy(loc, value) : value;
  }
  /// The same for operands that the op's kernel reads in rows of anything but
  /// their last two dimensions.
  void closeGaps(Operation *op);
  /// A map whose row region is `build(row, captures)`, on the rows of `input`.
  attn::MapOp rowMap(Operation *op, Value input, ValueRange captures,
                     llvm::function_ref<Value(Value, ValueRange)> build);

  attn::EntryOp entry;
  IRRewriter rewriter;
};

void FormRewriter::fillIdentity(attn::MapOp map) {
  OpBuilder::InsertionGuard guard(rewriter);
  Type scalar = map.getResult().getType().getElementType();
  Block *block =
      rewriter.createBlock(&map.getElement(), {}, {scalar}, {map.getLoc()});
  attn::YieldOp::create(rewriter, map.getLoc(), block->getArguments());
}

Value FormRewriter::copy(Location loc, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  MapParts parts;
  parts.elementCaptures = {value};
  parts.elementMaps = {identity(type.getRank())};
  attn::MapOp map = parts.create(rewriter, loc, type);
  fillIdentity(map);
  return map.getResult();
}

void FormRewriter::rewriteQkv(attn::QkvProjectionOp op) {
  auto input = op.getInput().getType();
  SmallVector<SizeExpr> shape = attn::getNamedShape(input);
  shape.back() = op.getWeight().getType().getDimSize(0);
  auto linear = attn::LinearOp::create(
      rewriter, op.getLoc(),
      attn::getNamedTensor(shape, input.getElementType()), op.getInput(),
      op.getWeight(), op.getElementCaptures(), ValueRange(),
      op.getElementMapsAttr(), ArrayAttr());
  linear.getElement().takeBody(op.getElement());
  SmallVector<Value> parts;
  int64_t offset = 0;
  for (Value result : op.getResults()) {
    auto type = cast<RankedTensorType>(result.getType());
    parts.push_back(kernel::ViewOp::create(rewriter, op.getLoc(), type,
                                           linear.getResult(), offset));
    offset += type.getDimSize(type.getRank() - 2) * type.getShape().back();
  }
  rewriter.replaceOp(op, parts);
  rewriteLinear(linear);
}

void FormRewriter::rewriteOutputProjection(attn::OutputProjectionOp op) {
  auto type = op.getInput().getType();
  SmallVector<SizeExpr> shape = attn::getNamedShape(type);
  SizeExpr size = shape.pop_back_val();
  shape.back() = shape.back() * size;
  Value rows = view(op.getLoc(), withoutGaps(op.getLoc(), op.getInput()),
                    attn::getNamedTensor(shape, type.getElementType()));
  auto linear = attn::LinearOp::create(
      rewriter, op.getLoc(), op.getResult().getType(), rows, op.getWeight(),
      op.getElementCaptures(), op.getRowCaptures(), op.getElementMapsAttr(),
      op.getRowMapsAttr());
  linear.getElement().takeBody(op.getElement());
  linear.getRow().takeBody(op.getRow());
  rewriter.replaceOp(op, linear);
  rewriteLinear(linear);
}

/// Weights of the model are packed when the library is made; a matrix that the
/// program computes, or that stands in it, goes the way of activations.
void FormRewriter::rewriteLinear(attn::LinearOp op) {
  rewriter.setInsertionPoint(op);
  op.getInputMutable().assign(withoutGaps(op.getLoc(), op.getInput()));
  if (op.getWeight().getDefiningOp<kernel::WeightOp>())
    return;
  Location loc = op.getLoc();
  Value input = op.getInput();
  Value weight = withoutGaps(loc, op.getWeight());
  RankedTensorType type = op.getResult().getType();
  SmallVector<SizeExpr> shape = attn::getNamedShape(input.getType());
  SizeExpr rows = attn::getProduct(ArrayRef(shape).drop_back());
  SizeExpr columns = attn::getNamedShape(type).back();
  Type element = type.getElementType();
  Value flat =
      view(loc, input, attn::getNamedTensor({rows, shape.back()}, element));
  Value product = attn::MatmulOp::create(
      rewriter, loc, attn::getNamedTensor({rows, columns}, element), flat,
      weight, /*transpose_rhs=*/true);
  product = view(loc, product, type);
  attn::CapturedRegion elementRegion = op.getElementEpilogue();
  attn::CapturedRegion rowRegion = op.getRowEpilogue();
  if (!elementRegion && !rowRegion)
    return rewriter.replaceOp(op, product);

  MapParts parts;
  parts.elementCaptures = {product};
  parts.elementMaps = {identity(type.getRank())};
  llvm::append_range(parts.elementCaptures, elementRegion.captures);
  llvm::append_range(parts.elementMaps, elementRegion.maps);
  llvm::append_range(parts.rowCaptures, rowRegion.captures);
  llvm::append_range(parts.rowMaps, rowRegion.maps);
  attn::MapOp map = parts.create(rewriter, loc, type);
  if (elementRegion)
    map.getElement().takeBody(op.getElement());
  else
    fillIdentity(map);
  map.getRow().takeBody(op.getRow());
  rewriter.replaceOp(op, map);
}

void FormRewriter::rewritePositions(attn::PositionsOp op) {
  RankedTensorType type = op.getResult().getType();
  attn::MapOp map = MapParts().create(rewriter, op.getLoc(), type);
  rewriter.createBlock(&map.getElement());
  Value index = attn::IndexOp::create(
      rewriter, op.getLoc(), rewriter.getI32Type(), type.getRank() - 1);
  attn::YieldOp::create(rewriter, op.getLoc(), index);
  rewriter.setInsertionPoint(op);
  rewriter.replaceOp(op, map);
}

attn::MapOp
FormRewriter::rowMap(Operation *op, Value input, ValueRange captures,
                     llvm::function_ref<Value(Value, ValueRange)> build) {
  auto type = cast<RankedTensorType>(input.getType());
  MapParts parts;
  parts.elementCaptures = {input};
  parts.elementMaps = {identity(type.getRank())};
  for (Value capture : captures) {
    parts.rowCaptures.push_back(capture);
    // No result: the capture stays whole.
    parts.rowMaps.push_back(
        AffineMap::get(type.getRank() - 1, 0, rewriter.getContext()));
  }
  attn::MapOp map = parts.create(rewriter, op->getLoc(), type);
  fillIdentity(map);
  OpBuilder::InsertionGuard guard(rewriter);
  SmallVector<Type> types{attn::getNamedTensor(
      {attn::getNamedShape(type).back()}, type.getElementType())};
  llvm::append_range(types, captures.getTypes());
  Block *block =
      rewriter.createBlock(&map.getRow(), {}, types,
                           SmallVector<Location>(types.size(), op->getLoc()));
  Value result =
      build(block->getArgument(0), block->getArguments().drop_front());
  attn::YieldOp::create(rewriter, op->getLoc(), result);
  return map;
}

void FormRewriter::rewriteNorm(attn::NormOp op) {
  SmallVector<Value> captures;
  for (Value capture : {op.getWeight(), op.getBias()})
    if (capture)
      captures.push_back(capture);
  attn::MapOp map = rowMap(
      op, op.getInput(), captures, [&](Value row, ValueRange args) -> Value {
        Value weight = op.getWeight() ? args.front() : Value();
        Value bias = op.getBias() ? args.back() : Value();
        return attn::NormOp::create(rewriter, op.getLoc(), row.getType(), row,
                                    weight, bias, op.getKindAttr(),
                                    op.getEpsilonAttr());
      });
  rewriter.replaceOp(op, map);
}

void FormRewriter::rewriteSoftmax(attn::SoftmaxOp op) {
  attn::MapOp map =
      rowMap(op, op.getInput(), {}, [&](Value row, ValueRange) -> Value {
        return attn::SoftmaxOp::create(rewriter, op.getLoc(), row.getType(),
                                       row);
      });
  rewriter.replaceOp(op, map);
}

void FormRewriter::rewriteStates() {
  auto module = entry->getParentOfType<ModuleOp>();
  Block &body = entry.getBody().front();
  llvm::DenseMap<Attribute, Value> states;
  for (auto get : llvm::make_early_inc_range(body.getOps<attn::GetStateOp>())) {
    Value &state = states[get.getStateAttr()];
    if (!state) {
      auto declared = module.lookupSymbol<attn::StateOp>(get.getState());
      rewriter.setInsertionPoint(get);
      state = kernel::StateOp::create(rewriter, get.getLoc(), get.getType(),
                                      get.getStateAttr(), getBlocks(declared));
    }
    rewriter.replaceOp(get, state);
  }
}

void FormRewriter::copyResults(attn::ReturnOp op) {
  llvm::SmallPtrSet<Value, 4> returned;
  for (auto [index, operand] : llvm::enumerate(op->getOpOperands())) {
    Value value = operand.get();
    Operation *producer = value.getDefiningOp();
    if (producer && isKernelForm(producer) && returned.insert(value).second)
      continue;
    Location loc = NameLoc::get(
        rewriter.getStringAttr(entry.getResultName(index)), op.getLoc());
    operand.set(copy(loc, value));
  }
}

void FormRewriter::closeGaps(Operation *op) {
  auto close = [&](OpOperand &operand) {
    operand.set(withoutGaps(op->getLoc(), operand.get()));
  };
  llvm::TypeSwitch<Operation *>(op)
      .Case(
          [&](attn::HeadLinearOp linear) { close(linear.getWeightMutable()); })
      .Case([&](attn::RopeOp rope) {
        close(rope.getCosMutable());
        close(rope.getSinMutable());
      })
      .Case([&](attn::PoolOp pool) { close(pool.getInputMutable()); })
      .Case([&](attn::PackOp pack) {
        if (pack.getInput().getType().getRank() != 4)
          close(pack.getInputMutable());
      })
      .Case([&](attn::UnpackOp unpack) {
        if (unpack.getInput().getType().getRank() != 3)
          close(unpack.getInputMutable());
      });
}

LogicalResult FormRewriter::rewrite(Operation *op) {
  rewriter.setInsertionPoint(op);
  if (auto linear = dyn_cast<attn::LinearOp>(op))
    return rewriteLinear(linear), success();
  if (isKernelForm(op) || isa<kernel::StateOp>(op))
    return closeGaps(op), success();
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](attn::GetWeightOp get) {
        rewriter.replaceOpWithNewOp<kernel::WeightOp>(
            op, get.getResult().getType(), get.getWeightAttr(),
            kernel::PanelsAttr());
        return success();
      })
      .Case([&](attn::ConstantOp constant) {
        rewriter.replaceOpWithNewOp<kernel::ConstantOp>(
            op, constant.getResult().getType(), constant.getValue());
        return success();
      })
      .Case<attn::SplitHeadsOp, attn::MergeHeadsOp>([&](auto heads) {
        Value input = withoutGaps(op->getLoc(), heads.getInput());
        rewriter.replaceOp(
            op, view(op->getLoc(), input, heads.getResult().getType()));
        return success();
      })
      .Case(
          [&](attn::QkvProjectionOp qkv) { return rewriteQkv(qkv), success(); })
      .Case([&](attn::OutputProjectionOp projection) {
        return rewriteOutputProjection(projection), success();
      })
      .Case([&](attn::PositionsOp positions) {
        return rewritePositions(positions), success();
      })
      .Case([&](attn::NormOp norm) { return rewriteNorm(norm), success(); })
      .Case([&](attn::SoftmaxOp softmax) {
        return rewriteSoftmax(softmax), success();
      })
      .Case([&](attn::ReturnOp ret) { return copyResults(ret), success(); })
      .Default([&](Operation *) {
        return op->emitError("error[A0410]: no kernel computes '")
               << op->getName() << "'";
      });
}

LogicalResult FormRewriter::run() {
  // Nothing that only dead ops need gets a kernel.
  Block &body = entry.getBody().front();
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
    if (isOpTriviallyDead(&op))
      rewriter.eraseOp(&op);
  rewriteStates();
  for (Operation &op : llvm::make_early_inc_range(body))
    if (failed(rewrite(&op)))
      return failure();
  return success();
}

} // namespace

LogicalResult rewriteToKernelForms(attn::EntryOp entry) {
  return FormRewriter(entry).run();
}

} // namespace attnc
