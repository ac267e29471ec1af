//===- BuildCachedAttention.cpp - attention with states -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.cached_attention`: what its programs share. Keys and values lie in
// blocks of the states, as f32, bf16 or i8 with scales; a tile of them is
// copied as it lies, keys transposed, and multiplied by rows of queries. Every
// sequence is in one of two programs by its number of new rows, whatever the
// others do: that for prompts (BuildCachedPrompt.cpp), or that for few rows
// (BuildCachedParts.cpp).
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/CachedAttentionBuilder.h"
#include "compiler/schedule/StateLayout.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace attnc::gpu {

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

//===-- all programs ------------------------------------------------------===//

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
