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
  rows.rowBytes = panels.getPaddedDepth(depth) * bytes;
  rows.blockRows =
      blockRows ? blockRows : model.getBlockRows(rows.rowBytes, tileRows);
  rows.scaleOffset = rows.blockRows * rows.rowBytes;
  const int64_t scales = rows.isBf16() ? 0 : rows.blockRows * sizeof(float);
  rows.tileOffset = llvm::alignTo(rows.scaleOffset + scales, 64);
  rows.scratchBytes =
      rows.tileOffset + (rows.usesTiles() ? kTileScratchBytes : 0);
  return rows;
}

} // namespace attnc
