//===- NarrowRows.cpp - rows in the format they are multiplied in ---------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Blocks of rows by the size of L2.
//
//===----------------------------------------------------------------------===//
#include "compiler/schedule/NarrowRows.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

namespace attnc {

int64_t getBlockRows(const Target &target, int64_t rowBytes, int64_t tileRows) {
  int64_t rows = target.l2Bytes / 2 / rowBytes;
  rows = std::clamp<int64_t>(rows, 4 * tileRows, 192);
  return rows / tileRows * tileRows;
}

NarrowRows::Product NarrowRows::choose(const Target &target,
                                       kernel::Format activations) {
  if (activations == kernel::Format::bf16)
    return target.hasTiles ? TilesOfBf16 : Bf16ToFloat;
  assert(activations == kernel::Format::i8 && "rows stay f32 otherwise");
  if (target.hasTiles)
    return TilesOfBytes;
  return target.hasVnni ? BytesToWord : ShortsToWord;
}

NarrowRows NarrowRows::plan(const Target &target, kernel::Format activations,
                            kernel::PanelsAttr panels, int64_t depth,
                            int64_t tileRows) {
  NarrowRows rows;
  rows.product = choose(target, activations);
  const bool isByte =
      rows.product == BytesToWord || rows.product == TilesOfBytes;
  const int64_t bytes = isByte ? 1 : 2;
  rows.rowBytes = panels.getPaddedDepth(depth) * bytes;
  rows.blockRows = getBlockRows(target, rows.rowBytes, tileRows);
  rows.scaleOffset = rows.blockRows * rows.rowBytes;
  const int64_t scales = rows.isBf16() ? 0 : rows.blockRows * sizeof(float);
  rows.tileOffset = llvm::alignTo(rows.scaleOffset + scales, 64);
  rows.scratchBytes =
      rows.tileOffset + (rows.usesTiles() ? kTileScratchBytes : 0);
  return rows;
}

} // namespace attnc
