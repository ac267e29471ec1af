//===- EmitCachedAttention.cpp - attention with a session's states --------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.cached_attention`. The rows of a key head are its queries times the
// query heads that share it; an item is 64 of them. A tile of rows walks the
// keys in chunks of positions (CachedAttentionChunk.cpp); what a chunk gives to
// a row is relative to the chunk's own highest score, and the chunks are added
// up in their order.
//
// Chunks begin at multiples of their length, whatever the call: a row goes
// through the same operations whether it comes alone or with others, and keys
// that bounds leave out would have added zeros. Where the heads of a decoding
// step do not come out even among the workers, these share out the chunks, and
// the last one adds them up: the same operations again. The few rows that share
// a head in such a step have code of their own.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/CachedAttention.h"
#include "compiler/schedule/StateLayout.h"
#include <limits>

using namespace mlir;

namespace attnc::cpu {

static constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

CachedAttentionEmitter::CachedAttentionEmitter(KernelEmitter &emitter,
                                               attn::CachedAttentionOp op)
    : e(emitter), b(emitter.b), loc(emitter.loc), op(op),
      score(op.getScoreRegion()), mask(op.getMaskRegion()),
      bounds(findKeyBounds(mask)), key(emitter, op.getKey()),
      value(emitter, op.getValue()), lanes(emitter.lanes),
      itemRows(emitter.model.getItemRows()) {
  assert(key.transposed && !value.transposed && "SelectKernels lays them so");
  tileRows = e.target.vectorRegisters >= 32 ? 8 : 4;
  group = op.getQueryHeads() / op.getKeyHeads();
  fewRows = group < tileRows ? group : 1;
  headSize = op.getHeadSize();
  valueSize = op.getValueSize();
  paddedHead = llvm::alignTo(headSize, lanes);
  paddedValue = llvm::alignTo(valueSize, lanes);
  partWords = paddedValue + 2 * lanes;
  block = key.positions;
  query = e.pointerOf(op.getQuery());
  output = e.pointerOf(op.getResult());
  offsets = e.pointerOf(op.getOffsets());
  past = e.pointerOf(op.getPast());
  Value place = e.scratch();
  auto take = [&](int64_t elements) {
    Value start = place;
    place = e.at(place, e.i64(elements));
    return start;
  };
  queries = take(tileRows * paddedHead);
  probabilities = take(tileRows * kCachedAttentionChunk);
  total = take(tileRows * partWords);
  chunkParts = take(tileRows * partWords);
  unitParts = take(kCachedAttentionUnits * tileRows * partWords);
}

Value CachedAttentionEmitter::equal(Value a, Value c) {
  return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, a, c);
}

Value CachedAttentionEmitter::select(Value condition, Value a, Value c) {
  return arith::SelectOp::create(b, loc, condition, a, c);
}

Value CachedAttentionEmitter::shiftOf(Value maximum) {
  // A row of -inf alone: exp(-inf - 0) gives the zeros that it stands for.
  return select(equal(maximum, e.f32(kMinusInfinity)), e.f32(0), maximum);
}

//===-- work --------------------------------------------------------------===//

CachedAttentionEmitter::Sequence
CachedAttentionEmitter::sequenceAt(Value index) {
  Value place = e.at(offsets, index);
  Value first = e.toI64(e.loadI32(place));
  Value count = e.sub(e.toI64(e.loadI32(e.at(place, e.i64(1)))), first);
  Value before = e.toI64(e.loadI32(e.at(past, index)));
  return {index,
          first,
          before,
          e.add(before, count),
          e.mul(count, e.i64(group)),
          key.tableOf(index),
          value.tableOf(index)};
}

/// Chunks that the first tile of a sequence reads; they are the same for all
/// its heads.
Value CachedAttentionEmitter::chunksOf(const Sequence &sequence) {
  Tile tile = tileOf(sequence, e.i64(0), e.i64(0), sequence.rows, tileRows);
  Value end = e.ceilDiv(tile.keyEnd, kCachedAttentionChunk);
  Value chunks = e.maximum(e.sub(end, firstChunk(tile)), e.i64(0));
  return select(e.lessThan(e.i64(0), sequence.rows), chunks, e.i64(0));
}

/// Chunks are shared out where items do not come out even and are few, every
/// sequence has one tile for a head, and scratch holds what they give.
CachedAttentionEmitter::Split CachedAttentionEmitter::planSplit() {
  Value zero = e.i64(0), heads = e.i64(op.getKeyHeads());
  Value batches = e.rowCount(op.getPast(), 0);
  Values sums = e.loop(zero, batches, 1, ValueRange{zero, zero, zero},
                       [&](Value index, ValueRange sum) -> Values {
                         Sequence sequence = sequenceAt(index);
                         Value chunks = chunksOf(sequence);
                         Value has = e.minimum(chunks, e.i64(1));
                         return {e.add(sum[0], e.mul(heads, chunks)),
                                 e.add(sum[1], e.mul(heads, has)),
                                 e.maximum(sum[2], sequence.rows)};
                       });
  Value units = sums[0], items = sums[1], mostRows = sums[2];
  Value each = e.div(e.add(units, e.sub(e.workers, e.i64(1))), e.workers);
  Value whole = e.mul(e.div(items, e.workers), e.workers);
  Value isUsed = e.lessThan(whole, items);
  for (Value condition :
       {e.lessThan(items, e.mul(e.workers, e.i64(e.model.getItemsPerWorker()))),
        e.lessThan(items, units), e.lessThan(mostRows, e.i64(tileRows + 1)),
        e.lessThan(each, e.i64(kCachedAttentionUnits + 1))})
    isUsed = arith::AndIOp::create(b, loc, isUsed, condition);
  return {isUsed, units, each};
}

/// How many items, or chunks, a sequence has, and the work of one.
std::pair<Value, Value>
CachedAttentionEmitter::itemsAndCost(const Sequence &sequence,
                                     const Split &split) {
  Value parts = e.ceilDiv(sequence.rows, itemRows);
  Value rows = e.minimum(sequence.rows, e.i64(itemRows));
  Value cost = e.maximum(e.mul(rows, sequence.keys), e.i64(1));
  parts = select(split.isUsed, chunksOf(sequence), parts);
  return {e.mul(parts, e.i64(op.getKeyHeads())),
          select(split.isUsed, e.i64(1), cost)};
}

void CachedAttentionEmitter::emit() {
  Split split = planSplit();
  Value zero = e.i64(0);
  Value batches = e.rowCount(op.getPast(), 0);
  Value total = e.loop(
      zero, batches, 1, zero, [&](Value index, ValueRange sum) -> Values {
        auto [items, cost] = itemsAndCost(sequenceAt(index), split);
        return {e.add(sum[0], e.mul(items, cost))};
      })[0];
  auto [evenFrom, evenTo] = e.workerRange(total);
  Value ownFrom = e.mul(e.worker, split.each);
  Value from = select(split.isUsed, ownFrom, evenFrom);
  Value to = select(split.isUsed, e.add(ownFrom, split.each), evenTo);
  // An item is the worker's in whose part it begins.
  e.loop(zero, batches, 1, zero, [&](Value index, ValueRange start) -> Values {
    Sequence sequence = sequenceAt(index);
    auto [items, cost] = itemsAndCost(sequence, split);
    auto itemAt = [&, items = items, cost = cost](Value position) {
      Value within = e.maximum(e.sub(position, start[0]), zero);
      Value roundUp = e.add(within, e.sub(cost, e.i64(1)));
      return e.minimum(e.div(roundUp, cost), items);
    };
    Value perHead = e.div(items, e.i64(op.getKeyHeads()));
    e.loop(itemAt(from), itemAt(to), 1, [&](Value item) {
      Value place = e.sub(e.add(start[0], item), from);
      emitItem(sequence, split, perHead, item, place);
    });
    return {e.add(start[0], e.mul(items, cost))};
  });
  e.ifThen(split.isUsed, [&] { e.whenLast([&] { mergeUnits(split); }); });
}

/// Number `item` of a sequence, of `perHead` for each head: rows of a head, or
/// one chunk of them, the worker's number `place`.
void CachedAttentionEmitter::emitItem(const Sequence &sequence,
                                      const Split &split, Value perHead,
                                      Value item, Value place) {
  Value keyHead = e.div(item, perHead);
  Value within = e.sub(item, e.mul(keyHead, perHead));
  Value from = select(split.isUsed, e.i64(0), e.mul(within, e.i64(itemRows)));
  Value to = e.minimum(e.add(from, e.i64(itemRows)), sequence.rows);
  Value unitPlace = e.at(unitParts, e.mul(place, e.i64(tileRows * partWords)));
  Value parts = select(split.isUsed, unitPlace, chunkParts);
  e.loop(from, to, tileRows, [&](Value row) {
    Value count = e.minimum(e.sub(to, row), e.i64(tileRows));
    auto emitRows = [&](int64_t height) {
      emitTile(tileOf(sequence, keyHead, row, count, height), split, within,
               parts);
    };
    e.ifThenElse(
        e.lessThan(count, e.i64(fewRows + 1)), [&] { emitRows(fewRows); },
        [&] { emitRows(tileRows); });
  });
}

/// All chunks of a tile, or chunk number `within` of its own.
void CachedAttentionEmitter::emitTile(const Tile &tile, const Split &split,
                                      Value within, Value parts) {
  Value first = firstChunk(tile);
  Value end = e.ceilDiv(tile.keyEnd, kCachedAttentionChunk);
  Value unit = e.add(first, within);
  first = select(split.isUsed, unit, first);
  end = select(split.isUsed, e.add(unit, e.i64(1)), end);
  loadQueries(tile);
  begin(tile);
  Value isWhole = arith::XOrIOp::create(
      b, loc, split.isUsed,
      arith::ConstantOp::create(b, loc, b.getBoolAttr(true)));
  e.loop(first, end, 1, [&](Value index) {
    emitChunk(tile, e.mul(index, e.i64(kCachedAttentionChunk)), parts);
    e.ifThen(isWhole, [&] { merge(tile, parts); });
  });
  e.ifThen(isWhole, [&] { finish(tile); });
}

/// Adds up what the workers found, chunk after chunk.
void CachedAttentionEmitter::mergeUnits(const Split &split) {
  Value zero = e.i64(0);
  Value batches = e.rowCount(op.getPast(), 0);
  e.loop(zero, batches, 1, zero, [&](Value index, ValueRange unit) -> Values {
    Sequence sequence = sequenceAt(index);
    Value chunks = chunksOf(sequence);
    e.ifThen(e.lessThan(zero, sequence.rows), [&] {
      e.loop(zero, e.i64(op.getKeyHeads()), 1, [&](Value keyHead) {
        Tile tile = tileOf(sequence, keyHead, zero, sequence.rows, tileRows);
        begin(tile);
        e.loop(zero, chunks, 1, [&](Value chunk) {
          Value number = e.add(unit[0], e.add(e.mul(keyHead, chunks), chunk));
          Value worker = e.div(number, split.each);
          Value place = e.sub(number, e.mul(worker, split.each));
          Value own =
              e.at(unitParts, e.mul(place, e.i64(tileRows * partWords)));
          merge(tile, e.inScratchOf(worker, own));
        });
        finish(tile);
      });
    });
    return {e.add(unit[0], e.mul(chunks, e.i64(op.getKeyHeads())))};
  });
}

//===-- a tile ------------------------------------------------------------===//

CachedAttentionEmitter::Tile
CachedAttentionEmitter::tileOf(const Sequence &sequence, Value keyHead,
                               Value firstRow, Value count, int64_t height) {
  Tile tile = {sequence, keyHead, firstRow, count, height, Value(), Value()};
  boundKeys(tile);
  return tile;
}

/// Row `row` of a tile; rows past the end are the last.
CachedAttentionEmitter::Row CachedAttentionEmitter::rowAt(const Tile &tile,
                                                          Value row) {
  const Sequence &sequence = tile.sequence;
  Value index =
      e.minimum(e.add(tile.firstRow, row), e.sub(sequence.rows, e.i64(1)));
  Value number = e.div(index, e.i64(group));
  Value head = e.add(e.mul(tile.keyHead, e.i64(group)),
                     e.sub(index, e.mul(number, e.i64(group))));
  return {e.add(sequence.firstQuery, number), head,
          e.add(sequence.past, number)};
}

void CachedAttentionEmitter::boundKeys(Tile &tile) {
  Value begin = e.i64(0), end = tile.sequence.keys;
  Value first = rowAt(tile, e.i64(0)).position;
  Value last = rowAt(tile, e.i64(tile.height - 1)).position;
  if (op.getWindow())
    begin = e.maximum(begin, e.sub(first, e.i64(op.getWindow() - 1)));
  for (const KeyBound &bound : bounds) {
    // The loosest over the tile's rows: bounds grow with q.
    Value row = bound.isUpper ? last : first;
    Value limit = e.add(e.mul(row, e.i64(bound.slope)), e.i64(bound.offset));
    if (bound.isUpper)
      end = e.minimum(end, e.add(limit, e.i64(1)));
    else
      begin = e.maximum(begin, limit);
  }
  tile.keyBegin = e.mul(e.div(begin, e.i64(block)), e.i64(block));
  tile.keyEnd = e.maximum(end, e.i64(0));
}

Value CachedAttentionEmitter::firstChunk(const Tile &tile) {
  return e.div(tile.keyBegin, e.i64(kCachedAttentionChunk));
}

/// Queries side by side.
void CachedAttentionEmitter::loadQueries(const Tile &tile) {
  const int64_t stride = e.rowStride(op.getQuery(), 2);
  for (int64_t i = 0; i < tile.height; ++i) {
    Row row = rowAt(tile, e.i64(i));
    Value source = e.at(query, e.add(e.mul(row.query, e.i64(stride)),
                                     e.mul(row.head, e.i64(headSize))));
    for (int64_t d = 0; d < headSize; d += lanes) {
      Value tail;
      if (headSize - d < lanes)
        tail = e.tailMask(e.i64(headSize - d));
      e.storeVector(e.loadVector(e.at(source, e.i64(d)), tail),
                    e.at(queries, e.i64(i * paddedHead + d)));
    }
  }
}

//===-- what keys give ----------------------------------------------------===//

CachedAttentionEmitter::Part CachedAttentionEmitter::partAt(Value parts,
                                                            Value row) {
  Value place = e.at(parts, e.mul(row, e.i64(partWords)));
  return {e.at(place, e.i64(paddedValue + lanes)),
          e.at(place, e.i64(paddedValue)), place};
}

/// Rows without keys so far.
void CachedAttentionEmitter::begin(const Tile &tile) {
  Value zeros = e.splat(e.f32(0));
  e.loop(e.i64(0), tile.count, 1, [&](Value row) {
    Part part = partAt(total, row);
    for (int64_t v = 0; v < paddedValue; v += lanes)
      e.storeVector(zeros, e.at(part.result, e.i64(v)));
    e.storeVector(zeros, part.sum);
    e.store(e.f32(kMinusInfinity), part.maximum);
  });
}

/// Adds what a chunk gave: both to the higher of the two maxima.
void CachedAttentionEmitter::merge(const Tile &tile, Value parts) {
  e.loop(e.i64(0), tile.count, 1, [&](Value row) {
    Part all = partAt(total, row), part = partAt(parts, row);
    Value before = e.loadF32(all.maximum), own = e.loadF32(part.maximum);
    Value maximum = e.maxF32(own, before);
    Value shift = shiftOf(maximum);
    auto factorOf = [&](Value from) {
      Value change = arith::SubFOp::create(b, loc, from, shift);
      Value factor = math::ExpOp::create(b, loc, e.splat(change));
      return select(equal(from, maximum), e.splat(e.f32(1)), factor);
    };
    Value factor = factorOf(before), ownFactor = factorOf(own);
    auto add = [&](Value to, Value from) {
      Value scaled =
          arith::MulFOp::create(b, loc, e.loadVector(from), ownFactor);
      e.storeVector(e.fma(e.loadVector(to), factor, scaled), to);
    };
    add(all.sum, part.sum);
    for (int64_t v = 0; v < paddedValue; v += lanes)
      add(e.at(all.result, e.i64(v)), e.at(part.result, e.i64(v)));
    e.store(maximum, all.maximum);
  });
}

void CachedAttentionEmitter::finish(const Tile &tile) {
  const int64_t stride = op.getQueryHeads() * valueSize;
  e.loop(e.i64(0), tile.count, 1, [&](Value number) {
    Row row = rowAt(tile, number);
    Part part = partAt(total, number);
    Value sum = e.reduceAdd(e.loadVector(part.sum));
    Value inverse = arith::DivFOp::create(b, loc, e.f32(1), sum);
    Value scale = e.splat(select(equal(sum, e.f32(0)), e.f32(0), inverse));
    Value target = e.at(output, e.add(e.mul(row.query, e.i64(stride)),
                                      e.mul(row.head, e.i64(valueSize))));
    for (int64_t v = 0; v < valueSize; v += lanes) {
      Value tail;
      if (valueSize - v < lanes)
        tail = e.tailMask(e.i64(valueSize - v));
      Value scaled = arith::MulFOp::create(
          b, loc, e.loadVector(e.at(part.result, e.i64(v))), scale);
      e.storeVector(scaled, e.at(target, e.i64(v)), tail);
    }
  });
}

LogicalResult KernelEmitter::emitCachedAttention(attn::CachedAttentionOp op) {
  CachedAttentionEmitter(*this, op).emit();
  return success();
}

} // namespace attnc::cpu
