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
                                       kernel::Format activations,
                                       kernel::Format weights, int64_t group) {
  if (activations == kernel::Format::bf16)
    return target.hasTiles ? TilesOfBf16 : Bf16ToFloat;
  assert(activations == kernel::Format::i8 && "rows stay f32 otherwise");
  // Tiles add up all of depth before a scale could be multiplied in.
  if (group && target.hasVnni)
    return GroupsOfBytes;
  if (group)
    return weights == kernel::Format::i4 ? GroupsOfNibbles : GroupsOfShorts;
  if (target.hasTiles)
    return TilesOfBytes;
  return target.hasVnni ? BytesToWord : ShortsToWord;
}

NarrowRows NarrowRows::plan(const CostModel &model, kernel::Format activations,
                            kernel::PanelsAttr panels, int64_t depth,
                            int64_t tileRows, int64_t blockRows) {
  NarrowRows rows;
  const int64_t group = panels.getGroup(),
                padded = panels.getPaddedDepth(depth);
  rows.product = choose(model.target, activations, panels.getFormat(), group);
  rows.groups = group ? padded / group : 0;
  const int64_t bytes = rows.getElementBytes();
  constexpr int64_t kLine = 64, kMostLanes = 16;
  // Whole vectors are written, which may begin within the last group.
  rows.rowBytes = padded * bytes;
  if (group)
    rows.rowBytes = llvm::alignTo((padded + kMostLanes) * bytes, kLine);
  // Sixteen rows of a tile should not fall into few sets of the cache.
  if (rows.usesTiles() && rows.rowBytes / kLine % 2 == 0)
    rows.rowBytes += kLine;
  rows.blockRows =
      blockRows ? blockRows : model.getBlockRows(rows.rowBytes, tileRows);
  rows.scaleOffset = rows.blockRows * rows.rowBytes;
  const int64_t factors = group ? 2 * rows.groups : 1;
  const int64_t scales =
      rows.isBf16() ? 0 : rows.blockRows * factors * sizeof(float);
  rows.zeroOffset = rows.scaleOffset + scales;
  const int64_t zeros =
      rows.isBf16() || group ? 0 : rows.blockRows * sizeof(int32_t);
  rows.tileOffset = llvm::alignTo(rows.zeroOffset + zeros, 64);
  rows.scratchBytes = rows.usesTiles() ? rows.getConfigurationOffset() + kLine
                                       : rows.tileOffset;
  // Half of L1 for the panel, of which three tiles lie side by side; rows come
  // from L2. Passes are of equal length.
  constexpr int64_t kStepBytes = 16 * kTileColumns * 4;
  const int64_t steps = std::max<int64_t>(padded * bytes / kLine, 1);
  const int64_t most =
      std::max<int64_t>(model.machine.l1Bytes / 2 / kStepBytes, 1);
  rows.tileSteps = llvm::divideCeil(steps, llvm::divideCeil(steps, most));
  return rows;
}

} // namespace attnc
