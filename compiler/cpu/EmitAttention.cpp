//===- EmitAttention.cpp - attention kernels ------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The work split of `attn.attention` in its three forms. An item is one query
// head and 64 query rows of one sequence; the items of all sequences form one
// line, each as long as its work, of which every worker takes a contiguous
// part. Keys and values are laid out anew when the key head changes:
//
//   for sequence: for item of mine: [keys, values]; for chunk of keys:
//     for block of rows: scores, softmax, weighted sum
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/AttentionEmitter.h"
#include "compiler/schedule/AttentionTiles.h"
#include "compiler/schedule/Tuning.h"

using namespace mlir;

namespace attnc::cpu {

static constexpr int64_t kLine = 16; ///< words of a cache line

/// Cheap regions are evaluated on the scores in registers, in every copy of the
/// tile; anything with a polynomial or a gather in it, once, in a loop over
/// rows.
static bool isCheap(const attn::CapturedRegion &region) {
  constexpr unsigned kCheapOps = 8;
  if (!region)
    return true;
  unsigned ops = 0;
  for (Operation &op : region.block().without_terminator()) {
    if (isa<attn::LookupOp>(op) ||
        (isa<math::MathDialect>(op.getDialect()) && !isa<math::AbsFOp>(op)))
      return false;
    ops += !op.hasTrait<OpTrait::ConstantLike>();
  }
  return ops <= kCheapOps;
}

AttentionEmitter::AttentionEmitter(KernelEmitter &emitter, attn::AttentionOp op)
    : e(emitter), b(emitter.b), op(op), loc(emitter.loc),
      score(op.getScoreRegion()), mask(op.getMaskRegion()),
      bounds(findKeyBounds(mask)),
      regionsInRow(!isCheap(score) || !isCheap(mask)), lanes(emitter.lanes) {
  kernel::PrecisionAttr precision = e.kernel.getPrecisionAttr();
  isBf16 = precision && precision.getActivations() == kernel::Format::bf16;
  usesTiles = isBf16 && e.target.hasTiles;
  const CostModel::AttentionTile chosen =
      e.model.chooseAttention(getAttention(e.kernel, op));
  kernel::TileAttr tile = e.kernel.getTileAttr();
  tileRows = tile ? tile.getRows() : chosen.rows;
  panel = tile && tile.getColumns() ? tile.getColumns() : chosen.columns;
  itemRows = tile && tile.getBlock() ? tile.getBlock() : chosen.block;
  chunk = tile ? tile.getDepth() : chosen.chunk;
  keysAhead = e.model.getKeysAhead(getAttention(e.kernel, op));
  if (chunk) // more are taken by all rows several times
    keysAhead = std::min(keysAhead, chunk);
  assert(chunk % panel == 0 && "chunks are whole panels");
  panelVectors = panel / lanes;
  queryHeads = op.getQueryHeads();
  keyHeads = op.getKeyHeads();
  headSize = op.getHeadSize();
  valueSize = op.getValueSize();
  pack = isBf16 ? 2 : 1;
  headWords = llvm::divideCeil(headSize, pack);
  paddedHead = llvm::alignTo(headWords, lanes);
  keyWords = usesTiles ? paddedHead : headWords;
  panelStride = tileRows * panel + (usesTiles ? AttentionTiles::kPanelGap : 0);
  regionsInRow |= usesTiles; // scores leave tiles by memory
  paddedValue = llvm::alignTo(valueSize, lanes);
  const bool hasHeads = op.getQuery().getType().getRank() > 2;
  const unsigned rowRank = hasHeads ? 2 : 1;
  queryStride = e.rowStride(op.getQuery(), rowRank);
  keyStride = e.rowStride(op.getKey(), rowRank);
  valueStride = e.rowStride(op.getValue(), rowRank);
}

void AttentionEmitter::placeScratch() {
  Value place = e.scratch();
  auto take = [&](Value elements) {
    Value start = place;
    place = e.at(place, elements);
    return start;
  };
  if (chunk) {
    keptMaxima = take(e.i64(itemRows));
    keptSums = take(e.i64(itemRows));
    factors = take(e.i64(llvm::alignTo(tileRows, 16)));
  }
  queryScratch = take(e.i64(tileRows * paddedHead));
  if (usesTiles) {
    tileSums = take(e.i64(tileRows * AttentionTiles::kColumns));
    tileConfiguration = take(e.i64(AttentionTiles::kConfigurationWords));
    scales = take(e.i64(tileRows));
    Value panels = e.ceilDiv(maximumKeys, panel);
    probabilities = take(e.mul(panels, e.i64(panelStride)));
    keyScratch = take(e.mul(panels, e.i64(panel * keyWords)));
    valueScratch = place;
    return;
  }
  maxima = take(e.i64(tileRows * lanes));
  scales = take(e.i64(llvm::alignTo(tileRows, lanes)));
  probabilities =
      take(e.mul(e.ceilDiv(maximumKeys, panel), e.i64(tileRows * panel)));
  Value vectors = e.ceilDiv(maximumKeys, lanes);
  keyScratch = take(e.mul(vectors, e.i64(headWords * lanes)));
  valueScratch = place;
}

AttentionEmitter::Sequence AttentionEmitter::sequenceAt(Value index) {
  auto shape = attn::getNamedShape(op.getKey().getType());
  auto queryShape = attn::getNamedShape(op.getQuery().getType());
  if (op.isPacked()) {
    Value place = e.at(offsets, index);
    Value start = e.toI64(e.loadI32(place));
    Value end = e.toI64(e.loadI32(e.at(place, e.i64(1))));
    Value length = e.sub(end, start);
    return {index, start, start, length, length};
  }
  const unsigned rowDim = shape.size() == 4 ? 1 : 0;
  Value queries = e.size(queryShape[rowDim]);
  Value keys = e.size(shape[rowDim]);
  return {index, e.mul(index, queries), e.mul(index, keys), queries, keys};
}

/// How many items a sequence has, and the work of one.
std::pair<Value, Value>
AttentionEmitter::itemsAndCost(const Sequence &sequence) {
  Value chunks = e.ceilDiv(sequence.queries, itemRows);
  Value rows = e.minimum(sequence.queries, e.i64(itemRows));
  Value cost = e.maximum(e.mul(rows, sequence.keys), e.i64(1));
  return {e.mul(chunks, e.i64(queryHeads)), cost};
}

void AttentionEmitter::emit() {
  query = e.pointerOf(op.getQuery());
  key = e.pointerOf(op.getKey());
  value = e.pointerOf(op.getValue());
  output = e.pointerOf(op.getResult());
  auto shape = attn::getNamedShape(op.getKey().getType());
  if (op.isPacked()) {
    offsets = e.pointerOf(op.getOffsets());
    auto ends = attn::getNamedShape(op.getOffsets().getType());
    batches = e.sub(e.size(ends[0]), e.i64(1));
    maximumKeys = e.size(*SizeExpr::parse(*op.getLengthBound()));
  } else {
    const bool hasBatch = shape.size() == 4;
    batches = hasBatch ? e.size(shape[0]) : e.i64(1);
    maximumKeys = e.size(shape[hasBatch ? 1 : 0]);
  }
  placeScratch();

  Value zero = e.i64(0);
  Value total = e.loop(zero, batches, 1, zero,
                       [&](Value index, ValueRange sum) -> SmallVector<Value> {
                         auto [items, cost] = itemsAndCost(sequenceAt(index));
                         return {e.add(sum[0], e.mul(items, cost))};
                       })[0];
  auto [from, to] = e.workerRange(total);
  if (usesTiles)
    e.ifThen(e.lessThan(from, to), [&] { configureTiles(); });
  // An item is the worker's in whose part it begins.
  e.loop(zero, batches, 1, zero,
         [&, from = from, to = to](Value index,
                                   ValueRange start) -> SmallVector<Value> {
           Sequence sequence = sequenceAt(index);
           auto [items, cost] = itemsAndCost(sequence);
           auto itemAt = [&, items = items, cost = cost](Value position) {
             Value within = e.maximum(e.sub(position, start[0]), zero);
             Value roundUp = e.add(within, e.sub(cost, e.i64(1)));
             return e.minimum(e.div(roundUp, cost), items);
           };
           Value first = itemAt(from);
           Value end = itemAt(to);
           e.loop(first, end, 1,
                  [&](Value item) { emitItem(sequence, item, first, end); });
           return {e.add(start[0], e.mul(items, cost))};
         });
}

void AttentionEmitter::prefetchRow(Value tensor, Value row, int64_t stride,
                                   Value head, int64_t size) {
  constexpr unsigned kToL2 = 2;
  Value place =
      e.at(tensor, e.add(e.mul(row, e.i64(stride)), e.mul(head, e.i64(size))));
  for (int64_t word = 0; word < size; word += kLine)
    e.prefetch(e.at(place, e.i64(word)), kToL2);
}

void AttentionEmitter::prefetchOutput(const Block &block) {
  for (int64_t i = 0; i < tileRows; ++i) {
    Value row = e.add(block.sequence.firstQuery, queryOf(block, e.i64(i)));
    Value place = e.at(output, e.add(e.mul(row, e.i64(queryHeads * valueSize)),
                                     e.mul(block.head, e.i64(valueSize))));
    for (int64_t word = 0; word < valueSize; word += kLine)
      e.prefetchToWrite(e.at(place, e.i64(word)));
  }
}

void AttentionEmitter::prefetchNextHead(const Block &block, int64_t part) {
  const Sequence &sequence = block.sequence;
  const int64_t group = queryHeads / keyHeads;
  Value head = e.add(block.head, e.i64(1));
  auto emitRows = [&] {
    for (int64_t i = part; i < tileRows; i += kPrefetchParts)
      prefetchRow(query, e.add(sequence.firstQuery, queryOf(block, e.i64(i))),
                  queryStride, head, headSize);
    Value keyHead = e.div(block.head, e.i64(group));
    Value ofGroup = e.sub(block.head, e.mul(keyHead, e.i64(group)));
    Value blocks = e.ceilDiv(sequence.queries, tileRows);
    // Rows far apart together: some of them this worker has made itself.
    Value step = e.mul(blocks, e.i64(group * kPrefetchParts));
    Value index =
        e.add(e.mul(ofGroup, blocks), e.div(block.query, e.i64(tileRows)));
    Value first = e.add(e.mul(index, e.i64(kPrefetchParts)), e.i64(part));
    Value number =
        e.div(e.sub(e.add(sequence.keys, step), e.add(first, e.i64(1))), step);
    e.loop(e.i64(0), number, 1, [&](Value turn) {
      Value at = e.add(sequence.firstKey, e.add(first, e.mul(turn, step)));
      Value nextKeyHead = e.add(keyHead, e.i64(1));
      prefetchRow(key, at, keyStride, nextKeyHead, headSize);
      prefetchRow(value, at, valueStride, nextKeyHead, valueSize);
    });
  };
  e.ifThen(block.hasNext, emitRows);
}

void AttentionEmitter::emitItem(const Sequence &sequence, Value item,
                                Value firstItem, Value endItem) {
  const int64_t group = queryHeads / keyHeads;
  Value chunks = e.ceilDiv(sequence.queries, itemRows);
  Value head = e.div(item, chunks);
  Value ofHead = e.sub(item, e.mul(head, chunks));
  Value keyHead = e.div(head, e.i64(group));

  auto equal = [&](Value x, Value y) -> Value {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, x, y);
  };
  Value firstOfHead = e.mul(e.mul(keyHead, e.i64(group)), chunks);
  Value isNew = arith::OrIOp::create(b, loc, equal(item, firstItem),
                                     equal(item, firstOfHead));
  e.ifThen(isNew, [&] {
    packKeys(sequence, keyHead);
    packValues(sequence, keyHead);
  });

  Value from = e.mul(ofHead, e.i64(itemRows));
  Value to = e.minimum(e.add(from, e.i64(itemRows)), sequence.queries);
  Value nextHead = e.mul(e.add(keyHead, e.i64(1)), e.mul(chunks, e.i64(group)));
  Value hasNext = e.lessThan(nextHead, endItem);
  hasNext = arith::AndIOp::create(
      b, loc, hasNext, e.lessThan(sequence.keys, e.i64(keysAhead + 1)));
  auto blocks = [&](Value chunkIndex) {
    e.loop(from, to, tileRows, [&](Value row) {
      emitBlock(sequence, head, row, chunkIndex, hasNext);
    });
  };
  if (!chunk)
    return blocks(Value());
  // Rows without keys are visited, too: they are zeros.
  Value parts = e.maximum(e.ceilDiv(sequence.keys, chunk), e.i64(1));
  e.loop(e.i64(0), parts, 1, [&](Value index) { blocks(index); });
}

LogicalResult KernelEmitter::emitAttention(attn::AttentionOp op) {
  AttentionEmitter(*this, op).emit();
  return success();
}

} // namespace attnc::cpu
