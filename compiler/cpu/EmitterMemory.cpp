//===- EmitterMemory.cpp - loads, stores and vectors of a kernel ----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Memory in elements of four bytes, as llvm ops, and the few things that
// emitters do to native vectors: tails by masks, fused multiply-add where the
// target has it, reductions in one fixed order.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/Emitter.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace attnc::cpu {

// Tensors hold 4-byte elements, and nothing promises more than their alignment
// for an address inside one.
static constexpr unsigned kElementBytes = 4;

Value KernelEmitter::at(Value base, Value offset) {
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  std::optional<int64_t> number = getConstantIntValue(offset);
  if (number == 0)
    return base;
  LLVM::GEPArg index = offset;
  if (number && llvm::isInt<32>(*number))
    index = LLVM::GEPArg(static_cast<int32_t>(*number));
  return LLVM::GEPOp::create(b, loc, pointer, b.getF32Type(), base,
                             ArrayRef<LLVM::GEPArg>{index});
}

Value KernelEmitter::atBytes(Value base, Value offset) {
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  return LLVM::GEPOp::create(b, loc, pointer, b.getI8Type(), base,
                             ArrayRef<LLVM::GEPArg>{offset});
}

Value KernelEmitter::loadF32(Value pointer) {
  return LLVM::LoadOp::create(b, loc, b.getF32Type(), pointer, kElementBytes);
}

Value KernelEmitter::loadI32(Value pointer) {
  return LLVM::LoadOp::create(b, loc, b.getI32Type(), pointer, kElementBytes);
}

void KernelEmitter::store(Value value, Value pointer, unsigned alignment) {
  LLVM::StoreOp::create(b, loc, value, pointer, alignment);
}

VectorType KernelEmitter::vectorType() {
  return VectorType::get({int64_t(lanes)}, b.getF32Type());
}
VectorType KernelEmitter::indexVectorType() {
  return VectorType::get({int64_t(lanes)}, b.getI32Type());
}

/// Lanes of zeros, for what a mask leaves out.
static TypedAttr zeros(OpBuilder &b, VectorType type) {
  return DenseElementsAttr::get(type, b.getZeroAttr(type.getElementType()));
}

Value KernelEmitter::loadVector(Value pointer, Value mask, Type elementType) {
  auto type = VectorType::get({int64_t(lanes)},
                              elementType ? elementType : b.getF32Type());
  if (!mask)
    return LLVM::LoadOp::create(b, loc, type, pointer, kElementBytes);
  return LLVM::MaskedLoadOp::create(b, loc, type, pointer, mask,
                                    constant(zeros(b, type)), kElementBytes);
}

void KernelEmitter::storeVector(Value value, Value pointer, Value mask) {
  if (!mask)
    return store(value, pointer);
  LLVM::MaskedStoreOp::create(b, loc, value, pointer, mask, kElementBytes);
}

Value KernelEmitter::gather(Value pointer, Value stride, Value mask,
                            Type elementType) {
  auto wide = VectorType::get({int64_t(lanes)}, b.getI64Type());
  Value indices = arith::ExtSIOp::create(b, loc, wide, iota());
  Value strides = vector::BroadcastOp::create(b, loc, wide, stride);
  indices = arith::MulIOp::create(b, loc, indices, strides);
  return gatherAt(pointer, indices, mask, elementType);
}

Value KernelEmitter::gatherAt(Value pointer, Value indices, Value mask,
                              Type elementType) {
  auto type = VectorType::get({int64_t(lanes)},
                              elementType ? elementType : b.getF32Type());
  auto pointers = VectorType::get({int64_t(lanes)}, pointer.getType());
  Value places = LLVM::GEPOp::create(b, loc, pointers, b.getF32Type(), pointer,
                                     ArrayRef<LLVM::GEPArg>{indices});
  if (!mask) {
    auto maskType = VectorType::get({int64_t(lanes)}, b.getI1Type());
    mask = constant(DenseElementsAttr::get(maskType, true));
  }
  return LLVM::masked_gather::create(b, loc, type, places, mask,
                                     ValueRange{constant(zeros(b, type))},
                                     kElementBytes);
}

Value KernelEmitter::tailMask(Value count) {
  count = minimum(maximum(count, i64(0)), i64(lanes));
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, iota(),
                               splat(toI32(count)));
}

Value KernelEmitter::splat(Value scalar) {
  auto type = VectorType::get({int64_t(lanes)}, scalar.getType());
  TypedAttr value;
  if (matchPattern(scalar, m_Constant(&value)))
    return constant(DenseElementsAttr::get(type, Attribute(value)));
  return vector::BroadcastOp::create(b, loc, type, scalar);
}

Value KernelEmitter::iota() {
  SmallVector<int32_t> values(lanes);
  for (unsigned i = 0; i < lanes; ++i)
    values[i] = i;
  return constant(
      DenseElementsAttr::get(indexVectorType(), ArrayRef<int32_t>(values)));
}

Value KernelEmitter::fma(Value a, Value c, Value d) {
  if (target.hasFma)
    return LLVM::FMAOp::create(b, loc, a.getType(), a, c, d);
  return arith::AddFOp::create(b, loc, arith::MulFOp::create(b, loc, a, c), d);
}

Value KernelEmitter::maxF32(Value a, Value c) {
  // One vmaxps; arith.maxnumf would cost three instructions.
  Value greater =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, a, c);
  return arith::SelectOp::create(b, loc, greater, a, c);
}

Value KernelEmitter::reduce(Value vector,
                            function_ref<Value(Value, Value)> combine) {
  for (int64_t half = lanes / 2; half > 0; half /= 2) {
    auto low = llvm::to_vector(llvm::seq<int64_t>(0, half));
    auto high = llvm::to_vector(llvm::seq<int64_t>(half, 2 * half));
    vector = combine(vector::ShuffleOp::create(b, loc, vector, vector, low),
                     vector::ShuffleOp::create(b, loc, vector, vector, high));
  }
  return vector::ExtractOp::create(b, loc, vector, ArrayRef<int64_t>{0});
}

Value KernelEmitter::reduceAdd(Value vector) {
  return reduce(vector, [&](Value a, Value c) -> Value {
    return arith::AddFOp::create(b, loc, a, c);
  });
}

Value KernelEmitter::reduceMax(Value vector) {
  return reduce(vector, [&](Value a, Value c) { return maxF32(a, c); });
}

void KernelEmitter::prefetch(Value pointer, unsigned locality) {
  LLVM::Prefetch::create(b, loc, pointer, /*rw=*/0, /*hint=*/locality,
                         /*cache=*/1);
}

void KernelEmitter::prefetchToWrite(Value pointer) {
  LLVM::Prefetch::create(b, loc, pointer, /*rw=*/1, /*hint=*/3, /*cache=*/1);
}

Value KernelEmitter::stackBuffer(int64_t count) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&function.front());
  Value size = arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(count));
  constexpr unsigned kAlignment = 64;
  return LLVM::AllocaOp::create(b, loc,
                                LLVM::LLVMPointerType::get(b.getContext()),
                                b.getF32Type(), size, kAlignment);
}

} // namespace attnc::cpu
