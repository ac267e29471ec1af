//===- WarpStreamVerifiers.cpp - constraints of streamed weights ----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The ops of WarpStreamOps.td. Constraint N of an op, as its description
// numbers them, is checked at the label `op_cN`.
//
//===----------------------------------------------------------------------===//
#include "dialects/warp/Warp.h"
#include <numeric>

using namespace mlir;

namespace attnc::warp {

static constexpr int64_t kWordBits = 32;

LogicalResult FetchOp::verify() {
  // fetch_c1
  const int64_t bits = getBits(), count = getCount(), group = getGroup();
  if ((bits != 8 && bits != 4) || count <= 0)
    return emitOpError() << "expects weights of 8 or 4 bits and a positive "
                            "number of rows, got "
                         << bits << " bits and " << count << " rows";
  // fetch_c2
  const bool isScaled = bool(getScales());
  if (isScaled ? group <= 0 || group % (kWordBits / bits) : group != 0)
    return emitOpError() << "expects groups of whole words exactly where there "
                            "are scales, got groups of "
                         << group;
  // fetch_c3
  auto program = (*this)->getParentOfType<ProgramOp>();
  if (!program)
    return emitOpError("expects to stand in a program");
  const int64_t threads = program.getThreads(), parts = 4 * count;
  const int64_t words =
      (parts + threads - 1) / threads * (bits / 2) * (isScaled ? 2 : 1);
  if (getResult().getType().getCount() != words)
    return emitOpError() << "expects a thread to hold " << words
                         << " words, got " << getResult().getType();
  return success();
}

LogicalResult UnpackOp::verify() {
  // unpack_c1
  auto fetch = getWords().getDefiningOp<FetchOp>();
  if (!fetch)
    return emitOpError("expects words that warp.fetch reads");
  // unpack_c2
  TileType tile = getTile().getType();
  constexpr int64_t kRun = 64;
  Type element = tile.getElement();
  if (!getAlloc(getTile()) || tile.getStages() != 1 ||
      tile.getRows() != int64_t(fetch.getCount()) ||
      tile.getColumns() != kRun ||
      !(element.isBF16() || element.isF16() || element.isF32()))
    return emitOpError() << "expects one stage of " << fetch.getCount()
                         << " rows and 64 columns of bf16, f16 or f32, got "
                         << tile;
  return success();
}

LogicalResult ScaledCopyOp::verify() {
  // scaled_copy_c1
  TileType tile = getTile().getType();
  Type element = tile.getElement();
  if (!getAlloc(getTile()) || tile.getStages() != 1 ||
      !(element.isBF16() || element.isF16() || element.isF32()))
    return emitOpError() << "expects one stage of bf16, f16 or f32 from "
                            "warp.alloc or warp.stage, got "
                         << tile;
  return success();
}

LogicalResult StreamMmaOp::verify() {
  // stream_mma_c1
  const int64_t bits = getBits(), depth = getDepth(), group = getGroup();
  if ((bits != 16 && bits != 8 && bits != 4) || int64_t(getRuns()) <= 0)
    return emitOpError() << "expects weights of 16, 8 or 4 bits and a positive "
                            "number of runs, got "
                         << bits << " bits and " << getRuns() << " runs";
  const int64_t unit = bits == 16 ? 8 : 4;
  if (depth <= 0 || depth % unit)
    return emitOpError() << "expects a depth that is a multiple of " << unit
                         << ", got " << depth;
  // stream_mma_c2
  Type operand = getOperand(), element = getElement();
  if (!(operand.isBF16() || operand.isF16()) ||
      !(element.isF32() || element == operand))
    return emitOpError() << "expects operands of bf16 or f16, and rows of f32 "
                            "or the same, got "
                         << operand << " and " << element;
  // stream_mma_c3
  constexpr int64_t kRun = 64;
  const bool isScaled = bool(getScales());
  if (isScaled ? bits == 16 || group <= 0 ||
                     std::gcd(group, kRun) < (bits == 4 ? 32 : 16)
               : group != 0)
    return emitOpError() << "expects groups of whole products exactly where "
                            "there are scales, got groups of "
                         << group << " and " << bits << " bits";
  // stream_mma_c4
  FragmentType acc = getAcc().getType();
  if (acc.getRole() != Role::acc || acc.getRows() != 16)
    return emitOpError() << "expects an accumulator of 16 rows, got " << acc;
  return success();
}

LogicalResult BlockSumOp::verify() {
  // block_sum_c1
  FragmentType type = getInput().getType();
  if (type.getRole() != Role::acc)
    return emitOpError() << "expects an accumulator, got " << type;
  // block_sum_c2
  TileType tile = getTile().getType();
  auto program = (*this)->getParentOfType<ProgramOp>();
  if (!program || !getAlloc(getTile()) || tile.getStages() != 1 ||
      !tile.getElement().isF32() ||
      tile.getRows() != int64_t(program.getThreads()) / 32 ||
      tile.getColumns() != type.getRows() * type.getColumns())
    return emitOpError() << "expects a tile of f32 with a row of "
                         << type.getRows() * type.getColumns()
                         << " columns for every warp, got " << tile;
  return success();
}

} // namespace attnc::warp
