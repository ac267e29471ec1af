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

static kernel::BlocksAttr getLayout(ProgramBuilder &e, Value state) {
  return cast<kernel::BlocksAttr>(
      e.kernel.getLayout(cast<BlockArgument>(state).getArgNumber()));
}

LogicalResult StateBlocks::check(ProgramBuilder &e, Value state) {
  kernel::BlocksAttr layout = getLayout(e, state);
  if (layout.getFormat() == kernel::Format::f32)
    return success();
  return e.kernel.getComputeOp()->emitError(
             "error[A0520]: no kernel for GPUs reads states that are kept as ")
         << kernel::stringifyFormat(layout.getFormat())
         << "; keep them as f32, or compile for a processor";
}

StateBlocks::StateBlocks(ProgramBuilder &builder, Value state) : e(builder) {
  kernel::BlocksAttr layout = getLayout(e, state);
  positions = layout.getPositions();
  transposed = layout.getTransposed();
  auto row = cast<attn::StateType>(state.getType()).getRow().getShape();
  heads = row[0];
  columns = row[1];
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
              e.mul(e.wide(head), e.i64(positions * columns)),
              e.b.getF32Type());
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

LogicalResult ProgramBuilder::buildAppend(attn::AppendOp op) {
  if (failed(StateBlocks::check(*this, op.getState())))
    return failure();
  constexpr int32_t kLanes = 32;
  SizeExpr rows = attn::getNamedShape(op.getRows().getType())[0];
  begin("", RowProgram::kThreads, {{rows, RowProgram::kRows}});
  Value row = add(mul(blockId(0), i32(RowProgram::kRows)), warpId());
  ifThen(lessThan(row, size(rows)), [&] {
    StateBlocks state(*this, op.getState());
    Value sequence = findSequence(*this, op.getOffsets(), row);
    Value within = sub(row, load(op.getOffsets(), wide(sequence)));
    Value position = add(pastOf(sequence), within);
    Value number = i32(state.positions), columns = i32(state.columns);
    Value place = rem(position, number);
    Value start =
        state.headOf(sequence, div(position, number), /*head=*/i32(0));
    Value from = mul(wide(row), strideOf(op.getRows(), 0));
    loop(lane(), i32(state.heads * state.columns), i32(kLanes),
         [&](Value element) {
           Value head = div(element, columns), column = rem(element, columns);
           Value to = state.transposed ? add(mul(column, number), place)
                                       : add(mul(place, columns), column);
           to = add(mul(head, i32(state.positions * state.columns)), to);
           Value value = load(op.getRows(), add(from, wide(element)));
           storeAt(value, at(start, wide(to), b.getF32Type()), b.getF32Type());
         });
  });
  end();
  return success();
}

} // namespace attnc::gpu
