//===- BuildGroupAttention.cpp - attention with warp groups ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.attention` on sm_90a, as FlashAttention-3 (Shah et al., 2024). One
// thread copies tiles of keys and values by tensor maps into two stages; two or
// three groups of four warps have 64 query rows each and walk the keys from the
// last tile to the first, so that the masked ones come first:
//
//   S = Q K(0)^T; P = softmax(S)
//   for i = 1 .. n - 1:
//     issue S = Q K(i)^T; issue O = O + P V(i - 1)
//     wait for S; P' = softmax(S), while the other product runs
//     wait for O; O = O * factor; P = P'
//   O = O + P V(n - 1)
//
// With heads of at most 128, groups take turns to issue their products (ping-
// pong): the tensor cores work for one group while the others compute weights,
// and no two groups reach the same step at the same time.
//
// Tensor maps give zeros past the end of a padded sequence. Past the end of a
// packed one they find the next sequence or nothing: its scores are masked, and
// the rows of values are cleared, since 0 * NaN is no 0.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/AttentionBuilder.h"
#include <limits>

using namespace mlir;

namespace attnc::gpu {

static constexpr int64_t kGroupRows = 64, kGroupThreads = 128;

bool GroupAttentionBuilder::canBuild(ProgramBuilder &e, attn::AttentionOp op) {
  if (e.target.sm < 90 || e.precision() ||
      op.getQuery().getType().getRank() < 3)
    return false;
  const int64_t size = op.getHeadSize();
  // Panels of 64 bytes at least, whole steps of K.
  if (size != op.getValueSize() || size % 32 || size > 256)
    return false;
  // Few queries leave these tiles empty; BuildSplitAttention cuts the keys.
  SizeExpr rows = attn::getNamedShape(op.getQuery().getType())[1];
  if (!op.isPacked() && rows.isNumber() && rows.number() <= 16)
    return false;
  // Strides of tensor maps are multiples of 16 bytes.
  constexpr int64_t kAligned = 8;
  return llvm::all_of(ValueRange{op.getQuery(), op.getKey(), op.getValue()},
                      [&](Value value) {
                        return e.storageOf(value) == e.operandType() &&
                               e.isAligned(value, kAligned);
                      });
}

/// Whether a capture is a table, or depends on the query or the key.
static bool readsPerScore(ValueRange captures, ArrayAttr maps) {
  return llvm::any_of(llvm::enumerate(captures), [&](auto each) {
    AffineMap map = cast<AffineMapAttr>(maps[each.index()]).getValue();
    auto type = cast<RankedTensorType>(each.value().getType());
    constexpr unsigned kQuery = 2, kKey = 3; // of (b, h, q, kv)
    return map.getNumResults() < type.getRank() ||
           map.isFunctionOfDim(kQuery) || map.isFunctionOfDim(kKey);
  });
}

/// Registers and shared memory decide: with heads of up to 64, three groups and
/// 128 keys; of up to 128, two groups; of more, half of the keys. There, three
/// quarters of the time and more are products, whoever has its turn. Regions
/// that read memory for every score keep addresses beside them: of three
/// groups, which have 160 registers a thread, they spill up to 20 bytes at
/// heads of 32.
GroupAttentionBuilder::GroupAttentionBuilder(ProgramBuilder &e,
                                             attn::AttentionOp op)
    : AttentionBuilder(e, op), stages(2) {
  const int64_t size = op.getHeadSize();
  t.headSize = t.valueSize = size;
  t.keys = size <= 128 ? 128 : 64;
  const bool readsMemory =
      readsPerScore(op.getScoreCaptures(), op.getScoreMapsAttr()) ||
      readsPerScore(op.getMaskCaptures(), op.getMaskMapsAttr());
  consumers = size <= 64 && !readsMemory ? 3 : 2;
  takesTurns = size <= 128;
  t.queries = kGroupRows * consumers;
  t.warps = 4 * consumers;
}

//===-- tiles and barriers ------------------------------------------------===//

/// (column, row, head[, batch]), a box being one panel of a tile.
ProgramBuilder::MapShape GroupAttentionBuilder::describe(Value argument,
                                                         int64_t rows) {
  auto shape = attn::getNamedShape(argument.getType());
  const unsigned rank = shape.size(), rowDim = rank - 3;
  ProgramBuilder::MapShape map;
  map.argument = argument;
  map.extents = {shape[rank - 1], shape[rowDim], shape[rank - 2]};
  map.strides = {e.strideExpr(argument, rowDim),
                 e.strideExpr(argument, rank - 2)};
  auto tile =
      warp::TileType::get(b.getContext(), 1, rows, t.headSize, e.operandType());
  const int64_t bits = e.operandType().getIntOrFloatBitWidth();
  map.box = {tile.getPanelBytes() * 8 / bits, rows, 1};
  if (rank == 4) {
    map.extents.push_back(shape[0]);
    map.strides.push_back(e.strideExpr(argument, 0));
    map.box.push_back(1);
  }
  return map;
}

Value GroupAttentionBuilder::allocPanels(int64_t count, int64_t rows,
                                         int64_t columns) {
  auto type = warp::TileType::get(b.getContext(), count, rows, columns,
                                  e.operandType());
  return warp::AllocOp::create(b, e.loc, type, /*panels=*/true, IntegerAttr(),
                               warp::LayoutAttr());
}

Value GroupAttentionBuilder::barrier(int64_t arrivals, int64_t count) {
  return warp::BarrierOp::create(b, e.loc,
                                 warp::BarrierType::get(b.getContext(), count),
                                 arrivals, IntegerAttr());
}

GroupAttentionBuilder::Slot GroupAttentionBuilder::slot(Value iteration) {
  Value count = e.i32(stages);
  return {e.rem(iteration, count), e.both(e.div(iteration, count), e.i32(1))};
}

Value GroupAttentionBuilder::stage(Value tile, Value index) {
  auto type = cast<warp::TileType>(tile.getType());
  auto one = warp::TileType::get(b.getContext(), 1, type.getRows(),
                                 type.getColumns(), type.getElement());
  return warp::StageOp::create(b, e.loc, one, tile, index);
}

/// The first key of iteration i: tiles are walked backwards.
Value GroupAttentionBuilder::keyAt(const Span &span, Value tiles,
                                   Value iteration) {
  Value tile = e.sub(e.sub(tiles, iteration), e.i32(1));
  return e.add(span.begin, e.mul(tile, e.i32(t.keys)));
}

//===-- the producer ------------------------------------------------------===//

void GroupAttentionBuilder::copyMap(unsigned map, Value tile, Value row,
                                    Value head, Value batch, Value barrier,
                                    Value stageIndex) {
  SmallVector<Value> coordinates = {e.i32(0), row, head};
  if (!op.isPacked())
    coordinates.push_back(batch);
  auto bytes = cast<warp::TileType>(tile.getType()).getStageBytes();
  warp::ArriveOp::create(b, e.loc, barrier, stageIndex,
                         b.getI64IntegerAttr(bytes));
  warp::MapCopyOp::create(b, e.loc, e.tensorMap(map), coordinates, tile,
                          barrier, stageIndex);
}

void GroupAttentionBuilder::produce(const Work &work, const Span &span,
                                    Value tiles) {
  Value zero = e.i32(0), one = e.i32(1);
  Value keyStart = op.isPacked() ? work.keyStart : zero;
  Value queryStart = op.isPacked() ? work.queryStart : zero;
  copyMap(0, queryTile, e.add(queryStart, work.first), work.head, work.batch,
          queryFull, zero);
  e.loop(zero, tiles, one, [&](Value iteration) {
    Slot now = slot(iteration);
    Value room = e.b.createOrFold<arith::XOrIOp>(e.loc, now.parity, one);
    Value row = e.add(keyStart, keyAt(span, tiles, iteration));
    warp::AwaitOp::create(b, e.loc, keyEmpty, now.stage, room);
    copyMap(1, stage(keyTile, now.stage), row, work.keyHead, work.batch,
            keyFull, now.stage);
    warp::AwaitOp::create(b, e.loc, valueEmpty, now.stage, room);
    copyMap(2, stage(valueTile, now.stage), row, work.keyHead, work.batch,
            valueFull, now.stage);
  });
}

//===-- consumers ---------------------------------------------------------===//

Value GroupAttentionBuilder::groupWait(int64_t pending, Value product) {
  Type type = cast<warp::PendingType>(product.getType()).getFragment();
  return warp::GroupWaitOp::create(b, e.loc, TypeRange{type}, pending,
                                   ValueRange{product}, ValueRange())
      .getResult(0);
}

void GroupAttentionBuilder::takeTurn(bool first) {
  if (takesTurns)
    warp::TakeTurnOp::create(b, e.loc, first);
}

void GroupAttentionBuilder::passTurn(bool last) {
  if (takesTurns)
    warp::PassTurnOp::create(b, e.loc, last);
}

void GroupAttentionBuilder::awaitKeys(Slot slot) {
  warp::AwaitOp::create(b, e.loc, keyFull, slot.stage, slot.parity);
}

/// S = Q K^T, in flight.
Value GroupAttentionBuilder::multiplyKeys(Slot slot) {
  auto acc = warp::FragmentType::get(b.getContext(), warp::Role::acc, 16,
                                     t.keys, b.getF32Type());
  return warp::GroupMmaOp::create(
      b, e.loc, warp::PendingType::get(b.getContext(), acc), queryTile,
      groupRow, stage(keyTile, slot.stage), Value(), false);
}

/// O + P V, in flight.
Value GroupAttentionBuilder::multiplyValues(Value weights, Value sums,
                                            Slot slot) {
  auto acc = cast<warp::FragmentType>(sums.getType());
  return warp::GroupMmaOp::create(
      b, e.loc, warp::PendingType::get(b.getContext(), acc), weights, Value(),
      stage(valueTile, slot.stage), sums, true);
}

/// Waits for values; rows past the end of a packed sequence become zeros.
void GroupAttentionBuilder::clearValues(const Work &work, Value key,
                                        Slot slot) {
  warp::AwaitOp::create(b, e.loc, valueFull, slot.stage, slot.parity);
  if (!op.isPacked())
    return;
  Value left = e.sub(work.keyCount, key);
  e.ifThen(e.lessThan(left, e.i32(t.keys)), [&] {
    warp::ClearOp::create(b, e.loc, stage(valueTile, slot.stage), left);
  });
}

Value GroupAttentionBuilder::pack(Value weights) {
  auto type = warp::FragmentType::get(b.getContext(), warp::Role::lhs, 16,
                                      t.keys, e.operandType());
  return warp::ConvertOp::create(b, e.loc, type, weights, 0);
}

/// State: O, P of the iteration before, m, l.
SmallVector<Value>
GroupAttentionBuilder::groupStep(const Work &work, const Span &span,
                                 Value tiles, Value iteration, ValueRange state,
                                 bool masked) {
  Slot now = slot(iteration), before = slot(e.sub(iteration, e.i32(1)));
  Value key = keyAt(span, tiles, iteration);
  // What a group waits for is there before it has its turn.
  awaitKeys(now);
  clearValues(work, e.add(key, e.i32(t.keys)), before);
  takeTurn(/*first=*/false);
  Value product = multiplyKeys(now);
  Value sums = multiplyValues(state[1], state[0], before);
  passTurn(/*last=*/false);
  Value scores = groupWait(1, product);
  warp::ArriveOp::create(b, e.loc, keyEmpty, now.stage, IntegerAttr());
  Values parts = softmax(finishScores(work, scores, key, masked), state[2]);
  Value total = warp::ReduceOp::create(b, e.loc, state[3].getType(),
                                       warp::Combine::add, false, parts[2]);
  total = mapRows({state[3], parts[1], total}, 1, [&](ValueRange x) -> Values {
    return {e.fma(x[0], x[1], x[2])};
  });
  // The weights are computed before this wait, and packed after it: their
  // registers are those of the product that ends here.
  auto done = warp::GroupWaitOp::create(
      b, e.loc, TypeRange{state[0].getType(), parts[2].getType()}, 0,
      ValueRange{sums}, ValueRange{parts[2]});
  warp::ArriveOp::create(b, e.loc, valueEmpty, before.stage, IntegerAttr());
  return {scale(done.getResult(0), parts[1]), pack(done.getResult(1)), parts[0],
          total};
}

void GroupAttentionBuilder::consume(const Work &work, const Span &span,
                                    Value tiles) {
  Value zero = e.i32(0), one = e.i32(1);
  auto rowsType = warp::RowsType::get(b.getContext(), 16);
  auto accType = warp::FragmentType::get(b.getContext(), warp::Role::acc, 16,
                                         t.valueSize, b.getF32Type());
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  warp::AwaitOp::create(b, e.loc, queryFull, zero, zero);
  Slot first = slot(zero);
  Value key = keyAt(span, tiles, zero);
  awaitKeys(first);
  takeTurn(/*first=*/true);
  Value product = multiplyKeys(first);
  passTurn(/*last=*/false);
  Value scores = groupWait(0, product);
  warp::ArriveOp::create(b, e.loc, keyEmpty, first.stage, IntegerAttr());
  Value maxima = warp::SplatOp::create(b, e.loc, rowsType, e.f32(kLowest));
  Values parts = softmax(finishScores(work, scores, key, true), maxima);
  Value total = warp::ReduceOp::create(b, e.loc, rowsType, warp::Combine::add,
                                       false, parts[2]);
  Values state = {warp::SplatOp::create(b, e.loc, accType, e.f32(0)),
                  pack(parts[2]), parts[0], total};
  auto walk = [&](Value from, Value to, bool masked) {
    state =
        e.loop(from, to, one, state, [&](Value iteration, ValueRange carried) {
          return groupStep(work, span, tiles, iteration, carried, masked);
        });
  };
  // Iterations of whole tiles above and within those that need no mask.
  Value keys = e.i32(t.keys);
  auto count = [&](Value from, Value to) {
    return e.div(e.sub(to, from), keys);
  };
  if (!boundsSayAll) {
    walk(one, tiles, true);
  } else {
    Value wholeEnd = e.add(span.begin, e.mul(tiles, keys));
    Value upper = e.maximum(count(span.fullEnd, wholeEnd), one);
    Value full = e.maximum(count(span.fullBegin, wholeEnd), upper);
    walk(one, upper, true);
    walk(upper, full, false);
    if (hasLowerBound())
      walk(full, tiles, true);
  }
  Value last = e.sub(tiles, one);
  Slot end = slot(last);
  clearValues(work, keyAt(span, tiles, last), end);
  takeTurn(/*first=*/false);
  product = multiplyValues(state[1], state[0], end);
  passTurn(/*last=*/true);
  Value sums = groupWait(0, product);
  storeResult(work, sums, state[3]);
}

void GroupAttentionBuilder::build() {
  e.begin("", kGroupThreads * (consumers + 1), getGrid(),
          {describe(op.getQuery(), t.queries), describe(op.getKey(), t.keys),
           describe(op.getValue(), t.keys)});
  queryTile = allocPanels(1, t.queries, t.headSize);
  keyTile = allocPanels(stages, t.keys, t.headSize);
  valueTile = allocPanels(stages, t.keys, t.valueSize);
  const int64_t threads = kGroupThreads * consumers;
  queryFull = barrier(1, 1);
  keyFull = barrier(1, stages);
  keyEmpty = barrier(threads, stages);
  valueFull = barrier(1, stages);
  valueEmpty = barrier(threads, stages);

  Work work = findWork();
  e.ifThen(e.lessThan(work.first, work.queryCount), [&] {
    Span span = findSpan(work);
    Value tiles = e.ceilDiv(e.sub(span.end, span.begin), t.keys);
    // All registers of a multiprocessor: 168 for each of 4 groups, 504 - 24 for
    // two of three.
    const int64_t registers = consumers == 3 ? 160 : 240;
    auto roles = warp::RolesOp::create(b, e.loc, 24, registers);
    OpBuilder::InsertionGuard guard(b);
    b.createBlock(&roles.getProduce());
    produce(work, span, tiles);
    b.createBlock(&roles.getConsume());
    Value consumer = e.sub(e.threadId(), e.i32(kGroupThreads));
    groupRow = e.mul(e.div(consumer, e.i32(kGroupThreads)), e.i32(kGroupRows));
    warpRow = e.mul(e.div(consumer, e.i32(32)), e.i32(16));
    Value none = e.equal(tiles, e.i32(0));
    auto branch = scf::IfOp::create(b, e.loc, none, /*withElseRegion=*/true);
    b.setInsertionPointToStart(branch.thenBlock());
    // A block must not end while its queries are still on their way.
    warp::AwaitOp::create(b, e.loc, queryFull, e.i32(0), e.i32(0));
    auto rowsType = warp::RowsType::get(b.getContext(), 16);
    auto accType = warp::FragmentType::get(b.getContext(), warp::Role::acc, 16,
                                           t.valueSize, b.getF32Type());
    storeResult(work, warp::SplatOp::create(b, e.loc, accType, e.f32(0)),
                warp::SplatOp::create(b, e.loc, rowsType, e.f32(0)));
    b.setInsertionPointToStart(branch.elseBlock());
    consume(work, span, tiles);
  });
  e.end();
}

} // namespace attnc::gpu
