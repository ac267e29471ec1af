//===- NarrowRows.cpp - rows in the format they are multiplied in ---------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Blocks of rows by the size of L2; a panel's depth, where tiles multiply, by
// that of L1.
//
//===----------------------------------------------------------------------===//
#include "compiler/schedule/NarrowRows.h"
#include "compiler/schedule/CostModel.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

namespace attnc {

NarrowRows::Product NarrowRows::choose(const Target &target,
                                       kernel::Format activations) {
  if (activations == kernel::Format::bf16)
    return target.hasTiles ? TilesOfBf16 : Bf16ToFloat;
  assert(activations == kernel::Format::i8 && "rows stay f32 otherwise");
  if (target.hasTiles)
    return TilesOfBytes;
  return target.hasVnni ? BytesToWord : ShortsToWord;
}

NarrowRows NarrowRows::plan(const CostModel &model, kernel::Format activations,
                            kernel::PanelsAttr panels, int64_t depth,
                            int64_t tileRows, int64_t blockRows) {
  NarrowRows rows;
  rows.product = choose(model.target, activations);
  const bool isByte =
      rows.product == BytesToWord || rows.product == TilesOfBytes;
  const int64_t bytes = isByte ? 1 : 2;
  constexpr int64_t kLine = 64;
  rows.rowBytes = panels.getPaddedDepth(depth) * bytes;
  // Sixteen rows of a tile should not fall into few sets of the cache.
  if (rows.usesTiles() && rows.rowBytes / kLine % 2 == 0)
    rows.rowBytes += kLine;
  rows.blockRows =
      blockRows ? blockRows : model.getBlockRows(rows.rowBytes, tileRows);
  rows.scaleOffset = rows.blockRows * rows.rowBytes;
  const int64_t scales = rows.isBf16() ? 0 : rows.blockRows * sizeof(float);
  rows.tileOffset = llvm::alignTo(rows.scaleOffset + scales, 64);
  rows.scratchBytes = rows.usesTiles() ? rows.getConfigurationOffset() + kLine
                                       : rows.tileOffset;
  // Half of L1 for the panel, of which three tiles lie side by side; rows come
  // from L2. Passes are of equal length.
  constexpr int64_t kStepBytes = 16 * kTileColumns * 4;
  const int64_t steps = panels.getPaddedDepth(depth) * bytes / kLine;
  const int64_t most =
      std::max<int64_t>(model.machine.l1Bytes / 2 / kStepBytes, 1);
  rows.tileSteps = llvm::divideCeil(steps, llvm::divideCeil(steps, most));
  return rows;
}

} // namespace attnc
