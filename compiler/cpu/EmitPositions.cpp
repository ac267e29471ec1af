//===- EmitPositions.cpp - positions counted over tokens ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.token_positions`: each worker takes whole sequences and counts along
// them, one id after the other; ids are few beside what is made of them.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/Emitter.h"

using namespace mlir;

namespace attnc::cpu {

LogicalResult KernelEmitter::emitTokenPositions(attn::TokenPositionsOp op) {
  Value ids = pointerOf(op.getIds()), result = pointerOf(op.getResult());
  Value length = size(attn::getNamedShape(op.getType()).back());
  Value padding = i32(static_cast<int32_t>(op.getPadding()));
  auto [from, to] = workerRange(rowCount(op.getResult(), 1));
  loop(from, to, 1, [&](Value sequence) {
    Value start = mul(sequence, length);
    loop(start, add(start, length), 1, padding,
         [&](Value index, ValueRange carried) -> SmallVector<Value> {
           Value isPadding =
               arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                     loadI32(at(ids, index)), padding);
           Value next = arith::AddIOp::create(b, loc, carried[0], i32(1));
           store(arith::SelectOp::create(b, loc, isPadding, padding, next),
                 at(result, index));
           return {
               arith::SelectOp::create(b, loc, isPadding, carried[0], next)};
         });
  });
  return success();
}

} // namespace attnc::cpu
