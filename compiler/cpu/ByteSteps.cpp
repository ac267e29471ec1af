//===- ByteSteps.cpp - numbers as whole steps of a scale ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One pass over the numbers, in vectors: unrolled where there are few.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/ByteSteps.h"

using namespace mlir;

namespace attnc::cpu {

Value foldVectors(
    KernelEmitter &e, int64_t count, Value initial,
    llvm::function_ref<Value(Value sum, Value index, Value mask)> fold) {
  constexpr int64_t kFewVectors = 8;
  const int64_t whole = count / e.lanes * e.lanes;
  Value sum = initial;
  if (whole <= kFewVectors * int64_t(e.lanes))
    for (int64_t at = 0; at < whole; at += e.lanes)
      sum = fold(sum, e.i64(at), Value());
  else
    sum = e.loop(e.i64(0), e.i64(whole), e.lanes, sum,
                 [&](Value index, ValueRange carried) {
                   return SmallVector<Value>{fold(carried[0], index, Value())};
                 })[0];
  if (whole < count)
    sum = fold(sum, e.i64(whole), e.tailMask(e.i64(count - whole)));
  return sum;
}

ByteSteps findByteSteps(KernelEmitter &e, Value numbers, int64_t count) {
  Value magnitude = e.splat(e.i32(0x7fffffff));
  Value most = foldVectors(
      e, count, e.splat(e.i32(0)),
      [&](Value sum, Value index, Value mask) -> Value {
        Value bits = e.loadVector(e.at(numbers, index), mask, e.b.getI32Type());
        bits = arith::AndIOp::create(e.b, e.loc, bits, magnitude);
        return arith::MaxSIOp::create(e.b, e.loc, sum, bits);
      });
  Value largest = vector::ReductionOp::create(
      e.b, e.loc, vector::CombiningKind::MAXSI, most);
  largest = arith::BitcastOp::create(e.b, e.loc, e.b.getF32Type(), largest);
  // False for a NaN, which then spreads.
  Value isZero = arith::CmpFOp::create(e.b, e.loc, arith::CmpFPredicate::OLT,
                                       largest, e.f32(0x1p-100f));
  Value inverse = arith::DivFOp::create(e.b, e.loc, e.f32(127.0f), largest);
  inverse = arith::SelectOp::create(e.b, e.loc, isZero, e.f32(0.0f), inverse);
  Value scale =
      arith::MulFOp::create(e.b, e.loc, largest, e.f32(1.0f / 127.0f));
  return {scale, inverse};
}

} // namespace attnc::cpu
