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
// before, as f32, as the nearest bf16, or as i8 with a scale per position and
// head: vectors that attention then reads whole; workers take heads of
// sequences.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/ByteSteps.h"
#include "compiler/cpu/StateAccess.h"

using namespace mlir;

namespace attnc::cpu {

//===-- blocks ------------------------------------------------------------===//

StateAccess::StateAccess(KernelEmitter &emitter, Value state) : e(emitter) {
  blocks = cast<kernel::BlocksAttr>(
      e.kernel.getLayout(cast<BlockArgument>(state).getArgNumber()));
  positions = blocks.getPositions();
  transposed = blocks.getTransposed();
  ArrayRef<int64_t> row =
      cast<attn::StateType>(state.getType()).getRow().getShape();
  heads = row[0];
  columns = row[1];
  rowElements = blocks.getRowElements(columns);
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
  start = e.atBytes(start, offset);
  return e.atBytes(start, e.mul(head, e.i64(blocks.getHeadBytes(columns))));
}

Value StateAccess::elementAt(Value base, Value index) {
  const int64_t bytes = blocks.getElementBytes();
  return bytes == 4 ? e.at(base, index)
                    : e.atBytes(base, e.mul(index, e.i64(bytes)));
}

Value StateAccess::loadElements(Value head, Value index, Value mask) {
  Value place = elementAt(head, index);
  if (blocks.getFormat() == kernel::Format::f32)
    return e.loadVector(place, mask);
  const bool isByte = blocks.getFormat() == kernel::Format::i8;
  auto type =
      VectorType::get({int64_t(e.lanes)}, e.b.getIntegerType(isByte ? 8 : 16));
  Value elements = LLVM::LoadOp::create(e.b, e.loc, type, place,
                                        unsigned(blocks.getElementBytes()));
  if (isByte)
    return arith::SIToFPOp::create(
        e.b, e.loc, e.vectorType(),
        arith::ExtSIOp::create(e.b, e.loc, e.indexVectorType(), elements));
  Value bits =
      arith::ExtUIOp::create(e.b, e.loc, e.indexVectorType(), elements);
  bits = arith::ShLIOp::create(e.b, e.loc, bits, e.splat(e.i32(16)));
  return arith::BitcastOp::create(e.b, e.loc, e.vectorType(), bits);
}

Value StateAccess::scaleAt(Value head, Value position) {
  const int64_t behind = blocks.getHeadBytes(columns) - positions * 4;
  return e.at(e.atBytes(head, e.i64(behind)), position);
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

void StateAccess::storeFloats(Value source, Value head, Value position) {
  if (transposed) {
    e.loop(e.i64(0), e.i64(columns), 1, [&](Value i) {
      e.store(e.loadF32(e.at(source, i)),
              e.at(head, e.add(position, e.mul(i, e.i64(positions)))));
    });
    return;
  }
  Value target = e.at(head, e.mul(position, e.i64(columns)));
  for (int64_t i = 0; i < columns; i += e.lanes) {
    Value mask;
    if (columns - i < e.lanes)
      mask = e.tailMask(e.i64(columns - i));
    e.storeVector(e.loadVector(e.at(source, e.i64(i)), mask),
                  e.at(target, e.i64(i)), mask);
  }
}

Value StateAccess::narrow(Value numbers, Value inverse) {
  auto bitsOf = [&](Value value) -> Value {
    return arith::BitcastOp::create(e.b, e.loc, e.indexVectorType(), value);
  };
  if (inverse)
    return bitsOf(e.fma(numbers, e.splat(inverse), e.splat(e.f32(kRounder))));
  auto shiftDown = [&](Value bits) -> Value {
    return arith::ShRUIOp::create(e.b, e.loc, bits, e.splat(e.i32(16)));
  };
  // On integers, since processors' own conversion drops denormals.
  Value bits = bitsOf(numbers), upper = shiftDown(bits);
  Value odd = arith::AndIOp::create(e.b, e.loc, upper, e.splat(e.i32(1)));
  Value half = arith::AddIOp::create(e.b, e.loc, odd, e.splat(e.i32(0x7fff)));
  Value nearest = shiftDown(arith::AddIOp::create(e.b, e.loc, bits, half));
  Value isNan = arith::CmpFOp::create(e.b, e.loc, arith::CmpFPredicate::UNO,
                                      numbers, numbers);
  Value nan = arith::OrIOp::create(e.b, e.loc, upper, e.splat(e.i32(0x40)));
  return arith::SelectOp::create(e.b, e.loc, isNan, nan, nearest);
}

void StateAccess::storeRow(Value source, Value head, Value position) {
  if (blocks.getFormat() == kernel::Format::f32)
    return storeFloats(source, head, position);
  ByteSteps steps;
  if (isScaled()) {
    steps = findByteSteps(e, source, columns);
    e.store(steps.scale, scaleAt(head, position));
  }
  const unsigned bytes = blocks.getElementBytes();
  Type element = e.b.getIntegerType(8 * bytes);
  auto type = VectorType::get({int64_t(e.lanes)}, element);
  for (int64_t i = 0; i < columns; i += e.lanes) {
    const int64_t count = std::min<int64_t>(e.lanes, columns - i);
    Value mask;
    if (count < e.lanes)
      mask = e.tailMask(e.i64(count));
    Value numbers = e.loadVector(e.at(source, e.i64(i)), mask);
    Value narrowed = arith::TruncIOp::create(e.b, e.loc, type,
                                             narrow(numbers, steps.inverse));
    if (!transposed) {
      // The zeros of a masked load fill the row up.
      Value first = e.mul(position, e.i64(rowElements));
      e.store(narrowed, elementAt(head, e.add(first, e.i64(i))), bytes);
      continue;
    }
    for (int64_t lane = 0; lane < count; ++lane)
      e.store(vector::ExtractOp::create(e.b, e.loc, narrowed,
                                        ArrayRef<int64_t>{lane}),
              elementAt(head, e.add(position, e.i64((i + lane) * positions))),
              bytes);
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
      Value source =
          at(rows, add(mul(row, i64(stride)), mul(head, i64(state.columns))));
      state.storeRow(source, state.headOf(table, index, head), within);
    });
  });
  return success();
}

} // namespace attnc::cpu
