//===- EmitterRegions.cpp - regions at vector type ------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An element, score or mask region computes one scalar; here its ops are cloned
// with `vector<LANESx..>` results, one lane per neighbour along one dimension
// of the index space. Captures are broadcast, loaded or gathered, as their map
// and shape say; those that stay whole are gathered from by attn.lookup.
// Before:
//
//   ^bb0(%acc: f32, %bias: f32):
//     %s = arith.addf %acc, %bias : f32
//
// after, lanes along the columns:
//
//   %bias = llvm.load %place : vector<16xf32>
//   %s = arith.addf %acc, %bias : vector<16xf32>
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/Emitter.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace attnc::cpu {

Value KernelEmitter::readCapture(Value capture, AffineMap map,
                                 ArrayRef<Value> dims, unsigned laneDim,
                                 Value mask) {
  Value laneStride; // null: every lane reads the same element
  bool neighbours;
  Value offset =
      captureOffset(capture, map, dims, laneDim, laneStride, neighbours);
  Value place = at(pointerOf(capture), offset);
  Type element = cast<RankedTensorType>(capture.getType()).getElementType();
  if (!laneStride)
    return splat(element.isInteger() ? loadI32(place) : loadF32(place));
  if (neighbours)
    return loadVector(place, mask, element);
  return gather(place, laneStride, mask, element);
}

/// The same op with vector results.
static Operation *cloneAtVector(OpBuilder &b, Operation *op, IRMapping &values,
                                int64_t lanes) {
  Operation *clone = op->clone(values);
  for (OpResult result : clone->getResults())
    result.setType(VectorType::get({lanes}, result.getType()));
  b.insert(clone);
  values.map(op->getResults(), clone->getResults());
  return clone;
}

Value KernelEmitter::inlineRegion(const attn::CapturedRegion &region,
                                  ValueRange leading, ArrayRef<Value> dims,
                                  unsigned laneDim, Value mask) {
  assert(region.leading == leading.size() && "arguments that the op defines");
  Block &block = region.block();
  IRMapping values;
  for (auto [argument, value] : llvm::zip(block.getArguments(), leading))
    values.map(argument, value);
  for (auto [index, capture] : llvm::enumerate(region.captures)) {
    BlockArgument argument = block.getArgument(region.leading + index);
    if (!argument.use_empty() && !isa<RankedTensorType>(argument.getType()))
      values.map(argument,
                 readCapture(capture, region.maps[index], dims, laneDim, mask));
  }
  for (Operation &op : block.without_terminator()) {
    assert(attn::isRegionScalarOp(&op) && "the verifier admits no other");
    if (auto scalar = dyn_cast<arith::ConstantOp>(op)) {
      auto type = VectorType::get({int64_t(lanes)}, scalar.getType());
      values.map(scalar.getResult(), constant(DenseElementsAttr::get(
                                         type, Attribute(scalar.getValue()))));
      continue;
    }
    if (auto index = dyn_cast<attn::IndexOp>(op)) {
      Value lane = splat(toI32(dims[index.getDim()]));
      if (index.getDim() == laneDim)
        lane = arith::AddIOp::create(b, loc, lane, iota());
      values.map(index.getResult(), lane);
      continue;
    }
    if (auto lookup = dyn_cast<attn::LookupOp>(op)) {
      const unsigned index =
          cast<BlockArgument>(lookup.getTable()).getArgNumber() -
          region.leading;
      SmallVector<Value> indices;
      for (Value dim : lookup.getIndices())
        indices.push_back(values.lookup(dim));
      values.map(lookup.getResult(),
                 lookUp(region.captures[index], region.maps[index], dims,
                        laneDim, indices, mask));
      continue;
    }
    Operation *clone = cloneAtVector(b, &op, values, lanes);
    if (auto erf = dyn_cast<math::ErfOp>(clone); erf && roughMath)
      erf.setFastmath(arith::FastMathFlags::afn);
  }
  return values.lookup(region.yielded());
}

} // namespace attnc::cpu
