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
           e.loop(first, itemAt(to), 1,
                  [&](Value item) { emitItem(sequence, item, first); });
           return {e.add(start[0], e.mul(items, cost))};
         });
}

void AttentionEmitter::emitItem(const Sequence &sequence, Value item,
                                Value firstItem) {
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
  auto blocks = [&](Value chunkIndex) {
    e.loop(from, to, tileRows,
           [&](Value row) { emitBlock(sequence, head, row, chunkIndex); });
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
