//===- EmitTiles.cpp - products by tiles of AMX ---------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A panel is three tiles wide. Two of them are multiplied by 32 rows, 2 x 2
// tiles of sums; the third by 64, 4 x 1; up to 16 rows take 1 x 3. Sums stand
// in tile registers 0 to 3, rows (16 by 64 bytes of depth) from 4 on, columns
// up to 7: no register is loaded again right after what it held was used. Both
// come from where they lie: rows in scratch, `rowBytes` apart, and words of a
// panel, 192 bytes apart. Depth is padded to whole tiles, by zeros in the
// weights; rows past the last are multiplied and not stored.
//
//   passes       as much of the depth as keeps the panel in L1, where more than
//                32 rows use it again
//     64 rows    sums wait in scratch from one pass to the next
//       depth    a tile of it
//   last pass    sums go through scales (of i8) to the output and the element
//                region
//
// A sum goes over all of the depth in ascending order, whatever the form or the
// pass. All tiles have one shape, which is configured at the head of the
// kernel; the runtime releases tiles at the end of every phase.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/EmitLinear.h"
#include "compiler/cpu/TileRegisters.h"

using namespace mlir;

namespace attnc::cpu {

static constexpr int64_t kSide = TileRegisters::kRows;
static constexpr int64_t kAcross = NarrowRows::kTileColumns / kSide;
static constexpr int64_t kRegisters = 8, kOfSums = 4;
/// Tiles of rows that are taken together.
static constexpr int64_t kDown = 4;

void LinearEmitter::configureTiles() {
  const int64_t place = narrow->getConfigurationOffset();
  TileRegisters(e).configure(e.at(e.scratch(), e.i64(place / kWordBytes)));
}

/// Multiplies the rows from tile `tile` of the part on and stores the sums.
void LinearEmitter::multiplyTiles(const Strip &strip, const TilePart &part,
                                  Value tile, const TileForm &form,
                                  bool prefetches) {
  TileRegisters tiles(e);
  Value sumStride = e.i64(panelWidth * kWordBytes);
  Value rowStride = e.i64(narrow->rowBytes);
  Value row = e.add(part.rowInBlock, e.mul(tile, e.i64(kSide)));
  Value rowsAt = e.atBytes(e.scratch(), e.mul(row, rowStride));
  Value sums = e.at(e.scratch(), e.i64(narrow->tileOffset / kWordBytes));
  sums = e.at(sums,
              e.add(e.mul(row, e.i64(panelWidth)), e.i64(form.column * kSide)));
  auto forSums = [&](function_ref<void(int64_t tile, Value place)> visit) {
    for (int64_t r = 0; r < form.down; ++r)
      for (int64_t c = 0; c < form.across; ++c)
        visit(r * form.across + c,
              e.at(sums, e.i64((r * panelWidth + c) * kSide)));
  };
  e.ifThenElse(
      e.lessThan(e.i64(0), part.from),
      [&] {
        forSums([&](int64_t tile, Value place) {
          tiles.load(tile, place, sumStride);
        });
      },
      [&] { forSums([&](int64_t tile, Value) { tiles.zero(tile); }); });

  Value prefetch = prefetches ? tilePrefetch(strip, row) : Value();
  const int64_t ofRows = kRegisters - kOfSums - form.across;
  const int64_t firstColumn = kRegisters - form.across;
  e.loop(part.from, part.to, 1, [&](Value step) {
    if (prefetches)
      emitPrefetch(strip, prefetch, step);
    Value weight =
        e.at(strip.weight, e.add(e.mul(step, e.i64(kSide * panelWidth)),
                                 e.i64(form.column * kSide)));
    Value rowWords = e.at(rowsAt, e.mul(step, e.i64(TileRegisters::kWords)));
    for (int64_t c = 0; c < form.across; ++c)
      tiles.load(firstColumn + c, e.at(weight, e.i64(c * kSide)), sumStride);
    for (int64_t r = 0; r < form.down; ++r) {
      const int64_t x = kOfSums + r % ofRows;
      tiles.load(x, e.atBytes(rowWords, e.i64(r * kSide * narrow->rowBytes)),
                 rowStride);
      for (int64_t c = 0; c < form.across; ++c)
        tiles.multiply(narrow->isBf16(), r * form.across + c, x,
                       firstColumn + c);
    }
  });
  forSums(
      [&](int64_t tile, Value place) { tiles.store(tile, place, sumStride); });
}

/// Up to 64 rows: in forms of as many tiles as there are.
void LinearEmitter::emitTilePart(const Strip &strip, const TilePart &part) {
  Value zero = e.i64(0), number = e.ceilDiv(part.count, kSide);
  auto many = [&] {
    e.loop(zero, number, 2, [&](Value tile) {
      e.ifThenElse(
          e.lessThan(e.add(tile, e.i64(1)), number),
          [&] { multiplyTiles(strip, part, tile, {2, 0, 2}, true); },
          [&] { multiplyTiles(strip, part, tile, {1, 0, 2}, true); });
    });
    for (int64_t down = 2; down <= kDown; ++down) {
      Value isDown = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::eq,
                                           number, e.i64(down));
      e.ifThen(isDown,
               [&] { multiplyTiles(strip, part, zero, {down, 2, 1}, false); });
    }
  };
  e.ifThenElse(
      e.lessThan(number, e.i64(2)),
      [&] { multiplyTiles(strip, part, zero, {1, 0, kAcross}, true); }, many);
}

void LinearEmitter::emitTileStrip(const Strip &strip, Value blockFrom,
                                  Value blockTo) {
  const int64_t steps =
      panels.getPaddedDepth(depth) / pack / TileRegisters::kWords;
  // Rows of one block read the panel once, from wherever it lies.
  Value isOnce = e.lessThan(e.sub(blockTo, blockFrom), e.i64(tileRows + 1));
  auto choose = [&](int64_t once, int64_t otherwise) -> Value {
    return arith::SelectOp::create(e.b, e.loc, isOnce, e.i64(once),
                                   e.i64(otherwise));
  };
  const int64_t each = narrow->tileSteps;
  Value length = choose(steps, each);
  Value passes = choose(1, llvm::divideCeil(steps, each));
  e.loop(e.i64(0), passes, 1, [&](Value pass) {
    TilePart part;
    part.from = e.mul(pass, length);
    part.to = e.minimum(e.add(part.from, length), e.i64(steps));
    e.loop(blockFrom, blockTo, kDown * kSide, [&](Value row) {
      part.row = row;
      part.rowInBlock = e.sub(row, blockFrom);
      part.count = e.minimum(e.sub(blockTo, row), e.i64(kDown * kSide));
      emitTilePart(strip, part);
      e.ifThen(e.lessThan(e.i64(steps - 1), part.to),
               [&] { finishTiles(strip, part); });
    });
  });
}

/// Finished sums to the output, and the element region on them.
void LinearEmitter::finishTiles(const Strip &strip, const TilePart &part) {
  const unsigned vectors = (strip.width + e.lanes - 1) / e.lanes;
  Value sums = e.at(e.scratch(), e.i64(narrow->tileOffset / kWordBytes));
  sums = e.at(sums, e.mul(part.rowInBlock, e.i64(panelWidth)));
  Value scales =
      e.at(e.scratch(),
           e.add(e.i64(narrow->scaleOffset / kWordBytes), part.rowInBlock));
  Type type = narrow->isBf16() ? e.b.getF32Type() : Type(e.b.getI32Type());
  e.loop(e.i64(0), part.count, 1, [&](Value r) {
    Value out =
        e.at(e.outputs[0],
             e.add(e.mul(e.add(part.row, r), e.i64(columns)), strip.column));
    Value scale, zero;
    if (!narrow->isBf16()) {
      scale = e.splat(e.loadF32(e.at(scales, r)));
      zero = rowZero(e.add(part.rowInBlock, r));
    }
    for (unsigned v = 0; v < vectors; ++v) {
      Value sum = e.loadVector(
          e.at(sums, e.add(e.mul(r, e.i64(panelWidth)), e.i64(v * e.lanes))),
          {}, type);
      if (scale) {
        sum = arith::AddIOp::create(e.b, e.loc, sum, ofZero(strip, zero, v));
        sum = finishBytes(strip, sum, scale, v);
      }
      e.storeVector(sum, e.at(out, e.i64(v * e.lanes)), columnMask(strip, v));
    }
  });
  emitElementEpilogue(strip, part.row, e.add(part.row, part.count));
}

} // namespace attnc::cpu
