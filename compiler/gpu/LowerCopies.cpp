//===- LowerCopies.cpp - global to shared memory --------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `warp.copy`: neighbouring threads take neighbouring chunks of 16 bytes of the
// tile, through `cp.async` or through registers, where elements are converted.
// Chunks outside the source are zeros, and are read at an address within it.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/ProgramLowering.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace attnc::gpu {

static constexpr int32_t kChunk = 16; ///< bytes

//===-- tiles -------------------------------------------------------------===//

Value ProgramLowering::tileBase(Value tile) {
  warp::AllocOp alloc = warp::getAlloc(tile);
  Value base = i32(*alloc.getOffset());
  if (auto stage = tile.getDefiningOp<warp::StageOp>()) {
    const int64_t bytes = alloc.getTile().getType().getStageBytes();
    base = add(base, mul(lookup(stage.getIndex()), i32(bytes)));
  }
  return base;
}

ProgramLowering::Position ProgramLowering::position(Value value) {
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant)))
    return {Value(), constant.getSExtValue()};
  auto sum = value.getDefiningOp<arith::AddIOp>();
  if (sum && matchPattern(sum.getRhs(), m_ConstantInt(&constant)))
    return {sum.getLhs(), constant.getSExtValue()};
  return {value, 0};
}

/// Known parts of row and chunk become part of the instruction's offset: rows
/// of whole patterns of the swizzle, and chunks of whole patterns where `chunk`
/// has at most its lowest bit from the lane.
Value ProgramLowering::tilePlace(Value tile, Position row, Position chunk,
                                 bool chunkIsLaneBit) {
  warp::LayoutAttr layout = *warp::getAlloc(tile).getLayout();
  auto type = cast<warp::TileType>(tile.getType());
  const int64_t pattern = layout.getMask() + 1; // chunks
  const int64_t patternRows = pattern << layout.getShift();
  int64_t rowBytes = type.getRowBytes(), offset = 0;
  if (layout.getPanel())
    rowBytes = layout.getPanel();

  // Rows.
  const int64_t wholeRows = row.constant / patternRows * patternRows;
  Value rows = i32(row.constant - wholeRows);
  if (row.dynamic)
    rows = add(row.dynamic, rows);
  offset += wholeRows * rowBytes;

  // Chunks.
  int64_t wholeChunks = 0;
  Value chunks = i32(chunk.constant);
  if (!chunk.dynamic || (chunkIsLaneBit && chunk.constant % 2 == 0)) {
    wholeChunks = chunk.constant / pattern * pattern;
    chunks = i32(chunk.constant - wholeChunks);
  }
  if (chunk.dynamic)
    chunks = add(chunk.dynamic, chunks);
  Value address = tileBase(tile);
  if (int64_t panel = layout.getPanel()) {
    const int64_t perPanel = panel / kChunk, bytes = panel * type.getRows();
    offset += wholeChunks / perPanel * bytes;
    address = add(address, mul(div(chunks, perPanel), i32(bytes)));
    chunks = rem(chunks, perPanel);
  } else {
    offset += wholeChunks * kChunk;
  }
  if (layout.getMask()) {
    Value key = b.createOrFold<arith::AndIOp>(
        loc, div(rows, 1 << layout.getShift()), i32(layout.getMask()));
    chunks = exclusiveOr(chunks, key);
  }
  address = add(address, mul(rows, i32(rowBytes)));
  address = add(address, mul(chunks, i32(kChunk)));
  Value place = sharedAt(address);
  if (offset == 0)
    return place;
  return LLVM::GEPOp::create(b, loc, place.getType(), b.getI8Type(), place,
                             ArrayRef<LLVM::GEPArg>{int32_t(offset)});
}

//===-- copies ------------------------------------------------------------===//

LogicalResult ProgramLowering::lowerCopy(warp::CopyOp op) {
  warp::TileType tile = op.getTile().getType();
  const int64_t chunks = tile.getStageBytes() / kChunk;
  const int64_t threads = program.getThreads();
  const int64_t rounds = chunks / threads;
  // A few rounds are unrolled, so that their loads are in flight together.
  constexpr int64_t kUnrolled = 16;
  if (rounds <= kUnrolled && op.getAligned()) {
    for (int64_t round = 0; round < rounds; ++round)
      copyChunk(op, add(thread, i32(round * threads)));
  } else if (rounds > 0) {
    auto loop = scf::ForOp::create(b, loc, i32(0), i32(rounds), i32(1));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    copyChunk(op, add(thread, mul(loop.getInductionVar(), i32(threads))));
  }
  if (rounds * threads == chunks)
    return success();
  Value chunk = add(thread, i32(rounds * threads));
  auto branch = scf::IfOp::create(b, loc, lessThan(chunk, i32(chunks)), false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  copyChunk(op, chunk);
  return success();
}

void ProgramLowering::copyChunk(warp::CopyOp op, Value chunk) {
  warp::TileType tile = op.getTile().getType();
  const int64_t perRow = tile.getRowBytes() / kChunk;
  const int64_t elements = tile.getColumns() / perRow;
  Value tileRow = div(chunk, perRow), tileChunk = rem(chunk, perRow);
  Value row = add(lookup(op.getRow()), tileRow);
  Value column = add(lookup(op.getColumn()), mul(tileChunk, i32(elements)));
  Value target = tilePlace(op.getTile(), {tileRow, 0}, {tileChunk, 0}, false);
  Value rows = lookup(op.getRows()), columns = lookup(op.getColumns());
  if (!op.getAligned()) {
    LLVM::StoreOp::create(b, loc, loadElements(op, row, column, elements),
                          target, kChunk);
    return;
  }
  Value valid = arith::AndIOp::create(b, loc, lessThan(row, rows),
                                      lessThan(column, columns));
  if (!op.getAsync()) {
    LLVM::StoreOp::create(b, loc, loadChunk(op, row, column, valid, elements),
                          target, kChunk);
    return;
  }
  // The address of a chunk that is not read has to be one all the same.
  Value zero = i32(0);
  Value offset = add(mul(arith::ExtSIOp::create(b, loc, b.getI64Type(),
                                                select(valid, row, zero)),
                         lookup(op.getStride())),
                     arith::ExtSIOp::create(b, loc, b.getI64Type(),
                                            select(valid, column, zero)));
  Value source = lookup(op.getSource());
  source = LLVM::GEPOp::create(b, loc, source.getType(), op.getElement(),
                               source, ArrayRef<LLVM::GEPArg>{offset});
  intrinsic("llvm.nvvm.cp.async.cg.shared.global.16.s", {},
            {target, source, select(valid, i32(kChunk), zero)});
}

/// A chunk of the tile from aligned elements of another type.
Value ProgramLowering::loadChunk(warp::CopyOp op, Value row, Value column,
                                 Value valid, int64_t elements) {
  Type from = op.getElement(), to = op.getTile().getType().getElement();
  auto fromVector = VectorType::get({elements}, from);
  Value zeros = arith::ConstantOp::create(b, loc, b.getZeroAttr(fromVector));
  auto branch = scf::IfOp::create(b, loc, fromVector, valid, true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    Value offset = add(mul(arith::ExtSIOp::create(b, loc, b.getI64Type(), row),
                           lookup(op.getStride())),
                       arith::ExtSIOp::create(b, loc, b.getI64Type(), column));
    Value source = lookup(op.getSource());
    source = LLVM::GEPOp::create(b, loc, source.getType(), from, source,
                                 ArrayRef<LLVM::GEPArg>{offset});
    const int64_t bytes = elements * from.getIntOrFloatBitWidth() / 8;
    Value loaded = LLVM::LoadOp::create(b, loc, fromVector, source,
                                        std::min<int64_t>(bytes, kChunk));
    scf::YieldOp::create(b, loc, loaded);
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, loc, zeros);
  }
  Value value = branch.getResult(0);
  auto toVector = VectorType::get({elements}, to);
  if (from == to)
    return value;
  if (from.isF32())
    return arith::TruncFOp::create(b, loc, toVector, value);
  auto wide = VectorType::get({elements}, b.getF32Type());
  value = arith::ExtFOp::create(b, loc, wide, value);
  return to.isF32() ? value : arith::TruncFOp::create(b, loc, toVector, value);
}

/// The same, element by element, from anywhere.
Value ProgramLowering::loadElements(warp::CopyOp op, Value row, Value column,
                                    int64_t elements) {
  Type from = op.getElement(), to = op.getTile().getType().getElement();
  Value rows = lookup(op.getRows()), columns = lookup(op.getColumns());
  Value zero = i32(0), one = i32(1);
  Value inRows = lessThan(row, rows);
  Value source = lookup(op.getSource());
  Value start = mul(
      arith::ExtSIOp::create(b, loc, b.getI64Type(), select(inRows, row, zero)),
      lookup(op.getStride()));
  auto vector = VectorType::get({elements}, to);
  Value result = LLVM::UndefOp::create(b, loc, vector);
  Value nothing = arith::ConstantOp::create(b, loc, b.getZeroAttr(to));
  for (int64_t i = 0; i < elements; ++i) {
    Value at = add(column, i32(i));
    Value valid = arith::AndIOp::create(b, loc, inRows, lessThan(at, columns));
    Value safe = minimum(at, arith::SubIOp::create(b, loc, columns, one));
    Value place = LLVM::GEPOp::create(
        b, loc, source.getType(), from, source,
        ArrayRef<LLVM::GEPArg>{
            add(start, arith::ExtSIOp::create(b, loc, b.getI64Type(), safe))});
    Value value = LLVM::LoadOp::create(b, loc, from, place,
                                       from.getIntOrFloatBitWidth() / 8);
    if (from != to && !from.isF32())
      value = arith::ExtFOp::create(b, loc, b.getF32Type(), value);
    if (value.getType() != to)
      value = arith::TruncFOp::create(b, loc, to, value);
    result = LLVM::InsertElementOp::create(
        b, loc, result, select(valid, value, nothing), i32(i));
  }
  return result;
}

} // namespace attnc::gpu
