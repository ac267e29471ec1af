//===- EmitCachedAttention.cpp - attention with a session's states
//----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.cached_attention`. The rows of a key head are its queries times the
// query heads that share it; an item is 64 of them. A tile of rows walks the
// keys in chunks of positions: scores (keys lie transposed in their blocks, so
// that positions are lanes), regions and softmax row by row, weighted sum of
// the values; between chunks a row carries its maximum, sum and result.
//
// Chunks begin at multiples of their length, whatever the call: a row goes
// through the same operations whether it comes alone or with others, and keys
// that bounds leave out would have added zeros. Narrow keys and values widen in
// registers; scales of i8 go to the scores, and to the weights of the values.
// One row alone, which is what decoding makes, has code of its own.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/StateAccess.h"
#include "compiler/schedule/MaskBounds.h"
#include "compiler/schedule/StateLayout.h"
#include <limits>

using namespace mlir;

namespace attnc::cpu {

static constexpr int64_t kItemRows = 64;
static constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

namespace {
class CachedAttentionEmitter {
public:
  CachedAttentionEmitter(KernelEmitter &emitter, attn::CachedAttentionOp op);
  void emit();

private:
  using Values = SmallVector<Value>;

  /// One sequence of the batch; all i64, and the tables of its blocks.
  struct Sequence {
    Value index, firstQuery, past, keys, rows;
    Value keyTable, valueTable;
  };
  /// `height` rows of one key head, of which `count` exist.
  struct Tile {
    const Sequence &sequence;
    Value keyHead, firstRow, count;
    int64_t height;
    Value keyBegin, keyEnd; ///< positions that bounds admit
  };
  /// The keys of a tile in one chunk.
  struct Chunk {
    Value start;    ///< a multiple of the chunk's length
    Value from, to; ///< positions; `from` begins a block
  };
  struct Row {
    Value query, head, position;
  };

  Sequence sequenceAt(Value index);
  std::pair<Value, Value> itemsAndCost(const Sequence &sequence);
  void emitItem(const Sequence &sequence, Value item);
  void emitTile(const Sequence &sequence, Value keyHead, Value firstRow,
                Value count, int64_t height);
  Row rowAt(const Tile &tile, Value row);
  void boundKeys(Tile &tile);
  void begin(const Tile &tile);
  void emitChunk(const Tile &tile, const Chunk &chunk);
  void forBlocks(const Chunk &chunk, function_ref<void(Value base)> body);
  void emitScores(const Tile &tile, const Chunk &chunk);
  void emitScoreTile(const Tile &tile, Value keys, Value column, Value target,
                     int64_t vectors);
  Value applyRegions(const Tile &tile, const Row &row, Value score, Value key);
  Value scaleWeights(const Tile &tile, Value weights, Value firstKey);
  void emitSoftmax(const Tile &tile, const Chunk &chunk, Value row);
  void emitWeightedSum(const Tile &tile, const Chunk &chunk,
                       int64_t firstVector, int64_t vectors);
  void finish(const Tile &tile);

  Value equal(Value a, Value c) {
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, a, c);
  }
  Value select(Value condition, Value a, Value c) {
    return arith::SelectOp::create(b, loc, condition, a, c);
  }

  KernelEmitter &e;
  OpBuilder &b;
  Location loc;
  attn::CachedAttentionOp op;
  attn::CapturedRegion score, mask;
  SmallVector<KeyBound> bounds;
  StateAccess key, value;
  int64_t lanes, tileRows, group, headSize, valueSize, paddedHead, paddedValue;
  int64_t block; ///< positions
  Value query, output, offsets, past;
  Value queries, probabilities, maxima, scales, sums, results; ///< scratch
};
} // namespace

CachedAttentionEmitter::CachedAttentionEmitter(KernelEmitter &emitter,
                                               attn::CachedAttentionOp op)
    : e(emitter), b(emitter.b), loc(emitter.loc), op(op),
      score(op.getScoreRegion()), mask(op.getMaskRegion()),
      bounds(findKeyBounds(mask)), key(emitter, op.getKey()),
      value(emitter, op.getValue()), lanes(emitter.lanes) {
  assert(key.transposed && !value.transposed && "SelectKernels lays them so");
  tileRows = e.target.vectorRegisters >= 32 ? 8 : 4;
  group = op.getQueryHeads() / op.getKeyHeads();
  headSize = op.getHeadSize();
  valueSize = op.getValueSize();
  paddedHead = llvm::alignTo(headSize, lanes);
  paddedValue = llvm::alignTo(valueSize, lanes);
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
  sums = take(tileRows * lanes);
  results = take(tileRows * paddedValue);
  maxima = take(tileRows);
  scales = take(tileRows);
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

/// How many items a sequence has, and the work of one.
std::pair<Value, Value>
CachedAttentionEmitter::itemsAndCost(const Sequence &sequence) {
  Value chunks = e.ceilDiv(sequence.rows, kItemRows);
  Value rows = e.minimum(sequence.rows, e.i64(kItemRows));
  Value cost = e.maximum(e.mul(rows, sequence.keys), e.i64(1));
  return {e.mul(chunks, e.i64(op.getKeyHeads())), cost};
}

void CachedAttentionEmitter::emit() {
  Value zero = e.i64(0);
  Value batches = e.rowCount(op.getPast(), 0);
  Value total = e.loop(zero, batches, 1, zero,
                       [&](Value index, ValueRange sum) -> Values {
                         auto [items, cost] = itemsAndCost(sequenceAt(index));
                         return {e.add(sum[0], e.mul(items, cost))};
                       })[0];
  auto [from, to] = e.workerRange(total);
  // An item is the worker's in whose part it begins.
  e.loop(zero, batches, 1, zero,
         [&, from = from, to = to](Value index, ValueRange start) -> Values {
           Sequence sequence = sequenceAt(index);
           auto [items, cost] = itemsAndCost(sequence);
           auto itemAt = [&, items = items, cost = cost](Value position) {
             Value within = e.maximum(e.sub(position, start[0]), zero);
             Value roundUp = e.add(within, e.sub(cost, e.i64(1)));
             return e.minimum(e.div(roundUp, cost), items);
           };
           e.loop(itemAt(from), itemAt(to), 1,
                  [&](Value item) { emitItem(sequence, item); });
           return {e.add(start[0], e.mul(items, cost))};
         });
}

void CachedAttentionEmitter::emitItem(const Sequence &sequence, Value item) {
  Value chunks = e.ceilDiv(sequence.rows, kItemRows);
  Value keyHead = e.div(item, chunks);
  Value from = e.mul(e.sub(item, e.mul(keyHead, chunks)), e.i64(kItemRows));
  Value to = e.minimum(e.add(from, e.i64(kItemRows)), sequence.rows);
  e.loop(from, to, tileRows, [&](Value row) {
    Value count = e.minimum(e.sub(to, row), e.i64(tileRows));
    Value isOne = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, count,
                                        e.i64(1));
    e.ifThenElse(
        isOne, [&] { emitTile(sequence, keyHead, row, count, 1); },
        [&] { emitTile(sequence, keyHead, row, count, tileRows); });
  });
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

//===-- a tile ------------------------------------------------------------===//

void CachedAttentionEmitter::emitTile(const Sequence &sequence, Value keyHead,
                                      Value firstRow, Value count,
                                      int64_t height) {
  Tile tile = {sequence, keyHead, firstRow, count, height, Value(), Value()};
  boundKeys(tile);
  begin(tile);
  Value length = e.i64(kCachedAttentionChunk);
  Value first = e.mul(e.div(tile.keyBegin, length), length);
  e.loop(first, tile.keyEnd, kCachedAttentionChunk, [&](Value start) {
    Chunk chunk = {start, e.maximum(start, tile.keyBegin),
                   e.minimum(e.add(start, length), tile.keyEnd)};
    emitChunk(tile, chunk);
  });
  finish(tile);
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

/// Queries side by side, rows without keys so far.
void CachedAttentionEmitter::begin(const Tile &tile) {
  Value zeros = e.splat(e.f32(0));
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
    for (int64_t v = 0; v < paddedValue; v += lanes)
      e.storeVector(zeros, e.at(results, e.i64(i * paddedValue + v)));
    e.storeVector(zeros, e.at(sums, e.i64(i * lanes)));
    e.store(e.f32(kMinusInfinity), e.at(maxima, e.i64(i)));
    e.store(e.f32(1), e.at(scales, e.i64(i)));
  }
}

void CachedAttentionEmitter::emitChunk(const Tile &tile, const Chunk &chunk) {
  emitScores(tile, chunk);
  e.loop(e.i64(0), tile.count, 1,
         [&](Value row) { emitSoftmax(tile, chunk, row); });
  // Sums in registers: rows x vectors, as many as leave room for the rest.
  const int64_t most = tile.height == 1 ? 8 : e.target.hasFma ? 3 : 2;
  const int64_t vectors = paddedValue / lanes;
  const int64_t tiles = llvm::divideCeil(vectors, most);
  for (int64_t part = 0, first = 0; part < tiles; ++part) {
    int64_t width = llvm::divideCeil(vectors - first, tiles - part);
    emitWeightedSum(tile, chunk, first, width);
    first += width;
  }
}

void CachedAttentionEmitter::forBlocks(const Chunk &chunk,
                                       function_ref<void(Value base)> body) {
  e.loop(chunk.from, chunk.to, block, body);
}

//===-- scores ------------------------------------------------------------===//

void CachedAttentionEmitter::emitScores(const Tile &tile, const Chunk &chunk) {
  const int64_t all = block / lanes;
  const int64_t vectors = std::min<int64_t>(all, tile.height == 1 ? 8 : 2);
  forBlocks(chunk, [&](Value base) {
    Value keys = key.headOf(tile.sequence.keyTable, e.div(base, e.i64(block)),
                            tile.keyHead);
    Value target = e.at(probabilities, e.sub(base, chunk.start));
    e.loop(e.i64(0), e.i64(block), vectors * lanes, [&](Value column) {
      emitScoreTile(tile, keys, column, e.at(target, column), vectors);
    });
  });
}

/// The products of all rows with `vectors` vectors of keys, from position
/// `column` of a block on.
void CachedAttentionEmitter::emitScoreTile(const Tile &tile, Value keys,
                                           Value column, Value target,
                                           int64_t vectors) {
  auto multiply = [&](Value first, int64_t count, Values totals) {
    for (int64_t d = 0; d < count; ++d) {
      Value depth = e.add(first, e.i64(d));
      Value first = e.add(e.mul(depth, e.i64(block)), column);
      Values loaded;
      for (int64_t v = 0; v < vectors; ++v)
        loaded.push_back(
            key.loadElements(keys, e.add(first, e.i64(v * lanes))));
      Value queryPlace = e.at(queries, depth);
      for (int64_t i = 0; i < tile.height; ++i) {
        Value element =
            e.splat(e.loadF32(e.at(queryPlace, e.i64(i * paddedHead))));
        for (int64_t v = 0; v < vectors; ++v) {
          Value &total = totals[i * vectors + v];
          total = e.fma(element, loaded[v], total);
        }
      }
    }
    return totals;
  };
  constexpr int64_t kUnroll = 4;
  const int64_t whole = headSize / kUnroll * kUnroll;
  Values totals(tile.height * vectors, e.splat(e.f32(0)));
  if (whole)
    totals = e.loop(e.i64(0), e.i64(whole), kUnroll, totals,
                    [&](Value first, ValueRange carried) {
                      return multiply(first, kUnroll, Values(carried));
                    });
  totals = multiply(e.i64(whole), headSize - whole, totals);
  for (int64_t v = 0; v < vectors; ++v) {
    Value keyScales;
    if (key.isScaled())
      keyScales =
          e.loadVector(key.scaleAt(keys, e.add(column, e.i64(v * lanes))));
    for (int64_t i = 0; i < tile.height; ++i) {
      Value total = totals[i * vectors + v];
      if (keyScales)
        total = arith::MulFOp::create(b, loc, total, keyScales);
      e.storeVector(total,
                    e.at(target, e.i64(i * kCachedAttentionChunk + v * lanes)));
    }
  }
}

/// The score region, then what masks a key, on the scores of the keys from
/// `firstKey` on.
Value CachedAttentionEmitter::applyRegions(const Tile &tile, const Row &row,
                                           Value scores, Value firstKey) {
  constexpr unsigned kKeyDim = 3;
  Value dims[] = {tile.sequence.index, row.head, row.position, firstKey};
  Values leading = {scores};
  for (Value dim : dims)
    leading.push_back(e.splat(e.toI32(dim)));
  Value keys = leading.back() =
      arith::AddIOp::create(b, loc, leading.back(), e.iota());
  Value excluded = e.splat(e.f32(kMinusInfinity));
  if (score)
    scores = e.inlineRegion(score, leading, dims, kKeyDim);
  auto admit = [&](Value condition) {
    scores = select(condition, scores, excluded);
  };
  if (mask)
    admit(e.inlineRegion(mask, ArrayRef(leading).drop_front(), dims, kKeyDim));
  if (op.getWindow()) {
    Value oldest = e.sub(row.position, e.i64(op.getWindow()));
    admit(arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sgt, keys,
                                e.splat(e.toI32(oldest))));
  }
  // Behind the last key a block holds anything.
  admit(arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, keys,
                              e.splat(e.toI32(tile.sequence.keys))));
  return scores;
}

//===-- softmax -----------------------------------------------------------===//

/// Weights of values: with the values' scales, if they have some.
Value CachedAttentionEmitter::scaleWeights(const Tile &tile, Value weights,
                                           Value firstKey) {
  if (!value.isScaled())
    return weights;
  Value index = e.div(firstKey, e.i64(block));
  Value head = value.headOf(tile.sequence.valueTable, index, tile.keyHead);
  Value within = e.sub(firstKey, e.mul(index, e.i64(block)));
  return arith::MulFOp::create(b, loc, weights,
                               e.loadVector(value.scaleAt(head, within)));
}

void CachedAttentionEmitter::emitSoftmax(const Tile &tile, const Chunk &chunk,
                                         Value number) {
  Row row = rowAt(tile, number);
  Value place =
      e.at(probabilities, e.mul(number, e.i64(kCachedAttentionChunk)));
  auto placeOf = [&](Value key) {
    return e.at(place, e.sub(key, chunk.start));
  };
  Value lowest = e.splat(e.f32(kMinusInfinity));
  // Whole blocks: what is masked in the last one adds zeros.
  Value to = e.mul(e.ceilDiv(chunk.to, block), e.i64(block));
  Value highest = e.loop(chunk.from, to, lanes, lowest,
                         [&](Value key, ValueRange carried) -> Values {
                           Value scores = applyRegions(
                               tile, row, e.loadVector(placeOf(key)), key);
                           e.storeVector(scores, placeOf(key));
                           return {e.maxF32(scores, carried[0])};
                         })[0];
  Value before = e.loadF32(e.at(maxima, number));
  Value maximum = e.maxF32(e.reduceMax(highest), before);
  // A row of -inf alone: exp(-inf - 0) gives the zeros that it stands for.
  Value shift =
      select(equal(maximum, e.f32(kMinusInfinity)), e.f32(0), maximum);
  Value shifts = e.splat(shift);
  Value total =
      e.loop(chunk.from, to, lanes, e.splat(e.f32(0)),
             [&](Value key, ValueRange carried) -> Values {
               Value shifted = arith::SubFOp::create(
                   b, loc, e.loadVector(placeOf(key)), shifts);
               Value weights = math::ExpOp::create(b, loc, shifted);
               e.storeVector(scaleWeights(tile, weights, key), placeOf(key));
               return {arith::AddFOp::create(b, loc, carried[0], weights)};
             })[0];
  Value change = arith::SubFOp::create(b, loc, before, shift);
  Value rescaled = math::ExpOp::create(b, loc, e.splat(change));
  Value factor =
      vector::ExtractOp::create(b, loc, rescaled, ArrayRef<int64_t>{0});
  factor = select(equal(before, maximum), e.f32(1), factor);
  Value sumPlace = e.at(sums, e.mul(number, e.i64(lanes)));
  Value sum = e.fma(e.loadVector(sumPlace), e.splat(factor), total);
  e.storeVector(sum, sumPlace);
  e.store(maximum, e.at(maxima, number));
  e.store(factor, e.at(scales, number));
}

//===-- weighted sum ------------------------------------------------------===//

void CachedAttentionEmitter::emitWeightedSum(const Tile &tile,
                                             const Chunk &chunk,
                                             int64_t firstVector,
                                             int64_t vectors) {
  auto accumulate = [&](Value weights, Value rows, Value from, int64_t count,
                        Values totals) {
    for (int64_t k = 0; k < count; ++k) {
      Values loaded;
      for (int64_t v = 0; v < vectors; ++v) {
        const int64_t column = (firstVector + v) * lanes;
        Value tail;
        if (valueSize - column < lanes)
          tail = e.tailMask(e.i64(valueSize - column));
        Value first =
            e.add(e.mul(e.add(from, e.i64(k)), e.i64(value.rowElements)),
                  e.i64(column));
        loaded.push_back(value.loadElements(rows, first, tail));
      }
      for (int64_t i = 0; i < tile.height; ++i) {
        Value weight = e.splat(
            e.loadF32(e.at(weights, e.i64(i * kCachedAttentionChunk + k))));
        for (int64_t v = 0; v < vectors; ++v) {
          Value &total = totals[i * vectors + v];
          total = e.fma(weight, loaded[v], total);
        }
      }
    }
    return totals;
  };
  Values totals(tile.height * vectors, e.splat(e.f32(0)));
  totals = e.loop(
      chunk.from, chunk.to, block, totals,
      [&](Value base, ValueRange carried) -> Values {
        constexpr int64_t kUnroll = 4;
        Value rows = value.headOf(tile.sequence.valueTable,
                                  e.div(base, e.i64(block)), tile.keyHead);
        Value weights = e.at(probabilities, e.sub(base, chunk.start));
        auto part = [&](Value from, Value to, int64_t step, ValueRange totals) {
          return e.loop(from, to, step, totals,
                        [&](Value k, ValueRange carried) -> Values {
                          return accumulate(e.at(weights, k), rows, k, step,
                                            Values(carried));
                        });
        };
        Value count = e.minimum(e.sub(chunk.to, base), e.i64(block));
        Value whole = e.mul(e.div(count, e.i64(kUnroll)), e.i64(kUnroll));
        return part(whole, count, 1, part(e.i64(0), whole, kUnroll, carried));
      });
  for (int64_t i = 0; i < tile.height; ++i) {
    Value factor = e.splat(e.loadF32(e.at(scales, e.i64(i))));
    for (int64_t v = 0; v < vectors; ++v) {
      Value place =
          e.at(results, e.i64(i * paddedValue + (firstVector + v) * lanes));
      e.storeVector(e.fma(e.loadVector(place), factor, totals[i * vectors + v]),
                    place);
    }
  }
}

void CachedAttentionEmitter::finish(const Tile &tile) {
  const int64_t stride = op.getQueryHeads() * valueSize;
  e.loop(e.i64(0), tile.count, 1, [&](Value number) {
    Row row = rowAt(tile, number);
    Value sum =
        e.reduceAdd(e.loadVector(e.at(sums, e.mul(number, e.i64(lanes)))));
    Value inverse = arith::DivFOp::create(b, loc, e.f32(1), sum);
    Value scale = e.splat(select(equal(sum, e.f32(0)), e.f32(0), inverse));
    Value source = e.at(results, e.mul(number, e.i64(paddedValue)));
    Value target = e.at(output, e.add(e.mul(row.query, e.i64(stride)),
                                      e.mul(row.head, e.i64(valueSize))));
    for (int64_t v = 0; v < valueSize; v += lanes) {
      Value tail;
      if (valueSize - v < lanes)
        tail = e.tailMask(e.i64(valueSize - v));
      Value scaled = arith::MulFOp::create(
          b, loc, e.loadVector(e.at(source, e.i64(v))), scale);
      e.storeVector(scaled, e.at(target, e.i64(v)), tail);
    }
  });
}

LogicalResult KernelEmitter::emitCachedAttention(attn::CachedAttentionOp op) {
  CachedAttentionEmitter(*this, op).emit();
  return success();
}

} // namespace attnc::cpu
