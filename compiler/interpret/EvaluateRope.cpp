//===- EvaluateRope.cpp - rotary positions --------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// attn.rope: pairs of every head, rotated by the angles of the head's row.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/Evaluation.h"

using namespace mlir;
using llvm::Error;

namespace attnc::interpret {

Error Evaluation::evaluate(attn::RopeOp op) {
  Tensor input = get(op.getInput()).asNumbers();
  Tensor cos = get(op.getCos()).asNumbers(), sin = get(op.getSin()).asNumbers();
  const int64_t size = input.columns(), angles = op.getAngles();
  const int64_t heads = input.shape[input.rank() - 2];
  // Neighbours of a pair, and pairs: how far apart.
  const int64_t partner = op.getInterleaved() ? 1 : angles;
  const int64_t step = op.getInterleaved() ? 2 : 1;
  Tensor result = Tensor::numbers(input.shape);
  result.elements->numbers = input.elements->numbers;
  for (int64_t head = 0; head < input.rows(); ++head) {
    double *to = result.numberData() + head * size;
    for (int64_t c = 0; c < angles; ++c) {
      const int64_t angle = head / heads * angles + c;
      const double x = to[c * step], y = to[c * step + partner];
      to[c * step] = x * cos.numberData()[angle] - y * sin.numberData()[angle];
      to[c * step + partner] =
          y * cos.numberData()[angle] + x * sin.numberData()[angle];
    }
  }
  return setChecked(op.getResult(), std::move(result));
}

} // namespace attnc::interpret
