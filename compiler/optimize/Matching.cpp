//===- Matching.cpp - questions that several rewrites ask
//------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See Matching.h.
//
//===----------------------------------------------------------------------===//
#include "compiler/optimize/Matching.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace attnc {

Operation *findOtherUser(Value value, Operation *user) {
  // Uses are listed latest first; the first in the program reads better.
  Operation *other = nullptr;
  for (Operation *candidate : value.getUsers())
    if (candidate != user)
      other = candidate;
  return other;
}

std::optional<double> matchNumber(const RegionEditor &region, Value scalar) {
  FloatAttr number;
  if (matchPattern(scalar, m_Constant(&number)))
    return number.getValueAsDouble();
  std::optional<RegionEditor::Captured> captured = region.lookThrough(scalar);
  if (!captured)
    return std::nullopt;
  auto constant = captured->value.getDefiningOp<attn::ConstantOp>();
  auto elements =
      constant ? dyn_cast<DenseFPElementsAttr>(constant.getValue()) : nullptr;
  if (!elements || !elements.isSplat())
    return std::nullopt;
  return elements.getSplatValue<APFloat>().convertToDouble();
}

bool isMaskedOut(const RegionEditor &region, Value scalar) {
  std::optional<double> number = matchNumber(region, scalar);
  return number && *number <= -1e30;
}

SmallVector<AffineMap> getAccesses(attn::MapOp map, Value value) {
  attn::CapturedRegion element = map.getElementEpilogue();
  SmallVector<AffineMap> accesses;
  for (auto [index, captured] : llvm::enumerate(element.captures))
    if (captured == value)
      accesses.push_back(element.maps[index]);
  return accesses;
}

bool readsElementwise(attn::MapOp map, Value value) {
  SmallVector<AffineMap> accesses = getAccesses(map, value);
  const int64_t rank = cast<RankedTensorType>(value.getType()).getRank();
  // Results that are missing leave dimensions whole: the map looks rows up.
  return !accesses.empty() && llvm::all_of(accesses, [&](AffineMap access) {
    return access.isIdentity() && access.getNumResults() == rank;
  });
}

bool isReindexing(attn::MapOp map) {
  attn::CapturedRegion element = map.getElementEpilogue();
  return element.captures.size() == 1 && !map.getRowEpilogue() &&
         element.yielded() == element.block().getArgument(0);
}

Value makeReindexing(OpBuilder &builder, Location loc, Value value,
                     AffineMap access) {
  SmallVector<SizeExpr> source = attn::getNamedShape(value.getType());
  SmallVector<SizeExpr> shape(access.getNumDims(), SizeExpr(1));
  for (auto [size, expr] : llvm::zip_equal(source, access.getResults()))
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      shape[dim.getPosition()] = size;
  if (access.isIdentity())
    return value;
  Type element = cast<RankedTensorType>(value.getType()).getElementType();
  auto map = attn::MapOp::create(
      builder, loc, attn::getNamedTensor(shape, element), value, ValueRange(),
      builder.getAffineMapArrayAttr(access), ArrayAttr());
  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(&map.getElement(), {}, {element}, {loc});
  attn::YieldOp::create(builder, loc, block->getArgument(0));
  return map;
}

} // namespace attnc
