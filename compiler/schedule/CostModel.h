//===- CostModel.h - what a layout of a kernel costs ------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every decision that hangs on a processor's registers, caches and rates:
// ChooseTiles writes those of a kernel into its `tile`, and generated code asks
// for the rest. Nothing that is decided here changes a result's bits, but for
// the chunks of a softmax, so that `--tune` may overrule the rest.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_SCHEDULE_COSTMODEL_H
#define ATTNC_COMPILER_SCHEDULE_COSTMODEL_H

#include "compiler/Target.h"
#include "compiler/schedule/NarrowRows.h"
#include "dialects/kernel/Kernel.h"
#include <optional>

namespace attnc {

/// Steps of depth that a product adds up in one chain. Part of what the numbers
/// are: blocks of depth are whole chains.
inline constexpr int64_t kChainSteps = 128;

/// Columns of a panel of weights, for every processor: one tile of AVX-512 and
/// whole tiles of AVX2.
inline constexpr int64_t kPanelWidth = 48;

class CostModel {
public:
  CostModel(const Target &target, const Machine &machine)
      : target(target), machine(machine) {}
  /// Of the variant's target, and of its `machine` if it has one.
  static CostModel of(kernel::VariantOp variant);

  //===-- products --------------------------------------------------------===//

  /// Rows times a weight of `columns` x `depth`.
  struct Product {
    int64_t columns, depth;
    kernel::Format weights = kernel::Format::f32, rows = kernel::Format::f32;
    int64_t group = 0;      ///< weights that share a scale; 0: a column
    int64_t groupBytes = 2; ///< of what a group has beside its weights
  };
  /// As in #kernel.tile.
  struct Tile {
    int64_t rows, columns, depth, block;
    bool operator==(const Tile &other) const {
      return rows == other.rows && columns == other.columns &&
             depth == other.depth && block == other.block;
    }
  };
  Tile chooseProduct(const Product &product) const;
  /// The tile of chooseProduct, then those that may be as fast for all that is
  /// known here; few.
  llvm::SmallVector<Tile> getProductCandidates(const Product &product) const;
  /// Whether code can be made of the tile: it fits registers, panels and
  /// chains.
  bool fitsProduct(const Product &product, const Tile &tile) const;
  /// Cycles of one core for `rows` rows, what loads of weights do not hide
  /// included.
  double getProductCycles(const Product &product, const Tile &tile,
                          int64_t rows) const;
  /// Of multiply-adds alone, at the rate of the target's peak.
  double getIdealCycles(const Product &product, int64_t rows) const;
  /// Cycles in which one core reads the weights once, from L3.
  double getWeightCycles(const Product &product) const;
  /// Rows of `rowBytes` that stay in L2 beside the panel in use and the next.
  int64_t getBlockRows(int64_t rowBytes, int64_t tileRows) const;
  /// Rows that go through a chain of products together.
  int64_t getChainRows(int64_t rowBytes, int64_t tileRows,
                       int64_t weightBytes) const;
  /// Rows for a block of a chain, the given ones first, that may be as good.
  llvm::SmallVector<int64_t> getBlockCandidates(int64_t rows,
                                                int64_t tileRows) const;
  /// With so many tiles of rows for each, workers share out whole ones.
  int64_t getTilesPerWorker() const;
  /// With so many rows for each, workers share out rows; with fewer, where they
  /// may, columns.
  int64_t getFewestRows(bool isNarrow, int64_t tileRows) const;
  /// A strip of narrow weights becomes f32 once for so many tiles of rows, for
  /// fewer in every one.
  int64_t getTilesToWiden() const;
  /// Rows from which panels of f32 are fetched ahead, entirely.
  int64_t getRowsToPrefetch() const;
  /// Vectors of sums that do not hide the latency of multiply-adds, where each
  /// weight takes several instructions besides.
  int64_t getFewSums() const;

  //===-- attention -------------------------------------------------------===//

  /// Sizes of a head. `isBf16`: products of bf16, where the target has them by
  /// tiles.
  struct Attention {
    int64_t headSize, valueSize;
    bool isBf16 = false;
    std::optional<int64_t> mostKeys = std::nullopt; ///< of a row, if known
  };
  /// As in #kernel.tile: rows of queries by keys in registers, keys whose
  /// softmax is taken at once (its `depth`; 0: all), and the rows of queries
  /// that are shared out together. The chunk is part of what the numbers are.
  struct AttentionTile {
    int64_t rows, columns, chunk, block;
  };
  AttentionTile chooseAttention(const Attention &attention) const;
  /// Whether code can be made of the tile, with chunks (its `depth`) of as many
  /// panels as another machine may have measured it with.
  bool fitsAttention(const Tile &tile, const Attention &attention) const;
  llvm::SmallVector<AttentionTile>
  getAttentionCandidates(const Attention &attention) const;
  /// Keys of the next head that are fetched while a head is worked on.
  int64_t getKeysAhead(const Attention &attention) const;
  /// Query rows that are shared out together, cache or not.
  int64_t getItemRows() const;
  /// With so many items for each worker, what does not come out even is little.
  int64_t getItemsPerWorker() const;

  //===-- threads ---------------------------------------------------------===//

  /// Multiplications and additions of one core in a cycle, of such factors.
  int64_t getFlopsPerCycle(kernel::Format rows) const;
  /// Cycles of its own for which a worker is worth waking and waiting for.
  int64_t getFewestCycles() const;

  //===-- the rest --------------------------------------------------------===//

  /// Rows that a product of heads goes over with a tile of columns.
  int64_t getHeadLinearRows() const;
  /// Rows of a product of two matrices that the program computes.
  int64_t getMatmulRows() const;
  /// Columns of a map that a worker takes at once.
  int64_t getMapColumns() const;
  /// Whether rows of a table are worth fetching ahead of their use.
  bool isTooLargeForCache(int64_t tableBytes) const;

  const Target &target;
  const Machine machine;

private:
  /// One step of the innermost loop over depth: `depth` steps of the product.
  struct Step {
    int64_t depth = 1;
    double multiplies = 1;       ///< for a sum (rows x vectors)
    double instructions = 1;     ///< for a sum, those included
    double perVector = 0;        ///< and to unpack a vector of weights
    int64_t broadcasts = 1;      ///< for a row
    int64_t weightRegisters = 1; ///< for a vector of weights
    int64_t registers = 1;       ///< beside those and sums
  };
  Step getStep(const Product &product) const;
  bool usesTiles(const Product &product) const;
  double getStepCycles(const Step &step, int64_t rows, int64_t vectors) const;
  int64_t getSpareRegisters(const Step &step, int64_t rows,
                            int64_t vectors) const;
  int64_t chooseDepth(const Product &product) const;
  AttentionTile withChunk(const Attention &attention, int64_t rows,
                          int64_t keys, int64_t block) const;
  Tile complete(const Product &product, int64_t rows, int64_t columns,
                int64_t depth) const;
};

} // namespace attnc

#endif // ATTNC_COMPILER_SCHEDULE_COSTMODEL_H
