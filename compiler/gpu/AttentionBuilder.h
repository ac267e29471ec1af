//===- AttentionBuilder.h - state of one attention kernel -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the forms of attention share: which rows a block works on, which keys
// its masks leave to visit, and the arithmetic of the online softmax.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_GPU_ATTENTIONBUILDER_H
#define ATTNC_COMPILER_GPU_ATTENTIONBUILDER_H

#include "compiler/gpu/ProgramBuilder.h"
#include "compiler/schedule/MaskBounds.h"

namespace attnc::gpu {

/// queries x keys per step; the head sizes as tiles hold them.
struct AttentionTile {
  int64_t queries, keys, warps, headSize, valueSize;
  bool queriesInRegisters;
};

class AttentionBuilder {
public:
  AttentionBuilder(ProgramBuilder &e, attn::AttentionOp op);
  void build();

private:
  using Values = llvm::SmallVector<mlir::Value>;
  /// Query rows [first, first + queries) of one sequence and head.
  struct Work {
    mlir::Value batch, head, keyHead;
    mlir::Value queryStart, keyStart; ///< first row of the sequence
    mlir::Value queryCount, keyCount; ///< rows of the sequence
    mlir::Value first;                ///< query row, within the sequence
  };
  /// Keys: [begin, fullBegin) and [fullEnd, end) are masked element by element.
  struct Span {
    mlir::Value begin, fullBegin, fullEnd, end;
  };

  void chooseTile();
  Work findWork();
  Span findSpan(const Work &work);
  mlir::Value bound(const KeyBound &bound, mlir::Value query);
  void allocate();
  void buildBlock(const Work &work);
  Values step(const Work &work, const Span &span, mlir::Value key,
              mlir::ValueRange state, bool masked);
  mlir::Value scores(mlir::Value key);
  mlir::Value finishScores(const Work &work, mlir::Value sums, mlir::Value key,
                           bool masked);
  Values softmax(mlir::Value scores, mlir::Value maxima);
  mlir::Value addValues(mlir::Value weights, mlir::Value sums);
  void storeResult(const Work &work, mlir::Value sums, mlir::Value totals);
  void copy(mlir::Value argument, mlir::Value tile, mlir::Value start,
            mlir::Value head, mlir::Value row, mlir::Value rows, int64_t size);
  mlir::Value mapRows(mlir::ValueRange inputs, unsigned results,
                      llvm::function_ref<Values(mlir::ValueRange)> body,
                      Values *all = nullptr);
  mlir::Value scale(mlir::Value acc, mlir::Value rows);
  bool hasHeads() { return op.getQuery().getType().getRank() > 2; }

  ProgramBuilder &e;
  mlir::OpBuilder &b;
  attn::AttentionOp op;
  attn::CapturedRegion score, mask;
  llvm::SmallVector<KeyBound> bounds;
  bool boundsSayAll;   ///< the mask is its bounds and nothing else
  float scoreScale;    ///< scores are multiplied by it in the exponent
  bool scoreIsScale;   ///< and that is all that the score region does
  AttentionTile t;
  mlir::Value queryTile, keyTile, valueTile;
  Values queryFragments;
  mlir::Value warpRow; ///< of this warp's rows, in the block
};

} // namespace attnc::gpu

#endif // ATTNC_COMPILER_GPU_ATTENTIONBUILDER_H
