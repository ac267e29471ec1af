//===- CachedAttention.h - state of its kernel's emission -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What EmitCachedAttention.cpp (who computes what, and what chunks add up to)
// and CachedAttentionChunk.cpp (some rows with the keys of one chunk) share.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_CPU_CACHEDATTENTION_H
#define ATTNC_COMPILER_CPU_CACHEDATTENTION_H

#include "compiler/cpu/StateAccess.h"
#include "compiler/schedule/MaskBounds.h"

namespace attnc::cpu {

class CachedAttentionEmitter {
public:
  CachedAttentionEmitter(KernelEmitter &emitter, attn::CachedAttentionOp op);
  void emit();

private:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;
  using Values = llvm::SmallVector<Value>;

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
  /// The keys of a tile in one chunk, and what they give.
  struct Chunk {
    Value start;    ///< a multiple of the chunk's length
    Value from, to; ///< positions; `from` begins a block
    Value parts;    ///< what its rows give, as Part says
  };
  struct Row {
    Value query, head, position;
  };
  /// What keys gave to a row: the highest score, and the sums, in vectors, of
  /// the weights and of the weighted values, both relative to that score.
  struct Part {
    Value maximum, sum, result;
  };
  /// Chunks of single tiles, when workers share those out.
  struct Split {
    Value isUsed, units, each; ///< `each` of `units` chunks for a worker
  };

  // EmitCachedAttention.cpp
  Sequence sequenceAt(Value index);
  std::pair<Value, Value> itemsAndCost(const Sequence &sequence,
                                       const Split &split);
  Tile tileOf(const Sequence &sequence, Value keyHead, Value firstRow,
              Value count, int64_t height);
  Row rowAt(const Tile &tile, Value row);
  void boundKeys(Tile &tile);
  Value firstChunk(const Tile &tile);
  Value chunksOf(const Sequence &sequence);
  Split planSplit();
  void emitItem(const Sequence &sequence, const Split &split, Value perHead,
                Value item, Value place);
  void emitTile(const Tile &tile, const Split &split, Value within,
                Value parts);
  void mergeUnits(const Split &split);
  void loadQueries(const Tile &tile);
  void begin(const Tile &tile);
  Part partAt(Value parts, Value row);
  void merge(const Tile &tile, Value parts);
  void finish(const Tile &tile);

  // CachedAttentionChunk.cpp
  void emitChunk(const Tile &tile, Value start, Value parts);
  void emitScores(const Tile &tile, const Chunk &chunk);
  void emitScoreTile(const Tile &tile, Value keys, Value next, Value column,
                     Value target, int64_t vectors);
  Value rowsAt(StateAccess &state, const Tile &tile, Value position);
  Value admitted(const Tile &tile, Value position);
  Value rowsAfter(StateAccess &state, const Tile &tile, const Chunk &chunk,
                  Value base, Value otherwise);
  void prefetchVector(StateAccess &state, Value next, Value index,
                      int64_t vector);
  Value applyRegions(const Tile &tile, const Row &row, Value score, Value key);
  Value scaleWeights(const Tile &tile, Value weights, Value firstKey);
  void emitSoftmax(const Tile &tile, const Chunk &chunk, Value row);
  void emitWeightedSum(const Tile &tile, const Chunk &chunk,
                       int64_t firstVector, int64_t vectors);

  Value equal(Value a, Value c);
  Value select(Value condition, Value a, Value c);
  /// a where it is finite or NaN, 0 for -inf: what scores are shifted by.
  Value shiftOf(Value maximum);

  KernelEmitter &e;
  mlir::OpBuilder &b;
  mlir::Location loc;
  attn::CachedAttentionOp op;
  attn::CapturedRegion score, mask;
  llvm::SmallVector<KeyBound> bounds;
  StateAccess key, value;
  int64_t lanes, itemRows, tileRows, fewRows, group;
  int64_t headSize, valueSize, paddedHead, paddedValue;
  int64_t block;     ///< positions
  int64_t partWords; ///< of a row: result, sums, maximum
  Value query, output, offsets, past;
  /// Scratch: of a tile, of its last chunk, of this worker's units.
  Value queries, probabilities, total, chunkParts, unitParts;
};

} // namespace attnc::cpu

#endif // ATTNC_COMPILER_CPU_CACHEDATTENTION_H
