//===- EmitTiles.cpp - products by tiles of AMX ---------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block of 32 rows and 48 columns is 2 x 3 tiles of sums, tile registers 0 to
// 5; 6 holds 16 rows by 64 bytes of depth, 7 as much of 16 columns. Both come
// from where they lie: rows in scratch, `rowBytes` apart, and words of a panel,
// 192 bytes apart. Depth is padded to whole tiles, by zeros in the weights;
// rows past the last are multiplied and not stored. Up to 16 rows take half a
// block.
//
// Sums go to scratch, and from there through scales (of i8) to the output and
// the element region. All tiles have one shape, which is configured at the head
// of the kernel; the runtime releases tiles at the end of every phase.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/EmitLinear.h"
#include "compiler/cpu/TileRegisters.h"

using namespace mlir;

namespace attnc::cpu {

static constexpr int64_t kRows = TileRegisters::kRows;
static constexpr int64_t kRowBytes = TileRegisters::kRowBytes;
static constexpr int64_t kAcross = NarrowRows::kTileColumns / kRows;
static constexpr int64_t kOfRows = 6, kOfWeights = 7;

void LinearEmitter::configureTiles() {
  const int64_t place = narrow->tileOffset + NarrowRows::kSumBytes;
  TileRegisters(e).configure(e.at(e.scratch(), e.i64(place / kWordBytes)));
}

/// `down` times kAcross tiles of sums over the whole depth, stored at `sums`.
void LinearEmitter::multiplyTiles(const Strip &strip, Value rowsAt,
                                  Value prefetch, int64_t down, Value sums) {
  TileRegisters tiles(e);
  Value weightStride = e.i64(panelWidth * kWordBytes);
  for (int64_t tile = 0; tile < down * kAcross; ++tile)
    tiles.zero(tile);
  const int64_t steps = panels.getPaddedDepth(depth) / pack / kRows;
  e.loop(e.i64(0), e.i64(steps), 1, [&](Value step) {
    Value rowWords = e.at(rowsAt, e.mul(step, e.i64(kRowBytes / kWordBytes)));
    Value weight = e.at(strip.weight, e.mul(step, e.i64(kRows * panelWidth)));
    emitPrefetch(strip, prefetch, step);
    for (int64_t r = 0; r < down; ++r) {
      tiles.load(kOfRows,
                 e.atBytes(rowWords, e.i64(r * kRows * narrow->rowBytes)),
                 e.i64(narrow->rowBytes));
      for (int64_t c = 0; c < kAcross; ++c) {
        tiles.load(kOfWeights, e.at(weight, e.i64(c * kRows)), weightStride);
        tiles.multiply(narrow->isBf16(), r * kAcross + c, kOfRows, kOfWeights);
      }
    }
  });
  for (int64_t r = 0; r < down; ++r)
    for (int64_t c = 0; c < kAcross; ++c)
      tiles.store(r * kAcross + c,
                  e.at(sums, e.i64((r * panelWidth + c) * kRows)),
                  weightStride);
}

void LinearEmitter::emitTileBlock(const Strip &strip, Value row,
                                  Value rowInBlock, Value count) {
  const unsigned vectors = (strip.width + e.lanes - 1) / e.lanes;
  Value scratch = e.scratch();
  Value rowsAt =
      e.at(scratch, e.mul(rowInBlock, e.i64(narrow->rowBytes / kWordBytes)));
  Value sums = e.at(scratch, e.i64(narrow->tileOffset / kWordBytes));
  Value prefetch = tilePrefetch(strip, rowInBlock);
  e.ifThenElse(
      e.lessThan(e.i64(kRows), count),
      [&] { multiplyTiles(strip, rowsAt, prefetch, 2, sums); },
      [&] { multiplyTiles(strip, rowsAt, prefetch, 1, sums); });

  Value scales =
      e.at(scratch, e.add(e.i64(narrow->scaleOffset / kWordBytes), rowInBlock));
  Type type = narrow->isBf16() ? e.b.getF32Type() : Type(e.b.getI32Type());
  e.loop(e.i64(0), count, 1, [&](Value r) {
    Value out = e.at(e.outputs[0],
                     e.add(e.mul(e.add(row, r), e.i64(columns)), strip.column));
    Value scale;
    if (!narrow->isBf16())
      scale = e.splat(e.loadF32(e.at(scales, r)));
    for (unsigned v = 0; v < vectors; ++v) {
      Value sum = e.loadVector(
          e.at(sums, e.add(e.mul(r, e.i64(panelWidth)), e.i64(v * e.lanes))),
          {}, type);
      if (scale)
        sum = finishBytes(strip, sum, scale, v);
      e.storeVector(sum, e.at(out, e.i64(v * e.lanes)), columnMask(strip, v));
    }
  });
  emitElementEpilogue(strip, row, e.add(row, count));
}

} // namespace attnc::cpu
