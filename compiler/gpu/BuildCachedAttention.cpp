//===- BuildCachedAttention.cpp - attention with states -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.cached_attention`. Sequences with more than a few new rows, as a prompt
// has them: a block takes queries of one head and walks the keys as
// BuildAttention.cpp does. Sequences with few new rows, as decoding makes them,
// where reading the states is all there is to do: the rows are the query heads
// that share a key head, at one position; blocks take parts of the positions,
// and each warp some of a block's keys,
//
//   copy K(0), V(0); for j: wait; sync; copy K(j + 1), V(j + 1)
//     S = Q K(j)^T; regions; m, P, l; O = O factor + P V(j)
//
// on f32 or bf16 as it lies in the states, or on scale * q of i8; their sums,
// maxima and totals go to scratch, and a last program adds the parts up:
//
//   M = max m;  w = exp2(m - M);  out = sum of w O / sum of w l
//
// Every sequence is in one of the two by its number of new rows, whatever the
// others do.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/RowProgram.h"
#include "compiler/gpu/SoftmaxBuilder.h"
#include "compiler/gpu/StateBlocks.h"
#include "compiler/schedule/StateLayout.h"
#include "llvm/Support/MathExtras.h"
#include <limits>

using namespace mlir;

namespace attnc::gpu {

static constexpr float kInfinity = std::numeric_limits<float>::infinity();
/// New rows of a sequence up to which its states are read in parts: with more
/// there is work for more blocks.
static constexpr int64_t kFewQueries = 4;
/// Rows of a product's left side.
static constexpr int64_t kMmaRows = 16;

namespace {
class CachedAttentionBuilder : SoftmaxBuilder {
public:
  CachedAttentionBuilder(ProgramBuilder &e, attn::CachedAttentionOp op);
  void build();

private:
  /// One block's tile: queries x keys per step, sizes as tiles hold them.
  struct Tile {
    int64_t queries, keys, warps, headSize, valueSize;
  };
  /// What a block works on. Its rows are the positions from `position` on of
  /// one head, or, in parts, the heads from `head` on at one position.
  struct Work {
    Value sequence, keyHead, head, position;
    Value rows;        ///< how many there are, from the block's first one
    Value keys;        ///< positions that the sequence has now
    Value valueColumn; ///< first column of the values, and of the result
  };
  /// The states, as the program at hand reads them.
  struct Memory {
    StateBlocks key, value;
  };

  Value sequenceStart(Value sequence) {
    return e.load(op.getOffsets(), e.wide(sequence));
  }
  Value sequenceCount(Value sequence) {
    return e.sub(sequenceStart(e.add(sequence, e.i32(1))),
                 sequenceStart(sequence));
  }
  void allocate(int64_t stages);
  Value stageOf(Value tile, Value index);
  void copy(Value source, Value row, Value column, Value rows, int64_t columns,
            Value stride, Type element, bool aligned, Value tile);
  void copyQueries(Value offset, Value stride, Value rows);
  void copyState(StateBlocks &blocks, Value head, Value row, Value column,
                 Value rows, int64_t columns, Value tile);
  void copyKeys(Memory &memory, const Work &work, Value key, Value tile);
  void copyValues(Memory &memory, const Work &work, Value key, Value tile);
  Value multiplyKeys(Value row, Value keys, Value column, int64_t count);
  Value finishScores(const Work &work, Value sums, Value row, Value key,
                     bool masked);
  Value addValues(Value weights, Value sums, Value values, Value row);
  Values startRows(int64_t rows);
  Values addKeys(Value scores, ValueRange state, Value values, Value row);

  void buildPrompt();
  Values findTile();
  Value promptRows(const Work &work, Memory &memory, Value start);
  void buildParts();
  void partRows(const Work &work, Memory &memory, Value part, Value start,
                Value firstHead, Value place);
  void buildMerge();
  Value partPlace(Value part, Value row);
  SizeExpr countPartRows() {
    return batch * SizeExpr(kFewQueries * op.getQueryHeads());
  }

  attn::CachedAttentionOp op;
  SizeExpr batch;
  int64_t group; ///< query heads that share a key head
  int64_t parts; ///< blocks that share a sequence's positions
  bool inParts = false;
  Tile t;
  Value queryTile, keyTile, valueTile;
};
} // namespace

CachedAttentionBuilder::CachedAttentionBuilder(ProgramBuilder &e,
                                               attn::CachedAttentionOp op)
    : SoftmaxBuilder(e, op.getScoreRegion(), op.getMaskRegion()), op(op),
      batch(attn::getNamedShape(op.getPast().getType())[0]),
      group(op.getQueryHeads() / op.getKeyHeads()) {
  if (int64_t window = op.getWindow()) {
    // kv > q - window, which the mask region need not say.
    bounds.push_back({/*isUpper=*/false, /*slope=*/1, 1 - window});
  }
  t.headSize = llvm::alignTo(op.getHeadSize(), kMmaRows);
  t.valueSize = llvm::alignTo(op.getValueSize(), kMmaRows);
  // 128 blocks for one sequence fill 132 multiprocessors; sequences of few
  // blocks need no more parts than that.
  constexpr int64_t kBlocks = 128, kMostParts = 16;
  const int64_t rowTiles = op.getKeyHeads() * llvm::divideCeil(group, kMmaRows);
  parts = std::clamp<int64_t>(kBlocks / rowTiles, 1, kMostParts);
  parts = std::min<int64_t>(parts,
                            llvm::divideCeil(e.statePositions(), kStateBlock));
}

//===-- tiles -------------------------------------------------------------===//

void CachedAttentionBuilder::allocate(int64_t stages) {
  auto alloc = [&](int64_t stages, int64_t rows, int64_t columns) -> Value {
    auto type = warp::TileType::get(b.getContext(), stages, rows, columns,
                                    e.operandType());
    return warp::AllocOp::create(b, e.loc, type, false, IntegerAttr(),
                                 warp::LayoutAttr());
  };
  queryTile = alloc(1, t.queries, t.headSize);
  keyTile = alloc(stages, t.headSize, t.keys);
  valueTile = alloc(stages, t.keys, t.valueSize);
}

Value CachedAttentionBuilder::stageOf(Value tile, Value index) {
  auto type = cast<warp::TileType>(tile.getType());
  auto one = warp::TileType::get(b.getContext(), 1, type.getRows(),
                                 type.getColumns(), type.getElement());
  return warp::StageOp::create(b, e.loc, one, tile, index);
}

void CachedAttentionBuilder::copy(Value source, Value row, Value column,
                                  Value rows, int64_t columns, Value stride,
                                  Type element, bool aligned, Value tile) {
  warp::CopyOp::create(b, e.loc, source, row, column, rows, e.i32(columns),
                       stride, element, tile,
                       aligned && element == e.operandType(), aligned);
}

/// Rows from `offset` (i64 elements) of the queries on.
void CachedAttentionBuilder::copyQueries(Value offset, Value stride,
                                         Value rows) {
  Type element = e.storageOf(op.getQuery());
  const int64_t chunk = 128 / e.operandType().getIntOrFloatBitWidth();
  Value source = e.at(e.pointerOf(op.getQuery()), offset, element);
  copy(source, e.i32(0), e.i32(0), rows, op.getHeadSize(), stride, element,
       e.isAligned(op.getQuery(), chunk), queryTile);
}

/// Numbers of a head from (row, column) on, where the states have them.
void CachedAttentionBuilder::copyState(StateBlocks &blocks, Value head,
                                       Value row, Value column, Value rows,
                                       int64_t columns, Value tile) {
  const int64_t stride =
      blocks.transposed ? blocks.positions : blocks.rowElements;
  const int64_t chunk = 128 / e.operandType().getIntOrFloatBitWidth();
  if (!blocks.isScaled()) {
    copy(head, row, column, rows, columns, e.i64(stride), blocks.element,
         columns % chunk == 0, tile);
    return;
  }
  warp::ScaledCopyOp::create(b, e.loc, head, row, column, rows, e.i32(columns),
                             e.i64(stride), blocks.scalesOf(head), tile,
                             blocks.transposed);
}

/// Keys lie transposed: a row of the tile is an element of all keys. Behind the
/// last key of a sequence a block holds anything, and scores are masked.
void CachedAttentionBuilder::copyKeys(Memory &memory, const Work &work,
                                      Value key, Value tile) {
  StateBlocks &blocks = memory.key;
  Value block = e.i32(blocks.positions);
  Value head = blocks.headOf(work.sequence, e.div(key, block), work.keyHead);
  copyState(blocks, head, e.i32(0), e.rem(key, block), e.i32(op.getHeadSize()),
            blocks.positions, tile);
}

/// Rows of values behind the last key become zeros: 0 * NaN is no 0. Those of
/// few bits are filled up with zeros to whole chunks.
void CachedAttentionBuilder::copyValues(Memory &memory, const Work &work,
                                        Value key, Value tile) {
  StateBlocks &blocks = memory.value;
  Value block = e.i32(blocks.positions), index = e.div(key, block);
  Value head = blocks.headOf(work.sequence, index, work.keyHead);
  Value rows = e.minimum(e.sub(work.keys, e.mul(index, block)), block);
  copyState(blocks, head, e.rem(key, block), work.valueColumn, rows,
            blocks.rowElements, tile);
}

//===-- products ----------------------------------------------------------===//

/// Scores of a warp's rows, from `row` of the queries on, with `count` keys
/// from `column` of the tile on.
Value CachedAttentionBuilder::multiplyKeys(Value row, Value keys, Value column,
                                           int64_t count) {
  const int64_t depth = e.operandDepth(),
                rows = t.queries / (inParts ? 1 : t.warps);
  auto accType = fragment(warp::Role::acc, rows, count);
  auto lhsType = fragment(warp::Role::lhs, rows, depth);
  auto rhsType = fragment(warp::Role::rhs, depth, count);
  Value sums = warp::SplatOp::create(b, e.loc, accType, e.f32(0));
  for (int64_t k = 0; k < t.headSize; k += depth) {
    Value query = warp::LoadOp::create(b, e.loc, lhsType, queryTile, row,
                                       e.i32(k), false, false);
    Value key = warp::LoadOp::create(b, e.loc, rhsType, keys, e.i32(k), column,
                                     /*transpose=*/true, false);
    sums =
        warp::MmaOp::create(b, e.loc, accType, query, key, sums, e.precision());
  }
  return sums;
}

/// The score region and, where `masked`, what masks a key.
Value CachedAttentionBuilder::finishScores(const Work &work, Value sums,
                                           Value row, Value key, bool masked) {
  if (scoreIsScale && !masked)
    return sums;
  auto map = warp::MapOp::create(b, e.loc, sums.getType(), sums, row, key);
  OpBuilder::InsertionGuard guard(b);
  Block *block = b.createBlock(&map.getBody(), {},
                               {b.getF32Type(), b.getI32Type(), b.getI32Type()},
                               {e.loc, e.loc, e.loc});
  Value x = block->getArgument(0), kv = block->getArgument(2);
  // Rows past the last one are the last one.
  Value number = e.minimum(block->getArgument(1), e.sub(work.rows, e.i32(1)));
  Value head = inParts ? e.add(work.head, number) : work.head;
  Value q = inParts ? work.position : e.add(work.position, number);
  Value dims[] = {work.sequence, head, q, kv};
  if (!scoreIsScale)
    x = e.inlineRegion(score, {x, work.sequence, head, q, kv}, dims);
  if (masked) {
    Value seen = e.lessThan(kv, work.keys);
    if (mask)
      seen = e.both(seen,
                    e.inlineRegion(mask, {work.sequence, head, q, kv}, dims));
    if (int64_t window = op.getWindow())
      seen = e.both(seen, e.lessThan(q, e.add(kv, e.i32(window))));
    x = e.select(seen, x, e.f32(-kInfinity));
  }
  warp::YieldOp::create(b, e.loc, x);
  return map.getResult(0);
}

/// sums + P V, V from `row` of the tile on.
Value CachedAttentionBuilder::addValues(Value weights, Value sums, Value values,
                                        Value row) {
  const int64_t depth = e.operandDepth();
  auto type = cast<warp::FragmentType>(weights.getType());
  auto lhsType = fragment(warp::Role::lhs, type.getRows(), depth);
  auto rhsType = fragment(warp::Role::rhs, depth, t.valueSize);
  for (int64_t k = 0; k < type.getColumns(); k += depth) {
    Value p = warp::ConvertOp::create(b, e.loc, lhsType, weights, k);
    Value v = warp::LoadOp::create(b, e.loc, rhsType, values,
                                   e.add(row, e.i32(k)), e.i32(0),
                                   /*transpose=*/true, bool(e.precision()));
    sums = warp::MmaOp::create(b, e.loc, sums.getType(), p, v, sums,
                               e.precision());
  }
  return sums;
}

/// O, m, l of rows that have seen nothing.
SmallVector<Value> CachedAttentionBuilder::startRows(int64_t rows) {
  auto rowsType = warp::RowsType::get(b.getContext(), rows);
  auto accType = fragment(warp::Role::acc, rows, t.valueSize);
  return {warp::SplatOp::create(b, e.loc, accType, e.f32(0)),
          warp::SplatOp::create(b, e.loc, rowsType, e.f32(-kInfinity)),
          warp::SplatOp::create(b, e.loc, rowsType, e.f32(0))};
}

/// The rows once they have seen these keys as well.
SmallVector<Value> CachedAttentionBuilder::addKeys(Value scores,
                                                   ValueRange state,
                                                   Value values, Value row) {
  Values next = softmax(scores, state[1]);
  Value total = warp::ReduceOp::create(b, e.loc, state[2].getType(),
                                       warp::Combine::add, false, next[2]);
  total = mapRows({state[2], next[1], total}, 1, [&](ValueRange x) -> Values {
    return {e.fma(x[0], x[1], x[2])};
  });
  return {addValues(next[2], scale(state[0], next[1]), values, row), next[0],
          total};
}

//===-- prompts -----------------------------------------------------------===//

/// Sequence and first row of this block: sequences have ceil(n / queries)
/// tiles each, those of few rows none. -1 for a block without work.
SmallVector<Value> CachedAttentionBuilder::findTile() {
  Value none = e.i32(-1);
  Values found = e.loop(
      e.i32(0), e.size(batch), e.i32(1),
      ValueRange{e.blockId(0), none, e.i32(0)},
      [&](Value sequence, ValueRange carried) -> Values {
        Value count = sequenceCount(sequence);
        Value isFew = e.lessThan(count, e.i32(kFewQueries + 1));
        Value tiles = e.select(isFew, e.i32(0), e.ceilDiv(count, t.queries));
        Value tile = carried[0];
        // Behind the sequence that has it, the tile's number is negative.
        Value isHere = e.both(e.lessThan(none, tile), e.lessThan(tile, tiles));
        return {e.sub(tile, tiles), e.select(isHere, sequence, carried[1]),
                e.select(isHere, e.mul(tile, e.i32(t.queries)), carried[2])};
      });
  return {found[1], found[2]};
}

/// Tiles without spills, as those of BuildAttention.cpp.
void CachedAttentionBuilder::buildPrompt() {
  const int64_t size = std::max(t.headSize, t.valueSize);
  const int64_t valueParts = countValueParts(t.valueSize);
  t.valueSize /= valueParts;
  t.queries = e.precision() ? 64 : 128;
  t.warps = t.queries / kMmaRows;
  t.keys = size > 128 ? 32 : 64;
  if (e.precision())
    t.keys /= 2;
  inParts = false;
  SizeExpr rows = attn::getNamedShape(op.getQuery().getType())[0];
  e.begin("_prompt", 32 * t.warps,
          {{rows + batch * SizeExpr(t.queries), t.queries},
           {op.getQueryHeads() * valueParts, 1}});
  allocate(/*stages=*/1);
  Values tile = findTile();
  e.guard(e.lessThan(e.i32(-1), tile[0]), [&] {
    Work work;
    work.sequence = tile[0];
    work.head = e.div(e.blockId(1), e.i32(valueParts));
    work.valueColumn =
        e.mul(e.rem(e.blockId(1), e.i32(valueParts)), e.i32(t.valueSize));
    work.keyHead = e.div(work.head, e.i32(group));
    Value count = sequenceCount(work.sequence);
    Value past = e.load(op.getPast(), e.wide(work.sequence));
    work.position = e.add(past, tile[1]);
    work.rows = e.sub(count, tile[1]);
    work.keys = e.add(past, count);
    Memory memory = {StateBlocks(e, op.getKey()),
                     StateBlocks(e, op.getValue())};
    Value start = e.add(sequenceStart(work.sequence), tile[1]);
    Value result = promptRows(work, memory, start);
    Value warpRow = e.mul(e.warpId(), e.i32(kMmaRows));
    Type element = e.storageOf(op.getResult());
    Value stride = e.strideOf(op.getResult(), 0);
    Value offset = e.add(e.mul(e.wide(start), stride),
                         e.mul(e.wide(work.head), e.i64(op.getValueSize())));
    warp::StoreOp::create(
        b, e.loc, result, e.at(e.pointerOf(op.getResult()), offset, element),
        warpRow, work.valueColumn, work.rows, e.i32(op.getValueSize()), stride,
        element, op.getValueSize() % 2 == 0);
  });
  e.end();
}

/// The results of this warp's rows; `start` is the block's first packed row.
Value CachedAttentionBuilder::promptRows(const Work &work, Memory &memory,
                                         Value start) {
  Value warpRow = e.mul(e.warpId(), e.i32(kMmaRows)), one = e.i32(1);
  Value lastRow = e.sub(e.minimum(work.rows, e.i32(t.queries)), one);
  Span span = findSpan(
      {work.position, e.add(work.position, lastRow), e.i32(0), work.keys},
      t.keys);
  Value stride = e.strideOf(op.getQuery(), 0);
  copyQueries(e.add(e.mul(e.wide(start), stride),
                    e.mul(e.wide(work.head), e.strideOf(op.getQuery(), 1))),
              stride, work.rows);
  auto arrived = [&] {
    warp::WaitOp::create(b, e.loc, 0);
    warp::SyncOp::create(b, e.loc);
  };
  // A state without rows has no first block.
  e.ifThen(e.lessThan(span.begin, span.end),
           [&] { copyKeys(memory, work, span.begin, keyTile); });
  warp::CommitOp::create(b, e.loc);
  Values state = startRows(kMmaRows);
  auto walk = [&](Value from, Value to, bool masked) {
    state = e.loop(
        from, to, e.i32(t.keys), state, [&](Value key, ValueRange carried) {
          arrived();
          copyValues(memory, work, key, valueTile);
          warp::CommitOp::create(b, e.loc);
          Value scores = multiplyKeys(warpRow, keyTile, e.i32(0), t.keys);
          arrived();
          Value next = e.add(key, e.i32(t.keys));
          e.ifThen(e.lessThan(next, span.end),
                   [&] { copyKeys(memory, work, next, keyTile); });
          warp::CommitOp::create(b, e.loc);
          scores = finishScores(work, scores, warpRow, key, masked);
          return addKeys(scores, carried, valueTile, e.i32(0));
        });
  };
  if (boundsSayAll && hasLowerBound())
    walk(span.begin, span.fullBegin, /*masked=*/true);
  if (boundsSayAll)
    walk(span.fullBegin, span.fullEnd, /*masked=*/false);
  walk(span.fullEnd, span.end, /*masked=*/true);
  return scale(state[0], invert(state[2]));
}

//===-- parts -------------------------------------------------------------===//

/// Row `row` (i32) of part `part`, in rows of all parts.
Value CachedAttentionBuilder::partPlace(Value part, Value row) {
  return e.add(e.mul(e.wide(part), e.size64(countPartRows())), e.wide(row));
}

/// Two stages of keys and values in f32: 64 positions, or 32 of large heads.
void CachedAttentionBuilder::buildParts() {
  const bool isLarge = std::max(t.headSize, t.valueSize) > 128;
  t.queries = kMmaRows;
  t.warps = isLarge ? 2 : 4;
  t.keys = kMmaRows * t.warps;
  inParts = true;
  SizeExpr numbers =
      SizeExpr(parts * t.warps * (op.getValueSize() + 2)) * countPartRows();
  e.kernel.setScratch((SizeExpr(sizeof(float)) * numbers).str());
  const int64_t rowTiles = llvm::divideCeil(group, kMmaRows);
  e.begin("_parts", 32 * t.warps,
          {{parts, 1},
           {op.getKeyHeads() * rowTiles, 1},
           {batch * SizeExpr(kFewQueries), 1}});
  allocate(/*stages=*/2);
  Work work;
  work.sequence = e.div(e.blockId(2), e.i32(kFewQueries));
  Value query = e.rem(e.blockId(2), e.i32(kFewQueries));
  Value count = sequenceCount(work.sequence);
  Value isFew = e.both(e.lessThan(count, e.i32(kFewQueries + 1)),
                       e.lessThan(query, count));
  e.guard(isFew, [&] {
    work.valueColumn = e.i32(0);
    work.keyHead = e.div(e.blockId(1), e.i32(rowTiles));
    Value firstRow =
        e.mul(e.rem(e.blockId(1), e.i32(rowTiles)), e.i32(kMmaRows));
    work.head = e.add(e.mul(work.keyHead, e.i32(group)), firstRow);
    work.rows = e.sub(e.i32(group), firstRow);
    Value past = e.load(op.getPast(), e.wide(work.sequence));
    work.position = e.add(past, query);
    work.keys = e.add(past, count);
    Memory memory = {StateBlocks(e, op.getKey()),
                     StateBlocks(e, op.getValue())};
    Value start = e.add(sequenceStart(work.sequence), query);
    Value place =
        e.add(e.mul(e.blockId(2), e.i32(op.getQueryHeads())), work.head);
    partRows(work, memory, e.blockId(0), start, work.head, place);
  });
  e.end();
}

void CachedAttentionBuilder::partRows(const Work &work, Memory &memory,
                                      Value part, Value start, Value firstHead,
                                      Value place) {
  Value warpKey = e.mul(e.warpId(), e.i32(kMmaRows));
  // Whole blocks of positions.
  const int64_t block = memory.key.positions;
  Value length = e.mul(e.ceilDiv(work.keys, parts * block), e.i32(block));
  Value begin = e.mul(part, length);
  Value end = e.minimum(work.keys, e.add(begin, length));
  Span span = findSpan({work.position, work.position, begin, end}, t.keys);
  copyQueries(e.add(e.mul(e.wide(start), e.strideOf(op.getQuery(), 0)),
                    e.mul(e.wide(firstHead), e.strideOf(op.getQuery(), 1))),
              e.strideOf(op.getQuery(), 1), work.rows);
  auto copyStage = [&](Value key, Value stage) {
    copyKeys(memory, work, key, stageOf(keyTile, stage));
    copyValues(memory, work, key, stageOf(valueTile, stage));
  };
  Value one = e.i32(1);
  e.ifThen(e.lessThan(span.begin, span.end),
           [&] { copyStage(span.begin, e.i32(0)); });
  warp::CommitOp::create(b, e.loc);
  Values state = startRows(t.queries);
  state.push_back(e.i32(0));
  state = e.loop(
      span.begin, span.end, e.i32(t.keys), state,
      [&](Value key, ValueRange carried) -> Values {
        Value stage = carried[3], other = e.sub(one, stage);
        warp::WaitOp::create(b, e.loc, 0);
        warp::SyncOp::create(b, e.loc);
        Value next = e.add(key, e.i32(t.keys));
        e.ifThen(e.lessThan(next, span.end), [&] { copyStage(next, other); });
        warp::CommitOp::create(b, e.loc);
        Value scores =
            multiplyKeys(e.i32(0), stageOf(keyTile, stage), warpKey, kMmaRows);
        scores = finishScores(work, scores, e.i32(0), e.add(key, warpKey),
                              /*masked=*/true);
        Values rows = addKeys(scores, carried.take_front(3),
                              stageOf(valueTile, stage), warpKey);
        rows.push_back(other);
        return rows;
      });

  const int64_t size = op.getValueSize();
  Type number = b.getF32Type();
  Value zero = e.i32(0);
  Value ownPart = e.add(e.mul(part, e.i32(t.warps)), e.warpId());
  Value row = partPlace(ownPart, place);
  warp::StoreOp::create(
      b, e.loc, state[0], e.at(e.scratch(), e.mul(row, e.i64(size)), number),
      zero, zero, work.rows, e.i32(size), e.i64(size), number, size % 2 == 0);
  Value statistics =
      e.mul(e.size64(countPartRows()), e.i64(parts * t.warps * size));
  warp::StoreOp::create(
      b, e.loc, pairUp(state[1], state[2]),
      e.at(e.scratch(), e.add(statistics, e.mul(row, e.i64(2))), number), zero,
      zero, work.rows, e.i32(2), e.i64(2), number, /*paired=*/true);
}

//===-- merging -----------------------------------------------------------===//

/// One warp per row. A part that has seen no key has the maximum -inf.
void CachedAttentionBuilder::buildMerge() {
  const int64_t size = op.getValueSize(), all = parts * t.warps;
  Type number = b.getF32Type();
  e.begin("_merge", RowProgram::kThreads,
          {{countPartRows(), RowProgram::kRows}});
  Value row = e.add(e.mul(e.blockId(0), e.i32(RowProgram::kRows)), e.warpId());
  Value heads = e.i32(op.getQueryHeads());
  Value last = e.sub(e.size(countPartRows()), e.i32(1));
  Value place = e.div(e.minimum(row, last), heads);
  Value sequence = e.div(place, e.i32(kFewQueries));
  Value query = e.rem(place, e.i32(kFewQueries));
  Value count = sequenceCount(sequence);
  Value isFew = e.both(e.lessThan(count, e.i32(kFewQueries + 1)),
                       e.lessThan(query, count));
  isFew = e.both(isFew, e.lessThan(row, e.size(countPartRows())));
  e.ifThen(isFew, [&] {
    Value statistics = e.mul(e.size64(countPartRows()), e.i64(all * size));
    auto statistic = [&](Value part, int64_t index) {
      Value at = e.add(statistics, e.mul(partPlace(part, row), e.i64(2)));
      return e.loadAt(e.at(e.scratch(), e.add(at, e.i64(index)), number),
                      number);
    };
    auto forParts = [&](ValueRange initial, ProgramBuilder::CarriedBody body) {
      return e.loop(e.i32(0), e.i32(all), e.i32(1), initial, body);
    };
    Value highest = forParts(e.f32(-kInfinity),
                             [&](Value part, ValueRange carried) -> Values {
                               return {e.maxF(carried[0], statistic(part, 0))};
                             })[0];
    Value none = arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::OEQ,
                                       highest, e.f32(-kInfinity));
    Value base = e.mulF(e.select(none, e.f32(0), highest), e.f32(-scoreScale));
    auto weight = [&](Value part) {
      return e.exp2(e.fma(statistic(part, 0), e.f32(scoreScale), base));
    };
    Value total =
        forParts(e.f32(0), [&](Value part, ValueRange carried) -> Values {
          return {e.fma(weight(part), statistic(part, 1), carried[0])};
        })[0];
    Value empty = arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::OEQ,
                                        total, e.f32(0));
    Value inverse = e.select(empty, e.f32(0), e.divF(e.f32(1), total));
    Value target = e.add(sequenceStart(sequence), query);
    Value to = e.add(e.mul(e.wide(target), e.strideOf(op.getResult(), 0)),
                     e.mul(e.wide(e.rem(row, heads)), e.i64(size)));
    e.loop(e.lane(), e.i32(size), e.i32(32), [&](Value column) {
      Value sum =
          forParts(e.f32(0), [&](Value part, ValueRange carried) -> Values {
            Value at =
                e.add(e.mul(partPlace(part, row), e.i64(size)), e.wide(column));
            Value own = e.loadAt(e.at(e.scratch(), at, number), number);
            return {e.fma(weight(part), own, carried[0])};
          })[0];
      e.store(e.mulF(sum, inverse), op.getResult(), e.add(to, e.wide(column)));
    });
  });
  e.end();
}

void CachedAttentionBuilder::build() {
  // What reads little but states of f32 multiplies no narrower than the tensor
  // cores do that take it as it lies.
  const Operands narrow = e.operands;
  auto state = cast<BlockArgument>(op.getKey());
  auto blocks =
      cast<kernel::BlocksAttr>(e.kernel.getLayout(state.getArgNumber()));
  if (!e.precision() && blocks.getFormat() == kernel::Format::f32)
    e.operands = Operands::TF32;
  buildParts();
  buildMerge();
  e.operands = narrow;
  buildPrompt();
}

LogicalResult ProgramBuilder::buildCachedAttention(attn::CachedAttentionOp op) {
  CachedAttentionBuilder(*this, op).build();
  return success();
}

} // namespace attnc::gpu
