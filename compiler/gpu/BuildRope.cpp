//===- BuildRope.cpp - rotary positions -----------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.rope`: one warp per row of all heads; a lane computes every 32nd
// element of the result from the pair that it belongs to.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/RowProgram.h"

using namespace mlir;

namespace attnc::gpu {

LogicalResult ProgramBuilder::buildRope(attn::RopeOp op) {
  SmallVector<SizeExpr> shape = attn::getNamedShape(op.getType());
  const int64_t headSize = shape.pop_back_val().number();
  const int64_t heads = shape.pop_back_val().number();
  const int64_t angles = op.getAngles();
  const unsigned rank = op.getType().getRank();
  SizeExpr rows = attn::getProduct(shape);
  begin("", RowProgram::kThreads, {{rows, RowProgram::kRows}});
  Value row = add(mul(blockId(0), i32(RowProgram::kRows)), warpId());
  ifThen(lessThan(row, size(rows)), [&] {
    // Heads of one projection to several parts have gaps between rows.
    Value from = mul(wide(row), strideOf(op.getInput(), rank - 3));
    Value to = mul(wide(row), i64(heads * headSize));
    Value tableRow = mul(wide(row), i64(angles));
    constexpr int32_t kLanes = 32;
    loop(lane(), i32(heads * headSize), i32(kLanes), [&](Value element) {
      Value column = rem(element, i32(headSize));
      Value start = sub(element, column);
      Value isRotated = lessThan(column, i32(2 * angles));
      // The pair's angle, and whether this is its second element.
      Value angle, isSecond, other;
      if (op.getInterleaved()) {
        angle = div(column, i32(2));
        isSecond = equal(rem(column, i32(2)), i32(1));
        other = select(isSecond, sub(column, i32(1)), add(column, i32(1)));
      } else {
        isSecond = lessThan(i32(angles - 1), column);
        angle = select(isSecond, sub(column, i32(angles)), column);
        other = select(isSecond, angle, add(column, i32(angles)));
      }
      angle = select(isRotated, angle, i32(0));
      other = select(isRotated, other, column);
      auto read = [&](Value at) {
        return load(op.getInput(), add(from, wide(add(start, at))));
      };
      Value cos = load(op.getCos(), add(tableRow, wide(angle)));
      Value sin = load(op.getSin(), add(tableRow, wide(angle)));
      Value self = read(column), partner = read(other);
      // x cos - y sin, or y cos + x sin.
      Value signedSin = select(isSecond, sin, subF(f32(0), sin));
      Value rotated = fma(self, cos, mulF(partner, signedSin));
      store(select(isRotated, rotated, self), op.getResult(),
            add(to, wide(element)));
    });
  });
  end();
  return success();
}

} // namespace attnc::gpu
