//===- AttentionBuilder.h - state of one attention kernel -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the forms of attention share: which rows a block works on, and products
// with keys and values.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_GPU_ATTENTIONBUILDER_H
#define ATTNC_COMPILER_GPU_ATTENTIONBUILDER_H

#include "compiler/gpu/SoftmaxBuilder.h"

namespace attnc::gpu {

/// queries x keys per step; the head sizes as tiles hold them.
struct AttentionTile {
  int64_t queries, keys, warps, headSize, valueSize;
  bool queriesInRegisters;
};

class AttentionBuilder : protected SoftmaxBuilder {
public:
  AttentionBuilder(ProgramBuilder &e, attn::AttentionOp op);
  void build();

protected:
  /// Query rows [first, first + queries) of one sequence and head.
  struct Work {
    mlir::Value batch, head, keyHead;
    mlir::Value queryStart, keyStart; ///< first row of the sequence
    mlir::Value queryCount, keyCount; ///< rows of the sequence
    mlir::Value first;                ///< query row, within the sequence
    mlir::Value split;                ///< which part of the keys, if split
    mlir::Value valueColumn; ///< first column of the values, and of the result
  };

  void chooseTile();
  void chooseSplits();
  /// Of a packed call: one more than there are sequences.
  SizeExpr getOffsetCount();
  /// The grid over queries, heads and batches.
  llvm::SmallVector<GridSize> getGrid();
  Work findWork();
  Span findSpan(const Work &work);
  void allocate();
  void buildBlock(const Work &work);
  Values step(const Work &work, const Span &span, mlir::Value key,
              mlir::ValueRange state, bool masked);
  mlir::Value scores(mlir::Value key);
  mlir::Value finishScores(const Work &work, mlir::Value sums, mlir::Value key,
                           bool masked);
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
            mlir::Value head, mlir::Value row, mlir::Value rows, int64_t size,
            mlir::Value column = {});
  bool hasHeads() { return op.getQuery().getType().getRank() > 2; }

  attn::AttentionOp op;
  AttentionTile t;
  int64_t splits = 1;     ///< parts that the keys are cut into
  int64_t valueParts = 1; ///< blocks that share the columns of the values
  mlir::Value queryTile, keyTile, valueTile;
  Values queryFragments;
  mlir::Value warpRow; ///< of this warp's rows, in the block
};

/// The same with warp groups, for 16-bit operands that lie in memory as such
/// and heads of multiples of 32.
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
  void takeTurn(bool first);
  void passTurn(bool last);
  void awaitKeys(Slot slot);
  mlir::Value multiplyKeys(Slot slot);
  mlir::Value multiplyValues(mlir::Value weights, mlir::Value sums, Slot slot);
  void clearValues(const Work &work, mlir::Value key, Slot slot);
  Values groupStep(const Work &work, const Span &span, mlir::Value tiles,
                   mlir::Value iteration, mlir::ValueRange state, bool masked);
  mlir::Value pack(mlir::Value weights);
  mlir::Value groupWait(int64_t pending, mlir::Value product);

  int64_t consumers, stages;
  bool takesTurns; ///< groups issue their products one after the other
  mlir::Value queryFull, keyFull, keyEmpty, valueFull, valueEmpty;
  mlir::Value groupRow; ///< of this group's rows, in the block
};

} // namespace attnc::gpu

#endif // ATTNC_COMPILER_GPU_ATTENTIONBUILDER_H
