//===- BuildCachedPrompt.cpp - attention of prompts with states -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sequences with more than a few new rows, as a prompt has them: a block takes
// queries of one head and walks the keys as BuildAttention.cpp does,
//
//   copy K(0); for j: wait; copy V(j); S = Q K(j)^T; wait; copy K(j + 1)
//     regions; m, P, l; O = O factor + P V(j)
//
// where a copy finds its block through the table of the sequence.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/CachedAttentionBuilder.h"

using namespace mlir;

namespace attnc::gpu {

/// Sequence and first row of this block: sequences have ceil(n / queries)
/// tiles each, those of few rows none. -1 for a block without work.
SmallVector<Value> CachedAttentionBuilder::findTile() {
  Value none = e.i32(-1);
  Values found = e.loop(
      e.i32(0), e.size(batch), e.i32(1),
      ValueRange{e.blockId(0), none, e.i32(0)},
      [&](Value sequence, ValueRange carried) -> Values {
        Value count = sequenceCount(sequence);
        Value isFew = e.lessThan(count, e.i32(kFewQueries + 1));
        Value tiles = e.select(isFew, e.i32(0), e.ceilDiv(count, t.queries));
        Value tile = carried[0];
        // Behind the sequence that has it, the tile's number is negative.
        Value isHere = e.both(e.lessThan(none, tile), e.lessThan(tile, tiles));
        return {e.sub(tile, tiles), e.select(isHere, sequence, carried[1]),
                e.select(isHere, e.mul(tile, e.i32(t.queries)), carried[2])};
      });
  return {found[1], found[2]};
}

/// Tiles without spills, as those of BuildAttention.cpp.
void CachedAttentionBuilder::buildPrompt() {
  const int64_t size = std::max(t.headSize, t.valueSize);
  const int64_t valueParts = countValueParts(t.valueSize);
  t.valueSize /= valueParts;
  t.queries = e.precision() ? 64 : 128;
  t.warps = t.queries / kMmaRows;
  t.keys = size > 128 ? 32 : 64;
  if (e.precision())
    t.keys /= 2;
  inParts = false;
  SizeExpr rows = attn::getNamedShape(op.getQuery().getType())[0];
  e.begin("_prompt", 32 * t.warps,
          {{rows + batch * SizeExpr(t.queries), t.queries},
           {op.getQueryHeads() * valueParts, 1}});
  allocate(/*stages=*/1);
  Values tile = findTile();
  e.guard(e.lessThan(e.i32(-1), tile[0]), [&] {
    Work work;
    work.sequence = tile[0];
    work.head = e.div(e.blockId(1), e.i32(valueParts));
    work.valueColumn =
        e.mul(e.rem(e.blockId(1), e.i32(valueParts)), e.i32(t.valueSize));
    work.keyHead = e.div(work.head, e.i32(group));
    Value count = sequenceCount(work.sequence);
    Value past = e.load(op.getPast(), e.wide(work.sequence));
    work.position = e.add(past, tile[1]);
    work.rows = e.sub(count, tile[1]);
    work.keys = e.add(past, count);
    Memory memory = {StateBlocks(e, op.getKey()),
                     StateBlocks(e, op.getValue())};
    Value start = e.add(sequenceStart(work.sequence), tile[1]);
    Value result = promptRows(work, memory, start);
    Value warpRow = e.mul(e.warpId(), e.i32(kMmaRows));
    Type element = e.storageOf(op.getResult());
    Value stride = e.strideOf(op.getResult(), 0);
    Value offset = e.add(e.mul(e.wide(start), stride),
                         e.mul(e.wide(work.head), e.i64(op.getValueSize())));
    warp::StoreOp::create(
        b, e.loc, result, e.at(e.pointerOf(op.getResult()), offset, element),
        warpRow, work.valueColumn, work.rows, e.i32(op.getValueSize()), stride,
        element, op.getValueSize() % 2 == 0);
  });
  e.end();
}

/// The results of this warp's rows; `start` is the block's first packed row.
Value CachedAttentionBuilder::promptRows(const Work &work, Memory &memory,
                                         Value start) {
  Value warpRow = e.mul(e.warpId(), e.i32(kMmaRows)), one = e.i32(1);
  Value lastRow = e.sub(e.minimum(work.rows, e.i32(t.queries)), one);
  Span span = findSpan(
      {work.position, e.add(work.position, lastRow), e.i32(0), work.keys},
      t.keys);
  Value stride = e.strideOf(op.getQuery(), 0);
  copyQueries(e.add(e.mul(e.wide(start), stride),
                    e.mul(e.wide(work.head), e.strideOf(op.getQuery(), 1))),
              stride, work.rows);
  auto arrived = [&] {
    warp::WaitOp::create(b, e.loc, 0);
    warp::SyncOp::create(b, e.loc);
  };
  // A state without rows has no first block.
  e.ifThen(e.lessThan(span.begin, span.end),
           [&] { copyKeys(memory, work, span.begin, keyTile); });
  warp::CommitOp::create(b, e.loc);
  Values state = startRows(kMmaRows);
  auto walk = [&](Value from, Value to, bool masked) {
    state = e.loop(
        from, to, e.i32(t.keys), state, [&](Value key, ValueRange carried) {
          arrived();
          copyValues(memory, work, key, valueTile);
          warp::CommitOp::create(b, e.loc);
          Value scores = multiplyKeys(warpRow, keyTile, e.i32(0), t.keys);
          arrived();
          Value next = e.add(key, e.i32(t.keys));
          e.ifThen(e.lessThan(next, span.end),
                   [&] { copyKeys(memory, work, next, keyTile); });
          warp::CommitOp::create(b, e.loc);
          scores = finishScores(work, scores, warpRow, key, masked);
          return addKeys(scores, carried, valueTile, e.i32(0));
        });
  };
  if (boundsSayAll && hasLowerBound())
    walk(span.begin, span.fullBegin, /*masked=*/true);
  if (boundsSayAll)
    walk(span.fullBegin, span.fullEnd, /*masked=*/false);
  walk(span.fullEnd, span.end, /*masked=*/true);
  return scale(state[0], invert(state[2]));
}

} // namespace attnc::gpu
