//===- Emitter.cpp - building the code of one kernel ----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The function around a kernel, what the kernel says, scalars and loops.
// Constants and sizes are made once, at the head of the function; arithmetic on
// constants folds at once, so that offsets reach LLVM as immediates.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/Emitter.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attnc::cpu {

KernelEmitter::KernelEmitter(ModuleOp module, kernel::FuncOp kernel,
                             const Target &target, StringRef symbol)
    : kernel(kernel), target(target),
      model(CostModel::of(kernel->getParentOfType<kernel::VariantOp>())),
      b(kernel.getContext()), loc(kernel.getComputeOp()->getLoc()),
      lanes(target.lanes()), module(module), symbol(symbol) {}

LogicalResult KernelEmitter::emit() {
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  SmallVector<Type> types = {pointer, b.getI32Type(), b.getI32Type()};
  const unsigned fixed = types.size();
  const unsigned inputCount = kernel.getNumArguments();
  types.append(inputCount + kernel.getNumResults(), pointer);

  b.setInsertionPointToEnd(module.getBody());
  function = func::FuncOp::create(b, kernel.getLoc(), symbol,
                                  b.getFunctionType(types, {}));
  function.setPrivate();
  function->setAttr(kernel::KernelDialect::kTargetAttr,
                    b.getStringAttr(target.name));
  // Kernels are shared by phases and seen by name in profiles.
  function->setAttr("passthrough",
                    b.getArrayAttr({b.getStringAttr("noinline"),
                                    b.getStringAttr("nounwind")}));
  // The arena never gives an output the place of an input.
  for (unsigned i = fixed + inputCount; i < types.size(); ++i)
    function.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(),
                        b.getUnitAttr());

  Block *block = function.addEntryBlock();
  b.setInsertionPointToStart(block);
  frame = block->getArgument(0);
  for (unsigned i = fixed; i < types.size(); ++i)
    (i - fixed < inputCount ? inputs : outputs)
        .push_back(block->getArgument(i));
  worker = toI64(block->getArgument(1));
  workers = toI64(block->getArgument(2));
  headEnd = workers.getDefiningOp();
  if (failed(emitComputeOp()))
    return failure();
  func::ReturnOp::create(b, loc);
  return success();
}

LogicalResult KernelEmitter::emitComputeOp() {
  return llvm::TypeSwitch<Operation *, LogicalResult>(kernel.getComputeOp())
      .Case([&](attn::LinearOp op) { return emitLinear(op); })
      .Case([&](attn::MatmulOp op) { return emitMatmul(op); })
      .Case([&](attn::HeadLinearOp op) { return emitHeadLinear(op); })
      .Case([&](attn::AttentionOp op) { return emitAttention(op); })
      .Case([&](attn::MapOp op) { return emitMap(op); })
      .Case([&](attn::EmbeddingOp op) { return emitEmbedding(op); })
      .Case([&](attn::TokenPositionsOp op) { return emitTokenPositions(op); })
      .Case([&](attn::PackIndexOp op) { return emitPackIndex(op); })
      .Case([&](attn::PackOp op) { return emitPack(op); })
      .Case([&](attn::UnpackOp op) { return emitUnpack(op); })
      .Case([&](attn::PoolOp op) { return emitPool(op); })
      .Case([&](attn::PastOp op) { return emitPast(op); })
      .Case([&](attn::PackedPositionsOp op) { return emitPackedPositions(op); })
      .Case([&](attn::AppendOp op) { return emitAppend(op); })
      .Case([&](attn::CachedAttentionOp op) { return emitCachedAttention(op); })
      .Case([&](attn::RopeOp op) { return emitRope(op); })
      .Default([&](Operation *op) {
        op->emitError("error[A0502]: no CPU kernel computes '")
            << op->getName() << "'; a kernel.func holds a linear, matmul, "
            << "head_linear, attention, map, embedding, token_positions, "
               "pack_index, "
            << "pack, unpack, pool or rope";
        return failure();
      });
}

//===-- what the kernel says ----------------------------------------------===//

Value KernelEmitter::atHead(function_ref<Value()> build) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(headEnd);
  return build();
}

Value KernelEmitter::pointerOf(Value argument) {
  if (auto blockArgument = dyn_cast<BlockArgument>(argument))
    return inputs[blockArgument.getArgNumber()];
  if (auto constantOp = argument.getDefiningOp<attn::ConstantOp>())
    return constantTensor(constantOp);
  auto result = cast<OpResult>(argument);
  assert(result.getOwner() == kernel.getComputeOp() && "value of the kernel");
  return outputs[result.getResultNumber()];
}

Value KernelEmitter::constantTensor(attn::ConstantOp op) {
  Value &address = constantTensors[op.getResult()];
  if (address)
    return address;
  auto values = cast<DenseElementsAttr>(op.getValue());
  auto type = LLVM::LLVMArrayType::get(values.getElementType(),
                                       values.getNumElements());
  auto flat = values.reshape(RankedTensorType::get({values.getNumElements()},
                                                   values.getElementType()));
  std::string name =
      symbol + "_constant_" + std::to_string(constantTensors.size() - 1);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(function);
    LLVM::GlobalOp::create(b, op.getLoc(), type, /*isConstant=*/true,
                           LLVM::Linkage::Internal, name, flat,
                           /*alignment=*/64);
  }
  address = atHead([&] {
    return LLVM::AddressOfOp::create(
               b, loc, LLVM::LLVMPointerType::get(b.getContext()), name)
        .getResult();
  });
  return address;
}

/// The stride that `#kernel.rows` gives an argument, or nothing.
static std::optional<int64_t> layoutStride(kernel::FuncOp kernel,
                                           Value argument) {
  if (auto blockArgument = dyn_cast<BlockArgument>(argument))
    if (auto rows = dyn_cast_or_null<kernel::RowsAttr>(
            kernel.getLayout(blockArgument.getArgNumber())))
      return rows.getStride();
  return std::nullopt;
}

int64_t KernelEmitter::rowStride(Value argument, unsigned rowRank) {
  if (std::optional<int64_t> stride = layoutStride(kernel, argument))
    return *stride;
  auto shape = attn::getNamedShape(argument.getType());
  SizeExpr row = attn::getProduct(ArrayRef(shape).take_back(rowRank));
  assert(row.isNumber() && "rows have a static length");
  return row.number();
}

Value KernelEmitter::rowCount(Value argument, unsigned rowRank) {
  auto shape = attn::getNamedShape(argument.getType());
  return size(attn::getProduct(ArrayRef(shape).drop_back(rowRank)));
}

/// How many trailing dimensions make a row of a tensor whose rows are `stride`
/// apart: heads and head size where these fit a row, else one.
static unsigned rowDimensions(ArrayRef<SizeExpr> shape, int64_t stride) {
  if (shape.size() < 3)
    return 1;
  SizeExpr lastTwo = attn::getProduct(shape.take_back(2));
  return lastTwo.isNumber() && lastTwo.number() <= stride ? 2 : 1;
}

Value KernelEmitter::strideOf(Value argument, unsigned dim) {
  auto shape = attn::getNamedShape(argument.getType());
  const unsigned rank = shape.size();
  if (std::optional<int64_t> stride = layoutStride(kernel, argument)) {
    const unsigned rowDims = rowDimensions(shape, *stride);
    if (dim + rowDims < rank) {
      SizeExpr rows = attn::getProduct(
          ArrayRef(shape).slice(dim + 1, rank - rowDims - dim - 1));
      return size(rows * SizeExpr(*stride));
    }
  }
  return size(attn::getProduct(ArrayRef(shape).drop_front(dim + 1)));
}

Value KernelEmitter::offsetOf(Value argument, ArrayRef<Value> indices) {
  Value offset = i64(0);
  for (auto [dim, index] : llvm::enumerate(indices))
    offset = add(offset, mul(index, strideOf(argument, dim)));
  return offset;
}

SmallVector<Value> KernelEmitter::unflatten(Value row,
                                            ArrayRef<SizeExpr> leading) {
  SmallVector<Value> indices(leading.size());
  for (unsigned dim = leading.size(); dim-- > 1;) {
    Value extent = size(leading[dim]);
    Value outer = div(row, extent);
    indices[dim] = sub(row, mul(outer, extent));
    row = outer;
  }
  if (!indices.empty())
    indices[0] = row;
  return indices;
}

Value KernelEmitter::frameField(FrameField field, Type type) {
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  // Every field of attn_frame has eight bytes.
  Value place = LLVM::GEPOp::create(b, loc, pointer, b.getI64Type(), frame,
                                    ArrayRef<LLVM::GEPArg>{int32_t(field)});
  return LLVM::LoadOp::create(b, loc, type, place, /*alignment=*/8);
}

Value KernelEmitter::sizePlace(StringRef name) {
  // Sizes are numbered in the order of their declarations.
  int32_t index = 0;
  for (auto declared : module.getOps<attn::SizeOp>()) {
    if (declared.getSymName() == name)
      break;
    ++index;
  }
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  return LLVM::GEPOp::create(b, loc, pointer, b.getI64Type(),
                             frameField(kSizes, pointer),
                             ArrayRef<LLVM::GEPArg>{index});
}

void KernelEmitter::setSize(StringRef name, Value value) {
  LLVM::StoreOp::create(b, loc, value, sizePlace(name), /*alignment=*/8);
}

Value KernelEmitter::size(const SizeExpr &expr) {
  auto named = [&](StringRef name) {
    Value &value = sizeValues[name];
    if (!value)
      value = atHead([&]() -> Value {
        return LLVM::LoadOp::create(b, loc, b.getI64Type(), sizePlace(name), 8);
      });
    return value;
  };
  Value sum = i64(0);
  for (const auto &[product, coefficient] : expr.getTerms()) {
    Value term = i64(coefficient);
    for (const std::string &name : product)
      term = mul(named(name), term);
    sum = add(sum, term);
  }
  return sum;
}

Value KernelEmitter::pastOf(Value sequence) {
  Value past = atHead([&]() -> Value {
    return frameField(kPast, LLVM::LLVMPointerType::get(b.getContext()));
  });
  return toI64(loadI32(at(past, sequence)));
}

void KernelEmitter::whenLast(function_ref<void()> body) {
  // It reads there what others wrote through pointers of their own.
  for (Value output : outputs)
    function.removeArgAttr(cast<BlockArgument>(output).getArgNumber(),
                           LLVM::LLVMDialect::getNoAliasAttrName());
  Value arrived =
      frameField(kArrived, LLVM::LLVMPointerType::get(b.getContext()));
  // Releases what this worker wrote, and acquires what the others did.
  Value before = LLVM::AtomicRMWOp::create(
      b, loc, LLVM::AtomicBinOp::add, arrived, i32(1),
      LLVM::AtomicOrdering::acq_rel, /*syncscope=*/"", /*alignment=*/4);
  Value isLast = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                       toI64(before), sub(workers, i64(1)));
  ifThen(isLast, [&] {
    store(i32(0), arrived);
    body();
  });
}

Value KernelEmitter::scratch() {
  return atHead([&]() -> Value {
    auto pointer = LLVM::LLVMPointerType::get(b.getContext());
    Value base = frameField(kScratch, pointer);
    Value stride = frameField(kScratchStride, b.getI64Type());
    Value own = arith::MulIOp::create(b, loc, worker, stride);
    return LLVM::GEPOp::create(b, loc, pointer, b.getI8Type(), base,
                               ArrayRef<LLVM::GEPArg>{own});
  });
}

Value KernelEmitter::inScratchOf(Value other, Value place) {
  Value stride = frameField(kScratchStride, b.getI64Type());
  return atBytes(place, mul(sub(other, worker), stride));
}

//===-- scalars -----------------------------------------------------------===//

Value KernelEmitter::constant(TypedAttr value) {
  Value &made = constants[value];
  if (!made)
    made = atHead(
        [&]() -> Value { return arith::ConstantOp::create(b, loc, value); });
  return made;
}

Value KernelEmitter::i64(int64_t value) {
  return constant(b.getI64IntegerAttr(value));
}
Value KernelEmitter::i32(int32_t value) {
  return constant(b.getI32IntegerAttr(value));
}
Value KernelEmitter::f32(float value) {
  return constant(b.getF32FloatAttr(value));
}

Value KernelEmitter::add(Value a, Value c) {
  std::optional<int64_t> x = getConstantIntValue(a), y = getConstantIntValue(c);
  if (x && y)
    return i64(*x + *y);
  if (x == 0)
    return c;
  if (y == 0)
    return a;
  return arith::AddIOp::create(b, loc, a, c);
}

Value KernelEmitter::sub(Value a, Value c) {
  std::optional<int64_t> x = getConstantIntValue(a), y = getConstantIntValue(c);
  if (x && y)
    return i64(*x - *y);
  if (y == 0)
    return a;
  return arith::SubIOp::create(b, loc, a, c);
}

Value KernelEmitter::mul(Value a, Value c) {
  std::optional<int64_t> x = getConstantIntValue(a), y = getConstantIntValue(c);
  if (x && y)
    return i64(*x * *y);
  if (x == 0 || y == 0)
    return i64(0);
  if (x == 1)
    return c;
  if (y == 1)
    return a;
  return arith::MulIOp::create(b, loc, a, c);
}

Value KernelEmitter::div(Value a, Value c) {
  std::optional<int64_t> x = getConstantIntValue(a), y = getConstantIntValue(c);
  if (x && y)
    return i64(*x / *y);
  if (y == 1)
    return a;
  return arith::DivUIOp::create(b, loc, a, c);
}

Value KernelEmitter::ceilDiv(Value a, int64_t divisor) {
  return div(add(a, i64(divisor - 1)), i64(divisor));
}

Value KernelEmitter::minimum(Value a, Value c) {
  std::optional<int64_t> x = getConstantIntValue(a), y = getConstantIntValue(c);
  if (x && y)
    return i64(std::min(*x, *y));
  return arith::MinSIOp::create(b, loc, a, c);
}

Value KernelEmitter::maximum(Value a, Value c) {
  std::optional<int64_t> x = getConstantIntValue(a), y = getConstantIntValue(c);
  if (x && y)
    return i64(std::max(*x, *y));
  return arith::MaxSIOp::create(b, loc, a, c);
}

Value KernelEmitter::lessThan(Value a, Value c) {
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, a, c);
}

Value KernelEmitter::toI32(Value a) {
  if (std::optional<int64_t> x = getConstantIntValue(a))
    return i32(*x);
  return arith::TruncIOp::create(b, loc, b.getI32Type(), a);
}

Value KernelEmitter::toI64(Value a) {
  return arith::ExtSIOp::create(b, loc, b.getI64Type(), a);
}

//===-- control -----------------------------------------------------------===//

void KernelEmitter::loop(Value from, Value to, int64_t step, Body body) {
  auto forOp = scf::ForOp::create(b, loc, from, to, i64(step));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(forOp.getBody()->getTerminator());
  body(forOp.getInductionVar());
}

SmallVector<Value> KernelEmitter::loop(Value from, Value to, int64_t step,
                                       ValueRange initial, CarriedBody body) {
  if (initial.empty()) {
    loop(from, to, step, [&](Value index) { body(index, {}); });
    return {};
  }
  auto forOp = scf::ForOp::create(b, loc, from, to, i64(step), initial);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(forOp.getBody());
  scf::YieldOp::create(
      b, loc, body(forOp.getInductionVar(), forOp.getRegionIterArgs()));
  return SmallVector<Value>(forOp.getResults());
}

void KernelEmitter::ifThen(Value condition, function_ref<void()> body) {
  auto ifOp = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(ifOp.thenBlock()->getTerminator());
  body();
}

void KernelEmitter::ifThenElse(Value condition, function_ref<void()> then,
                               function_ref<void()> otherwise) {
  auto ifOp = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(ifOp.thenBlock()->getTerminator());
  then();
  b.setInsertionPoint(ifOp.elseBlock()->getTerminator());
  otherwise();
}

std::pair<Value, Value> KernelEmitter::workerRange(Value count) {
  Value from = div(mul(count, worker), workers);
  Value to = div(mul(count, add(worker, i64(1))), workers);
  return {from, to};
}

} // namespace attnc::cpu
