//===- AttentionChunks.cpp - keys taken chunk by chunk --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An online softmax, where keys are more than a chunk: which chunks a block of
// rows visits, and what a row keeps from one to the next: its highest score,
// the sum of its weights relative to that, and in the output the weighted sum.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/AttentionEmitter.h"
#include <limits>

using namespace mlir;

namespace attnc::cpu {

static constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// Leaves the block the keys of a chunk. Whether it has any there; a block
/// without keys has one chunk all the same.
Value AttentionEmitter::cutChunk(Block &block, Value chunkIndex) {
  Value chunkPanels = e.i64(chunk / panel);
  Value last =
      e.maximum(e.sub(e.ceilDiv(block.keyEnd, chunk), e.i64(1)), e.i64(0));
  Value first = e.minimum(e.div(block.firstPanel, chunkPanels), last);
  auto is = [&](arith::CmpIPredicate predicate, Value other) -> Value {
    return arith::CmpIOp::create(b, loc, predicate, chunkIndex, other);
  };
  block.isFirst = is(arith::CmpIPredicate::eq, first);
  block.isLast = is(arith::CmpIPredicate::eq, last);
  block.base = e.mul(chunkIndex, chunkPanels);
  block.itemRow = e.sub(
      block.query, e.mul(e.div(block.query, e.i64(itemRows)), e.i64(itemRows)));
  block.firstPanel = e.maximum(block.firstPanel, block.base);
  Value end = e.mul(e.add(chunkIndex, e.i64(1)), e.i64(chunk));
  block.keyEnd = e.minimum(block.keyEnd, end);
  return arith::AndIOp::create(b, loc, is(arith::CmpIPredicate::sge, first),
                               is(arith::CmpIPredicate::sle, last));
}

/// Where the scores with a panel of keys lie.
Value AttentionEmitter::scoresAt(const Block &block, Value panelIndex) {
  if (block.base)
    panelIndex = e.sub(panelIndex, block.base);
  return e.at(probabilities, e.mul(panelIndex, e.i64(panelStride)));
}

/// What the output holds of earlier chunks; zeros, and nothing is read, in the
/// first.
Value AttentionEmitter::loadEarlier(const Block &block, Value place,
                                    Value mask) {
  Value isLater = arith::XOrIOp::create(
      b, loc, block.isFirst, arith::ConstantIntOp::create(b, loc, 1, 1));
  Value admitted = e.splat(isLater);
  if (mask)
    admitted = arith::AndIOp::create(b, loc, admitted, mask);
  return e.loadVector(place, admitted);
}

/// A row's highest score so far. Leaves the factor that scales what was added
/// up relative to the one before; 0 in the first chunk.
Value AttentionEmitter::joinMaximum(const Block &block, Value row,
                                    Value maximum) {
  Value place = e.at(keptMaxima, e.add(block.itemRow, row));
  Value lowest = e.f32(kMinusInfinity);
  Value before =
      arith::SelectOp::create(b, loc, block.isFirst, lowest, e.loadF32(place));
  Value highest = e.maxF32(maximum, before);
  e.store(highest, place);
  Value none =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, highest, lowest);
  Value shift = arith::SelectOp::create(b, loc, none, e.f32(0), highest);
  Value factor = math::ExpOp::create(
      b, loc, arith::SubFOp::create(b, loc, e.splat(before), e.splat(shift)));
  e.store(vector::ExtractOp::create(b, loc, factor, 0), e.at(factors, row));
  return highest;
}

/// A row's sum of weights so far.
Value AttentionEmitter::joinSum(const Block &block, Value row, Value sum) {
  Value place = e.at(keptSums, e.add(block.itemRow, row));
  Value before = arith::SelectOp::create(b, loc, block.isFirst, e.f32(0),
                                         e.loadF32(place));
  Value scaled =
      arith::MulFOp::create(b, loc, before, e.loadF32(e.at(factors, row)));
  Value total = arith::AddFOp::create(b, loc, sum, scaled);
  e.store(total, place);
  return total;
}

} // namespace attnc::cpu
