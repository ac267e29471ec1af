//===- TuningFile.h - tiles that were measured ----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// NAME.tuning.json: what `attnc compile --tune` chose, and `--tuning` takes
// again. The same file gives the same library, byte for byte.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_TUNINGFILE_H
#define ATTNC_COMPILER_TUNINGFILE_H

#include "compiler/schedule/Tuning.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace attnc {

struct TuningFile {
  static constexpr int64_t kVersion = 2;

  struct Kernel {
    std::string signature;
    CostModel::Tile tile;
    /// What was measured: tiles and times; for people alone.
    llvm::json::Array measured;
  };
  struct Chain {
    std::string signature;
    int64_t blockRows;
    llvm::json::Array measured;
  };
  std::string path;              ///< where it was read, for messages
  std::string target, processor; ///< what it holds for
  std::vector<Kernel> kernels;
  std::vector<Chain> chains;

  /// A0421 if it cannot be read, or is no such file.
  static llvm::Expected<TuningFile> read(llvm::StringRef path);
  llvm::Error write(llvm::StringRef path) const;

  /// Gives the kernels of a variant, which ChooseTiles has not seen yet, the
  /// file's tiles, attention with the target's chunks of keys. A0421 for a tile
  /// that does not fit its kernel; A0422 for a file of another target or other
  /// kernels, and, where the variant is laid out for this machine, of another
  /// processor.
  llvm::Error apply(mlir::ModuleOp module, kernel::VariantOp variant) const;
  /// Gives the chains of a variant, whose phases are cut, the file's blocks.
  /// Those that other tiles make than were measured keep the cost model's.
  /// A0421 for rows that are no whole tiles, too few or too many.
  llvm::Error applyToChains(kernel::VariantOp variant) const;
};

llvm::json::Value toJson(const CostModel::Tile &tile);

} // namespace attnc

#endif // ATTNC_COMPILER_TUNINGFILE_H
