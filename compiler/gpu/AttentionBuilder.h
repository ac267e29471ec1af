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

protected:
  using Values = llvm::SmallVector<mlir::Value>;
  /// Query rows [first, first + queries) of one sequence and head.
  struct Work {
    mlir::Value batch, head, keyHead;
    mlir::Value queryStart, keyStart; ///< first row of the sequence
    mlir::Value queryCount, keyCount; ///< rows of the sequence
    mlir::Value first;                ///< query row, within the sequence
    mlir::Value split;                ///< which part of the keys, if split
  };
  /// Keys: [begin, fullBegin) and [fullEnd, end) are masked element by element.
  struct Span {
    mlir::Value begin, fullBegin, fullEnd, end;
  };

  void chooseTile();
  void chooseSplits();
  /// The grid over queries, heads and batches.
  llvm::SmallVector<GridSize> getGrid();
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
  /// Sums, maxima and totals of a part of the keys, to scratch.
  void storePart(const Work &work, mlir::Value sums, mlir::Value maxima,
                 mlir::Value totals);
  /// The second program: results from all parts.
  void buildMerge();
  SizeExpr countRows();
  mlir::Value partRow(mlir::Value split, mlir::Value row);
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
  bool boundsSayAll; ///< the mask is its bounds and nothing else
  float scoreScale;  ///< scores are multiplied by it in the exponent
  bool scoreIsScale; ///< and that is all that the score region does
  AttentionTile t;
  int64_t splits = 1; ///< parts that the keys are cut into
  mlir::Value queryTile, keyTile, valueTile;
  Values queryFragments;
  mlir::Value warpRow; ///< of this warp's rows, in the block
};

/// The same with warp groups, for 16-bit operands that lie in memory as such
/// and heads of whole panels.
class GroupAttentionBuilder : AttentionBuilder {
public:
  GroupAttentionBuilder(ProgramBuilder &e, attn::AttentionOp op);
  /// Whether the target and the operands allow it.
  static bool canBuild(ProgramBuilder &e, attn::AttentionOp op);
  void build();

private:
  /// A ring of stages.
  struct Slot {
    mlir::Value stage, parity;
  };
  ProgramBuilder::MapShape describe(mlir::Value argument, int64_t rows);
  mlir::Value allocPanels(int64_t stages, int64_t rows, int64_t columns);
  mlir::Value barrier(int64_t arrivals, int64_t stages);
  Slot slot(mlir::Value iteration);
  mlir::Value stage(mlir::Value tile, mlir::Value index);
  mlir::Value keyAt(const Span &span, mlir::Value tiles, mlir::Value iteration);
  void copyMap(unsigned map, mlir::Value tile, mlir::Value row,
               mlir::Value head, mlir::Value batch, mlir::Value barrier,
               mlir::Value stage);
  void produce(const Work &work, const Span &span, mlir::Value tiles);
  void consume(const Work &work, const Span &span, mlir::Value tiles);
  mlir::Value multiplyKeys(Slot slot);
  mlir::Value multiplyValues(mlir::Value weights, mlir::Value sums, Slot slot);
  void clearValues(const Work &work, mlir::Value key, Slot slot);
  Values groupStep(const Work &work, const Span &span, mlir::Value tiles,
                   mlir::Value iteration, mlir::ValueRange state, bool masked);
  mlir::Value pack(mlir::Value weights);
  mlir::Value groupWait(int64_t pending, mlir::Value product);

  int64_t consumers, stages;
  mlir::Value queryFull, keyFull, keyEmpty, valueFull, valueEmpty;
  mlir::Value groupRow; ///< of this group's rows, in the block
};

} // namespace attnc::gpu

#endif // ATTNC_COMPILER_GPU_ATTENTIONBUILDER_H
