//===- BuildCachedParts.cpp - attention of few rows with states -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sequences with few new rows, as decoding makes them, where reading the states
// is all there is to do: the rows are the query heads that share a key head, at
// one position; blocks take parts of the positions, and each warp some of a
// block's keys,
//
//   copy K(0), V(0); for j: wait; sync; copy K(j + 1), V(j + 1)
//     S = Q K(j)^T; regions; m, P, l; O = O factor + P V(j)
//
// on f32 or bf16 as it lies in the states, or on scale * q of i8; their sums,
// maxima and totals go to scratch, and a last program adds the parts up:
//
//   M = max m;  w = exp2(m - M);  out = sum of w O / sum of w l
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/CachedAttentionBuilder.h"
#include "compiler/gpu/RowProgram.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace attnc::gpu {

//===-- parts -------------------------------------------------------------===//

/// Row `row` (i32) of part `part`, in rows of all parts.
Value CachedAttentionBuilder::partPlace(Value part, Value row) {
  return e.add(e.mul(e.wide(part), e.size64(countPartRows())), e.wide(row));
}

/// Two stages of keys and values in f32: 64 positions, or 32 of large heads.
void CachedAttentionBuilder::buildParts() {
  const bool isLarge = std::max(t.headSize, t.valueSize) > 128;
  t.queries = kMmaRows;
  t.warps = isLarge ? 2 : 4;
  t.keys = kMmaRows * t.warps;
  inParts = true;
  SizeExpr numbers =
      SizeExpr(parts * t.warps * (op.getValueSize() + 2)) * countPartRows();
  e.kernel.setScratch((SizeExpr(sizeof(float)) * numbers).str());
  const int64_t rowTiles = llvm::divideCeil(group, kMmaRows);
  e.begin("_parts", 32 * t.warps,
          {{parts, 1},
           {op.getKeyHeads() * rowTiles, 1},
           {batch * SizeExpr(kFewQueries), 1}});
  allocate(/*stages=*/2);
  Work work;
  work.sequence = e.div(e.blockId(2), e.i32(kFewQueries));
  Value query = e.rem(e.blockId(2), e.i32(kFewQueries));
  Value count = sequenceCount(work.sequence);
  Value isFew = e.both(e.lessThan(count, e.i32(kFewQueries + 1)),
                       e.lessThan(query, count));
  e.guard(isFew, [&] {
    work.valueColumn = e.i32(0);
    work.keyHead = e.div(e.blockId(1), e.i32(rowTiles));
    Value firstRow =
        e.mul(e.rem(e.blockId(1), e.i32(rowTiles)), e.i32(kMmaRows));
    work.head = e.add(e.mul(work.keyHead, e.i32(group)), firstRow);
    work.rows = e.sub(e.i32(group), firstRow);
    Value past = e.load(op.getPast(), e.wide(work.sequence));
    work.position = e.add(past, query);
    work.keys = e.add(past, count);
    Memory memory = {StateBlocks(e, op.getKey()),
                     StateBlocks(e, op.getValue())};
    Value start = e.add(sequenceStart(work.sequence), query);
    Value place =
        e.add(e.mul(e.blockId(2), e.i32(op.getQueryHeads())), work.head);
    partRows(work, memory, e.blockId(0), start, work.head, place);
  });
  e.end();
}

void CachedAttentionBuilder::partRows(const Work &work, Memory &memory,
                                      Value part, Value start, Value firstHead,
                                      Value place) {
  Value warpKey = e.mul(e.warpId(), e.i32(kMmaRows));
  // Whole blocks of positions.
  const int64_t block = memory.key.positions;
  Value length = e.mul(e.ceilDiv(work.keys, parts * block), e.i32(block));
  Value begin = e.mul(part, length);
  Value end = e.minimum(work.keys, e.add(begin, length));
  Span span = findSpan({work.position, work.position, begin, end}, t.keys);
  copyQueries(e.add(e.mul(e.wide(start), e.strideOf(op.getQuery(), 0)),
                    e.mul(e.wide(firstHead), e.strideOf(op.getQuery(), 1))),
              e.strideOf(op.getQuery(), 1), work.rows);
  auto copyStage = [&](Value key, Value stage) {
    copyKeys(memory, work, key, stageOf(keyTile, stage));
    copyValues(memory, work, key, stageOf(valueTile, stage));
  };
  Value one = e.i32(1);
  e.ifThen(e.lessThan(span.begin, span.end),
           [&] { copyStage(span.begin, e.i32(0)); });
  warp::CommitOp::create(b, e.loc);
  Values state = startRows(t.queries);
  state.push_back(e.i32(0));
  state = e.loop(
      span.begin, span.end, e.i32(t.keys), state,
      [&](Value key, ValueRange carried) -> Values {
        Value stage = carried[3], other = e.sub(one, stage);
        warp::WaitOp::create(b, e.loc, 0);
        warp::SyncOp::create(b, e.loc);
        Value next = e.add(key, e.i32(t.keys));
        e.ifThen(e.lessThan(next, span.end), [&] { copyStage(next, other); });
        warp::CommitOp::create(b, e.loc);
        Value scores =
            multiplyKeys(e.i32(0), stageOf(keyTile, stage), warpKey, kMmaRows);
        scores = finishScores(work, scores, e.i32(0), e.add(key, warpKey),
                              /*masked=*/true);
        Values rows = addKeys(scores, carried.take_front(3),
                              stageOf(valueTile, stage), warpKey);
        rows.push_back(other);
        return rows;
      });

  const int64_t size = op.getValueSize();
  Type number = b.getF32Type();
  Value zero = e.i32(0);
  Value ownPart = e.add(e.mul(part, e.i32(t.warps)), e.warpId());
  Value row = partPlace(ownPart, place);
  warp::StoreOp::create(
      b, e.loc, state[0], e.at(e.scratch(), e.mul(row, e.i64(size)), number),
      zero, zero, work.rows, e.i32(size), e.i64(size), number, size % 2 == 0);
  Value statistics =
      e.mul(e.size64(countPartRows()), e.i64(parts * t.warps * size));
  warp::StoreOp::create(
      b, e.loc, pairUp(state[1], state[2]),
      e.at(e.scratch(), e.add(statistics, e.mul(row, e.i64(2))), number), zero,
      zero, work.rows, e.i32(2), e.i64(2), number, /*paired=*/true);
}

//===-- merging -----------------------------------------------------------===//

/// One warp per row. A part that has seen no key has the maximum -inf.
void CachedAttentionBuilder::buildMerge() {
  const int64_t size = op.getValueSize(), all = parts * t.warps;
  Type number = b.getF32Type();
  e.begin("_merge", RowProgram::kThreads,
          {{countPartRows(), RowProgram::kRows}});
  Value row = e.add(e.mul(e.blockId(0), e.i32(RowProgram::kRows)), e.warpId());
  Value heads = e.i32(op.getQueryHeads());
  Value last = e.sub(e.size(countPartRows()), e.i32(1));
  Value place = e.div(e.minimum(row, last), heads);
  Value sequence = e.div(place, e.i32(kFewQueries));
  Value query = e.rem(place, e.i32(kFewQueries));
  Value count = sequenceCount(sequence);
  Value isFew = e.both(e.lessThan(count, e.i32(kFewQueries + 1)),
                       e.lessThan(query, count));
  isFew = e.both(isFew, e.lessThan(row, e.size(countPartRows())));
  e.ifThen(isFew, [&] {
    Value statistics = e.mul(e.size64(countPartRows()), e.i64(all * size));
    auto statistic = [&](Value part, int64_t index) {
      Value at = e.add(statistics, e.mul(partPlace(part, row), e.i64(2)));
      return e.loadAt(e.at(e.scratch(), e.add(at, e.i64(index)), number),
                      number);
    };
    auto forParts = [&](ValueRange initial, ProgramBuilder::CarriedBody body) {
      return e.loop(e.i32(0), e.i32(all), e.i32(1), initial, body);
    };
    Value highest = forParts(e.f32(-kInfinity),
                             [&](Value part, ValueRange carried) -> Values {
                               return {e.maxF(carried[0], statistic(part, 0))};
                             })[0];
    Value none = arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::OEQ,
                                       highest, e.f32(-kInfinity));
    Value base = e.mulF(e.select(none, e.f32(0), highest), e.f32(-scoreScale));
    auto weight = [&](Value part) {
      return e.exp2(e.fma(statistic(part, 0), e.f32(scoreScale), base));
    };
    Value total =
        forParts(e.f32(0), [&](Value part, ValueRange carried) -> Values {
          return {e.fma(weight(part), statistic(part, 1), carried[0])};
        })[0];
    Value empty = arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::OEQ,
                                        total, e.f32(0));
    Value inverse = e.select(empty, e.f32(0), e.divF(e.f32(1), total));
    Value target = e.add(sequenceStart(sequence), query);
    Value to = e.add(e.mul(e.wide(target), e.strideOf(op.getResult(), 0)),
                     e.mul(e.wide(e.rem(row, heads)), e.i64(size)));
    e.loop(e.lane(), e.i32(size), e.i32(32), [&](Value column) {
      Value sum =
          forParts(e.f32(0), [&](Value part, ValueRange carried) -> Values {
            Value at =
                e.add(e.mul(partPlace(part, row), e.i64(size)), e.wide(column));
            Value own = e.loadAt(e.at(e.scratch(), at, number), number);
            return {e.fma(weight(part), own, carried[0])};
          })[0];
      e.store(e.mulF(sum, inverse), op.getResult(), e.add(to, e.wide(column)));
    });
  });
  e.end();
}

} // namespace attnc::gpu
