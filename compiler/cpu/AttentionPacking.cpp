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
// filled up to whole vectors with zeros.
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

/// `lanes` rows of headSize elements become headSize rows of `lanes` elements,
/// `stride` elements apart.
void AttentionEmitter::transposeRows(ArrayRef<Value> rows, Value target,
                                     Value stride) {
  auto tile = [&](Value first, int64_t count) {
    Value laneMask = count < lanes ? e.tailMask(e.i64(count)) : Value();
    Values loaded;
    for (Value row : rows)
      loaded.push_back(e.loadVector(e.at(row, first), laneMask));
    Values columns = transpose(e, loaded);
    for (int64_t i = 0; i < count; ++i)
      e.storeVector(columns[i],
                    e.at(target, e.mul(e.add(first, e.i64(i)), stride)));
  };
  const int64_t whole = headSize / lanes * lanes;
  if (whole)
    e.loop(e.i64(0), e.i64(whole), lanes,
           [&](Value first) { tile(first, lanes); });
  if (whole < headSize)
    tile(e.i64(whole), headSize - whole);
}

void AttentionEmitter::packKeys(const Sequence &sequence, Value keyHead) {
  Value source = e.at(key, e.add(e.mul(sequence.firstKey, e.i64(keyStride)),
                                 e.mul(keyHead, e.i64(headSize))));
  Value fullPanels = e.div(sequence.keys, e.i64(panel));
  Value fullKeys = e.mul(fullPanels, e.i64(panel));
  e.loop(e.i64(0), fullKeys, panel, [&](Value first) {
    Value target = e.at(keyScratch, e.mul(first, e.i64(headSize)));
    Value start = e.at(source, e.mul(first, e.i64(keyStride)));
    e.loop(e.i64(0), e.i64(panel), lanes, [&](Value column) {
      Value base = e.at(start, e.mul(column, e.i64(keyStride)));
      Values rows;
      for (int64_t i = 0; i < lanes; ++i)
        rows.push_back(e.at(base, e.i64(i * keyStride)));
      transposeRows(rows, e.at(target, column), e.i64(panel));
    });
  });
  Value tailVectors = e.ceilDiv(e.sub(sequence.keys, fullKeys), lanes);
  Value target = e.at(keyScratch, e.mul(fullKeys, e.i64(headSize)));
  Value stride = e.mul(tailVectors, e.i64(lanes));
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

/// Copies `size` elements and zeros up to whole vectors.
static void copyRow(KernelEmitter &e, Value source, Value target,
                    int64_t size) {
  for (int64_t i = 0; i < size; i += e.lanes) {
    Value laneMask;
    if (size - i < e.lanes)
      laneMask = e.tailMask(e.i64(size - i));
    e.storeVector(e.loadVector(e.at(source, e.i64(i)), laneMask),
                  e.at(target, e.i64(i)));
  }
}

void AttentionEmitter::packValues(const Sequence &sequence, Value keyHead) {
  Value source = e.at(value, e.add(e.mul(sequence.firstKey, e.i64(valueStride)),
                                   e.mul(keyHead, e.i64(valueSize))));
  e.loop(e.i64(0), sequence.keys, 1, [&](Value row) {
    copyRow(e, e.at(source, e.mul(row, e.i64(valueStride))),
            e.at(valueScratch, e.mul(row, e.i64(paddedValue))), valueSize);
  });
}

void AttentionEmitter::packQueries(const Block &block) {
  // Rows past the end repeat the last one; nothing of them is stored.
  for (int64_t i = 0; i < tileRows; ++i) {
    Value row = e.add(block.sequence.firstQuery, queryOf(block, e.i64(i)));
    Value source = e.at(query, e.add(e.mul(row, e.i64(queryStride)),
                                     e.mul(block.head, e.i64(headSize))));
    copyRow(e, source, e.at(queryScratch, e.i64(i * paddedHead)), headSize);
  }
}

} // namespace attnc::cpu
