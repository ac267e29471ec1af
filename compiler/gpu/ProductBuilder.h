//===- ProductBuilder.h - tiles of a matrix product -------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What linear and matmul kernels share: result[M, N] = lhs[M, K] * rhs[N, K],
// or rhs[K, N], one tile of the result per block, operands staged through
// shared memory.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_GPU_PRODUCTBUILDER_H
#define ATTNC_COMPILER_GPU_PRODUCTBUILDER_H

#include "compiler/gpu/ProgramBuilder.h"
#include <optional>

namespace attnc::gpu {

/// How a block cuts its product; rows x columns of the result, `depth` of K per
/// stage, warps in a grid of warpRows x warpColumns.
struct ProductTile {
  int64_t rows, columns, depth, stages, warpRows, warpColumns;
  int64_t threads() const { return 32 * warpRows * warpColumns; }
};

/// Weights [rows, depth] on the device as the file keeps them: q of `bits` bits
/// row by row, in whole runs of 64 steps (`warp.fetch` says how), and behind
/// them the scales, f32 [groups][scaleStride]. The runtime lays them out so
/// (runtime/cuda/NarrowWeights.cpp).
struct NarrowWeights {
  NarrowWeights(int64_t rows, int64_t depth, int64_t bits, int64_t group);
  int64_t bits;
  int64_t group; ///< steps of K that share a scale; 0: all of them
  int64_t rowBytes, scaleOffset, scaleStride;
};

class ProductBuilder {
public:
  /// A matrix in global memory.
  struct Side {
    mlir::Value argument;
    mlir::Value start;         ///< its first element, i64
    mlir::Value rows, columns; ///< i32
    mlir::Value stride;        ///< between rows, i64
    bool aligned;              ///< rows are whole chunks of 16 bytes
  };

  ProductBuilder(ProgramBuilder &e, const ProductTile &tile) : e(e), t(tile) {}

  /// Allocates tiles; directly in the program.
  void allocate(bool rhsIsDepthByColumns);
  /// The sums of this warp's part, for the block's tile at (row, column); the
  /// part begins at `warpRow()`, `warpColumn()` of it.
  mlir::Value build(const Side &lhs, const Side &rhs, mlir::Value row,
                    mlir::Value column, mlir::Value depth);
  /// The same with narrow weights [columns, depth] as the right side, whose q
  /// become numbers on their way to a tile; without the scale of whole rows.
  void allocateNarrow();
  mlir::Value buildNarrow(const Side &lhs, mlir::Value weights,
                          const NarrowWeights &narrow, int64_t columns,
                          mlir::Value row, mlir::Value column, int64_t depth);
  mlir::Value warpRow();
  mlir::Value warpColumn();

private:
  void copy(const Side &side, mlir::Value tile, mlir::Value row,
            mlir::Value column);
  mlir::Value stage(mlir::Value tile, mlir::Value index);
  mlir::Value multiply(mlir::Value lhs, mlir::Value rhs, mlir::Value sums);

  ProgramBuilder &e;
  ProductTile t;
  bool isDepthByColumns = false;
  mlir::Value lhsTile, rhsTile;
};

/// The same with warp groups, for operands that lie in memory as the products
/// want them: one thread copies stages by tensor maps 0 (lhs) and 1 (rhs), two
/// groups of four warps multiply.
class GroupProductBuilder {
public:
  static constexpr int64_t kRows = 128, kDepth = 64, kStages = 4, kGroups = 2;
  static constexpr int64_t kThreads = 128 * (kGroups + 1);

  GroupProductBuilder(ProgramBuilder &e, int64_t columns)
      : e(e), columns(columns) {}

  /// Columns of a block's tile for `n` columns of the result.
  static int64_t chooseColumns(int64_t n);
  /// A tensor map of rows of `depth` elements.
  static ProgramBuilder::MapShape describe(mlir::Value argument,
                                           const SizeExpr &rows, int64_t depth,
                                           const SizeExpr &stride,
                                           int64_t boxRows);
  void allocate();
  /// The roles; `finish` gets the sums of 16 rows of this warp and where they
  /// begin.
  void
  build(mlir::Value row, mlir::Value column, int64_t depth,
        llvm::function_ref<void(mlir::Value sums, mlir::Value row)> finish);

private:
  mlir::Value stage(mlir::Value tile, mlir::Value index);
  void produce(mlir::Value row, mlir::Value column, int64_t steps);
  mlir::Value multiply(mlir::Value step, mlir::Value sums);

  ProgramBuilder &e;
  int64_t columns;
  mlir::Value lhsTile, rhsTile, full, empty, groupRow;
};

/// A tile for K x N weights: large ones for many columns, small ones where a
/// large one would leave most of the device idle.
ProductTile chooseProductTile(kernel::FuncOp kernel, Operands operands);
/// The same for narrow weights: one run of K per stage.
ProductTile chooseNarrowTile(kernel::FuncOp kernel, Operands operands);
/// The narrow weights of a kernel's operand, if it has such.
std::optional<NarrowWeights> getNarrowWeights(ProgramBuilder &e,
                                              mlir::Value weight);

} // namespace attnc::gpu

#endif // ATTNC_COMPILER_GPU_PRODUCTBUILDER_H
