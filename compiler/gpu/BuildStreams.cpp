//===- BuildStreams.cpp - narrow weights, and products of few rows --------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Weights that memory keeps as q of 8 or 4 bits become numbers on their way to
// a tile: read into registers while a stage is multiplied, and written to the
// next stage behind that. With at most sixteen rows, reading the weights is all
// there is to do: a block takes sixteen columns, its warps share out K and read
// weights and rows straight into the registers of products,
//
//   for k of this warp: sums += rows(k) * weights(k), scales
//   add up the sums of all warps; element region; store
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/LinearBuilder.h"
#include "llvm/Support/MathExtras.h"
#include <numeric>

using namespace mlir;

namespace attnc::gpu {

static constexpr int64_t kRun = 64; ///< steps of K that lie together

NarrowWeights::NarrowWeights(int64_t rows, int64_t depth, int64_t bits,
                             int64_t group)
    : bits(bits), group(group) {
  constexpr int64_t kScaleAlignment = 256, kColumns = 16;
  rowBytes = llvm::alignTo(depth, kRun) * bits / 8;
  scaleOffset = llvm::alignTo(rows * rowBytes, kScaleAlignment);
  scaleStride = llvm::alignTo(rows, kColumns);
}

std::optional<NarrowWeights> getNarrowWeights(ProgramBuilder &e, Value weight) {
  Type storage = e.storageOf(weight);
  auto argument = dyn_cast<BlockArgument>(weight);
  if (!argument || !storage.isInteger())
    return std::nullopt;
  auto panels =
      cast<kernel::PanelsAttr>(e.kernel.getLayout(argument.getArgNumber()));
  auto shape = cast<RankedTensorType>(weight.getType()).getShape();
  return NarrowWeights(shape[0], shape[1], storage.getIntOrFloatBitWidth(),
                       panels.getGroup());
}

ProductTile chooseNarrowTile(kernel::FuncOp kernel, Operands operands) {
  ProductTile tile = chooseProductTile(kernel, operands);
  const bool isF32 = operands == Operands::TF32 || operands == Operands::F32;
  // Rows of f32 are twice as long: more of them to a thread spill.
  if (isF32)
    return {64, 64, kRun, 2, 2, 4};
  tile.depth = kRun;
  tile.stages = 3;
  return tile;
}

//===-- tiles -------------------------------------------------------------===//

void ProductBuilder::allocateNarrow() {
  allocate(/*rhsIsDepthByColumns=*/false);
  // One stage is multiplied while the next is written.
  auto type = cast<warp::TileType>(rhsTile.getType());
  rhsTile.setType(warp::TileType::get(e.b.getContext(), 2, type.getRows(),
                                      type.getColumns(), type.getElement()));
}

Value ProductBuilder::buildNarrow(const Side &lhs, Value weights,
                                  const NarrowWeights &narrow, int64_t columns,
                                  Value row, Value column, int64_t depth) {
  OpBuilder &b = e.b;
  auto accType = warp::FragmentType::get(
      b.getContext(), warp::Role::acc, t.rows / t.warpRows,
      t.columns / t.warpColumns, b.getF32Type());
  const int64_t steps = llvm::divideCeil(depth, kRun);
  Value base = e.pointerOf(weights), scales;
  if (narrow.group)
    scales = e.at(base, e.i64(narrow.scaleOffset), b.getI8Type());
  const int64_t words = llvm::divideCeil(4 * t.columns, t.threads()) *
                        (narrow.bits / 2) * (scales ? 2 : 1);
  auto fetch = [&](Value step) -> Value {
    Value k = e.mul(e.minimum(step, e.i32(steps - 1)), e.i32(kRun));
    return warp::FetchOp::create(
        b, e.loc, warp::WordsType::get(b.getContext(), words), base, column, k,
        e.i32(columns), narrow.rowBytes, scales, narrow.scaleStride,
        narrow.group, narrow.bits, t.columns);
  };
  auto unpack = [&](Value piece, Value step) {
    warp::UnpackOp::create(b, e.loc, piece,
                           stage(rhsTile, e.rem(step, e.i32(2))));
  };
  auto copyRows = [&](Value step) {
    copy(lhs, stage(lhsTile, e.rem(step, e.i32(t.stages))), row,
         e.mul(step, e.i32(kRun)));
  };
  Value first = fetch(e.i32(0));
  for (int64_t s = 0; s < t.stages - 1; ++s) {
    if (s < steps)
      copyRows(e.i32(s));
    warp::CommitOp::create(b, e.loc);
  }
  unpack(first, e.i32(0));
  Value zero = warp::SplatOp::create(b, e.loc, accType, e.f32(0));
  return e.loop(
      e.i32(0), e.i32(steps), e.i32(1), zero,
      [&](Value step, ValueRange carried) -> SmallVector<Value> {
        warp::WaitOp::create(b, e.loc, t.stages - 2);
        warp::SyncOp::create(b, e.loc);
        Value following = e.add(step, e.i32(1));
        Value piece = fetch(following);
        Value next = e.add(step, e.i32(t.stages - 1));
        e.ifThen(e.lessThan(next, e.i32(steps)), [&] { copyRows(next); });
        warp::CommitOp::create(b, e.loc);
        Value sums =
            multiply(stage(lhsTile, e.rem(step, e.i32(t.stages))),
                     stage(rhsTile, e.rem(step, e.i32(2))), carried[0]);
        unpack(piece, following);
        return {sums};
      })[0];
}

//===-- few rows ----------------------------------------------------------===//

bool LinearBuilder::canStream() {
  // A call with more rows needs tiles, one with fewer at times; kernels that
  // know their number of rows are one or the other.
  if (e.precision() || rowCount.isNumber())
    return false;
  Type element = e.storageOf(op.getInput());
  const int64_t unit = narrow ? 4 : 8;
  if (depth % unit || !e.isAligned(op.getInput(), 4) ||
      !(element.isF32() || element == e.operandType()))
    return false;
  if (!narrow)
    return e.storageOf(op.getWeight()) == e.operandType();
  return !narrow->group ||
         std::gcd(narrow->group, kRun) >= (narrow->bits == 4 ? 32 : 16);
}

void LinearBuilder::buildFewRows() {
  constexpr int64_t kWarps = 8, kColumns = 16;
  OpBuilder &b = e.b;
  MLIRContext *context = b.getContext();
  const int64_t all = llvm::divideCeil(depth, kRun);
  // Loads of two runs are in flight where a warp has as many.
  const int64_t runs = all > kWarps ? 2 : 1;
  begin("_few", 32 * kWarps, {{columns, kColumns}});
  auto accType = warp::FragmentType::get(context, warp::Role::acc, kFewRows,
                                         kColumns, b.getF32Type());
  auto tile = warp::TileType::get(context, 1, kWarps, kFewRows * kColumns,
                                  b.getF32Type());
  Value parts = warp::AllocOp::create(b, e.loc, tile, /*panels=*/false,
                                      IntegerAttr(), warp::LayoutAttr());
  Value rows = e.size(rowCount);
  Value column = e.mul(e.blockId(0), e.i32(kColumns));
  e.ifThen(e.lessThan(e.i32(0), rows), [&] {
    Value weights = e.pointerOf(op.getWeight()), scales;
    if (narrow && narrow->group)
      scales = e.at(weights, e.i64(narrow->scaleOffset), b.getI8Type());
    const unsigned rank = op.getInput().getType().getRank();
    Value zero = warp::SplatOp::create(b, e.loc, accType, e.f32(0));
    Value step = e.i32(kRun * runs);
    Value sums = e.loop(
        e.mul(e.warpId(), step), e.i32(depth), e.i32(kRun * runs * kWarps),
        zero, [&](Value k, ValueRange carried) -> SmallVector<Value> {
          return {warp::StreamMmaOp::create(
              b, e.loc, accType, e.pointerOf(op.getInput()), rows,
              e.strideOf(op.getInput(), rank - 2), e.storageOf(op.getInput()),
              weights, column, k, e.i32(columns),
              narrow ? narrow->rowBytes : 2 * depth, scales,
              narrow ? narrow->scaleStride : 0, narrow ? narrow->group : 0,
              carried[0], narrow ? narrow->bits : 16, depth, runs,
              e.operandType())};
        })[0];
    Value total = warp::BlockSumOp::create(b, e.loc, accType, sums, parts);
    e.ifThen(e.equal(e.warpId(), e.i32(0)),
             [&] { finish(total, e.i32(0), column); });
  });
  e.end();
}

} // namespace attnc::gpu
