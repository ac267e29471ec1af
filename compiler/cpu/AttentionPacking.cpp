//===- AttentionPacking.cpp - keys, values, queries in scratch ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Keys are transposed, so that neighbouring keys are neighbouring lanes: tiles
// of lanes x lanes elements, first 4x4 within 128 bits, then 128-bit groups, in
// shuffles that are one instruction each. Rows past the last key repeat it:
// their scores are masked. Values and queries are copied row by row, their rows
// filled up to whole vectors with zeros. In bf16 a word is a pair, so that half
// as many are transposed; values are paired by keys.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/AttentionEmitter.h"

using namespace mlir;

namespace attnc::cpu {

static constexpr int64_t kGroup = 4; ///< f32 in 128 bits

/// Within every 128-bit group: elements `first` and `first + 1` of the pattern
/// that takes pairs (x from a, x from c).
static Value shuffleGroups(KernelEmitter &e, Value a, Value c,
                           ArrayRef<int64_t> pattern) {
  SmallVector<int64_t> indices;
  for (int64_t base = 0; base < e.lanes; base += kGroup)
    for (int64_t index : pattern)
      indices.push_back(base + index % kGroup +
                        (index < kGroup ? 0 : int64_t(e.lanes)));
  return vector::ShuffleOp::create(e.b, e.loc, a, c, indices);
}

/// Four rows to four columns, within every 128-bit group.
static std::array<Value, 4> transposeGroups(KernelEmitter &e,
                                            ArrayRef<Value> rows) {
  auto low = [&](Value a, Value c) {
    return shuffleGroups(e, a, c, {0, 4, 1, 5});
  };
  auto high = [&](Value a, Value c) {
    return shuffleGroups(e, a, c, {2, 6, 3, 7});
  };
  auto lowPair = [&](Value a, Value c) {
    return shuffleGroups(e, a, c, {0, 1, 4, 5});
  };
  auto highPair = [&](Value a, Value c) {
    return shuffleGroups(e, a, c, {2, 3, 6, 7});
  };
  Value a = low(rows[0], rows[1]), c = low(rows[2], rows[3]);
  Value d = high(rows[0], rows[1]), f = high(rows[2], rows[3]);
  return {lowPair(a, c), highPair(a, c), lowPair(d, f), highPair(d, f)};
}

/// The even or odd 128-bit groups of a, then of c.
static Value everySecondGroup(KernelEmitter &e, Value a, Value c, bool odd) {
  SmallVector<int64_t> indices;
  for (int64_t base = odd ? kGroup : 0; base < 2 * e.lanes; base += 2 * kGroup)
    for (int64_t i = 0; i < kGroup; ++i)
      indices.push_back(base + i);
  return vector::ShuffleOp::create(e.b, e.loc, a, c, indices);
}

/// Result g holds group g of every vector.
static SmallVector<Value> gatherGroups(KernelEmitter &e,
                                       ArrayRef<Value> vectors) {
  if (vectors.size() == 1)
    return {vectors[0]};
  SmallVector<Value> halves[2], parts[2];
  for (bool odd : {false, true}) {
    for (size_t i = 0; i < vectors.size(); i += 2)
      halves[odd].push_back(
          everySecondGroup(e, vectors[i], vectors[i + 1], odd));
    parts[odd] = gatherGroups(e, halves[odd]);
  }
  SmallVector<Value> result;
  for (auto [even, odd] : llvm::zip(parts[0], parts[1]))
    result.append({even, odd});
  return result;
}

/// lanes vectors of lanes elements.
static SmallVector<Value> transpose(KernelEmitter &e, ArrayRef<Value> rows) {
  SmallVector<std::array<Value, 4>> quads;
  for (size_t i = 0; i < rows.size(); i += kGroup)
    quads.push_back(transposeGroups(e, rows.slice(i, kGroup)));
  SmallVector<Value> result(rows.size());
  for (int64_t column = 0; column < kGroup; ++column) {
    SmallVector<Value> vectors;
    for (const std::array<Value, 4> &quad : quads)
      vectors.push_back(quad[column]);
    for (auto [group, vector] : llvm::enumerate(gatherGroups(e, vectors)))
      result[group * kGroup + column] = vector;
  }
  return result;
}

/// Half as many words as the f32 of both vectors, the first one's below.
static Value concatenate(KernelEmitter &e, Value low, Value high) {
  Value both = vector::ShuffleOp::create(
      e.b, e.loc, low, high,
      llvm::to_vector(llvm::seq<int64_t>(0, 2 * int64_t(e.lanes))));
  return vector::BitCastOp::create(e.b, e.loc, e.vectorType(), both);
}

Value AttentionEmitter::toBf16(Value vector) {
  auto type = VectorType::get({lanes}, b.getBF16Type());
  return arith::TruncFOp::create(b, loc, type, vector);
}

/// The `lanes` words from `word` on of a row, of which so many elements exist;
/// zeros behind them.
Value AttentionEmitter::loadWords(Value source, Value word, int64_t elements) {
  auto load = [&](int64_t from) -> Value {
    if (from >= elements)
      return e.splat(e.f32(0));
    Value laneMask =
        elements - from < lanes ? e.tailMask(e.i64(elements - from)) : Value();
    Value first = e.add(e.mul(word, e.i64(pack)), e.i64(from));
    return e.loadVector(e.at(source, first), laneMask);
  };
  if (!isBf16)
    return load(0);
  return concatenate(e, toBf16(load(0)), toBf16(load(lanes)));
}

/// Words with an element of each of two rows of values.
Value AttentionEmitter::pairRows(Value even, Value odd) {
  SmallVector<int64_t> order;
  for (int64_t lane = 0; lane < lanes; ++lane)
    order.append({lane, lanes + lane});
  Value both =
      vector::ShuffleOp::create(b, loc, toBf16(even), toBf16(odd), order);
  return vector::BitCastOp::create(b, loc, e.vectorType(), both);
}

/// `lanes` rows of headSize elements become headWords rows of `lanes` words,
/// `stride` words apart.
void AttentionEmitter::transposeRows(ArrayRef<Value> rows, Value target,
                                     Value stride) {
  auto tile = [&](Value first, int64_t elements) {
    Values loaded;
    for (Value row : rows)
      loaded.push_back(loadWords(row, first, elements));
    Values columns = transpose(e, loaded);
    const int64_t words =
        usesTiles ? lanes : int64_t(llvm::divideCeil(elements, pack));
    for (int64_t i = 0; i < words; ++i)
      e.storeVector(columns[i],
                    e.at(target, e.mul(e.add(first, e.i64(i)), stride)));
  };
  const int64_t ofTile = pack * lanes;
  const int64_t whole = headSize / ofTile * lanes;
  if (whole)
    e.loop(e.i64(0), e.i64(whole), lanes,
           [&](Value first) { tile(first, ofTile); });
  if (whole * pack < headSize)
    tile(e.i64(whole), headSize - whole * pack);
}

void AttentionEmitter::packKeys(const Sequence &sequence, Value keyHead) {
  Value source = e.at(key, e.add(e.mul(sequence.firstKey, e.i64(keyStride)),
                                 e.mul(keyHead, e.i64(headSize))));
  Value fullPanels = e.div(sequence.keys, e.i64(panel));
  Value fullKeys = e.mul(fullPanels, e.i64(panel));
  e.loop(e.i64(0), fullKeys, panel, [&](Value first) {
    Value target = e.at(keyScratch, e.mul(first, e.i64(keyWords)));
    Value start = e.at(source, e.mul(first, e.i64(keyStride)));
    e.loop(e.i64(0), e.i64(panel), lanes, [&](Value column) {
      Value base = e.at(start, e.mul(column, e.i64(keyStride)));
      Values rows;
      for (int64_t i = 0; i < lanes; ++i)
        rows.push_back(e.at(base, e.i64(i * keyStride)));
      transposeRows(rows, e.at(target, column), e.i64(panel));
    });
  });
  Value target = e.at(keyScratch, e.mul(fullKeys, e.i64(keyWords)));
  // The last panel, as wide as its keys; of tiles, as wide as the others.
  const int64_t unit = usesTiles ? panel : lanes;
  Value stride =
      e.mul(e.ceilDiv(e.sub(sequence.keys, fullKeys), unit), e.i64(unit));
  Value last = e.sub(sequence.keys, e.i64(1));
  e.loop(e.i64(0), stride, lanes, [&](Value column) {
    Values rows;
    for (int64_t i = 0; i < lanes; ++i) {
      Value row = e.add(e.add(fullKeys, column), e.i64(i));
      row = e.minimum(row, last);
      rows.push_back(e.at(source, e.mul(row, e.i64(keyStride))));
    }
    transposeRows(rows, e.at(target, column), stride);
  });
}

/// Copies `size` elements, as words, and zeros up to whole vectors.
void AttentionEmitter::copyRow(Value source, Value target, int64_t size) {
  for (int64_t word = 0; word * pack < size; word += lanes)
    e.storeVector(loadWords(source, e.i64(word),
                            std::min(size - word * pack, lanes * pack)),
                  e.at(target, e.i64(word)));
}

void AttentionEmitter::packValues(const Sequence &sequence, Value keyHead) {
  Value source = e.at(value, e.add(e.mul(sequence.firstKey, e.i64(valueStride)),
                                   e.mul(keyHead, e.i64(valueSize))));
  auto rowAt = [&](Value row) {
    return e.at(source, e.mul(row, e.i64(valueStride)));
  };
  if (!isBf16)
    return e.loop(e.i64(0), sequence.keys, 1, [&](Value row) {
      copyRow(rowAt(row), e.at(valueScratch, e.mul(row, e.i64(paddedValue))),
              valueSize);
    });
  auto pairUp = [&](Value pair, bool isWhole) {
    Value even = rowAt(e.mul(pair, e.i64(2)));
    Value target = e.at(valueScratch, e.mul(pair, e.i64(paddedValue)));
    for (int64_t i = 0; i < valueSize; i += lanes) {
      const int64_t left = valueSize - i;
      Value laneMask = left < lanes ? e.tailMask(e.i64(left)) : Value();
      Value odd =
          isWhole ? e.loadVector(e.at(even, e.i64(valueStride + i)), laneMask)
                  : e.splat(e.f32(0));
      e.storeVector(pairRows(e.loadVector(e.at(even, e.i64(i)), laneMask), odd),
                    e.at(target, e.i64(i)));
    }
  };
  Value pairs = e.div(sequence.keys, e.i64(2));
  e.loop(e.i64(0), pairs, 1, [&](Value pair) { pairUp(pair, true); });
  e.ifThen(e.lessThan(e.mul(pairs, e.i64(2)), sequence.keys),
           [&] { pairUp(pairs, false); });
  if (!usesTiles)
    return;
  // Behind the last key: weights of zero times anything finite.
  Value written = e.mul(e.ceilDiv(sequence.keys, 2), e.i64(paddedValue));
  Value end =
      e.mul(e.ceilDiv(sequence.keys, panel), e.i64(panel / 2 * paddedValue));
  e.loop(written, end, lanes, [&](Value word) {
    e.storeVector(e.splat(e.f32(0)), e.at(valueScratch, word));
  });
}

void AttentionEmitter::packQueries(const Block &block) {
  auto pack = [&](Value i) {
    Value row = e.add(block.sequence.firstQuery, queryOf(block, i));
    Value source = e.at(query, e.add(e.mul(row, e.i64(queryStride)),
                                     e.mul(block.head, e.i64(headSize))));
    copyRow(source, e.at(queryScratch, e.mul(i, e.i64(paddedHead))), headSize);
  };
  if (usesTiles)
    return e.loop(e.i64(0), block.rows, 1, pack);
  // Rows past the end repeat the last one; nothing of them is stored.
  for (int64_t i = 0; i < tileRows; ++i)
    pack(e.i64(i));
}

} // namespace attnc::cpu
