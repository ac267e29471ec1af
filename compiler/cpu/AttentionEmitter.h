//===- AttentionEmitter.h - the parts of the attention kernel -*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One kernel of `attn.attention`: the work split (EmitAttention.cpp), keys,
// values and queries laid out in the worker's scratch (AttentionPacking.cpp),
// and a block of query rows from scores to output (AttentionBlock.cpp), its
// products by vectors or by tiles of AMX (AttentionTiles.cpp).
//
// A block is `tileRows` query rows. Keys are cut into panels of `panel`
// neighbours, the columns of one register tile. In scratch lie
//
//   queries       [tileRows][paddedHead]
//   maxima        [tileRows][lanes], scales [tileRows]
//   probabilities [panels][tileRows][panel]
//   keys          [panels][D][panel], the last panel as narrow as whole
//                 vectors allow
//   values        [KV][paddedValue]
//
// With `precision` bf16, queries, keys, probabilities and values are pairs of
// bf16 in words of 32 bits: neighbours of depth in a query or key, two keys in
// probabilities and values. Sizes above then count words; scores, their softmax
// and all sums stay f32.
//
// Tiles of AMX read the same words. Depth, keys and values are then padded to
// whole tiles, the last panel is as wide as the others, and panels of
// probabilities lie a little further apart (schedule/AttentionTiles.h).
//
// More keys than `chunk` are taken chunk by chunk, by all rows of an item, so
// that keys and values stay in L2 and scores in L1 meanwhile: an online
// softmax. Of every row a maximum and a sum are kept, and the output holds what
// was added up before, which the next chunk scales to its maximum. Chunks begin
// at multiples of `chunk`, so that a row's bits depend on nothing else.
//
// Values are copied because the rows of a fused projection lie thousands of
// bytes apart: every block would touch one page per key.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_CPU_ATTENTIONEMITTER_H
#define ATTNC_COMPILER_CPU_ATTENTIONEMITTER_H

#include "compiler/cpu/Emitter.h"
#include "compiler/schedule/MaskBounds.h"

namespace attnc::cpu {

class AttentionEmitter {
public:
  AttentionEmitter(KernelEmitter &emitter, attn::AttentionOp op);
  void emit();

private:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<mlir::Value>;

  /// One sequence of the batch; all i64.
  struct Sequence {
    Value index;
    Value firstQuery, firstKey; ///< rows of the operands
    Value queries, keys;        ///< lengths
  };
  /// `tileRows` query rows of one head, of which `rows` exist.
  struct Block {
    Sequence sequence;
    Value head, query, rows;
    Value firstPanel, keyEnd; ///< keys that the mask's bounds admit
    Value fullPanels;         ///< panels without a tail, of all keys
    // Of a chunk; null without.
    Value base;            ///< its first panel
    Value isFirst, isLast; ///< of those that the block visits
    Value itemRow;         ///< of the block's first row, within its item
    Value hasNext;         ///< whether this worker goes on to the next head
  };

  // EmitAttention.cpp
  Sequence sequenceAt(Value index);
  std::pair<Value, Value> itemsAndCost(const Sequence &sequence);
  /// One item; the worker has those from `firstItem` up to `endItem`.
  void emitItem(const Sequence &sequence, Value item, Value firstItem,
                Value endItem);
  /// Asks for a share of the next head's queries, keys and values, beside the
  /// block's work on this one: part `part` of kPrefetchParts.
  void prefetchNextHead(const Block &block, int64_t part);
  static constexpr int64_t kPrefetchParts = 4;
  /// Asks for the lines of the output that the block will write, while it
  /// works: another worker read them last.
  void prefetchOutput(const Block &block);
  void prefetchRow(Value tensor, Value row, int64_t stride, Value head,
                   int64_t size);
  void placeScratch();

  // AttentionPacking.cpp
  void packKeys(const Sequence &sequence, Value keyHead);
  void packValues(const Sequence &sequence, Value keyHead);
  void packQueries(const Block &block);
  void transposeRows(llvm::ArrayRef<Value> rows, Value target, Value stride);
  Value loadWords(Value source, Value word, int64_t elements);
  Value toBf16(Value vector);
  Value pairRows(Value even, Value odd);
  void copyRow(Value source, Value target, int64_t size);

  // AttentionBlock.cpp
  void emitBlock(const Sequence &sequence, Value head, Value query,
                 Value chunkIndex, Value hasNext);
  void emitKeys(const Block &block);
  void boundKeys(Block &block);
  Value cutChunk(Block &block, Value chunkIndex);
  Value scoresAt(const Block &block, Value panelIndex);
  Value loadEarlier(const Block &block, Value place, Value mask);
  Value joinMaximum(const Block &block, Value row, Value maximum);
  Value joinSum(const Block &block, Value row, Value sum);
  Value applyRegions(const Block &block, Value score, Value query, Value key,
                     Value laneMask);
  void emitScores(const Block &block);
  Values emitScoreTile(const Block &block, unsigned width, Value panelIndex,
                       Value lastMask, mlir::ValueRange maxima);
  /// Some scores of a row: where they lie, and where they will as bf16; null or
  /// which of the lanes are keys.
  struct Scores {
    Value place, narrow, key, mask;
  };
  Value visitRow(const Block &block, Value row, Value initial,
                 llvm::function_ref<Value(const Scores &, Value carried)> body);
  Value multiplyAdd(Value word, Value vector, Value sum);
  void emitSoftmax(const Block &block);
  void emitWeightedSum(const Block &block);
  void emitOutputTile(const Block &block, unsigned firstVector, unsigned width);

  // AttentionTiles.cpp
  /// One step of depth: words of rows and of columns, and the words from one
  /// row of either to the next.
  struct TileStep {
    Value rows;
    int64_t rowWords;
    Value columns;
    int64_t columnWords;
  };
  void configureTiles();
  void forTilesDown(const Block &block,
                    llvm::function_ref<void(int64_t down)> emit);
  void multiplyTiles(const TileStep &step, int64_t down, int64_t across);
  void emitTileScores(const Block &block);
  void emitTileSum(const Block &block);
  void sumTiles(const Block &block, Value column, int64_t down, int64_t across);
  void storeSums(const Block &block, Value column, int64_t across);

  Value queryOf(const Block &block, Value row);
  Value hasTail(const Block &block);

  KernelEmitter &e;
  mlir::OpBuilder &b;
  attn::AttentionOp op;
  mlir::Location loc;

  attn::CapturedRegion score, mask;
  llvm::SmallVector<KeyBound> bounds;
  bool regionsInRow; ///< evaluated row by row, after the products

  bool isBf16;    ///< products of pairs of bf16
  bool usesTiles; ///< by tiles of AMX
  int64_t pack;   ///< numbers in a word
  int64_t lanes, tileRows, panelVectors, panel;
  int64_t itemRows;  ///< query rows that are shared out together
  int64_t chunk;     ///< keys of a softmax, whole panels; 0: all
  int64_t keysAhead; ///< of the next head, at most, fetched beside one
  int64_t queryHeads, keyHeads, headSize, valueSize;
  int64_t headWords;   ///< of a query or key
  int64_t keyWords;    ///< of depth in a panel of keys, padding included
  int64_t panelStride; ///< from one panel of probabilities to the next
  int64_t paddedHead, paddedValue;
  int64_t queryStride, keyStride, valueStride;

  Value query, key, value, output, offsets;
  Value batches, maximumKeys;
  Value queryScratch, maxima, scales, probabilities, keyScratch, valueScratch;
  Value tileSums, tileConfiguration;
  Value keptMaxima, keptSums, factors; ///< of chunks
};

} // namespace attnc::cpu

#endif // ATTNC_COMPILER_CPU_ATTENTIONEMITTER_H
