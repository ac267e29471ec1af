//===- AttentionTiles.cpp - attention by tiles of AMX ---------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The two products of a block of 32 query rows. Two by two tiles of sums stand
// in registers 0 to 3, two of rows in 4 and 5, two of columns in 6 and 7, so
// that a load is paid for by a product. Words of pairs lie as tiles read them:
//
//   scores  += queries [16 rows][16 words] * keys [16 words][16 keys]
//   outputs += weights [16 rows][32 keys]  * values [32 keys][16 columns]
//
// All sizes are padded to whole tiles, by zeros where the other factor may be
// anything. Rows past the last are multiplied and not looked at; up to 16 rows
// take half a block. Scores go to scratch, where the regions and the softmax
// visit them row by row (AttentionBlock.cpp); it leaves the weights as pairs of
// bf16 in the first half of a panel's row, which is a row of a tile.
//
//===----------------------------------------------------------------------===//
#include "compiler/schedule/AttentionTiles.h"
#include "compiler/cpu/AttentionEmitter.h"
#include "compiler/cpu/TileRegisters.h"

using namespace mlir;

namespace attnc::cpu {

static constexpr int64_t kSide = TileRegisters::kRows;
static constexpr int64_t kOfRows = 4, kOfColumns = 6;
static constexpr int64_t kWordBytes = 4;

void AttentionEmitter::configureTiles() {
  TileRegisters(e).configure(tileConfiguration);
}

/// `emit` with as many tiles of rows as the block has.
void AttentionEmitter::forTilesDown(const Block &block,
                                    function_ref<void(int64_t down)> emit) {
  e.ifThenElse(
      e.lessThan(e.i64(kSide), block.rows), [&] { emit(2); }, [&] { emit(1); });
}

/// Adds to `down` x `across` tiles of sums, one step of depth.
void AttentionEmitter::multiplyTiles(const TileStep &step, int64_t down,
                                     int64_t across) {
  TileRegisters tiles(e);
  Value rowStride = e.i64(step.rowWords * kWordBytes);
  Value columnStride = e.i64(step.columnWords * kWordBytes);
  for (int64_t c = 0; c < across; ++c)
    tiles.load(kOfColumns + c, e.at(step.columns, e.i64(c * kSide)),
               columnStride);
  for (int64_t r = 0; r < down; ++r) {
    tiles.load(kOfRows + r, e.at(step.rows, e.i64(r * kSide * step.rowWords)),
               rowStride);
    for (int64_t c = 0; c < across; ++c)
      tiles.multiply(/*isBf16=*/true, r * 2 + c, kOfRows + r, kOfColumns + c);
  }
}

void AttentionEmitter::emitTileScores(const Block &block) {
  TileRegisters tiles(e);
  Value panelEnd = e.ceilDiv(block.keyEnd, panel);
  forTilesDown(block, [&](int64_t down) {
    e.loop(block.firstPanel, panelEnd, 1, [&](Value index) {
      for (int64_t r = 0; r < down; ++r)
        for (int64_t c = 0; c < 2; ++c)
          tiles.zero(r * 2 + c);
      Value keys = e.at(keyScratch, e.mul(index, e.i64(panel * paddedHead)));
      e.loop(e.i64(0), e.i64(paddedHead), kSide, [&](Value word) {
        multiplyTiles({e.at(queryScratch, word), paddedHead,
                       e.at(keys, e.mul(word, e.i64(panel))), panel},
                      down, 2);
      });
      Value target = scoresAt(block, index);
      for (int64_t r = 0; r < down; ++r)
        for (int64_t c = 0; c < 2; ++c)
          tiles.store(r * 2 + c, e.at(target, e.i64((r * panel + c) * kSide)),
                      e.i64(panel * kWordBytes));
    });
  });
}

void AttentionEmitter::emitTileSum(const Block &block) {
  auto columns = [&](Value column, int64_t across) {
    forTilesDown(block,
                 [&](int64_t down) { sumTiles(block, column, down, across); });
    storeSums(block, column, across);
  };
  const int64_t whole = paddedValue / (2 * kSide) * (2 * kSide);
  e.loop(e.i64(0), e.i64(whole), 2 * kSide,
         [&](Value column) { columns(column, 2); });
  if (whole < paddedValue)
    columns(e.i64(whole), 1);
}

/// The weighted sum of `across` tiles of columns from `column` on, to scratch.
void AttentionEmitter::sumTiles(const Block &block, Value column, int64_t down,
                                int64_t across) {
  TileRegisters tiles(e);
  for (int64_t r = 0; r < down; ++r)
    for (int64_t c = 0; c < across; ++c)
      tiles.zero(r * 2 + c);
  e.loop(block.firstPanel, e.ceilDiv(block.keyEnd, panel), 1, [&](Value index) {
    Value values =
        e.at(valueScratch,
             e.add(e.mul(index, e.i64(panel / 2 * paddedValue)), column));
    multiplyTiles({scoresAt(block, index), panel, values, paddedValue}, down,
                  across);
  });
  for (int64_t r = 0; r < down; ++r)
    for (int64_t c = 0; c < across; ++c)
      tiles.store(
          r * 2 + c,
          e.at(tileSums, e.i64((r * AttentionTiles::kColumns + c) * kSide)),
          e.i64(AttentionTiles::kColumns * kWordBytes));
}

void AttentionEmitter::storeSums(const Block &block, Value column,
                                 int64_t across) {
  Value target =
      e.at(output, e.add(e.mul(e.add(block.sequence.firstQuery, block.query),
                               e.i64(queryHeads * valueSize)),
                         e.add(e.mul(block.head, e.i64(valueSize)), column)));
  e.loop(e.i64(0), block.rows, 1, [&](Value row) {
    Value scale = e.splat(e.loadF32(e.at(scales, row)));
    Value sums = e.at(tileSums, e.mul(row, e.i64(AttentionTiles::kColumns)));
    Value out = e.at(target, e.mul(row, e.i64(queryHeads * valueSize)));
    for (int64_t c = 0; c < across; ++c) {
      Value first = e.i64(c * kSide);
      Value mask =
          valueSize % kSide
              ? e.tailMask(e.sub(e.sub(e.i64(valueSize), column), first))
              : Value();
      Value place = e.at(out, first), sum = e.loadVector(e.at(sums, first));
      if (chunk)
        sum = e.fma(loadEarlier(block, place, mask),
                    e.splat(e.loadF32(e.at(factors, row))), sum);
      e.storeVector(arith::MulFOp::create(b, loc, sum, scale), place, mask);
    }
  });
}

} // namespace attnc::cpu
