//===- BuildGroupProduct.cpp - matrix products with warp groups -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile of 128 rows and 128 or 256 columns on sm_90a. One thread copies stages
// of 64 columns of both operands by tensor maps, four ahead; two groups of four
// warps multiply 64 rows each. A group issues the product of a stage while the
// one before runs, and gives a stage back when its product has ended.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/ProductBuilder.h"

using namespace mlir;

namespace attnc::gpu {

int64_t GroupProductBuilder::chooseColumns(int64_t n) {
  // The wide tile reads half as much, where there are columns enough to fill
  // a device with such tiles.
  constexpr int64_t kWide = 256, kNarrow = 128, kMany = 2048;
  return n >= kMany ? kWide : kNarrow;
}

ProgramBuilder::MapShape GroupProductBuilder::describe(Value argument,
                                                       const SizeExpr &rows,
                                                       int64_t depth,
                                                       const SizeExpr &stride,
                                                       int64_t boxRows) {
  ProgramBuilder::MapShape map;
  map.argument = argument;
  map.extents = {depth, rows};
  map.strides = {stride};
  map.box = {kDepth, boxRows};
  return map;
}

void GroupProductBuilder::allocate() {
  MLIRContext *context = e.b.getContext();
  auto alloc = [&](int64_t rows) -> Value {
    auto type =
        warp::TileType::get(context, kStages, rows, kDepth, e.operandType());
    return warp::AllocOp::create(e.b, e.loc, type, /*panels=*/true,
                                 IntegerAttr(), warp::LayoutAttr());
  };
  auto barrier = [&](int64_t arrivals) -> Value {
    return warp::BarrierOp::create(e.b, e.loc,
                                   warp::BarrierType::get(context, kStages),
                                   arrivals, IntegerAttr());
  };
  lhsTile = alloc(kRows);
  rhsTile = alloc(columns);
  full = barrier(1);
  empty = barrier(128 * kGroups);
}

Value GroupProductBuilder::stage(Value tile, Value index) {
  auto type = cast<warp::TileType>(tile.getType());
  auto one = warp::TileType::get(e.b.getContext(), 1, type.getRows(),
                                 type.getColumns(), type.getElement());
  return warp::StageOp::create(e.b, e.loc, one, tile, index);
}

void GroupProductBuilder::produce(Value row, Value column, int64_t steps) {
  OpBuilder &b = e.b;
  Value count = e.i32(kStages), one = e.i32(1);
  const int64_t bytes =
      cast<warp::TileType>(lhsTile.getType()).getStageBytes() +
      cast<warp::TileType>(rhsTile.getType()).getStageBytes();
  e.loop(e.i32(0), e.i32(steps), one, [&](Value step) {
    Value index = e.rem(step, count);
    Value room = b.createOrFold<arith::XOrIOp>(
        e.loc, e.both(e.div(step, count), one), one);
    Value k = e.mul(step, e.i32(kDepth));
    warp::AwaitOp::create(b, e.loc, empty, index, room);
    warp::ArriveOp::create(b, e.loc, full, index, b.getI64IntegerAttr(bytes));
    warp::MapCopyOp::create(b, e.loc, e.tensorMap(0), ValueRange{k, row},
                            stage(lhsTile, index), full, index);
    warp::MapCopyOp::create(b, e.loc, e.tensorMap(1), ValueRange{k, column},
                            stage(rhsTile, index), full, index);
  });
}

/// The product of a stage, in flight, onto sums that may be in flight.
Value GroupProductBuilder::multiply(Value step, Value sums) {
  OpBuilder &b = e.b;
  Value count = e.i32(kStages), index = e.rem(step, count);
  auto acc = warp::FragmentType::get(b.getContext(), warp::Role::acc, 16,
                                     columns, b.getF32Type());
  warp::AwaitOp::create(b, e.loc, full, index,
                        e.both(e.div(step, count), e.i32(1)));
  return warp::GroupMmaOp::create(
      b, e.loc, warp::PendingType::get(b.getContext(), acc),
      stage(lhsTile, index), groupRow, stage(rhsTile, index), sums, false);
}

void GroupProductBuilder::build(
    Value row, Value column, int64_t depth,
    function_ref<void(Value sums, Value row)> finish) {
  OpBuilder &b = e.b;
  const int64_t steps = (depth + kDepth - 1) / kDepth;
  // 128 threads keep 40 registers, 256 get 232: 64 Ki in all.
  auto roles = warp::RolesOp::create(b, e.loc, 40, 232);
  OpBuilder::InsertionGuard guard(b);
  b.createBlock(&roles.getProduce());
  produce(row, column, steps);
  b.createBlock(&roles.getConsume());
  Value consumer = e.sub(e.threadId(), e.i32(128));
  groupRow = e.mul(e.div(consumer, e.i32(128)), e.i32(64));
  Value one = e.i32(1);
  Value sums = multiply(e.i32(0), Value());
  sums = e.loop(one, e.i32(steps), one, sums,
                [&](Value step, ValueRange carried) -> SmallVector<Value> {
                  Value next = multiply(step, carried[0]);
                  auto wait = warp::GroupWaitOp::create(
                      b, e.loc, TypeRange{next.getType()}, 1, ValueRange{next},
                      ValueRange());
                  warp::ArriveOp::create(
                      b, e.loc, empty, e.rem(e.sub(step, one), e.i32(kStages)),
                      IntegerAttr());
                  return {wait.getResult(0)};
                })[0];
  Type type = cast<warp::PendingType>(sums.getType()).getFragment();
  Value done = warp::GroupWaitOp::create(b, e.loc, TypeRange{type}, 0,
                                         ValueRange{sums}, ValueRange())
                   .getResult(0);
  finish(done, e.add(row, e.mul(e.div(consumer, e.i32(32)), e.i32(16))));
}

} // namespace attnc::gpu
