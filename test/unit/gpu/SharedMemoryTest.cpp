//===- SharedMemoryTest.cpp - where tiles lie in shared memory ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tiles of all widths, as PlanSharedMemory places them: nothing overlaps, and
// the eight chunks of 16 bytes that a warp reads in one go (a column of eight
// rows) lie in eight different groups of banks.
//
//===----------------------------------------------------------------------===//
#include "Programs.h"
#include <set>

using namespace mlir;

namespace attnc::test {
namespace {

class SharedMemoryTest : public GpuTest {
protected:
  /// A program with these tiles and one barrier of two stages, planned.
  warp::ProgramOp plan(ArrayRef<std::string> tiles) {
    std::string text = "warp.program @p() threads 128 attributes "
                       "{kernel.target = \"sm_90a\"} {\n";
    for (const std::string &tile : tiles)
      text += "  %t" + std::to_string(&tile - tiles.data()) + " = warp.alloc" +
              tile + "\n";
    module = parse(text + "  %b = warp.barrier arrivals 1 : !warp.barrier<2>\n"
                          "  warp.return\n}\n");
    PassManager passes(&context);
    passes.addPass(createPlanSharedMemory());
    EXPECT_TRUE(module && succeeded(passes.run(*module)));
    return *module->getOps<warp::ProgramOp>().begin();
  }

  OwningOpRef<ModuleOp> module;
};

/// Byte of the chunk of 16 bytes `chunk` of `row`, as the dialect defines it.
int64_t placeOf(warp::AllocOp alloc, int64_t row, int64_t chunk) {
  warp::TileType type = alloc.getTile().getType();
  warp::LayoutAttr layout = *alloc.getLayout();
  const int64_t width =
      layout.getPanel() ? layout.getPanel() : type.getRowBytes();
  const int64_t inPanel = chunk % (width / 16), panel = chunk / (width / 16);
  const int64_t swizzled =
      inPanel ^ ((row >> layout.getShift()) & layout.getMask());
  return panel * width * type.getRows() + row * width + 16 * swizzled;
}

TEST_F(SharedMemoryTest, RowsAndColumnsMeetNoBankTwice) {
  for (int64_t columns = 8; columns <= 512; columns += 8)
    for (bool panels : {false, true}) {
      if (panels && columns % 32)
        continue; // not what tensor maps fill
      SCOPED_TRACE(std::to_string(columns) + (panels ? " in panels" : ""));
      warp::ProgramOp program =
          plan({std::string(panels ? " panels" : "") + " : !warp.tile<64x" +
                std::to_string(columns) + "xbf16>"});
      auto alloc = *program.getBody().getOps<warp::AllocOp>().begin();
      std::set<int64_t> places;
      const int64_t chunks = columns / 8;
      for (int64_t row = 0; row < 64; ++row)
        for (int64_t chunk = 0; chunk < chunks; ++chunk) {
          int64_t place = placeOf(alloc, row, chunk);
          EXPECT_LT(place, 64 * 2 * columns);
          EXPECT_EQ(place % 16, 0);
          places.insert(place);
        }
      // Every chunk has a place of its own.
      EXPECT_EQ(places.size(), size_t(64 * chunks));
      for (int64_t first = 0; first < 64; first += 8)
        for (int64_t chunk = 0; chunk < chunks; ++chunk) {
          std::set<int64_t> banks;
          for (int64_t row = first; row < first + 8; ++row)
            banks.insert(placeOf(alloc, row, chunk) / 16 % 8);
          EXPECT_EQ(banks.size(), 8u) << "chunk " << chunk;
        }
    }
}

TEST_F(SharedMemoryTest, NothingOverlaps) {
  warp::ProgramOp program =
      plan({" : !warp.tile<3x16x24xbf16>", " panels : !warp.tile<2x64x96xbf16>",
            " : !warp.tile<16x20xf32>", " panels : !warp.tile<64x128xbf16>"});
  std::set<std::pair<int64_t, int64_t>> ranges;
  for (auto alloc : program.getBody().getOps<warp::AllocOp>()) {
    warp::TileType type = alloc.getTile().getType();
    const int64_t begin = *alloc.getOffset();
    EXPECT_EQ(begin % (alloc.getPanels() ? 1024 : 128), 0);
    ranges.insert({begin, begin + type.getStages() * type.getStageBytes()});
  }
  for (auto barrier : program.getBody().getOps<warp::BarrierOp>())
    ranges.insert({*barrier.getOffset(), *barrier.getOffset() + 16});
  ASSERT_EQ(ranges.size(), 5u);
  int64_t end = 0;
  for (auto [begin, after] : ranges) {
    EXPECT_GE(begin, end);
    end = after;
  }
  EXPECT_EQ(end, int64_t(*program.getShared()));
}

} // namespace
} // namespace attnc::test
