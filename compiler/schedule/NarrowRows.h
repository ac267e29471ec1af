//===- NarrowRows.h - rows in the format they are multiplied in -*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A product whose activations are narrower than f32 first rewrites a block of
// its rows into scratch; one whose weights alone are, a strip of its weights.
// ChooseTiles asks for that memory and compiler/cpu uses it, both by these
// numbers.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_SCHEDULE_NARROWROWS_H
#define ATTNC_COMPILER_SCHEDULE_NARROWROWS_H

#include "compiler/Target.h"
#include "dialects/kernel/Kernel.h"
#include "llvm/Support/MathExtras.h"

namespace attnc {

class CostModel;

/// Bytes of scratch in which a product of f32 rows keeps a strip of narrow
/// weights as f32: `columns` of it, over one block of depth.
inline int64_t getWidenedBytes(int64_t columns, int64_t blockDepth) {
  return llvm::alignTo(columns * blockDepth * sizeof(float), 64);
}

struct NarrowRows {
  /// What multiplies: four u8 by four i8 into i32, two i16 by two i16 into i32,
  /// two bf16 by two bf16 into f32; i8 and bf16 by tiles of AMX. Beside weights
  /// in groups: four u8 by four i8 into i32, two u8 by two i8 into i16, where
  /// the weights are i4, two i16 by two i16.
  enum Product {
    GroupsOfBytes,
    GroupsOfNibbles,
    GroupsOfShorts,
    BytesToWord,
    ShortsToWord,
    Bf16ToFloat,
    TilesOfBytes,
    TilesOfBf16
  };
  Product product;
  int64_t groups;       ///< of a row, or 0
  int64_t rowBytes;     ///< from one row to the next, a multiple of 64
  int64_t blockRows;    ///< rows in scratch at once
  int64_t scaleOffset;  ///< bytes to the rows' scales, f32 [blockRows], or,
                        ///< beside i32 of sums, f32 [blockRows][groups][2]
  int64_t zeroOffset;   ///< bytes to the zeros of rows, i32 [blockRows]
  int64_t tileOffset;   ///< bytes to the sums of tiles, [blockRows][48] words
  int64_t tileSteps;    ///< tiles of depth in a pass over a panel
  int64_t scratchBytes; ///< all of it, a multiple of 64

  /// Rows and columns of a block of tiles.
  static constexpr int64_t kTileRows = 32, kTileColumns = 48;
  /// Bytes to the configuration of tiles, behind the sums.
  int64_t getConfigurationOffset() const {
    return tileOffset + blockRows * kTileColumns * 4;
  }

  bool usesTiles() const {
    return product == TilesOfBytes || product == TilesOfBf16;
  }
  bool isBf16() const {
    return product == Bf16ToFloat || product == TilesOfBf16;
  }
  bool isGrouped() const { return groups != 0; }
  /// Bytes of a number of a row.
  static int64_t getElementBytes(Product product) {
    return product == BytesToWord || product == TilesOfBytes ||
                   product == GroupsOfBytes || product == GroupsOfNibbles
               ? 1
               : 2;
  }
  int64_t getElementBytes() const { return getElementBytes(product); }
  /// For rows of `depth` numbers, by what the model's target multiplies
  /// fastest, in blocks of `blockRows` (0: what the model says).
  static NarrowRows plan(const CostModel &model, kernel::Format activations,
                         kernel::PanelsAttr panels, int64_t depth,
                         int64_t tileRows, int64_t blockRows = 0);
  /// What a target multiplies numbers of this format by; `group`: weights that
  /// share a scale, 0 for all of a column.
  static Product choose(const Target &target, kernel::Format activations,
                        kernel::Format weights, int64_t group);
};

} // namespace attnc

#endif // ATTNC_COMPILER_SCHEDULE_NARROWROWS_H
