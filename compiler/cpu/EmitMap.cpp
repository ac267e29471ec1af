//===- EmitMap.cpp - elementwise kernels ----------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.map`: the last dimension runs along the lanes, its tail masked; the
// rows of all other dimensions are split over the workers. Without a row region
// long rows are cut into chunks, so that one long row occupies every worker
// too.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/Emitter.h"

using namespace mlir;

namespace attnc::cpu {

/// Columns [from, to) of the row at `row`, whose leading indices are `dims`.
static void emitColumns(KernelEmitter &e, const attn::CapturedRegion &element,
                        Value row, SmallVector<Value> dims, Value from,
                        Value to) {
  const unsigned laneDim = dims.size();
  dims.push_back(Value());
  auto vector = [&](Value column, Value mask) {
    dims.back() = column;
    e.storeVector(e.inlineRegion(element, {}, dims, laneDim, mask),
                  e.at(row, column), mask);
  };
  Value count = e.sub(to, from);
  Value wholeEnd =
      e.add(from, e.mul(e.div(count, e.i64(e.lanes)), e.i64(e.lanes)));
  e.loop(from, wholeEnd, e.lanes, [&](Value column) { vector(column, {}); });
  e.ifThen(e.lessThan(wholeEnd, to),
           [&] { vector(wholeEnd, e.tailMask(e.sub(to, wholeEnd))); });
}

static void emitScalar(KernelEmitter &e, const attn::CapturedRegion &element,
                       Value result) {
  Value first = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::eq,
                                      e.worker, e.i64(0));
  e.ifThen(first, [&] {
    Value lanes = e.inlineRegion(element, {}, {}, KernelEmitter::kNoLane);
    e.store(vector::ExtractOp::create(e.b, e.loc, lanes, ArrayRef<int64_t>{0}),
            result);
  });
}

LogicalResult KernelEmitter::emitMap(attn::MapOp op) {
  attn::CapturedRegion element = op.getElementEpilogue();
  attn::CapturedRegion row = op.getRowEpilogue();
  Value result = pointerOf(op.getResult());
  SmallVector<SizeExpr> shape = attn::getNamedShape(op.getResult().getType());
  if (shape.empty()) {
    emitScalar(*this, element, result);
    return success();
  }
  SizeExpr last = shape.pop_back_val();
  if (row && !last.isNumber() && !isRowChain(row))
    return op.emitError("error[A0508]: a row region that reads a row twice "
                        "needs rows of a static length, not '")
           << last.str() << "'; fix the size of the last dimension";
  Value rows = size(attn::getProduct(shape));
  Value columns = size(last);
  const int64_t chunkColumns = model.getMapColumns();
  Value chunks = row ? i64(1) : ceilDiv(columns, chunkColumns);
  auto [from, to] = workerRange(mul(rows, chunks));
  loop(from, to, 1, [&](Value unit) {
    Value index = div(unit, chunks);
    Value place = at(result, mul(index, columns));
    SmallVector<Value> dims = unflatten(index, shape);
    Value begin = i64(0), end = columns;
    if (!row) {
      Value chunk = sub(unit, mul(index, chunks));
      begin = mul(chunk, i64(chunkColumns));
      end = minimum(add(begin, i64(chunkColumns)), columns);
    }
    emitColumns(*this, element, place, dims, begin, end);
    if (row)
      emitRow(row, place, last, dims);
  });
  return success();
}

} // namespace attnc::cpu
