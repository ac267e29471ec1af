//===- LinearBuilder.h - regions and result of a product --------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The programs of one `attn.linear`, whatever multiplies: a tile per block
// (BuildLinear.cpp), or few rows whose weights are read once
// (BuildStreams.cpp). Which of two is launched, the number of rows says.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_GPU_LINEARBUILDER_H
#define ATTNC_COMPILER_GPU_LINEARBUILDER_H

#include "compiler/gpu/ProductBuilder.h"
#include <optional>

namespace attnc::gpu {

/// Rows up to which a product reads its weights once.
inline constexpr int64_t kFewRows = 16;

class LinearBuilder {
public:
  LinearBuilder(ProgramBuilder &e, attn::LinearOp op);
  void build();

private:
  bool canUseGroups();
  bool canStream();
  void buildTiles();
  void buildGroups();
  void buildFewRows();
  void begin(llvm::StringRef suffix, int64_t threads,
             llvm::ArrayRef<GridSize> grid,
             llvm::ArrayRef<ProgramBuilder::MapShape> maps = {});
  /// The element region on sums that begin at (row, column), and their store.
  void finish(mlir::Value sums, mlir::Value row, mlir::Value column);

  ProgramBuilder &e;
  attn::LinearOp op;
  llvm::SmallVector<SizeExpr> leading;
  SizeExpr rowCount;
  int64_t columns, depth;
  std::optional<NarrowWeights> narrow; ///< null: numbers
};

} // namespace attnc::gpu

#endif // ATTNC_COMPILER_GPU_LINEARBUILDER_H
