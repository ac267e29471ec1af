//===- EmitLinear.h - state of one linear kernel's emission -----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What EmitLinear.cpp (our micro-kernels on f32 rows), EmitNarrow.cpp (those on
// narrower rows) and EmitOpenBlas.cpp (the provider) share: shapes, panels, and
// the epilogues of finished sums.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_CPU_EMITLINEAR_H
#define ATTNC_COMPILER_CPU_EMITLINEAR_H

#include "compiler/cpu/Emitter.h"

namespace attnc::cpu {

class LinearEmitter {
public:
  LinearEmitter(KernelEmitter &e, attn::LinearOp op);
  /// Reads tile and layout; an error if they do not fit each other.
  mlir::LogicalResult setUp();
  /// The whole kernel by our micro-kernels.
  void emit();
  /// The whole kernel by cblas_sgemm.
  mlir::LogicalResult emitOpenBlas();
  /// Rows of every call of cblas_sgemm.
  static constexpr int64_t kOpenBlasRows = 8;
  /// Bytes of scratch per worker in which it pads them.
  static int64_t openBlasScratch(int64_t depth, int64_t columns) {
    return 4 * kOpenBlasRows * (depth + columns);
  }

private:
  /// tileColumns columns of a panel, over one block of depth.
  struct Strip {
    mlir::Value index, column; ///< number, first column
    mlir::Value weight;        ///< at depth 0
    mlir::Value prefetch;      ///< what this strip fetches of the next panel
    mlir::Value lines;         ///< of it, per iteration of a tile
    mlir::Value scales;        ///< of its columns, behind the words
    mlir::Value depthFrom, depthTo;
    int64_t width;        ///< columns that exist
    mlir::Value widened;  ///< the strip as f32 from depthFrom on, or null
    bool isFirst = false; ///< whose tile writes what is widened
  };
  static constexpr int64_t kChain = kChainSteps; ///< of depth in one sum
  static constexpr int64_t kWordBytes = 4;
  static constexpr int64_t kLine = 16; ///< words per cache line
  static constexpr unsigned kPrefetchToL2 = 2;
  /// Words of depth in an iteration of a narrow tile, and of a tile of AMX.
  static constexpr int64_t kWords = 4, kTileWords = 16;

  std::pair<mlir::Value, mlir::Value> workersRows(mlir::Value rowTiles);
  /// Whether workers share out rows, and not strips.
  mlir::Value sharesRows(mlir::Value rowTiles, mlir::Value strips);
  void emitDepthBlock(mlir::Value blockFrom, mlir::Value blockTo,
                      mlir::Value stripFrom, mlir::Value stripTo,
                      mlir::Value depthFrom);
  void emitStrip(Strip strip, mlir::Value blockFrom, mlir::Value blockTo);
  /// Iterations of a tile's innermost loop over a block of depth.
  int64_t tileIterations();
  /// Lines that an iteration fetches of the next panel, `stripWords` being this
  /// strip's share of it, where a block has `span` rows.
  mlir::Value prefetchedLines(mlir::Value span, int64_t stripWords);
  /// What a tile fetches of the next panel, and its part in one iteration.
  mlir::Value tilePrefetch(const Strip &strip, mlir::Value rowInBlock);
  void emitPrefetch(const Strip &strip, mlir::Value tilePlace,
                    mlir::Value iteration);
  void emitTile(const Strip &strip, mlir::Value row, mlir::Value rowInBlock,
                int64_t count);
  /// Where a tile of `rows` by `vectors` adds up its chains: its buffer, or the
  /// output.
  struct TileSums {
    int64_t rows;
    unsigned vectors;
    bool isBuffered;
    mlir::Value place;
  };
  /// Chains two at a time, as few sums would wait for each other. `steps` takes
  /// a depth, a number of steps and the sums before them, and gives the sums
  /// behind. Returns the depth of the first chain that has no second one.
  mlir::Value emitChainPairs(const Strip &strip, const TileSums &tile,
                             llvm::function_ref<llvm::SmallVector<mlir::Value>(
                                 mlir::Value, int64_t, mlir::ValueRange)>
                                 steps);
  /// Adds a chain's sums to those before it.
  void finishChain(const Strip &strip, const TileSums &tile,
                   mlir::Value chainFrom, mlir::ValueRange sums);
  void multiplyAdd(const Strip &strip, mlir::Value input, mlir::Value k,
                   int64_t step, unsigned vectors,
                   llvm::MutableArrayRef<mlir::Value> sums);
  /// The weights of one step of depth, `step` after `k`, as f32; those of i8
  /// without their scale (EmitWeights.cpp).
  mlir::Value loadWeights(const Strip &strip, mlir::Value k, int64_t step,
                          unsigned vector);
  mlir::Value lookUpNibbles(mlir::Value words, int64_t part);
  /// The scales of a group, a lane per column, as f32.
  mlir::Value loadGroupScales(const Strip &strip, mlir::Value group,
                              unsigned vector);
  /// Its offsets, where the layout has some.
  mlir::Value loadGroupOffsets(const Strip &strip, mlir::Value group,
                               unsigned vector);
  mlir::Value loadOfGroup(mlir::Value numbers, mlir::Value group,
                          unsigned vector);
  /// Where a vector of it is kept as f32.
  mlir::Value widenedPlace(const Strip &strip, mlir::Value k, int64_t step,
                           unsigned vector);
  /// A strip of narrow weights: the first tile writes what it widens.
  void emitWideningStrip(const Strip &strip, mlir::Value blockFrom,
                         mlir::Value blockTo);
  /// What the output holds of an element, zero before its first chain.
  mlir::Value earlierChains(mlir::Value chainFrom, mlir::Value place,
                            mlir::Value mask);
  mlir::Value columnMask(const Strip &strip, unsigned vector);
  /// The element region on a tile's finished sums, which lie in `sums` (as in
  /// tileBuffer) or, if that is null, in the output already.
  void emitElementEpilogue(const Strip &strip, mlir::Value row,
                           mlir::Value rowTo, mlir::Value sums = {});
  /// The same on `width` sums of one row.
  void emitElements(mlir::Value row, mlir::Value column, int64_t width,
                    mlir::Value sums = {});
  /// Sums between blocks of depth: from the output into a tile's buffer, or
  /// back.
  void copySums(const Strip &strip, mlir::Value row, mlir::Value rowTo,
                mlir::Value sums, bool back);
  mlir::Value outputAt(mlir::Value row, mlir::Value column);
  /// Room for the sums of a tile, [tileRows][tileColumns]. Read from there, and
  /// not from the output row by row, they do not make the processor fetch the
  /// rows below, which may be another worker's.
  mlir::Value tileBuffer();
  /// Asks for the lines of the output that a tile of `count` rows will write,
  /// while it multiplies: another worker may have read them last.
  void prefetchOutput(mlir::Value row, const Strip &strip, int64_t count);
  void emitRowEpilogue(mlir::Value rowFrom, mlir::Value rowTo);

  // Products of rows in a narrow format (EmitNarrow.cpp).
  void emitNarrowRows(mlir::Value blockFrom, mlir::Value blockTo);
  void
  overRow(llvm::function_ref<void(mlir::Value index, mlir::Value mask)> body);
  std::pair<mlir::Value, mlir::Value> emitRange(mlir::Value input);
  void emitBytes(mlir::Value input, mlir::Value out, mlir::Value scalePlace,
                 mlir::Value zeroPlace);
  void emitBf16(mlir::Value input, mlir::Value out);
  void emitNarrowTile(const Strip &strip, mlir::Value row,
                      mlir::Value rowInBlock, int64_t count);
  llvm::SmallVector<mlir::Value> firstSums(const Strip &strip,
                                           mlir::Value rowInBlock,
                                           int64_t count, unsigned vectors);
  /// A row's zero in all lanes.
  mlir::Value rowZero(mlir::Value rowInBlock);
  /// What a row's zero takes from a vector of its sums.
  mlir::Value ofZero(const Strip &strip, mlir::Value zero, unsigned vector);
  void multiplyWord(mlir::Value rowsAt, mlir::Value weight, mlir::Value word,
                    unsigned vectors, llvm::MutableArrayRef<mlir::Value> sums);
  void multiplyShorts(
      llvm::function_ref<mlir::Value(int64_t row, mlir::Value word)> rowWord,
      llvm::ArrayRef<mlir::Value> weights, mlir::Value word,
      llvm::MutableArrayRef<mlir::Value> sums);
  /// Products of rows in groups of i8 (EmitGroups.cpp).
  void emitGroupedRows(mlir::Value blockFrom, mlir::Value blockTo);
  mlir::Value rowFactors(mlir::Value rowInBlock, int64_t row,
                         mlir::Value group);
  void emitRowGroup(mlir::Value input, mlir::Value out, mlir::Value factors,
                    int64_t count);
  int32_t addedToWeights();
  mlir::Value firstOfGroup(mlir::Value factors);
  void storeSteps(mlir::Value q, mlir::Value out, mlir::Value index);
  void emitGroupedTile(const Strip &strip, mlir::Value row,
                       mlir::Value rowInBlock, int64_t count);
  /// Adds group `index` of depth, of `steps` steps, to the sums of a tile.
  void addGroup(const Strip &strip, mlir::Value rowInBlock, mlir::Value index,
                int64_t steps, unsigned vectors,
                llvm::MutableArrayRef<mlir::Value> sums);
  void multiplyUnit(const Strip &strip, mlir::Value rowsAt, mlir::Value first,
                    int64_t count, unsigned vectors,
                    llvm::MutableArrayRef<mlir::Value> sums);
  mlir::Value makePositive(mlir::Value words, int64_t part);
  void multiplyPositive(mlir::Value weights, mlir::Value x, mlir::Value &sum,
                        mlir::Value &pair);
  mlir::Value addPairs(mlir::Value sum, mlir::Value pairs);
  /// The same by tiles of AMX (EmitTiles.cpp).
  void configureTiles();
  /// Tiles of sums: `down` of rows by `across` of columns from `column` on.
  struct TileForm {
    int64_t down, column, across;
  };
  /// A part of a strip: rows from `row` on, tiles of depth [from, to).
  struct TilePart {
    mlir::Value row, rowInBlock, count;
    mlir::Value from, to;
  };
  void emitTileStrip(const Strip &strip, mlir::Value blockFrom,
                     mlir::Value blockTo);
  void emitTilePart(const Strip &strip, const TilePart &part);
  void multiplyTiles(const Strip &strip, const TilePart &part, mlir::Value tile,
                     const TileForm &form, bool prefetches);
  void finishTiles(const Strip &strip, const TilePart &part);
  mlir::Value finishBytes(const Strip &strip, mlir::Value sum,
                          mlir::Value scale, unsigned vector);
  mlir::Value intrinsic(llvm::StringRef name, mlir::Value sum,
                        llvm::ArrayRef<mlir::Value> operands,
                        mlir::Type element);

  mlir::LogicalResult setUpOpenBlas();
  void copyRow(mlir::Value from, mlir::Value to, int64_t count);
  void callOpenBlas(mlir::Value input, int64_t stride, mlir::Value out);
  /// The same for fewer rows than a call has.
  void callPadded(mlir::Value input, mlir::Value out, mlir::Value count);
  /// The element region on a whole row of finished sums.
  void emitElementRow(mlir::Value row);

  KernelEmitter &e;
  attn::LinearOp op;
  llvm::SmallVector<SizeExpr> leading; ///< dimensions of the rows
  mlir::Value rows;
  int64_t columns, depth, inputStride;
  kernel::PanelsAttr panels;
  int64_t panelWidth = 0, tileRows = 0, tileColumns = 0;
  int64_t blockRows = 0, blockDepth = 0;
  int64_t pack = 1;       ///< steps of depth in a word of weights
  int64_t unroll = 0;     ///< steps of depth per iteration
  int64_t panelWords = 0; ///< from one panel to the next, scales included
  bool widens = false;    ///< weights are narrow, rows are not
  mlir::Value buffer;     ///< of the sums of a tile, once needed
  std::optional<NarrowRows> narrow; ///< nothing: rows are multiplied as f32
};

} // namespace attnc::cpu

#endif // ATTNC_COMPILER_CPU_EMITLINEAR_H
