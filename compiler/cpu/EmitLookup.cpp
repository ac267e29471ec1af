//===- EmitLookup.cpp - tables read by computed indices -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// attn.lookup in a region at vector type: every lane's indices are held to the
// table and make an offset from the element where lane 0's table begins, by
// which one gather reads.
//
//   %n = arith.maxsi %index, 0; %n = arith.minsi %n, SIZE - 1
//   %x = masked gather from %place + %n (+ lane * stride between tables)
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/Emitter.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include <limits>

using namespace mlir;

namespace attnc::cpu {

Value KernelEmitter::captureOffset(Value capture, AffineMap map,
                                   ArrayRef<Value> dims, unsigned laneDim,
                                   Value &laneStride, bool &neighbours) {
  Value offset = i64(0);
  neighbours = false;
  const unsigned rank = cast<RankedTensorType>(capture.getType()).getRank();
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    Value stride = strideOf(capture, dim);
    if (auto number = dyn_cast<AffineConstantExpr>(expr)) {
      offset = add(offset, mul(i64(number.getValue()), stride));
      continue;
    }
    const unsigned position = cast<AffineDimExpr>(expr).getPosition();
    offset = add(offset, mul(dims[position], stride));
    if (position != laneDim)
      continue;
    neighbours = !laneStride && dim + 1 == rank;
    laneStride = laneStride ? add(laneStride, stride) : stride;
  }
  return offset;
}

/// Whether every offset of a gather fits i32: the tables of all lanes lie
/// within so many elements.
static bool isNear(RankedTensorType capture, unsigned first, Value laneStride,
                   unsigned lanes) {
  int64_t extent = 1;
  for (int64_t size : capture.getShape().drop_front(first)) {
    if (ShapedType::isDynamic(size))
      return false;
    extent *= size;
  }
  if (laneStride) {
    std::optional<int64_t> stride = getConstantIntValue(laneStride);
    if (!stride)
      return false;
    extent += *stride * lanes;
  }
  return extent <= std::numeric_limits<int32_t>::max();
}

Value KernelEmitter::lookUp(Value capture, AffineMap map, ArrayRef<Value> dims,
                            unsigned laneDim, ValueRange indices, Value mask) {
  Value laneStride;
  bool neighbours;
  Value start =
      captureOffset(capture, map, dims, laneDim, laneStride, neighbours);
  auto type = cast<RankedTensorType>(capture.getType());
  SmallVector<SizeExpr> shape = attn::getNamedShape(type);
  const unsigned first = map.getNumResults();
  // 32-bit offsets let one instruction gather a whole vector.
  const bool near = isNear(type, first, laneStride, lanes);
  auto wide =
      VectorType::get({int64_t(lanes)}, near ? b.getI32Type() : b.getI64Type());
  auto spread = [&](Value number) { // i64
    return near ? splat(toI32(number)) : splat(number);
  };
  auto widen = [&](Value vector) -> Value {
    return near ? vector : arith::ExtSIOp::create(b, loc, wide, vector);
  };
  Value offsets;
  auto addOffset = [&](Value term) {
    offsets =
        offsets ? Value(arith::AddIOp::create(b, loc, offsets, term)) : term;
  };
  for (auto [dim, index] : llvm::enumerate(indices)) {
    Value last = toI32(sub(size(shape[first + dim]), i64(1)));
    if (!shape[first + dim].isNumber()) {
      // Of an empty table nothing is read.
      Value exists = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge,
                                           splat(last), splat(i32(0)));
      mask = mask ? Value(arith::AndIOp::create(b, loc, mask, exists)) : exists;
    }
    Value held = arith::MaxSIOp::create(b, loc, index, splat(i32(0)));
    held = widen(arith::MinSIOp::create(b, loc, held, splat(last)));
    Value stride = strideOf(capture, first + dim);
    if (getConstantIntValue(stride) != 1)
      held = arith::MulIOp::create(b, loc, held, spread(stride));
    addOffset(held);
  }
  if (laneStride)
    addOffset(arith::MulIOp::create(b, loc, widen(iota()), spread(laneStride)));
  return gatherAt(at(pointerOf(capture), start), offsets, mask,
                  type.getElementType());
}

} // namespace attnc::cpu
