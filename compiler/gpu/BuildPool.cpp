//===- BuildPool.cpp - one row per sequence -------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.pool`: a block takes one sequence and 128 columns, one thread per
// column, so that threads read neighbouring elements. A thread walks the rows
// in order, adding with a correction of what rounding lost, as on processors.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/ProgramBuilder.h"
#include <limits>

using namespace mlir;

namespace attnc::gpu {

namespace {
class PoolBuilder {
public:
  PoolBuilder(ProgramBuilder &e, attn::PoolOp op)
      : e(e), op(op), kind(op.getKind()) {}
  void build();

private:
  using Values = SmallVector<Value>;
  Values addRow(Value row, ValueRange state);
  Value finish(const Values &state);

  ProgramBuilder &e;
  attn::PoolOp op;
  attn::PoolKind kind;
  Value column;
};
} // namespace

/// State: rows so far; then a sum and what rounding added to it so far (the
/// maximum, or the row taken, needs no correction).
SmallVector<Value> PoolBuilder::addRow(Value row, ValueRange state) {
  OpBuilder &b = e.b;
  const unsigned rank =
      cast<RankedTensorType>(op.getInput().getType()).getRank();
  Value stride = e.strideOf(op.getInput(), rank - 2);
  Value x =
      e.load(op.getInput(), e.add(e.mul(e.wide(row), stride), e.wide(column)));
  Value count = e.add(state[0], e.i32(1));
  Value sum = state[1], excess = state[2];
  switch (kind) {
  case attn::PoolKind::first:
    return {count, e.select(e.equal(state[0], e.i32(0)), x, sum), excess};
  case attn::PoolKind::last:
    return {count, x, excess};
  case attn::PoolKind::max:
    return {count, e.maxF(x, sum), excess};
  case attn::PoolKind::weighted_mean: {
    Value weight = arith::SIToFPOp::create(b, e.loc, b.getF32Type(), count);
    x = e.mulF(x, weight);
    break;
  }
  case attn::PoolKind::mean:
  case attn::PoolKind::mean_sqrt_len:
    break;
  }
  Value corrected = e.subF(x, excess);
  Value total = e.addF(sum, corrected);
  return {count, total, e.subF(e.subF(total, sum), corrected)};
}

Value PoolBuilder::finish(const Values &state) {
  OpBuilder &b = e.b;
  Value none = e.equal(state[0], e.i32(0));
  Value count = arith::SIToFPOp::create(b, e.loc, b.getF32Type(), state[0]);
  Value divisor;
  switch (kind) {
  case attn::PoolKind::first:
  case attn::PoolKind::last:
  case attn::PoolKind::max:
    return e.select(none, e.f32(0), state[1]);
  case attn::PoolKind::mean:
    divisor = count;
    break;
  case attn::PoolKind::mean_sqrt_len:
    divisor = math::SqrtOp::create(b, e.loc, e.maxF(count, e.f32(1e-9f)));
    break;
  case attn::PoolKind::weighted_mean:
    divisor = e.mulF(e.mulF(count, e.addF(count, e.f32(1))), e.f32(0.5f));
    break;
  }
  return e.divF(state[1], e.maxF(divisor, e.f32(1e-9f)));
}

void PoolBuilder::build() {
  constexpr int64_t kThreads = 128;
  OpBuilder &b = e.b;
  auto shape = attn::getNamedShape(op.getInput().getType());
  auto outShape = attn::getNamedShape(op.getResult().getType());
  e.begin("", kThreads, {{outShape[0], 1}, {outShape[1], kThreads}});
  column = e.add(e.mul(e.blockId(1), e.i32(kThreads)), e.threadId());
  Value columns = e.size(outShape[1]), sequence = e.blockId(0);
  e.ifThen(e.lessThan(column, columns), [&] {
    Value begin, end;
    if (op.getMask()) {
      begin = e.mul(sequence, e.size(shape[1]));
      end = e.add(begin, e.size(shape[1]));
    } else {
      begin = e.load(op.getOffsets(), e.wide(sequence));
      end = e.load(op.getOffsets(), e.wide(e.add(sequence, e.i32(1))));
    }
    Value start = e.f32(kind == attn::PoolKind::max
                            ? -std::numeric_limits<float>::infinity()
                            : 0.0f);
    Values state =
        e.loop(begin, end, e.i32(1), ValueRange{e.i32(0), start, e.f32(0)},
               [&](Value row, ValueRange carried) -> Values {
                 if (!op.getMask())
                   return addRow(row, carried);
                 Value mask = e.load(op.getMask(), e.wide(row));
                 Value isKept = arith::CmpIOp::create(
                     b, e.loc, arith::CmpIPredicate::ne, mask, e.i32(0));
                 auto branch =
                     scf::IfOp::create(b, e.loc, carried.getTypes(), isKept,
                                       /*withElseRegion=*/true);
                 OpBuilder::InsertionGuard guard(b);
                 b.setInsertionPointToEnd(branch.thenBlock());
                 scf::YieldOp::create(b, e.loc, addRow(row, carried));
                 b.setInsertionPointToEnd(branch.elseBlock());
                 scf::YieldOp::create(b, e.loc, carried);
                 return Values(branch.getResults());
               });
    Value place =
        e.add(e.mul(e.wide(sequence), e.size64(outShape[1])), e.wide(column));
    e.store(finish(state), op.getResult(), place);
  });
  e.end();
}

LogicalResult ProgramBuilder::buildPool(attn::PoolOp op) {
  PoolBuilder(*this, op).build();
  return success();
}

} // namespace attnc::gpu
