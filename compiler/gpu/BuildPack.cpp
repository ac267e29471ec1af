//===- BuildPack.cpp - packed rows ----------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.pack_index`: one warp walks the mask, 32 elements at a time; a lane's
// place is the number of kept elements before it. `attn.pack`: one warp per
// kept row. `attn.unpack`: one warp per row of the result, which finds by
// bisection whether the row was kept.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/RowProgram.h"

using namespace mlir;

namespace attnc::gpu {

static constexpr int32_t kLanes = 32;

static SizeExpr rowElements(Value tensor, unsigned rowDims) {
  return attn::getProduct(
      ArrayRef(attn::getNamedShape(tensor.getType())).drop_front(rowDims));
}

/// The sum of `value` (i32) over this lane and those before it, and over all.
static std::pair<Value, Value> scanLanes(ProgramBuilder &e, Value value) {
  OpBuilder &b = e.b;
  Value lane = e.lane(), all = e.i32(-1), sum = value;
  for (int32_t distance = 1; distance < kLanes; distance *= 2) {
    Value other = NVVM::ShflOp::create(b, e.loc, b.getI32Type(), all, sum,
                                       e.i32(distance), e.i32(0),
                                       NVVM::ShflKind::up, UnitAttr());
    Value has = e.lessThan(e.i32(distance - 1), lane);
    sum = e.select(has, e.add(sum, other), sum);
  }
  Value total = NVVM::ShflOp::create(b, e.loc, b.getI32Type(), all, sum,
                                     e.i32(kLanes - 1), e.i32(kLanes - 1),
                                     NVVM::ShflKind::idx, UnitAttr());
  return {sum, total};
}

LogicalResult ProgramBuilder::buildPackIndex(attn::PackIndexOp op) {
  begin("", kLanes, {{}});
  auto shape = attn::getNamedShape(op.getMask().getType());
  Value batch = size(shape[0]), length = size(shape[1]);
  Value first = equal(lane(), i32(0));
  ifThen(first, [&] { store(i32(0), op.getOffsets(), i64(0)); });
  Value kept = loop(
      i32(0), batch, i32(1), i32(0),
      [&](Value sequence, ValueRange carried) -> Values {
        Value start = mul(sequence, length);
        Value count = loop(
            i32(0), length, i32(kLanes), carried[0],
            [&](Value chunk, ValueRange carried) -> Values {
              Value index = add(chunk, lane());
              Value within = lessThan(index, length);
              Value safe = minimum(index, sub(length, i32(1)));
              Value row = add(start, safe);
              Value mask = load(op.getMask(), wide(row));
              Value isKept = both(
                  within, arith::CmpIOp::create(
                              b, loc, arith::CmpIPredicate::ne, mask, i32(0)));
              Value one =
                  arith::ExtUIOp::create(b, loc, b.getI32Type(), isKept);
              auto [upTo, total] = scanLanes(*this, one);
              Value place = sub(add(carried[0], upTo), i32(1));
              ifThen(isKept, [&] { store(row, op.getRows(), wide(place)); });
              return {add(carried[0], total)};
            })[0];
        ifThen(first, [&] {
          store(count, op.getOffsets(), wide(add(sequence, i32(1))));
        });
        return {count};
      })[0];
  auto tokens = attn::getNamedShape(op.getRows().getType());
  std::string name = tokens[0].asName().str();
  ifThen(first, [&] { setSize(name, kept); });
  end();
  return success();
}

/// This lane's elements of a row of `elements` from `source` at `from`, or
/// zeros without one.
static void copyRow(ProgramBuilder &e, Value source, Value from, Value target,
                    Value to, const SizeExpr &elements) {
  e.loop(e.lane(), e.size(elements), e.i32(kLanes), [&](Value column) {
    Type type = cast<RankedTensorType>(target.getType()).getElementType();
    Value value = source ? e.load(source, e.add(from, e.wide(column)))
                  : type.isInteger() ? e.i32(0)
                                     : e.f32(0);
    e.store(value, target, e.add(to, e.wide(column)));
  });
}

LogicalResult ProgramBuilder::buildPack(attn::PackOp op) {
  SizeExpr elements = rowElements(op.getInput(), 2);
  SizeExpr rows = attn::getNamedShape(op.getRows().getType())[0];
  const unsigned rank =
      cast<RankedTensorType>(op.getInput().getType()).getRank();
  begin("", RowProgram::kThreads, {{rows, RowProgram::kRows}});
  // Rows of a view lie further apart than they are long.
  Value stride = rank > 2 ? strideOf(op.getInput(), 1) : i64(1);
  Value index = add(mul(blockId(0), i32(RowProgram::kRows)), warpId());
  ifThen(lessThan(index, size(rows)), [&] {
    Value row = load(op.getRows(), wide(index));
    copyRow(*this, op.getInput(), mul(wide(row), stride), op.getResult(),
            mul(wide(index), size64(elements)), elements);
  });
  end();
  return success();
}

LogicalResult ProgramBuilder::buildUnpack(attn::UnpackOp op) {
  auto shape = attn::getNamedShape(op.getResult().getType());
  SizeExpr elements = rowElements(op.getResult(), 2);
  SizeExpr places = attn::getProduct(ArrayRef(shape).take_front(2));
  const unsigned rank =
      cast<RankedTensorType>(op.getInput().getType()).getRank();
  begin("", RowProgram::kThreads, {{places, RowProgram::kRows}});
  Value stride = rank > 1 ? strideOf(op.getInput(), 0) : i64(1);
  Value row = add(mul(blockId(0), i32(RowProgram::kRows)), warpId());
  ifThen(lessThan(row, size(places)), [&] {
    // rows[low] is the first that is not below `row`: 31 halvings are enough
    // for any number of rows, and do nothing once low meets high.
    Value count = size(attn::getNamedShape(op.getRows().getType())[0]);
    Value last = maximum(sub(count, i32(1)), i32(0));
    Values ends =
        loop(i32(0), i32(31), i32(1), ValueRange{i32(0), count},
             [&](Value, ValueRange carried) -> Values {
               Value low = carried[0], high = carried[1];
               Value open = lessThan(low, high);
               Value middle = minimum(div(add(low, high), i32(2)), last);
               Value below =
                   both(open, lessThan(load(op.getRows(), wide(middle)), row));
               Value atOrAbove = both(
                   open,
                   arith::XOrIOp::create(
                       b, loc, below,
                       arith::ConstantOp::create(b, loc, b.getBoolAttr(true))));
               return {select(below, add(middle, i32(1)), low),
                       select(atOrAbove, middle, high)};
             });
    Value found = minimum(ends[0], last);
    Value isKept = both(lessThan(ends[0], count),
                        equal(load(op.getRows(), wide(found)), row));
    Value to = mul(wide(row), size64(elements));
    auto branch = scf::IfOp::create(b, loc, isKept, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    copyRow(*this, op.getInput(), mul(wide(found), stride), op.getResult(), to,
            elements);
    b.setInsertionPointToStart(branch.elseBlock());
    copyRow(*this, Value(), Value(), op.getResult(), to, elements);
  });
  end();
  return success();
}

} // namespace attnc::gpu
