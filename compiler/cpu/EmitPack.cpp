//===- EmitPack.cpp - packing of padded batches ---------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.pack_index` (one worker) finds the rows to keep and tells their number
// to the phases after it; `attn.pack` copies them together; `attn.unpack` puts
// them back. For that each worker takes a part of the padded rows, finds where
// it begins among the kept ones by binary search, and writes rows and zeros in
// order. Elements are copied as bits, whatever their type.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/Emitter.h"

using namespace mlir;

namespace attnc::cpu {

static SizeExpr rowElements(Value tensor, unsigned rowDims) {
  return attn::getProduct(
      ArrayRef(attn::getNamedShape(tensor.getType())).drop_front(rowDims));
}

/// Elements [0, count) from `source`, or zeros without one.
static void fill(KernelEmitter &e, Value source, Value target, Value count) {
  auto vector = [&](Value index, Value mask) {
    Value value =
        source ? e.loadVector(e.at(source, index), mask) : e.splat(e.f32(0));
    e.storeVector(value, e.at(target, index), mask);
  };
  Value whole = e.mul(e.div(count, e.i64(e.lanes)), e.i64(e.lanes));
  e.loop(e.i64(0), whole, e.lanes,
         [&](Value index) { vector(index, Value()); });
  e.ifThen(e.lessThan(whole, count),
           [&] { vector(whole, e.tailMask(e.sub(count, whole))); });
}

/// One row; ids and masks have rows of one element.
static void copyRow(KernelEmitter &e, Value source, Value target,
                    const SizeExpr &elements) {
  if (elements == SizeExpr(1))
    return e.store(e.loadI32(source), target);
  fill(e, source, target, e.size(elements));
}

LogicalResult KernelEmitter::emitPackIndex(attn::PackIndexOp op) {
  Value mask = pointerOf(op.getMask());
  Value rows = pointerOf(op.getRows()), offsets = pointerOf(op.getOffsets());
  auto shape = attn::getNamedShape(op.getMask().getType());
  Value batch = size(shape[0]), length = size(shape[1]);
  Value first =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, worker, i64(0));
  ifThen(first, [&] {
    store(i32(0), offsets);
    Value kept =
        loop(i64(0), batch, 1, i64(0),
             [&](Value sequence, ValueRange carried) -> SmallVector<Value> {
               Value start = mul(sequence, length);
               Value count = loop(
                   start, add(start, length), 1, carried,
                   [&](Value row, ValueRange carried) -> SmallVector<Value> {
                     Value isKept =
                         arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne,
                                               loadI32(at(mask, row)), i32(0));
                     ifThen(isKept,
                            [&] { store(toI32(row), at(rows, carried[0])); });
                     Value one =
                         arith::ExtUIOp::create(b, loc, b.getI64Type(), isKept);
                     return {add(carried[0], one)};
                   })[0];
               store(toI32(count), at(offsets, add(sequence, i64(1))));
               return {count};
             })[0];
    auto tokens = attn::getNamedShape(op.getRows().getType());
    setSize(tokens[0].asName(), kept);
  });
  return success();
}

LogicalResult KernelEmitter::emitPack(attn::PackOp op) {
  Value input = pointerOf(op.getInput()), rows = pointerOf(op.getRows());
  Value result = pointerOf(op.getResult());
  SizeExpr elements = rowElements(op.getInput(), 2);
  // Rows of a view lie further apart than they are long.
  const unsigned rank =
      cast<RankedTensorType>(op.getInput().getType()).getRank();
  Value stride = rank > 2 ? strideOf(op.getInput(), 1) : i64(1);
  auto [from, to] = workerRange(rowCount(op.getRows(), 0));
  loop(from, to, 1, [&](Value index) {
    Value row = toI64(loadI32(at(rows, index)));
    copyRow(*this, at(input, mul(row, stride)),
            at(result, mul(index, size(elements))), elements);
  });
  return success();
}

/// The first index in the ascending `rows` [count] whose row is not below
/// `bound`.
static Value lowerBound(KernelEmitter &e, Value rows, Value count,
                        Value bound) {
  OpBuilder &b = e.b;
  Type type = b.getI64Type();
  auto whileOp = scf::WhileOp::create(b, e.loc, TypeRange{type, type},
                                      ValueRange{e.i64(0), count});
  OpBuilder::InsertionGuard guard(b);
  Block *before =
      b.createBlock(&whileOp.getBefore(), {}, {type, type}, {e.loc, e.loc});
  scf::ConditionOp::create(
      b, e.loc, e.lessThan(before->getArgument(0), before->getArgument(1)),
      before->getArguments());
  Block *after =
      b.createBlock(&whileOp.getAfter(), {}, {type, type}, {e.loc, e.loc});
  Value low = after->getArgument(0), high = after->getArgument(1);
  Value middle = e.div(e.add(low, high), e.i64(2));
  Value isBelow = e.lessThan(e.toI64(e.loadI32(e.at(rows, middle))), bound);
  Value above = e.add(middle, e.i64(1));
  low = arith::SelectOp::create(b, e.loc, isBelow, above, low);
  high = arith::SelectOp::create(b, e.loc, isBelow, high, middle);
  scf::YieldOp::create(b, e.loc, ValueRange{low, high});
  return whileOp.getResult(0);
}

LogicalResult KernelEmitter::emitUnpack(attn::UnpackOp op) {
  Value input = pointerOf(op.getInput()), rows = pointerOf(op.getRows());
  Value result = pointerOf(op.getResult());
  auto shape = attn::getNamedShape(op.getResult().getType());
  SizeExpr elements = rowElements(op.getResult(), 2);
  Value length = size(elements);
  const unsigned rank =
      cast<RankedTensorType>(op.getInput().getType()).getRank();
  Value stride = rank > 1 ? strideOf(op.getInput(), 0) : i64(1);
  auto zeros = [&](Value from, Value to) {
    fill(*this, Value(), at(result, mul(from, length)),
         mul(sub(to, from), length));
  };
  Value kept = rowCount(op.getRows(), 0);
  auto [from, to] =
      workerRange(size(attn::getProduct(ArrayRef(shape).take_front(2))));
  Value first = lowerBound(*this, rows, kept, from);
  Value last = lowerBound(*this, rows, kept, to);
  Value next = loop(first, last, 1, from,
                    [&](Value index, ValueRange carried) -> SmallVector<Value> {
                      Value row = toI64(loadI32(at(rows, index)));
                      zeros(carried[0], row);
                      copyRow(*this, at(input, mul(index, stride)),
                              at(result, mul(row, length)), elements);
                      return {add(row, i64(1))};
                    })[0];
  zeros(next, to);
  return success();
}

} // namespace attnc::cpu
