//===- RowProgram.h - one warp works on one row -----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A row of a result, which the 32 lanes of a warp compute together: lane l has
// columns l, l + 32, ... Rows of a known length of at most kRegisterColumns
// stay in registers from the first element to the last op of a row region;
// others are rewritten in place in memory.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_GPU_ROWPROGRAM_H
#define ATTNC_COMPILER_GPU_ROWPROGRAM_H

#include "compiler/gpu/ProgramBuilder.h"

namespace attnc::gpu {

class RowProgram {
public:
  /// Rows of a block of kThreads threads, one per warp.
  static constexpr int64_t kThreads = 256, kRows = kThreads / 32;

  /// A row of `columns` elements of `result`, `offset` (i64) elements into it.
  RowProgram(ProgramBuilder &builder, mlir::Value result, mlir::Value offset,
             const SizeExpr &columns);

  /// Whether a row region can run on rows of that length.
  static bool canRun(const attn::CapturedRegion &region,
                     const SizeExpr &columns);

  /// Columns of one row: this lane's values, or empty for the row in memory.
  using Row = llvm::SmallVector<mlir::Value>;
  /// Computes every column; `column` (i32) is always within the row.
  Row generate(llvm::function_ref<mlir::Value(mlir::Value column)> element);
  /// Reads the row from memory.
  Row load();
  /// The row after a row region; `dims` are its leading indices.
  Row run(const attn::CapturedRegion &region, Row row,
          llvm::ArrayRef<mlir::Value> dims);
  void store(const Row &row);

private:
  /// A row in registers, or at an offset of a tensor.
  struct Source {
    Row values;
    mlir::Value tensor, offset;
  };
  using Sources = llvm::DenseMap<mlir::Value, Source>;
  using Term = llvm::function_ref<mlir::Value(mlir::Value x)>;

  mlir::Value read(const Source &source, mlir::Value column, int64_t index);
  Source place(Row row) { return {std::move(row), result, offset}; }
  void visit(llvm::function_ref<void(mlir::Value column, int64_t index,
                                     mlir::Value valid)>
                 body);
  Row transform(
      llvm::function_ref<mlir::Value(mlir::Value column, int64_t index)> value);
  mlir::Value reduce(const Source &source, warp::Combine combine, Term term);
  Row norm(attn::NormOp op, const Sources &sources);
  Row layerNorm(attn::NormOp op, const Source &x, const Sources &sources);
  Row softmax(const Source &x);
  Row map(attn::MapOp op, const Sources &sources);
  Row apply(const attn::CapturedRegion &region, Sources sources);
  mlir::Value inverseRoot(mlir::Value mean, const llvm::APFloat &epsilon);
  mlir::Value columnCount();

  ProgramBuilder &e;
  mlir::Value result, offset;
  SizeExpr columns;
  bool inRegisters;
};

} // namespace attnc::gpu

#endif // ATTNC_COMPILER_GPU_ROWPROGRAM_H
