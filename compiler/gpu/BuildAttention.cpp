//===- BuildAttention.cpp - attention kernels -----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.attention` with `mma.sync`, as FlashAttention-2 (Dao, 2023): a block
// takes some query rows of one head and walks the keys,
//
//   sync; copy V(j); S = Q K(j)^T; sync; copy K(j + 1)
//   score and mask region on S; m' = max(m, S); P = exp2(S - m')
//   l = l exp2(m - m') + sum P; O = O exp2(m - m') + P V(j)
//
// with S, P and O in registers. Keys that an affine mask excludes for every row
// of the block are not visited; between the first and the last key that all
// rows see, no element is masked. A row that sees nothing keeps the maximum
// -inf, from which 0 is subtracted instead, and gives zeros.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/AttentionBuilder.h"
#include "llvm/Support/MathExtras.h"
#include <limits>

using namespace mlir;

namespace attnc::gpu {

static constexpr float kInfinity = std::numeric_limits<float>::infinity();

AttentionBuilder::AttentionBuilder(ProgramBuilder &e, attn::AttentionOp op)
    : SoftmaxBuilder(e, op.getScoreRegion(), op.getMaskRegion()), op(op) {
  chooseTile();
}

/// Tiles without spills on sm_80: queries in registers as long as they fit
/// beside the sums; 128 queries, 64 keys; f32 has half of it.
void AttentionBuilder::chooseTile() {
  const int64_t chunk = 16;
  t.headSize = llvm::alignTo(op.getHeadSize(), chunk);
  t.valueSize = llvm::alignTo(op.getValueSize(), chunk);
  const int64_t size = std::max(t.headSize, t.valueSize);
  t.queries = 128;
  t.warps = 8;
  t.keys = 64;
  t.queriesInRegisters = size <= 128;
  if (size > 128)
    t.keys = 32;
  if (e.precision()) {
    t.queries = 64;
    t.warps = 4;
    t.keys = 32;
    t.queriesInRegisters = false;
    if (size > 128)
      t.keys = 16;
  }
  valueParts = countValueParts(t.valueSize);
  t.valueSize /= valueParts;
}

void AttentionBuilder::allocate() {
  auto alloc = [&](int64_t rows, int64_t columns) -> Value {
    auto type =
        warp::TileType::get(b.getContext(), 1, rows, columns, e.operandType());
    return warp::AllocOp::create(b, e.loc, type, false, IntegerAttr(),
                                 warp::LayoutAttr());
  };
  queryTile = alloc(t.queries, t.headSize);
  keyTile = alloc(t.keys, t.headSize);
  valueTile = alloc(t.keys, t.valueSize);
}

//===-- what to work on ---------------------------------------------------===//

/// Whether one less is a sum without negative numbers.
static bool isPlusOne(const SizeExpr &expr) {
  auto constant = expr.getTerms().find({});
  return constant != expr.getTerms().end() && constant->second > 0;
}

SizeExpr AttentionBuilder::getOffsetCount() {
  return attn::getNamedShape(op.getOffsets().getType())[0];
}

AttentionBuilder::Work AttentionBuilder::findWork() {
  auto keyShape = attn::getNamedShape(op.getKey().getType());
  auto queryShape = attn::getNamedShape(op.getQuery().getType());
  Work work;
  Value zero = e.i32(0);
  work.batch = hasHeads() ? e.blockId(2) : zero;
  if (splits > 1) {
    work.split = e.rem(work.batch, e.i32(splits));
    work.batch = e.div(work.batch, e.i32(splits));
  }
  work.head = hasHeads() ? e.div(e.blockId(1), e.i32(valueParts)) : zero;
  work.valueColumn =
      e.mul(e.rem(e.blockId(1), e.i32(valueParts)), e.i32(t.valueSize));
  work.keyHead = e.div(work.head, e.i32(op.getQueryHeads() / op.getKeyHeads()));
  if (op.isPacked()) {
    Value index = e.wide(work.batch);
    Value start = e.load(op.getOffsets(), index);
    Value next = e.add(index, e.i64(1));
    if (!isPlusOne(getOffsetCount()))
      next = e.minimum(next, e.sub(e.size64(getOffsetCount()), e.i64(1)));
    Value end = e.load(op.getOffsets(), next);
    work.queryStart = work.keyStart = start;
    work.queryCount = work.keyCount = e.sub(end, start);
  } else {
    const unsigned rowDim = hasHeads() ? 1 : 0;
    work.queryCount = e.size(queryShape[rowDim]);
    work.keyCount = e.size(keyShape[rowDim]);
    work.queryStart = e.mul(work.batch, work.queryCount);
    work.keyStart = e.mul(work.batch, work.keyCount);
  }
  // With a causal mask the last rows have most work: they begin first.
  Value index = e.blockId(0);
  if (!bounds.empty()) {
    Value last =
        e.sub(NVVM::GridDimXOp::create(b, e.loc, b.getI32Type()), e.i32(1));
    index = e.sub(last, index);
  }
  work.first = e.mul(index, e.i32(t.queries));
  return work;
}

AttentionBuilder::Span AttentionBuilder::findSpan(const Work &work) {
  Value last =
      e.sub(e.minimum(e.add(work.first, e.i32(t.queries)), work.queryCount),
            e.i32(1));
  Value begin = e.i32(0), end = work.keyCount;
  if (splits > 1) {
    Value part =
        e.mul(e.ceilDiv(work.keyCount, splits * t.keys), e.i32(t.keys));
    begin = e.mul(work.split, part);
    end = e.minimum(end, e.add(begin, part));
  }
  return SoftmaxBuilder::findSpan({work.first, last, begin, end}, t.keys);
}

//===-- steps -------------------------------------------------------------===//

void AttentionBuilder::copy(Value argument, Value tile, Value start, Value head,
                            Value row, Value rows, int64_t size, Value column) {
  const unsigned rank = cast<RankedTensorType>(argument.getType()).getRank();
  const unsigned rowDim = rank == 4 ? 1 : 0;
  Type element = e.storageOf(argument);
  // Rows of all sequences are one stride apart.
  Value stride = e.strideOf(argument, rowDim);
  Value offset = e.mul(e.wide(start), stride);
  if (hasHeads())
    offset = e.add(offset, e.mul(e.wide(head), e.strideOf(argument, rank - 2)));
  Value source = e.at(e.pointerOf(argument), offset, element);
  const int64_t chunk = 128 / e.operandType().getIntOrFloatBitWidth();
  const bool aligned = e.isAligned(argument, chunk);
  if (!column)
    column = e.i32(0);
  warp::CopyOp::create(b, e.loc, source, row, column, rows, e.i32(size), stride,
                       element, tile, aligned && element == e.operandType(),
                       aligned);
}

/// S = Q K^T of this warp's rows.
Value AttentionBuilder::scores(Value) {
  const int64_t depth = e.operandDepth(), rows = t.queries / t.warps;
  auto accType = fragment(warp::Role::acc, rows, t.keys);
  auto lhsType = fragment(warp::Role::lhs, rows, depth);
  auto rhsType = fragment(warp::Role::rhs, depth, t.keys);
  Value sums = warp::SplatOp::create(b, e.loc, accType, e.f32(0));
  for (int64_t k = 0; k < t.headSize; k += depth) {
    Value query = t.queriesInRegisters
                      ? queryFragments[k / depth]
                      : warp::LoadOp::create(b, e.loc, lhsType, queryTile,
                                             warpRow, e.i32(k), false, false)
                            .getResult();
    Value key = warp::LoadOp::create(b, e.loc, rhsType, keyTile, e.i32(0),
                                     e.i32(k), false, false);
    sums =
        warp::MmaOp::create(b, e.loc, accType, query, key, sums, e.precision());
  }
  return sums;
}

/// The score region and, where `masked`, the mask region and the end of the
/// keys.
Value AttentionBuilder::finishScores(const Work &work, Value sums, Value key,
                                     bool masked) {
  if (scoreIsScale && !masked)
    return sums;
  auto map = warp::MapOp::create(b, e.loc, sums.getType(), sums,
                                 e.add(work.first, warpRow), key);
  OpBuilder::InsertionGuard guard(b);
  Block *block = b.createBlock(&map.getBody(), {},
                               {b.getF32Type(), b.getI32Type(), b.getI32Type()},
                               {e.loc, e.loc, e.loc});
  Value x = block->getArgument(0), i = block->getArgument(1);
  Value j = block->getArgument(2), one = e.i32(1);
  SmallVector<Value> dims = {work.batch, work.head, i, j};
  // Captures past the last query or key are those of the last.
  SmallVector<Value> safe = {work.batch, work.head,
                             e.minimum(i, e.sub(work.queryCount, one)),
                             e.minimum(j, e.sub(work.keyCount, one))};
  if (op.isPacked()) { // captures count rows over all sequences
    safe[2] = e.add(work.queryStart, safe[2]);
    safe[3] = e.add(work.keyStart, safe[3]);
  }
  if (!scoreIsScale)
    x = e.inlineRegion(score, {x, work.batch, work.head, i, j}, dims, safe);
  if (masked) {
    Value seen = e.lessThan(j, work.keyCount);
    if (mask)
      seen = e.both(seen, e.inlineRegion(mask, {work.batch, work.head, i, j},
                                         dims, safe));
    x = e.select(seen, x, e.f32(-kInfinity));
  }
  warp::YieldOp::create(b, e.loc, x);
  return map.getResult(0);
}

/// sums + P V.
Value AttentionBuilder::addValues(Value weights, Value sums) {
  const int64_t depth = e.operandDepth(), rows = t.queries / t.warps;
  auto lhsType = fragment(warp::Role::lhs, rows, depth);
  auto rhsType = fragment(warp::Role::rhs, depth, t.valueSize);
  const bool paired = bool(e.precision());
  for (int64_t k = 0; k < t.keys; k += depth) {
    Value p = warp::ConvertOp::create(b, e.loc, lhsType, weights, k);
    Value v = warp::LoadOp::create(b, e.loc, rhsType, valueTile, e.i32(k),
                                   e.i32(0), true, paired);
    sums = warp::MmaOp::create(b, e.loc, sums.getType(), p, v, sums,
                               e.precision());
  }
  return sums;
}

/// State: O, m, l. The first keys are on their way.
SmallVector<Value> AttentionBuilder::step(const Work &work, const Span &span,
                                          Value key, ValueRange state,
                                          bool masked) {
  auto arrived = [&] {
    warp::WaitOp::create(b, e.loc, 0);
    warp::SyncOp::create(b, e.loc);
  };
  arrived();
  copy(op.getValue(), valueTile, work.keyStart, work.keyHead, key,
       work.keyCount, op.getValueSize(), work.valueColumn);
  warp::CommitOp::create(b, e.loc);
  Value sums = scores(key);
  arrived();
  Value next = e.add(key, e.i32(t.keys));
  e.ifThen(e.lessThan(next, span.end), [&] {
    copy(op.getKey(), keyTile, work.keyStart, work.keyHead, next, work.keyCount,
         op.getHeadSize());
  });
  warp::CommitOp::create(b, e.loc);
  sums = finishScores(work, sums, key, masked);
  Values parts = softmax(sums, state[1]);
  Value total = warp::ReduceOp::create(b, e.loc, state[2].getType(),
                                       warp::Combine::add, false, parts[2]);
  total = mapRows({state[2], parts[1], total}, 1, [&](ValueRange x) -> Values {
    return {e.fma(x[0], x[1], x[2])};
  });
  Value result = addValues(parts[2], scale(state[0], parts[1]));
  return {result, parts[0], total};
}

void AttentionBuilder::buildBlock(const Work &work) {
  const int64_t rows = t.queries / t.warps;
  warpRow = e.mul(e.warpId(), e.i32(rows));
  Span span = findSpan(work);
  copy(op.getQuery(), queryTile, work.queryStart, work.head, work.first,
       work.queryCount, op.getHeadSize());
  copy(op.getKey(), keyTile, work.keyStart, work.keyHead, span.begin,
       work.keyCount, op.getHeadSize());
  warp::CommitOp::create(b, e.loc);
  if (t.queriesInRegisters) {
    warp::WaitOp::create(b, e.loc, 0);
    warp::SyncOp::create(b, e.loc);
    const int64_t depth = e.operandDepth();
    auto lhsType = fragment(warp::Role::lhs, rows, depth);
    for (int64_t k = 0; k < t.headSize; k += depth)
      queryFragments.push_back(warp::LoadOp::create(
          b, e.loc, lhsType, queryTile, warpRow, e.i32(k), false, false));
  }
  auto rowsType = warp::RowsType::get(b.getContext(), rows);
  auto accType = fragment(warp::Role::acc, rows, t.valueSize);
  Values state = {warp::SplatOp::create(b, e.loc, accType, e.f32(0)),
                  warp::SplatOp::create(b, e.loc, rowsType, e.f32(-kInfinity)),
                  warp::SplatOp::create(b, e.loc, rowsType, e.f32(0))};
  auto walk = [&](Value from, Value to, bool masked) {
    state = e.loop(from, to, e.i32(t.keys), state,
                   [&](Value key, ValueRange carried) {
                     return step(work, span, key, carried, masked);
                   });
  };
  if (boundsSayAll && hasLowerBound())
    walk(span.begin, span.fullBegin, /*masked=*/true);
  if (boundsSayAll)
    walk(span.fullBegin, span.fullEnd, /*masked=*/false);
  walk(span.fullEnd, span.end, /*masked=*/true);
  if (splits > 1)
    return storePart(work, state[0], state[1], state[2]);
  storeResult(work, state[0], state[2]);
}

void AttentionBuilder::storeResult(const Work &work, Value sums, Value totals) {
  Value inverse = invert(totals);
  Value output = op.getResult();
  const unsigned rank = op.getResult().getType().getRank();
  Value stride = e.strideOf(output, rank == 4 ? 1 : 0);
  Value offset = e.mul(e.wide(work.queryStart), stride);
  if (hasHeads())
    offset =
        e.add(offset, e.mul(e.wide(work.head), e.strideOf(output, rank - 2)));
  Type element = e.storageOf(output);
  warp::StoreOp::create(b, e.loc, scale(sums, inverse),
                        e.at(e.pointerOf(output), offset, element),
                        e.add(work.first, warpRow), work.valueColumn,
                        work.queryCount, e.i32(op.getValueSize()), stride,
                        element, op.getValueSize() % 2 == 0);
}

SmallVector<GridSize> AttentionBuilder::getGrid() {
  auto shape = attn::getNamedShape(op.getQuery().getType());
  SizeExpr longest = shape[hasHeads() && !op.isPacked() ? 1 : 0], batches = 1;
  if (op.isPacked()) {
    longest = *SizeExpr::parse(*op.getLengthBound());
    // Launch tables know no negative numbers: where offsets are not counted as
    // `n + 1`, a block too many finds a sequence without rows.
    batches = getOffsetCount();
    if (isPlusOne(batches))
      batches = batches + SizeExpr(-1);
  } else if (hasHeads()) {
    batches = shape[0];
  }
  return {{longest, t.queries},
          {op.getQueryHeads() * valueParts, 1},
          {batches * SizeExpr(splits), 1}};
}

void AttentionBuilder::build() {
  chooseSplits();
  e.begin("", 32 * t.warps, getGrid());
  allocate();
  Work work = findWork();
  e.ifThen(e.lessThan(work.first, work.queryCount), [&] { buildBlock(work); });
  e.end();
  if (splits > 1)
    buildMerge();
}

LogicalResult ProgramBuilder::buildAttention(attn::AttentionOp op) {
  if (GroupAttentionBuilder::canBuild(*this, op))
    GroupAttentionBuilder(*this, op).build();
  else
    AttentionBuilder(*this, op).build();
  return success();
}

} // namespace attnc::gpu
