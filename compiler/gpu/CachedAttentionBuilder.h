//===- CachedAttentionBuilder.h - attention with states ---------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The programs of one `attn.cached_attention`, and what they share: tiles,
// copies of blocks of states, products of a tile. BuildCachedPrompt.cpp has the
// one for sequences of many new rows, BuildCachedParts.cpp those for few.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_GPU_CACHEDATTENTIONBUILDER_H
#define ATTNC_COMPILER_GPU_CACHEDATTENTIONBUILDER_H

#include "compiler/gpu/SoftmaxBuilder.h"
#include "compiler/gpu/StateBlocks.h"
#include <limits>

namespace attnc::gpu {

class CachedAttentionBuilder : SoftmaxBuilder {
public:
  CachedAttentionBuilder(ProgramBuilder &e, attn::CachedAttentionOp op);
  void build();

private:
  /// One block's tile: queries x keys per step, sizes as tiles hold them.
  struct Tile {
    int64_t queries, keys, warps, headSize, valueSize;
  };
  /// What a block works on. Its rows are the positions from `position` on of
  /// one head, or, in parts, the heads from `head` on at one position.
  struct Work {
    mlir::Value sequence, keyHead, head, position;
    mlir::Value rows;        ///< how many there are, from the block's first one
    mlir::Value keys;        ///< positions that the sequence has now
    mlir::Value valueColumn; ///< first column of the values, and of the result
  };
  /// The states, as the program at hand reads them.
  struct Memory {
    StateBlocks key, value;
  };

  mlir::Value sequenceStart(mlir::Value sequence) {
    return e.load(op.getOffsets(), e.wide(sequence));
  }
  mlir::Value sequenceCount(mlir::Value sequence) {
    return e.sub(sequenceStart(e.add(sequence, e.i32(1))),
                 sequenceStart(sequence));
  }
  void allocate(int64_t stages);
  mlir::Value stageOf(mlir::Value tile, mlir::Value index);
  void copy(mlir::Value source, mlir::Value row, mlir::Value column,
            mlir::Value rows, int64_t columns, mlir::Value stride,
            mlir::Type element, bool aligned, mlir::Value tile);
  void copyQueries(mlir::Value offset, mlir::Value stride, mlir::Value rows);
  void copyState(StateBlocks &blocks, mlir::Value head, mlir::Value row,
                 mlir::Value column, mlir::Value rows, int64_t columns,
                 mlir::Value tile);
  void copyKeys(Memory &memory, const Work &work, mlir::Value key,
                mlir::Value tile);
  void copyValues(Memory &memory, const Work &work, mlir::Value key,
                  mlir::Value tile);
  mlir::Value multiplyKeys(mlir::Value row, mlir::Value keys,
                           mlir::Value column, int64_t count);
  mlir::Value finishScores(const Work &work, mlir::Value sums, mlir::Value row,
                           mlir::Value key, bool masked);
  mlir::Value addValues(mlir::Value weights, mlir::Value sums,
                        mlir::Value values, mlir::Value row);
  Values startRows(int64_t rows);
  Values addKeys(mlir::Value scores, mlir::ValueRange state, mlir::Value values,
                 mlir::Value row);

  void buildPrompt();
  Values findTile();
  mlir::Value promptRows(const Work &work, Memory &memory, mlir::Value start);
  void buildParts();
  void partRows(const Work &work, Memory &memory, mlir::Value part,
                mlir::Value start, mlir::Value firstHead, mlir::Value place);
  void buildMerge();
  mlir::Value partPlace(mlir::Value part, mlir::Value row);
  SizeExpr countPartRows() {
    return batch * SizeExpr(kFewQueries * op.getQueryHeads());
  }

  /// New rows of a sequence up to which its states are read in parts: with more
  /// there is work for more blocks.
  static constexpr int64_t kFewQueries = 4;
  /// Rows of a product's left side.
  static constexpr int64_t kMmaRows = 16;
  static constexpr float kInfinity = std::numeric_limits<float>::infinity();

  attn::CachedAttentionOp op;
  SizeExpr batch;
  int64_t group; ///< query heads that share a key head
  int64_t parts; ///< blocks that share a sequence's positions
  bool inParts = false;
  Tile t;
  mlir::Value queryTile, keyTile, valueTile;
};

} // namespace attnc::gpu

#endif // ATTNC_COMPILER_GPU_CACHEDATTENTIONBUILDER_H
