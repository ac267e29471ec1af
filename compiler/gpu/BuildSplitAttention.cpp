//===- BuildSplitAttention.cpp - few queries, many keys -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With a handful of queries, blocks over queries and heads leave most of a
// device idle, and reading keys and values is all there is to do. The keys are
// cut into parts, one block each, that write sums, maxima and totals to
// scratch; a second program adds the parts up:
//
//   M = max over parts of m;   w = exp2(m - M)
//   out = sum of w O / sum of w l
//
// Declined: packed sequences, and numbers of queries that are not known.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/AttentionBuilder.h"
#include "compiler/gpu/RowProgram.h"
#include <limits>

using namespace mlir;

namespace attnc::gpu {

// Rows of one product: with more queries there is work for more blocks.
static constexpr int64_t kFewQueries = 16;
// Eight parts per head fill 132 multiprocessors with 16 heads of one sequence.
static constexpr int64_t kParts = 8;
static constexpr float kInfinity = std::numeric_limits<float>::infinity();

void AttentionBuilder::chooseSplits() {
  auto shape = attn::getNamedShape(op.getQuery().getType());
  if (shape.size() != 4 || !shape[1].isNumber() ||
      shape[1].number() > kFewQueries)
    return;
  auto keys = attn::getNamedShape(op.getKey().getType())[1];
  if (keys.isNumber() && keys.number() < kParts * t.keys)
    return;
  splits = kParts;
  t.valueSize *= valueParts;
  valueParts = 1;
  t.queries = 16;
  t.warps = 1;
  constexpr int64_t kStatistics = 2;
  SizeExpr numbers =
      SizeExpr(splits * (op.getValueSize() + kStatistics)) * countRows();
  e.kernel.setScratch((SizeExpr(sizeof(float)) * numbers).str());
}

/// Rows of the result: batches x queries x heads.
SizeExpr AttentionBuilder::countRows() {
  auto shape = attn::getNamedShape(op.getQuery().getType());
  return attn::getProduct(ArrayRef(shape).drop_back());
}

/// Row `row` (i32) of the result in part `split`, counted over all parts.
Value AttentionBuilder::partRow(Value split, Value row) {
  return e.add(e.mul(e.wide(split), e.size64(countRows())), e.wide(row));
}

void AttentionBuilder::storePart(const Work &work, Value sums, Value maxima,
                                 Value totals) {
  const int64_t heads = op.getQueryHeads(), size = op.getValueSize();
  Type number = b.getF32Type();
  Value row = e.add(e.mul(work.queryStart, e.i32(heads)), work.head);
  Value place = partRow(work.split, row);
  Value first = e.add(work.first, warpRow), zero = e.i32(0);
  warp::StoreOp::create(b, e.loc, sums,
                        e.at(e.scratch(), e.mul(place, e.i64(size)), number),
                        first, zero, work.queryCount, e.i32(size),
                        e.i64(heads * size), number, size % 2 == 0);

  // Maximum and total of a row as two columns, behind the sums of all parts.
  Value pair = pairUp(maxima, totals);
  Value statistics = e.mul(e.size64(countRows()), e.i64(splits * size));
  Value offset = e.add(statistics, e.mul(place, e.i64(2)));
  warp::StoreOp::create(b, e.loc, pair, e.at(e.scratch(), offset, number),
                        first, zero, work.queryCount, e.i32(2),
                        e.i64(2 * heads), number,
                        /*paired=*/true);
}

void AttentionBuilder::buildMerge() {
  const int64_t size = op.getValueSize();
  Type number = b.getF32Type();
  e.begin("_merge", RowProgram::kThreads, {{countRows(), RowProgram::kRows}});
  Value row = e.add(e.mul(e.blockId(0), e.i32(RowProgram::kRows)), e.warpId());
  e.ifThen(e.lessThan(row, e.size(countRows())), [&] {
    Value statistics = e.mul(e.size64(countRows()), e.i64(splits * size));
    SmallVector<Value> places, maxima, totals;
    Value highest = e.f32(-kInfinity);
    for (int64_t i = 0; i < splits; ++i) {
      Value place = partRow(e.i32(i), row);
      Value at = e.add(statistics, e.mul(place, e.i64(2)));
      places.push_back(e.mul(place, e.i64(size)));
      maxima.push_back(e.loadAt(e.at(e.scratch(), at, number), number));
      totals.push_back(
          e.loadAt(e.at(e.scratch(), e.add(at, e.i64(1)), number), number));
      highest = e.maxF(highest, maxima.back());
    }
    Value none = arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::OEQ,
                                       highest, e.f32(-kInfinity));
    Value base = e.mulF(e.select(none, e.f32(0), highest), e.f32(-scoreScale));
    Value total = e.f32(0);
    SmallVector<Value> weights;
    for (int64_t i = 0; i < splits; ++i) {
      weights.push_back(e.exp2(e.fma(maxima[i], e.f32(scoreScale), base)));
      total = e.fma(weights.back(), totals[i], total);
    }
    Value empty = arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::OEQ,
                                        total, e.f32(0));
    Value inverse = e.select(empty, e.f32(0), e.divF(e.f32(1), total));
    e.loop(e.lane(), e.i32(size), e.i32(32), [&](Value column) {
      Value sum = e.f32(0);
      for (int64_t i = 0; i < splits; ++i) {
        Value at = e.add(places[i], e.wide(column));
        sum = e.fma(weights[i], e.loadAt(e.at(e.scratch(), at, number), number),
                    sum);
      }
      Value target = e.add(e.mul(e.wide(row), e.i64(size)), e.wide(column));
      e.store(e.mulF(sum, inverse), op.getResult(), target);
    });
  });
  e.end();
}

} // namespace attnc::gpu
