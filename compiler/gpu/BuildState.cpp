//===- BuildState.cpp - states of a session -------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.past` and `attn.packed_positions`, one thread per number;
// `attn.append`, one warp per row. The runtime has put the blocks of a call's
// new rows into the tables before.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/RowProgram.h"
#include "compiler/gpu/StateBlocks.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace attnc::gpu {

static constexpr int64_t kThreads = 128;

//===-- blocks ------------------------------------------------------------===//

static Type elementOf(OpBuilder &b, kernel::BlocksAttr layout) {
  if (layout.getFormat() == kernel::Format::bf16)
    return b.getBF16Type();
  if (layout.getFormat() == kernel::Format::i8)
    return b.getI8Type();
  return b.getF32Type();
}

StateBlocks::StateBlocks(ProgramBuilder &builder, Value state)
    : layout(cast<kernel::BlocksAttr>(
          builder.kernel.getLayout(cast<BlockArgument>(state).getArgNumber()))),
      element(elementOf(builder.b, layout)), positions(layout.getPositions()),
      transposed(layout.getTransposed()), e(builder) {
  auto row = cast<attn::StateType>(state.getType()).getRow().getShape();
  heads = row[0];
  columns = row[1];
  rowElements = layout.getRowElements(columns);
  tableLength = llvm::divideCeil(e.statePositions(), positions);
  // Fields of attn_device_state.
  Type word = e.b.getI64Type();
  Value view = e.pointerOf(state);
  tables = e.pointerAt(e.loadAt(view, word));
  offset = e.loadAt(e.at(view, e.i64(1), word), word);
}

Value StateBlocks::headOf(Value sequence, Value block, Value head) {
  Type word = e.b.getI64Type();
  Value index =
      e.add(e.mul(e.wide(sequence), e.i64(tableLength)), e.wide(block));
  Value start = e.add(e.loadAt(e.at(tables, index, word), word), offset);
  return e.at(e.pointerAt(start),
              e.mul(e.wide(head), e.i64(layout.getHeadBytes(columns))),
              e.b.getI8Type());
}

Value StateBlocks::scalesOf(Value head) {
  const int64_t behind = layout.getHeadBytes(columns) - positions * 4;
  return e.at(head, e.i64(behind), e.b.getI8Type());
}

Value findSequence(ProgramBuilder &e, Value offsets, Value row) {
  SizeExpr ends = attn::getNamedShape(offsets.getType())[0];
  // Halvings that are enough for the most sequences there may be.
  const int64_t steps = llvm::Log2_64_Ceil(e.largest(ends)) + 1;
  SmallVector<Value> found =
      e.loop(e.i32(0), e.i32(steps), e.i32(1),
             ValueRange{e.i32(0), e.sub(e.size(ends), e.i32(1))},
             [&](Value, ValueRange carried) -> SmallVector<Value> {
               // offsets[low] <= row < offsets[high]
               Value low = carried[0], high = carried[1];
               Value middle = e.div(e.add(low, high), e.i32(2));
               Value isBelow = e.lessThan(row, e.load(offsets, e.wide(middle)));
               return {e.select(isBelow, low, middle),
                       e.select(isBelow, middle, high)};
             });
  return found[0];
}

//===-- lengths -----------------------------------------------------------===//

LogicalResult ProgramBuilder::buildPast(attn::PastOp op) {
  SizeExpr batch = attn::getNamedShape(op.getType())[0];
  begin("", kThreads, {{batch, kThreads}});
  Value sequence = add(mul(blockId(0), i32(kThreads)), threadId());
  ifThen(lessThan(sequence, size(batch)),
         [&] { store(pastOf(sequence), op.getResult(), wide(sequence)); });
  end();
  return success();
}

LogicalResult ProgramBuilder::buildPackedPositions(attn::PackedPositionsOp op) {
  SizeExpr rows = attn::getNamedShape(op.getType())[0];
  begin("", kThreads, {{rows, kThreads}});
  Value row = add(mul(blockId(0), i32(kThreads)), threadId());
  ifThen(lessThan(row, size(rows)), [&] {
    Value sequence = wide(findSequence(*this, op.getOffsets(), row));
    Value within = sub(row, load(op.getOffsets(), sequence));
    store(add(load(op.getPast(), sequence), within), op.getResult(), wide(row));
  });
  end();
  return success();
}

//===-- append ------------------------------------------------------------===//

namespace {
/// One warp writes the row of a head to its block.
class RowWriter {
public:
  RowWriter(ProgramBuilder &e, attn::AppendOp op, StateBlocks &state)
      : e(e), op(op), state(state) {}
  /// The row begins `from` (i64) elements into the rows; `head` is where the
  /// head begins in memory, `place` (i32) the position in its block.
  void write(Value from, Value head, Value place);

private:
  Value load(Value from, Value column) {
    return e.load(op.getRows(), e.add(from, e.wide(column)));
  }
  void forColumns(ProgramBuilder::Body body) {
    e.loop(e.lane(), e.i32(state.columns), e.i32(32), body);
  }
  Value findLargest(Value from);
  Value narrow(Value number, Value inverse);

  ProgramBuilder &e;
  attn::AppendOp op;
  StateBlocks &state;
};
} // namespace

/// The largest magnitude, found by the bits as integers, so that a NaN is it.
Value RowWriter::findLargest(Value from) {
  OpBuilder &b = e.b;
  Type word = b.getI32Type();
  Value most =
      e.loop(e.lane(), e.i32(state.columns), e.i32(32), e.i32(0),
             [&](Value column, ValueRange carried) -> SmallVector<Value> {
               Value bits =
                   arith::BitcastOp::create(b, e.loc, word, load(from, column));
               bits = arith::AndIOp::create(b, e.loc, bits, e.i32(0x7fffffff));
               return {e.maximum(carried[0], bits)};
             })[0];
  for (int32_t distance = 16; distance > 0; distance /= 2)
    most = e.maximum(most, NVVM::ShflOp::create(
                               b, e.loc, word, e.i32(-1), most, e.i32(distance),
                               e.i32(31), NVVM::ShflKind::bfly, UnitAttr()));
  return arith::BitcastOp::create(b, e.loc, b.getF32Type(), most);
}

/// q of a number, as processors find it (cpu/EmitState.cpp): added to a number
/// below 2^22, this leaves the nearest integer in the low bits.
Value RowWriter::narrow(Value number, Value inverse) {
  constexpr float kRounder = 12582912.0f;
  Value bits = arith::BitcastOp::create(
      e.b, e.loc, e.b.getI32Type(), e.fma(number, inverse, e.f32(kRounder)));
  return arith::TruncIOp::create(e.b, e.loc, state.element, bits);
}

void RowWriter::write(Value from, Value head, Value place) {
  OpBuilder &b = e.b;
  Type number = b.getF32Type();
  Value inverse;
  if (state.isScaled()) {
    Value largest = findLargest(from);
    // Rows below 2^-100 count as zeros.
    Value isZero = arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::OLT,
                                         largest, e.f32(0x1p-100f));
    inverse = e.select(isZero, e.f32(0), e.divF(e.f32(127), largest));
    // Every lane writes the same.
    Value scale = e.mulF(largest, e.f32(1.0f / 127.0f));
    e.storeAt(scale, e.at(state.scalesOf(head), e.wide(place), number), number);
  }
  forColumns([&](Value column) {
    Value to = state.transposed
                   ? e.add(e.mul(column, e.i32(state.positions)), place)
                   : e.add(e.mul(place, e.i32(state.rowElements)), column);
    Value target = e.at(head, e.wide(to), state.element);
    Value value = load(from, column);
    if (state.isScaled())
      LLVM::StoreOp::create(b, e.loc, narrow(value, inverse), target, 1);
    else
      e.storeAt(value, target, state.element);
  });
}

LogicalResult ProgramBuilder::buildAppend(attn::AppendOp op) {
  SizeExpr rows = attn::getNamedShape(op.getRows().getType())[0];
  auto state = cast<attn::StateType>(op.getState().getType());
  const int64_t heads = state.getRow().getShape()[0];
  // A warp per row and head.
  begin("", RowProgram::kThreads, {{rows, RowProgram::kRows}, {heads, 1}});
  Value row = add(mul(blockId(0), i32(RowProgram::kRows)), warpId());
  ifThen(lessThan(row, size(rows)), [&] {
    StateBlocks blocks(*this, op.getState());
    Value sequence = findSequence(*this, op.getOffsets(), row);
    Value within = sub(row, load(op.getOffsets(), wide(sequence)));
    Value position = add(pastOf(sequence), within);
    Value number = i32(blocks.positions), head = blockId(1);
    Value target = blocks.headOf(sequence, div(position, number), head);
    Value from = add(mul(wide(row), strideOf(op.getRows(), 0)),
                     mul(wide(head), i64(blocks.columns)));
    RowWriter(*this, op, blocks).write(from, target, rem(position, number));
  });
  end();
  return success();
}

} // namespace attnc::gpu
