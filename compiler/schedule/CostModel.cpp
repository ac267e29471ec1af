//===- CostModel.cpp - what a layout of a kernel costs --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A step of a product's innermost loop takes as long as the slowest of its
// multiply-adds, its loads (two in a cycle) and the latency of one
// multiply-add; on top comes a part of the time in which L2 delivers the step's
// weights, as long as a strip of them is not in L1. Tiles are compared over the
// row counts that are common: a short text, a long one, a batch.
//
// What is within kAlike of the best is no difference: there registers to spare
// decide, and then how few rows are left over. What is within kUncertain is for
// `--tune` to measure.
//
//===----------------------------------------------------------------------===//
#include "compiler/schedule/CostModel.h"
#include "compiler/schedule/AttentionTiles.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/MathExtras.h"
#include <array>
#include <tuple>

using namespace mlir;

namespace attnc {

static constexpr std::array<int64_t, 3> kRowCounts = {16, 128, 512};
static constexpr double kAlike = 1.02, kUncertain = 1.05;
static constexpr double kFullRegisters = 1.04;
static constexpr size_t kMostCandidates = 4;
/// A tile's left-over rows have kernels of their own: more rows, more code.
static constexpr int64_t kMostRows = 14;
/// Machines that take two turns for a multiply-add take two for a load.
static double getLoadsPerCycle(const Machine &machine) {
  return machine.fmas >= 2 ? 2 : 1;
}
/// More rows to a block gained nothing, and make uneven shares.
static constexpr int64_t kMostBlockRows = 192;
static constexpr double kLatency = 5, kInstructionsPerCycle = 4;
/// The part of L2's time that the multiply-adds do not hide: 8 x 48 reaches 97%
/// of the peak where 12 cycles of multiply-adds meet 3 of L2.
static constexpr double kExposed = 0.25;
/// Panels are stored for all processors alike.
static constexpr int64_t kWordBytes = 4;

CostModel CostModel::of(kernel::VariantOp variant) {
  const Target *target = Target::find(variant.getTarget());
  assert(target && "the verifier knows the target");
  Machine machine = target->machine;
  if (kernel::MachineAttr known = variant.getMachineAttr())
    machine = {static_cast<unsigned>(known.getCores()),
               static_cast<unsigned>(known.getL1()),
               static_cast<unsigned>(known.getL2()),
               static_cast<unsigned>(known.getL3()),
               static_cast<unsigned>(known.getFmas()),
               static_cast<unsigned>(known.getL2Rate()),
               static_cast<unsigned>(known.getL3Rate()),
               static_cast<unsigned>(known.getMemoryRate()),
               static_cast<unsigned>(known.getRoundTrip())};
  return {*target, machine};
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

bool CostModel::usesTiles(const Product &product) const {
  if (product.rows == kernel::Format::f32)
    return false;
  const NarrowRows::Product by =
      NarrowRows::choose(target, product.rows, product.weights, product.group);
  return by == NarrowRows::TilesOfBytes || by == NarrowRows::TilesOfBf16;
}

CostModel::Step CostModel::getStep(const Product &product) const {
  Step step;
  // Without fused multiply-adds a product needs a register, and an add.
  if (!target.hasFma) {
    step.instructions = 2;
    step.registers = 2;
  }
  if (product.rows == kernel::Format::f32)
    return step; // weights are f32 by then
  switch (NarrowRows::choose(target, product.rows, product.weights,
                             product.group)) {
  case NarrowRows::GroupsOfBytes:
    // Nibbles, their two masks, and the words that they come from.
    step.depth = 4;
    step.perVector = 2;
    step.registers = 3;
    break;
  case NarrowRows::GroupsOfNibbles:
    step.depth = 4;
    step.instructions = 2;
    step.perVector = 2;
    step.registers = 2;
    break;
  case NarrowRows::BytesToWord:
  case NarrowRows::TilesOfBytes:
    step.depth = 4;
    break;
  case NarrowRows::Bf16ToFloat:
  case NarrowRows::TilesOfBf16:
    step.depth = 2;
    break;
  case NarrowRows::ShortsToWord:
  case NarrowRows::GroupsOfShorts:
    // Two products of pairs and two sums; weights of i8 as i16 take two
    // registers for one.
    step.depth = 4;
    step.multiplies = 2;
    step.instructions = 4;
    step.perVector = 3;
    step.broadcasts = 2;
    step.weightRegisters = 2;
    step.registers = 3;
    break;
  }
  return step;
}

int64_t CostModel::getSpareRegisters(const Step &step, int64_t rows,
                                     int64_t vectors) const {
  return int64_t(target.vectorRegisters) -
         (rows * vectors + vectors * step.weightRegisters + step.registers);
}

double CostModel::getStepCycles(const Step &step, int64_t rows,
                                int64_t vectors) const {
  const double sums = rows * vectors, loads = rows * step.broadcasts + vectors;
  const double instructions =
      sums * step.instructions + vectors * step.perVector + loads;
  return std::max({sums * step.multiplies / machine.fmas,
                   loads / getLoadsPerCycle(machine),
                   instructions / kInstructionsPerCycle, kLatency});
}

double CostModel::getProductCycles(const Product &product, const Tile &tile,
                                   int64_t rows) const {
  const Step step = getStep(product);
  const int64_t depth = tile.depth ? tile.depth : product.depth;
  const int64_t lanes = target.lanes();
  auto strip = [&](int64_t columns) {
    const int64_t vectors = llvm::divideCeil(columns, lanes);
    const int64_t bytes = vectors * lanes * kWordBytes;
    const bool staysNear = bytes * depth / step.depth <= machine.l1Bytes / 2;
    const double exposed = staysNear ? 0 : kExposed * bytes / machine.l2Rate;
    const int64_t tiles = rows / tile.rows;
    double cycles =
        double(tiles) * (getStepCycles(step, tile.rows, vectors) + exposed);
    if (int64_t rest = rows % tile.rows)
      cycles += getStepCycles(step, rest, vectors) + exposed;
    return cycles;
  };
  const int64_t strips = product.columns / tile.columns;
  double cycles = double(strips) * strip(tile.columns);
  if (int64_t rest = product.columns % tile.columns)
    cycles += strip(rest);
  return cycles * llvm::divideCeil(product.depth, step.depth);
}

double CostModel::getIdealCycles(const Product &product, int64_t rows) const {
  return double(rows) * product.columns * product.depth /
         (double(target.lanes()) * machine.fmas * getStep(product).depth);
}

double CostModel::getWeightCycles(const Product &product) const {
  double bytes = double(product.columns) * product.depth;
  switch (product.weights) {
  case kernel::Format::f32:
    bytes *= 4;
    break;
  case kernel::Format::bf16:
    bytes *= 2;
    break;
  case kernel::Format::i8:
    break;
  case kernel::Format::i4:
    bytes *= 0.5;
    break;
  }
  if (product.group)
    bytes += double(product.groupBytes) * double(product.columns) *
             product.depth / product.group;
  return bytes / machine.l3Rate;
}

int64_t CostModel::getBlockRows(int64_t rowBytes, int64_t tileRows) const {
  int64_t rows = machine.l2Bytes / 2 / std::max<int64_t>(rowBytes, 1);
  rows = std::clamp<int64_t>(rows, 4 * tileRows, kMostBlockRows);
  return rows / tileRows * tileRows;
}

/// How much of the contraction one pass takes (0: all of it). A panel of that
/// depth gets half of L2, the rows beside it the rest. Passes are of equal
/// length, in whole chains.
int64_t CostModel::chooseDepth(const Product &product) const {
  if (product.rows != kernel::Format::f32)
    return 0; // a panel of bytes is a quarter of one of f32
  const int64_t limit = llvm::alignDown(
      machine.l2Bytes / 2 / (kPanelWidth * kWordBytes), kChainSteps);
  if (product.depth <= limit || limit == 0)
    return 0;
  const int64_t passes = llvm::divideCeil(product.depth, limit);
  return llvm::alignTo(llvm::divideCeil(product.depth, passes), kChainSteps);
}

CostModel::Tile CostModel::complete(const Product &product, int64_t rows,
                                    int64_t columns, int64_t depth) const {
  // A row of i8 is a byte for each step, else two; f32 rows of a pass four.
  int64_t rowBytes = (depth ? depth : product.depth) * kWordBytes;
  if (product.rows != kernel::Format::f32) {
    auto by = NarrowRows::choose(target, product.rows, product.weights,
                                 product.group);
    rowBytes =
        llvm::alignTo(product.depth * NarrowRows::getElementBytes(by), 64);
  }
  return {rows, columns, depth, getBlockRows(rowBytes, rows)};
}

SmallVector<CostModel::Tile>
CostModel::getProductCandidates(const Product &product) const {
  const int64_t depth = chooseDepth(product);
  if (usesTiles(product))
    return {complete(product, NarrowRows::kTileRows, NarrowRows::kTileColumns,
                     depth)};
  struct Scored {
    double cost;
    int64_t spare;
    Tile tile;
  };
  SmallVector<Scored> all;
  const Step step = getStep(product);
  const int64_t lanes = target.lanes();
  for (int64_t columns = lanes; columns <= kPanelWidth; columns += lanes) {
    if (kPanelWidth % columns != 0)
      continue;
    for (int64_t rows = 1; rows <= kMostRows; ++rows) {
      const int64_t spare = getSpareRegisters(step, rows, columns / lanes);
      if (spare < 0)
        break;
      Tile tile = complete(product, rows, columns, depth);
      double cost = 0;
      for (int64_t count : kRowCounts)
        cost += getProductCycles(product, tile, count) / count;
      // Without one to spare LLVM may well spill.
      if (spare == 0)
        cost *= kFullRegisters;
      all.push_back({cost, spare, tile});
    }
  }
  llvm::sort(all, [](const Scored &a, const Scored &b) {
    return std::tie(a.cost, b.tile.rows) < std::tie(b.cost, a.tile.rows);
  });
  const double least = all.front().cost;
  // Of those alike, the one that wins by registers and even shares of rows.
  auto alikeEnd = llvm::find_if(
      all, [&](const Scored &scored) { return scored.cost > least * kAlike; });
  auto best = std::max_element(
      all.begin(), alikeEnd, [](const Scored &a, const Scored &b) {
        auto rank = [](const Scored &scored) {
          return std::pair(std::min<int64_t>(scored.spare, 1),
                           llvm::countr_zero(uint64_t(scored.tile.rows)));
        };
        return rank(a) < rank(b);
      });
  SmallVector<Tile> candidates = {best->tile};
  // How a long contraction is cut is not in the cost at all.
  if (depth)
    candidates.push_back(
        complete(product, best->tile.rows, best->tile.columns, 0));
  else if (product.rows == kernel::Format::f32 && product.depth > kChainSteps &&
           product.depth * kPanelWidth * kWordBytes > machine.l2Bytes / 4)
    candidates.push_back(complete(
        product, best->tile.rows, best->tile.columns,
        llvm::alignTo(llvm::divideCeil(product.depth, 2), kChainSteps)));
  for (const Scored &scored : all)
    if (candidates.size() < kMostCandidates && &scored != &*best &&
        scored.cost <= least * kUncertain)
      candidates.push_back(scored.tile);
  return candidates;
}

CostModel::Tile CostModel::chooseProduct(const Product &product) const {
  return getProductCandidates(product).front();
}

bool CostModel::fitsProduct(const Product &product, const Tile &tile) const {
  if (tile.rows < 1 || tile.columns < 1 || tile.block < tile.rows ||
      tile.block > kMostBlockRows || tile.block % tile.rows != 0 ||
      kPanelWidth % tile.columns != 0 || tile.depth < 0 ||
      tile.depth >= product.depth || tile.depth % kChainSteps != 0)
    return false;
  if (usesTiles(product))
    return tile.rows == NarrowRows::kTileRows &&
           tile.columns == NarrowRows::kTileColumns && tile.depth == 0;
  return (product.rows == kernel::Format::f32 || tile.depth == 0) &&
         tile.rows <= kMostRows && tile.columns % target.lanes() == 0 &&
         getSpareRegisters(getStep(product), tile.rows,
                           tile.columns / target.lanes()) >= 0;
}

int64_t CostModel::getChainRows(int64_t rowBytes, int64_t tileRows,
                                int64_t weightBytes) const {
  // Every block reads all weights of the chain again. From memory that costs
  // more than what rows lose that go through L3 between two products: 2 to 5%
  // at 128 rows of a layer of 28 MB.
  if (weightBytes > machine.l3Bytes / 2)
    rowBytes = 1;
  return getBlockRows(rowBytes, tileRows);
}

SmallVector<int64_t> CostModel::getBlockCandidates(int64_t rows,
                                                   int64_t tileRows) const {
  SmallVector<int64_t> candidates = {rows};
  for (int64_t other : {rows / 2, rows * 2})
    if (other = other / tileRows * tileRows;
        other >= 2 * tileRows && other <= kMostBlockRows)
      candidates.push_back(other);
  return candidates;
}

int64_t CostModel::getTilesPerWorker() const {
  // With four tiles of rows for each the largest share is at most a quarter
  // above the mean.
  return 4;
}

int64_t CostModel::getFewestRows(bool isNarrow, int64_t tileRows) const {
  // With few rows every worker would wait for the same weights. Those of narrow
  // rows are few bytes, and rows that are narrowed once are worth more.
  return isNarrow ? std::max<int64_t>(tileRows / 2, 1)
                  : (getTilesPerWorker() - 1) * tileRows + 1;
}

int64_t CostModel::getRowsToPrefetch() const {
  // The processor's own prefetchers stream better alone below that.
  return 3;
}

int64_t CostModel::getFewSums() const { return 4; }

int64_t CostModel::getTilesToWiden() const {
  // Once costs a store and a load more than in every tile.
  return 3;
}

//===----------------------------------------------------------------------===//
// Attention and the rest
//===----------------------------------------------------------------------===//

CostModel::AttentionTile
CostModel::chooseAttention(const Attention &attention) const {
  // Rows x vectors of sums, the vectors of one row of keys, a broadcast: 8 x 3
  // of 32 registers, 4 x 3 of 16; without fused multiply-adds products need
  // registers of their own.
  const int64_t vectors = target.hasFma ? 3 : 2;
  const int64_t rows = target.vectorRegisters >= 32 ? 8 : 4;
  if (attention.isBf16 && target.hasTiles)
    return withChunk(attention, AttentionTiles::kRows, AttentionTiles::kKeys,
                     getItemRows());
  return withChunk(attention, rows, vectors * target.lanes(), getItemRows());
}

/// A softmax over whole rows, as long as the scores of a block of rows are in
/// L1 and keys and values in L2: of each half. With more keys, it takes so many
/// at a time, and what it summed up before is scaled to the new maximum.
CostModel::AttentionTile CostModel::withChunk(const Attention &attention,
                                              int64_t rows, int64_t keys,
                                              int64_t block) const {
  const int64_t inL1 = machine.l1Bytes / 2 / (rows * kWordBytes);
  const int64_t keyBytes = (attention.headSize + attention.valueSize) *
                           (attention.isBf16 ? kWordBytes / 2 : kWordBytes);
  // Heads may be empty.
  const int64_t inL2 = machine.l2Bytes / 2 / std::max<int64_t>(keyBytes, 1);
  constexpr int64_t kFewestPanels = 4;
  const int64_t chunk = std::max<int64_t>(
      llvm::alignTo(std::min(inL1, inL2), keys), kFewestPanels * keys);
  const bool isWhole = attention.mostKeys && *attention.mostKeys <= chunk;
  return {rows, keys, isWhole ? 0 : chunk, block};
}

bool CostModel::fitsAttention(const Tile &tile,
                              const Attention &attention) const {
  constexpr int64_t kMostItemRows = 1024;
  const AttentionTile chosen = chooseAttention(attention);
  return tile.rows == chosen.rows && tile.columns == chosen.columns &&
         tile.depth >= 0 && tile.depth % tile.columns == 0 &&
         tile.block >= tile.rows && tile.block <= kMostItemRows &&
         tile.block % tile.rows == 0;
}

SmallVector<CostModel::AttentionTile>
CostModel::getAttentionCandidates(const Attention &attention) const {
  AttentionTile best = chooseAttention(attention), larger = best;
  larger.block *= 2;
  return {best, larger};
}

int64_t CostModel::getKeysAhead(const Attention &attention) const {
  // They lie in L2 beside those that are in use, and their queries.
  const int64_t keyBytes =
      (attention.headSize + attention.valueSize) * kWordBytes;
  return machine.l2Bytes / 4 / std::max<int64_t>(keyBytes, 1);
}

int64_t CostModel::getItemRows() const {
  // A key costs about as much to lay out as to multiply by eight rows: with 64
  // that is an eighth. More would leave a long sequence of one head to few
  // workers.
  return 64;
}

int64_t CostModel::getItemsPerWorker() const { return 8; }

int64_t CostModel::getMatmulRows() const {
  // Sums in flight hide the latency of a multiply-add, and every vector of the
  // second matrix is read once for so many rows.
  return 6;
}

int64_t CostModel::getFlopsPerCycle(kernel::Format rows) const {
  Product product{1, 1};
  product.rows = rows;
  return 2 * int64_t(target.lanes()) * machine.fmas * getStep(product).depth;
}

int64_t CostModel::getFewestCycles() const {
  // To hand out a phase and to hear that it is done are two round trips; the
  // lines that move between the workers' caches are as many again.
  return 4 * int64_t(machine.roundTrip);
}

int64_t CostModel::getHeadLinearRows() const {
  // The columns of a tile come from L2 once per eight tiles of rows.
  return 64;
}

int64_t CostModel::getMapColumns() const {
  // What is read and what is written share L1; some microseconds at least.
  return std::max<int64_t>(machine.l1Bytes / 2 / kWordBytes, target.lanes());
}

bool CostModel::isTooLargeForCache(int64_t tableBytes) const {
  return tableBytes > machine.l2Bytes;
}

} // namespace attnc
