//===- EmitPool.cpp - pooling kernels -------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.pool`, with a mask or with offsets. A unit of work is some neighbouring
// columns of one sequence; its rows are read in order. Sums are compensated
// (Kahan, 1965), so that their error does not grow with the length, and count
// kept rows only, so that a padded and a packed batch give the same bits.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/Emitter.h"
#include <limits>

using namespace mlir;

namespace attnc::cpu {

namespace {
class PoolEmitter {
public:
  PoolEmitter(KernelEmitter &emitter, attn::PoolOp op);
  void emit();

private:
  using Values = SmallVector<Value>;

  void findRows(Value sequence);
  Value isKept(Value row);
  Value loadColumns(Value row, unsigned vector);
  void storeColumns(Value value, unsigned vector);

  void emitOneRow();
  Value findRow();
  void emitReduction();
  Values addRow(Value row, ValueRange state);
  void finish(ValueRange state);

  KernelEmitter &e;
  OpBuilder &b;
  Location loc;
  attn::PoolOp op;
  attn::PoolKind kind;

  Value input, result, mask, offsets;
  Value length, columns, stride; ///< of the input
  unsigned width = 1;            ///< vectors of one unit

  // Of the unit being emitted: rows [begin, end), columns from `column` on.
  Value begin, end, column, columnMask, target;
};
} // namespace

PoolEmitter::PoolEmitter(KernelEmitter &emitter, attn::PoolOp op)
    : e(emitter), b(emitter.b), loc(emitter.loc), op(op), kind(op.getKind()) {
  auto shape = attn::getNamedShape(op.getInput().getType());
  const unsigned rank = shape.size();
  columns = e.size(shape.back());
  stride = e.strideOf(op.getInput(), rank - 2);
  input = e.pointerOf(op.getInput());
  result = e.pointerOf(op.getResult());
  if (op.getMask()) {
    mask = e.pointerOf(op.getMask());
    length = e.size(shape[1]);
  } else {
    offsets = e.pointerOf(op.getOffsets());
  }
  // Four neighbouring vectors read whole cache lines; with a tail, one.
  for (unsigned wide : {4u, 2u})
    if (width == 1 && shape.back().isNumber() &&
        shape.back().number() % (wide * e.lanes) == 0)
      width = wide;
}

void PoolEmitter::findRows(Value sequence) {
  if (mask) {
    begin = e.mul(sequence, length);
    end = e.add(begin, length);
    return;
  }
  Value place = e.at(offsets, sequence);
  begin = e.toI64(e.loadI32(place));
  end = e.toI64(e.loadI32(e.at(place, e.i64(1))));
}

Value PoolEmitter::isKept(Value row) {
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne,
                               e.loadI32(e.at(mask, row)), e.i32(0));
}

Value PoolEmitter::loadColumns(Value row, unsigned vector) {
  Value offset = e.add(e.mul(row, stride), column);
  return e.loadVector(e.at(input, e.add(offset, e.i64(vector * e.lanes))),
                      columnMask);
}

void PoolEmitter::storeColumns(Value value, unsigned vector) {
  e.storeVector(value, e.at(target, e.i64(vector * e.lanes)), columnMask);
}

void PoolEmitter::emit() {
  const int64_t unitColumns = width * e.lanes;
  Value blocks = e.ceilDiv(columns, unitColumns);
  auto shape = attn::getNamedShape(op.getResult().getType());
  auto [from, to] = e.workerRange(e.mul(e.size(shape[0]), blocks));
  e.loop(from, to, 1, [&](Value unit) {
    Value sequence = e.div(unit, blocks);
    column = e.mul(e.sub(unit, e.mul(sequence, blocks)), e.i64(unitColumns));
    columnMask = width == 1 ? e.tailMask(e.sub(columns, column)) : Value();
    target = e.at(result, e.add(e.mul(sequence, columns), column));
    findRows(sequence);
    if (kind == attn::PoolKind::first || kind == attn::PoolKind::last)
      emitOneRow();
    else
      emitReduction();
  });
}

//===-- first, last -------------------------------------------------------===//

/// The first or last kept row; negative if there is none.
Value PoolEmitter::findRow() {
  const bool first = kind == attn::PoolKind::first;
  Value none = e.i64(-1);
  if (!mask) {
    Value row = first ? begin : e.sub(end, e.i64(1));
    return arith::SelectOp::create(b, loc, e.lessThan(begin, end), row, none);
  }
  return e.loop(begin, end, 1, none,
                [&](Value row, ValueRange found) -> Values {
                  Value take = isKept(row);
                  if (first)
                    take = arith::AndIOp::create(
                        b, loc, take, e.lessThan(found[0], e.i64(0)));
                  return {arith::SelectOp::create(b, loc, take, row, found[0])};
                })[0];
}

void PoolEmitter::emitOneRow() {
  Value row = findRow();
  e.ifThenElse(
      e.lessThan(row, e.i64(0)),
      [&] {
        for (unsigned i = 0; i < width; ++i)
          storeColumns(e.splat(e.f32(0)), i);
      },
      [&] {
        for (unsigned i = 0; i < width; ++i)
          storeColumns(loadColumns(row, i), i);
      });
}

//===-- sums and maxima ---------------------------------------------------===//

/// State: the number of rows so far; then per vector the maximum, or a sum and
/// what rounding has added to it so far.
SmallVector<Value> PoolEmitter::addRow(Value row, ValueRange state) {
  Value count = e.add(state[0], e.i64(1));
  Values next = {count};
  Value weight;
  if (kind == attn::PoolKind::weighted_mean)
    weight = e.splat(arith::SIToFPOp::create(b, loc, b.getF32Type(), count));
  for (unsigned i = 0; i < width; ++i) {
    Value x = loadColumns(row, i);
    if (kind == attn::PoolKind::max) {
      next.push_back(e.maxF32(x, state[1 + i]));
      continue;
    }
    if (weight)
      x = arith::MulFOp::create(b, loc, x, weight);
    Value sum = state[1 + 2 * i], excess = state[2 + 2 * i];
    Value corrected = arith::SubFOp::create(b, loc, x, excess);
    Value total = arith::AddFOp::create(b, loc, sum, corrected);
    Value added = arith::SubFOp::create(b, loc, total, sum);
    next.push_back(total);
    next.push_back(arith::SubFOp::create(b, loc, added, corrected));
  }
  return next;
}

void PoolEmitter::emitReduction() {
  const bool isMax = kind == attn::PoolKind::max;
  Value start =
      e.splat(e.f32(isMax ? -std::numeric_limits<float>::infinity() : 0.0f));
  Values state = {e.i64(0)};
  state.append(isMax ? width : 2 * width, start);
  state = e.loop(begin, end, 1, state, [&](Value row, ValueRange carried) {
    if (!mask)
      return addRow(row, carried);
    auto ifOp = scf::IfOp::create(b, loc, carried.getTypes(), isKept(row),
                                  /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(ifOp.thenBlock());
    scf::YieldOp::create(b, loc, addRow(row, carried));
    b.setInsertionPointToEnd(ifOp.elseBlock());
    scf::YieldOp::create(b, loc, carried);
    return Values(ifOp.getResults());
  });
  finish(state);
}

void PoolEmitter::finish(ValueRange state) {
  auto toFloat = [&](Value number) -> Value {
    return arith::SIToFPOp::create(b, loc, b.getF32Type(), number);
  };
  Value count = state[0];
  if (kind == attn::PoolKind::max) {
    Value none = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, count,
                                       e.i64(0));
    for (unsigned i = 0; i < width; ++i)
      storeColumns(arith::SelectOp::create(b, loc, none, e.splat(e.f32(0)),
                                           state[1 + i]),
                   i);
    return;
  }
  Value weights = toFloat(count);
  if (kind == attn::PoolKind::weighted_mean) {
    Value doubled = e.mul(count, e.add(count, e.i64(1)));
    weights = toFloat(e.div(doubled, e.i64(2)));
  }
  constexpr float kLeast = 1e-9f; // sentence-transformers clamps there
  Value divisor = e.maxF32(weights, e.f32(kLeast));
  if (kind == attn::PoolKind::mean_sqrt_len)
    divisor = math::SqrtOp::create(b, loc, divisor);
  divisor = e.splat(divisor);
  for (unsigned i = 0; i < width; ++i)
    storeColumns(arith::DivFOp::create(b, loc, state[1 + 2 * i], divisor), i);
}

LogicalResult KernelEmitter::emitPool(attn::PoolOp op) {
  PoolEmitter(*this, op).emit();
  return success();
}

} // namespace attnc::cpu
