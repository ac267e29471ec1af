//===- CachedAttentionChunk.cpp - rows with the keys of one chunk ---------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Scores (keys lie transposed in their blocks, so that positions are lanes),
// regions and softmax row by row, weighted sum of the values. Narrow keys and
// values widen in registers; scales of i8 go to the scores, and to the weights
// of the values.
//
// A head's rows of a block are some 16 KB, too few for the processor's own
// prefetchers to get going: in a decoding step, which waits for memory, each
// block fetches the next, line by line as its own are read.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/CachedAttention.h"
#include "compiler/schedule/StateLayout.h"
#include <limits>

using namespace mlir;

namespace attnc::cpu {

static constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// The rows of `tile` with the keys of the chunk that begins at `start`.
void CachedAttentionEmitter::emitChunk(const Tile &tile, Value start,
                                       Value parts) {
  Value length = e.i64(kCachedAttentionChunk);
  Chunk chunk = {start, e.maximum(start, tile.keyBegin),
                 e.minimum(e.add(start, length), tile.keyEnd), parts};
  emitScores(tile, chunk);
  e.loop(e.i64(0), tile.count, 1,
         [&](Value row) { emitSoftmax(tile, chunk, row); });
  // Sums in registers: rows x vectors, as many as leave room for the rest.
  const int64_t room = (e.target.hasFma ? 3 : 2) * tileRows;
  const int64_t most = std::min<int64_t>(room / tile.height, 8);
  const int64_t vectors = paddedValue / lanes;
  const int64_t tiles = llvm::divideCeil(vectors, most);
  for (int64_t part = 0, first = 0; part < tiles; ++part) {
    int64_t width = llvm::divideCeil(vectors - first, tiles - part);
    emitWeightedSum(tile, chunk, first, width);
    first += width;
  }
}

Value CachedAttentionEmitter::rowsAt(StateAccess &state, const Tile &tile,
                                     Value position) {
  Value table =
      &state == &key ? tile.sequence.keyTable : tile.sequence.valueTable;
  return state.headOf(table, e.div(position, e.i64(block)), tile.keyHead);
}

/// `position`, or the last one that has a key, should bounds leave none: tables
/// end behind it.
Value CachedAttentionEmitter::admitted(const Tile &tile, Value position) {
  return e.minimum(position, e.sub(tile.keyEnd, e.i64(1)));
}

/// What is read after the block of `state` at `base`: its next one in the
/// chunk, else `otherwise`. Null where products take the time.
Value CachedAttentionEmitter::rowsAfter(StateAccess &state, const Tile &tile,
                                        const Chunk &chunk, Value base,
                                        Value otherwise) {
  if (tile.height == tileRows && group < tileRows)
    return Value();
  Value after = e.add(base, e.i64(block));
  Value isInside = e.lessThan(after, chunk.to);
  Value next = rowsAt(state, tile, select(isInside, after, base));
  return select(isInside, next, otherwise);
}

/// Fetches from `next` what the block at hand has as its vector `index`, which
/// is number `vector` of neighbours.
void CachedAttentionEmitter::prefetchVector(StateAccess &state, Value next,
                                            Value index, int64_t vector) {
  constexpr int64_t kLineBytes = 64;
  constexpr unsigned kToL2 = 2;
  const int64_t bytes = lanes * state.blocks.getElementBytes();
  if (next && vector * bytes % kLineBytes == 0)
    e.prefetch(state.elementAt(next, index), kToL2);
}

//===-- scores ------------------------------------------------------------===//

void CachedAttentionEmitter::emitScores(const Tile &tile, const Chunk &chunk) {
  const int64_t all = block / lanes;
  const int64_t room = std::max<int64_t>(2 * tileRows / tile.height, 2);
  const int64_t vectors =
      std::min<int64_t>({all, 8, int64_t(llvm::bit_floor(uint64_t(room)))});
  Value values = rowsAt(value, tile, admitted(tile, chunk.from));
  e.loop(chunk.from, chunk.to, block, [&](Value base) {
    Value keys = rowsAt(key, tile, base);
    Value next = rowsAfter(key, tile, chunk, base, values);
    Value target = e.at(probabilities, e.sub(base, chunk.start));
    e.loop(e.i64(0), e.i64(block), vectors * lanes, [&](Value column) {
      emitScoreTile(tile, keys, next, column, e.at(target, column), vectors);
    });
  });
}

/// The products of all rows with `vectors` vectors of keys, from position
/// `column` of a block on.
void CachedAttentionEmitter::emitScoreTile(const Tile &tile, Value keys,
                                           Value next, Value column,
                                           Value target, int64_t vectors) {
  auto multiply = [&](Value first, int64_t count, Values totals) {
    for (int64_t d = 0; d < count; ++d) {
      Value depth = e.add(first, e.i64(d));
      Value first = e.add(e.mul(depth, e.i64(block)), column);
      Values loaded;
      for (int64_t v = 0; v < vectors; ++v) {
        Value index = e.add(first, e.i64(v * lanes));
        loaded.push_back(key.loadElements(keys, index));
        prefetchVector(key, next, index, v);
      }
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
  Value maximum = e.reduceMax(highest);
  Value shifts = e.splat(shiftOf(maximum));
  Value total =
      e.loop(chunk.from, to, lanes, e.splat(e.f32(0)),
             [&](Value key, ValueRange carried) -> Values {
               Value shifted = arith::SubFOp::create(
                   b, loc, e.loadVector(placeOf(key)), shifts);
               Value weights = math::ExpOp::create(b, loc, shifted);
               e.storeVector(scaleWeights(tile, weights, key), placeOf(key));
               return {arith::AddFOp::create(b, loc, carried[0], weights)};
             })[0];
  Part part = partAt(chunk.parts, number);
  e.store(maximum, part.maximum);
  e.storeVector(total, part.sum);
}

//===-- weighted sum ------------------------------------------------------===//

void CachedAttentionEmitter::emitWeightedSum(const Tile &tile,
                                             const Chunk &chunk,
                                             int64_t firstVector,
                                             int64_t vectors) {
  auto accumulate = [&](Value weights, Value rows, Value next, Value from,
                        int64_t count, Values totals) {
    for (int64_t k = 0; k < count; ++k) {
      Values loaded;
      for (int64_t v = 0; v < vectors; ++v) {
        const int64_t column = (firstVector + v) * lanes;
        Value tail;
        if (valueSize - column < lanes)
          tail = e.tailMask(e.i64(valueSize - column));
        Value index =
            e.add(e.mul(e.add(from, e.i64(k)), e.i64(value.rowElements)),
                  e.i64(column));
        loaded.push_back(value.loadElements(rows, index, tail));
        prefetchVector(value, next, index, firstVector + v);
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
  // Behind the chunk comes the next one, or the next head.
  Tile nextHead = tile;
  nextHead.keyHead =
      e.minimum(e.add(tile.keyHead, e.i64(1)), e.i64(op.getKeyHeads() - 1));
  Value nextKeys = rowsAt(key, nextHead, admitted(tile, tile.keyBegin));
  Value hasNext = e.lessThan(chunk.to, tile.keyEnd);
  Value keys =
      rowsAt(key, tile, select(hasNext, chunk.to, admitted(tile, chunk.from)));
  keys = select(hasNext, keys, nextKeys);
  Values totals(tile.height * vectors, e.splat(e.f32(0)));
  totals = e.loop(
      chunk.from, chunk.to, block, totals,
      [&](Value base, ValueRange carried) -> Values {
        constexpr int64_t kUnroll = 4;
        Value rows = rowsAt(value, tile, base);
        Value next = rowsAfter(value, tile, chunk, base, keys);
        Value weights = e.at(probabilities, e.sub(base, chunk.start));
        auto part = [&](Value from, Value to, int64_t step, ValueRange totals) {
          return e.loop(from, to, step, totals,
                        [&](Value k, ValueRange carried) -> Values {
                          return accumulate(e.at(weights, k), rows, next, k,
                                            step, Values(carried));
                        });
        };
        Value count = e.minimum(e.sub(chunk.to, base), e.i64(block));
        Value whole = e.mul(e.div(count, e.i64(kUnroll)), e.i64(kUnroll));
        return part(whole, count, 1, part(e.i64(0), whole, kUnroll, carried));
      });
  for (int64_t i = 0; i < tile.height; ++i) {
    Part part = partAt(chunk.parts, e.i64(i));
    for (int64_t v = 0; v < vectors; ++v)
      e.storeVector(totals[i * vectors + v],
                    e.at(part.result, e.i64((firstVector + v) * lanes)));
  }
}

} // namespace attnc::cpu
