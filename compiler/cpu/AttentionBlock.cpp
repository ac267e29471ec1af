//===- AttentionBlock.cpp - a block of query rows -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Scores of a block of query rows (register tiles of rows x key vectors), their
// softmax in scratch, over whole rows or chunk by chunk, and the weighted sum
// of the values (register tiles of rows x value vectors). What a row goes
// through does not depend on where it stands in its block, nor on which keys
// the mask's bounds leave out: these would add zeros. Sums run over the head
// size and over keys in ascending order.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/AttentionEmitter.h"
#include <limits>

using namespace mlir;

namespace attnc::cpu {

static constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// The position of a row within its sequence; rows past the end are the last.
Value AttentionEmitter::queryOf(const Block &block, Value row) {
  return e.minimum(e.add(block.query, row),
                   e.sub(block.sequence.queries, e.i64(1)));
}

/// Whether the keys after the last full panel are visited.
Value AttentionEmitter::hasTail(const Block &block) {
  return e.lessThan(e.mul(block.fullPanels, e.i64(panel)), block.keyEnd);
}

void AttentionEmitter::emitBlock(const Sequence &sequence, Value head,
                                 Value query, Value chunkIndex, Value hasNext) {
  Block block;
  block.sequence = sequence;
  block.head = head;
  block.query = query;
  block.hasNext = hasNext;
  block.rows = e.minimum(e.sub(sequence.queries, query), e.i64(tileRows));
  block.fullPanels = e.div(sequence.keys, e.i64(panel));
  boundKeys(block);
  if (!chunk)
    return emitKeys(block);
  Value isVisited = cutChunk(block, chunkIndex);
  e.ifThen(isVisited, [&] { emitKeys(block); });
}

/// What the block's keys, or a chunk of them, give.
void AttentionEmitter::emitKeys(const Block &block) {
  prefetchOutput(block);
  prefetchNextHead(block, 0);
  packQueries(block);
  prefetchNextHead(block, 1);
  usesTiles ? emitTileScores(block) : emitScores(block);
  prefetchNextHead(block, 2);
  emitSoftmax(block);
  prefetchNextHead(block, 3);
  usesTiles ? emitTileSum(block) : emitWeightedSum(block);
}

void AttentionEmitter::boundKeys(Block &block) {
  Value begin = e.i64(0), end = block.sequence.keys;
  Value lastQuery = queryOf(block, e.i64(tileRows - 1));
  for (const KeyBound &bound : bounds) {
    // The loosest over the block's rows: upper bounds grow with q.
    Value row = bound.isUpper ? lastQuery : block.query;
    Value limit = e.add(e.mul(row, e.i64(bound.slope)), e.i64(bound.offset));
    if (bound.isUpper)
      end = e.minimum(end, e.add(limit, e.i64(1)));
    else
      begin = e.maximum(begin, limit);
  }
  block.keyEnd = e.maximum(end, e.i64(0));
  block.firstPanel = e.div(begin, e.i64(panel));
}

/// The score region, then the mask, on `lanes` scores from key `key` on; -inf
/// where the mask or `laneMask` admits nothing.
Value AttentionEmitter::applyRegions(const Block &block, Value scores,
                                     Value query, Value key, Value laneMask) {
  constexpr unsigned kKeyDim = 3;
  Value dims[] = {block.sequence.index, block.head, query, key};
  SmallVector<Value> leading = {scores};
  if (score || mask) {
    for (Value dim : dims)
      leading.push_back(e.splat(e.toI32(dim)));
    leading.back() = arith::AddIOp::create(b, loc, leading.back(), e.iota());
  }
  if (op.isPacked()) {
    // Captures are read at rows.
    dims[2] = e.add(block.sequence.firstQuery, query);
    dims[3] = e.add(block.sequence.firstKey, key);
  }
  Value excluded = e.splat(e.f32(kMinusInfinity));
  if (score)
    scores = e.inlineRegion(score, leading, dims, kKeyDim, laneMask);
  if (mask) {
    Value admitted = e.inlineRegion(mask, ArrayRef(leading).drop_front(), dims,
                                    kKeyDim, laneMask);
    scores = arith::SelectOp::create(b, loc, admitted, scores, excluded);
  }
  if (laneMask)
    scores = arith::SelectOp::create(b, loc, laneMask, scores, excluded);
  return scores;
}

//===-- scores ------------------------------------------------------------===//

/// sum + word * vector; words of bf16 are sums of two products.
Value AttentionEmitter::multiplyAdd(Value word, Value vector, Value sum) {
  if (!isBf16)
    return e.fma(word, vector, sum);
  auto pairs = VectorType::get({2 * lanes}, b.getBF16Type());
  Value operands[] = {sum, vector::BitCastOp::create(b, loc, pairs, word),
                      vector::BitCastOp::create(b, loc, pairs, vector)};
  const std::string name =
      "llvm.x86.avx512bf16.dpbf16ps." + std::to_string(lanes * 32);
  return LLVM::CallIntrinsicOp::create(b, loc, e.vectorType(),
                                       b.getStringAttr(name), operands)
      .getResult(0);
}

void AttentionEmitter::emitScores(const Block &block) {
  Value lowest = e.splat(e.f32(kMinusInfinity));
  Values initial(tileRows, lowest);
  Value fullEnd = e.minimum(block.fullPanels, e.ceilDiv(block.keyEnd, panel));
  Values highest = e.loop(block.firstPanel, fullEnd, 1, initial,
                          [&](Value index, ValueRange carried) {
                            return emitScoreTile(block, panelVectors, index,
                                                 Value(), carried);
                          });
  auto maximumPlace = [&](int64_t row) {
    return e.at(maxima, e.i64(row * lanes));
  };
  for (int64_t i = 0; i < tileRows; ++i)
    e.storeVector(highest[i], maximumPlace(i));

  Value tail =
      e.sub(block.sequence.keys, e.mul(block.fullPanels, e.i64(panel)));
  Value tailVectors = e.ceilDiv(tail, lanes);
  e.ifThen(hasTail(block), [&] {
    for (int64_t width = 1; width <= panelVectors; ++width) {
      Value isWidth = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                            tailVectors, e.i64(width));
      e.ifThen(isWidth, [&] {
        Values carried;
        for (int64_t i = 0; i < tileRows; ++i)
          carried.push_back(e.loadVector(maximumPlace(i)));
        Value lastMask = e.tailMask(e.sub(tail, e.i64((width - 1) * lanes)));
        carried =
            emitScoreTile(block, width, block.fullPanels, lastMask, carried);
        for (int64_t i = 0; i < tileRows; ++i)
          e.storeVector(carried[i], maximumPlace(i));
      });
    }
  });
}

/// Scores of all rows with `width` vectors of keys, stored, and the maxima with
/// them taken in. `lastMask` tells which lanes of the last vector are keys.
SmallVector<Value> AttentionEmitter::emitScoreTile(const Block &block,
                                                   unsigned width,
                                                   Value panelIndex,
                                                   Value lastMask,
                                                   ValueRange highest) {
  // A full panel's rows are a panel wide, the last one's as wide as it is.
  const int64_t keyRow = width * lanes;
  Value keys = e.at(keyScratch, e.mul(panelIndex, e.i64(panel * headWords)));
  auto multiply = [&](Value first, int64_t count, Values sums) {
    for (int64_t d = 0; d < count; ++d) {
      Value depth = e.add(first, e.i64(d));
      Value keyPlace = e.at(keys, e.mul(depth, e.i64(keyRow)));
      Values vectors;
      for (unsigned v = 0; v < width; ++v)
        vectors.push_back(e.loadVector(e.at(keyPlace, e.i64(v * lanes))));
      Value queryPlace = e.at(queryScratch, depth);
      for (int64_t i = 0; i < tileRows; ++i) {
        Value element =
            e.splat(e.loadF32(e.at(queryPlace, e.i64(i * paddedHead))));
        for (unsigned v = 0; v < width; ++v) {
          Value &sum = sums[i * width + v];
          sum = multiplyAdd(element, vectors[v], sum);
        }
      }
    }
    return sums;
  };
  constexpr int64_t kUnroll = 4;
  const int64_t whole = headWords / kUnroll * kUnroll;
  Values sums(tileRows * width, e.splat(e.f32(0)));
  if (whole)
    sums = e.loop(e.i64(0), e.i64(whole), kUnroll, sums,
                  [&](Value first, ValueRange carried) {
                    return multiply(first, kUnroll, Values(carried));
                  });
  sums = multiply(e.i64(whole), headWords - whole, sums);

  Values result(highest);
  Value firstKey = e.mul(panelIndex, e.i64(panel));
  Value target = scoresAt(block, panelIndex);
  for (int64_t i = 0; i < tileRows; ++i) {
    Value query = queryOf(block, e.i64(i));
    for (unsigned v = 0; v < width; ++v) {
      Value scores = sums[i * width + v];
      if (!regionsInRow) {
        Value key = e.add(firstKey, e.i64(v * lanes));
        scores = applyRegions(block, scores, query, key,
                              v + 1 == width ? lastMask : Value());
        result[i] = e.maxF32(scores, result[i]);
      }
      e.storeVector(scores, e.at(target, e.i64(i * panel + v * lanes)));
    }
  }
  return result;
}

//===-- softmax -----------------------------------------------------------===//

/// Runs `body` on every vector of a row's visited scores.
Value AttentionEmitter::visitRow(
    const Block &block, Value row, Value initial,
    function_ref<Value(const Scores &, Value)> body) {
  Value rowStart = e.mul(row, e.i64(panel));
  Value fullEnd = e.minimum(block.fullPanels, e.ceilDiv(block.keyEnd, panel));
  auto placeOf = [&](Value panelIndex) {
    return e.at(scoresAt(block, panelIndex), rowStart);
  };
  Value result = e.loop(block.firstPanel, fullEnd, 1, initial,
                        [&](Value index, ValueRange carried) -> Values {
                          Value value = carried[0];
                          Value key = e.mul(index, e.i64(panel));
                          for (int64_t v = 0; v < panel; v += lanes)
                            value = body({e.at(placeOf(index), e.i64(v)),
                                          e.at(placeOf(index), e.i64(v / 2)),
                                          e.add(key, e.i64(v)), Value()},
                                         value);
                          return {value};
                        })[0];
  Value tail =
      e.sub(block.sequence.keys, e.mul(block.fullPanels, e.i64(panel)));
  // Tiles read all of the last panel.
  Value visited = arith::SelectOp::create(
      b, loc, hasTail(block), usesTiles ? e.i64(panel) : tail, e.i64(0));
  Value tailPlace = placeOf(block.fullPanels);
  Value tailKey = e.mul(block.fullPanels, e.i64(panel));
  return e.loop(
      e.i64(0), visited, lanes, result,
      [&](Value first, ValueRange carried) -> Values {
        return {body({e.at(tailPlace, first),
                      e.at(tailPlace, e.div(first, e.i64(2))),
                      e.add(tailKey, first), e.tailMask(e.sub(tail, first))},
                     carried[0])};
      })[0];
}

void AttentionEmitter::emitSoftmax(const Block &block) {
  Value lowest = e.splat(e.f32(kMinusInfinity));
  Value zero = e.f32(0);
  e.loop(e.i64(0), block.rows, 1, [&](Value row) {
    Value highest;
    if (regionsInRow) {
      Value query = queryOf(block, row);
      highest =
          visitRow(block, row, lowest, [&](const Scores &at, Value carried) {
            Value scores = applyRegions(block, e.loadVector(at.place), query,
                                        at.key, at.mask);
            e.storeVector(scores, at.place);
            return e.maxF32(scores, carried);
          });
    } else {
      highest = e.loadVector(e.at(maxima, e.mul(row, e.i64(lanes))));
    }
    // A row of -inf alone: exp(-inf - 0) gives the zeros that it stands for.
    Value maximum = e.reduceMax(highest);
    if (chunk)
      maximum = joinMaximum(block, row, maximum);
    Value none = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ,
                                       maximum, e.f32(kMinusInfinity));
    maximum = arith::SelectOp::create(b, loc, none, zero, maximum);
    Value shift = e.splat(maximum);
    Value sums = visitRow(
        block, row, e.splat(zero),
        [&](const Scores &at, Value carried) -> Value {
          Value shifted =
              arith::SubFOp::create(b, loc, e.loadVector(at.place), shift);
          Value weights = math::ExpOp::create(
              b, loc, shifted,
              isBf16 ? arith::FastMathFlags::afn : arith::FastMathFlags::none);
          // Never ahead of what is still to be read.
          if (isBf16)
            e.store(toBf16(weights), at.narrow, 2);
          else
            e.storeVector(weights, at.place);
          return arith::AddFOp::create(b, loc, carried, weights);
        });
    Value sum = e.reduceAdd(sums);
    if (chunk)
      sum = joinSum(block, row, sum);
    Value empty =
        arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, sum, zero);
    Value inverse = arith::DivFOp::create(b, loc, e.f32(1), sum);
    Value scale = arith::SelectOp::create(b, loc, empty, zero, inverse);
    if (chunk)
      scale = arith::SelectOp::create(b, loc, block.isLast, scale, e.f32(1));
    e.store(scale, e.at(scales, row));
  });
}

//===-- weighted sum ------------------------------------------------------===//

void AttentionEmitter::emitWeightedSum(const Block &block) {
  // As many vectors of sums as the tile of scores has, evenly cut.
  const unsigned vectors = paddedValue / lanes;
  const unsigned tiles = llvm::divideCeil(vectors, panelVectors);
  unsigned first = 0;
  for (unsigned tile = 0; tile < tiles; ++tile) {
    unsigned width = llvm::divideCeil(vectors - first, tiles - tile);
    emitOutputTile(block, first, width);
    first += width;
  }
}

void AttentionEmitter::emitOutputTile(const Block &block, unsigned firstVector,
                                      unsigned width) {
  Value valuePlace = e.at(valueScratch, e.i64(firstVector * lanes));
  auto accumulate = [&](Value weightPlace, Value valueRow, int64_t count,
                        Values sums) {
    for (int64_t k = 0; k < count; ++k) {
      Values vectors;
      for (unsigned v = 0; v < width; ++v)
        vectors.push_back(
            e.loadVector(e.at(valueRow, e.i64(k * paddedValue + v * lanes))));
      for (int64_t i = 0; i < tileRows; ++i) {
        Value weight =
            e.splat(e.loadF32(e.at(weightPlace, e.i64(i * panel + k))));
        for (unsigned v = 0; v < width; ++v) {
          Value &sum = sums[i * width + v];
          sum = multiplyAdd(weight, vectors[v], sum);
        }
      }
    }
    return sums;
  };
  Value target =
      e.at(output, e.add(e.mul(e.add(block.sequence.firstQuery, block.query),
                               e.i64(queryHeads * valueSize)),
                         e.add(e.mul(block.head, e.i64(valueSize)),
                               e.i64(firstVector * lanes))));
  auto placeOf = [&](int64_t i, unsigned v) {
    return e.at(target, e.i64(i * queryHeads * valueSize + v * lanes));
  };
  auto maskOf = [&](unsigned v) {
    const int64_t left = valueSize - (firstVector + v) * lanes;
    return left < lanes ? e.tailMask(e.i64(left)) : Value();
  };
  Values sums(tileRows * width, e.splat(e.f32(0)));
  for (int64_t i = 0; chunk && i < tileRows; ++i) {
    Value exists = e.splat(e.lessThan(e.i64(i), block.rows));
    Value factor = e.splat(e.loadF32(e.at(factors, e.i64(i))));
    for (unsigned v = 0; v < width; ++v) {
      Value mask = exists;
      if (Value columns = maskOf(v))
        mask = arith::AndIOp::create(b, loc, mask, columns);
      sums[i * width + v] = arith::MulFOp::create(
          b, loc, loadEarlier(block, placeOf(i, v), mask), factor);
    }
  }
  Value panelEnd = e.ceilDiv(block.keyEnd, panel);
  sums = e.loop(
      block.firstPanel, panelEnd, 1, sums,
      [&](Value index, ValueRange carried) -> Values {
        constexpr int64_t kUnroll = 4;
        Value firstKey = e.mul(index, e.i64(panel));
        Value weights = scoresAt(block, index);
        Value rows = e.at(valuePlace, e.mul(e.div(firstKey, e.i64(pack)),
                                            e.i64(paddedValue)));
        auto part = [&](Value from, Value to, int64_t step, ValueRange sums) {
          return e.loop(
              from, to, step, sums, [&](Value k, ValueRange carried) -> Values {
                return accumulate(e.at(weights, k),
                                  e.at(rows, e.mul(k, e.i64(paddedValue))),
                                  step, Values(carried));
              });
        };
        Value count = e.minimum(e.sub(block.keyEnd, firstKey), e.i64(panel));
        count = e.ceilDiv(count, pack);
        Value whole = e.mul(e.div(count, e.i64(kUnroll)), e.i64(kUnroll));
        return part(whole, count, 1, part(e.i64(0), whole, kUnroll, carried));
      });

  for (int64_t i = 0; i < tileRows; ++i)
    e.ifThen(e.lessThan(e.i64(i), block.rows), [&] {
      Value scale = e.splat(e.loadF32(e.at(scales, e.i64(i))));
      for (unsigned v = 0; v < width; ++v)
        e.storeVector(arith::MulFOp::create(b, loc, sums[i * width + v], scale),
                      placeOf(i, v), maskOf(v));
    });
}

} // namespace attnc::cpu
