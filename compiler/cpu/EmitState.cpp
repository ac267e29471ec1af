//===- EmitState.cpp - states of a session
//-----------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.past`, `attn.packed_positions` and `attn.append`. An append copies a
// call's new rows into the blocks that the runtime has put into the tables
// before; workers take heads of sequences.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/StateAccess.h"

using namespace mlir;

namespace attnc::cpu {

//===-- blocks ------------------------------------------------------------===//

StateAccess::StateAccess(KernelEmitter &emitter, Value state) : e(emitter) {
  auto blocks = cast<kernel::BlocksAttr>(
      e.kernel.getLayout(cast<BlockArgument>(state).getArgNumber()));
  positions = blocks.getPositions();
  transposed = blocks.getTransposed();
  ArrayRef<int64_t> row =
      cast<attn::StateType>(state.getType()).getRow().getShape();
  heads = row[0];
  columns = row[1];
  // Fields of attn_frame_state.
  Value view = e.pointerOf(state);
  tables = load(view.getType(), view, e.i64(0));
  offset = load(e.b.getI64Type(), view, e.i64(1));
}

/// base[index], elements of eight bytes.
Value StateAccess::load(Type type, Value base, Value index) {
  Value place =
      LLVM::GEPOp::create(e.b, e.loc, base.getType(), e.b.getI64Type(), base,
                          ArrayRef<LLVM::GEPArg>{index});
  return LLVM::LoadOp::create(e.b, e.loc, type, place, /*alignment=*/8);
}

Value StateAccess::tableOf(Value sequence) {
  return load(tables.getType(), tables, sequence);
}

Value StateAccess::headOf(Value table, Value block, Value head) {
  Value start = load(tables.getType(), table, block);
  start = LLVM::GEPOp::create(e.b, e.loc, start.getType(), e.b.getI8Type(),
                              start, ArrayRef<LLVM::GEPArg>{offset});
  return e.at(start, e.mul(head, e.i64(positions * columns)));
}

//===-- lengths -----------------------------------------------------------===//

LogicalResult KernelEmitter::emitPast(attn::PastOp op) {
  Value result = pointerOf(op.getResult());
  auto [from, to] = workerRange(rowCount(op.getResult(), 0));
  loop(from, to, 1, [&](Value sequence) {
    store(toI32(pastOf(sequence)), at(result, sequence));
  });
  return success();
}

LogicalResult KernelEmitter::emitPackedPositions(attn::PackedPositionsOp op) {
  Value offsets = pointerOf(op.getOffsets()), past = pointerOf(op.getPast());
  Value result = pointerOf(op.getResult());
  auto [from, to] = workerRange(rowCount(op.getPast(), 0));
  loop(from, to, 1, [&](Value sequence) {
    Value place = at(offsets, sequence);
    Value first = loadI32(place);
    Value shift =
        arith::SubIOp::create(b, loc, loadI32(at(past, sequence)), first);
    loop(toI64(first), toI64(loadI32(at(place, i64(1)))), 1, [&](Value row) {
      Value position = arith::AddIOp::create(b, loc, toI32(row), shift);
      store(position, at(result, row));
    });
  });
  return success();
}

//===-- append ------------------------------------------------------------===//

/// One row of one head, `count` elements: side by side, or `stride` apart.
static void storeRow(KernelEmitter &e, Value source, Value target,
                     int64_t count, int64_t stride) {
  if (stride > 1) {
    e.loop(e.i64(0), e.i64(count), 1, [&](Value i) {
      e.store(e.loadF32(e.at(source, i)),
              e.at(target, e.mul(i, e.i64(stride))));
    });
    return;
  }
  for (int64_t i = 0; i < count; i += e.lanes) {
    Value mask;
    if (count - i < e.lanes)
      mask = e.tailMask(e.i64(count - i));
    e.storeVector(e.loadVector(e.at(source, e.i64(i)), mask),
                  e.at(target, e.i64(i)), mask);
  }
}

LogicalResult KernelEmitter::emitAppend(attn::AppendOp op) {
  StateAccess state(*this, op.getState());
  Value rows = pointerOf(op.getRows()), offsets = pointerOf(op.getOffsets());
  const int64_t stride = rowStride(op.getRows(), 2);
  Value batch = sub(rowCount(op.getOffsets(), 0), i64(1));
  Value heads = i64(state.heads), block = i64(state.positions);
  auto [from, to] = workerRange(mul(batch, heads));
  loop(from, to, 1, [&](Value unit) {
    Value sequence = div(unit, heads);
    Value head = sub(unit, mul(sequence, heads));
    Value place = at(offsets, sequence);
    Value first = toI64(loadI32(place));
    Value end = toI64(loadI32(at(place, i64(1))));
    Value table = state.tableOf(sequence);
    Value shift = sub(pastOf(sequence), first);
    loop(first, end, 1, [&](Value row) {
      Value position = add(row, shift);
      Value index = div(position, block);
      Value within = sub(position, mul(index, block));
      Value target =
          at(state.headOf(table, index, head),
             state.transposed ? within : mul(within, i64(state.columns)));
      Value source =
          at(rows, add(mul(row, i64(stride)), mul(head, i64(state.columns))));
      storeRow(*this, source, target, state.columns,
               state.transposed ? state.positions : 1);
    });
  });
  return success();
}

} // namespace attnc::cpu
