//===- RegionConstraints.cpp - what captured regions must look like
//--------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One set of checks for element, score, mask and row regions: a map per
// capture, dimensions that agree with the index space, argument types, ops that
// every back end knows, one yielded value.
//
//===----------------------------------------------------------------------===//
#include "dialects/attn/Constraints.h"

using namespace mlir;

namespace attnc::attn {

using Space = ArrayRef<std::optional<SizeExpr>>;

/// One block, and maps exactly for the captures.
static LogicalResult verifyParts(Operation *op, StringRef name,
                                 const CapturedRegion &region) {
  if (region.maps.size() != region.captures.size())
    return op->emitOpError()
           << "expects one map per capture of the " << name << "; got "
           << region.captures.size() << " captures and " << region.maps.size()
           << " maps";
  if (region.empty()) {
    if (!region.captures.empty())
      return op->emitOpError()
             << "has captures of the " << name << ", but no such region";
    return success();
  }
  if (!region.region->hasOneBlock())
    return op->emitOpError()
           << "expects the " << name << " to have one block, got "
           << region.region->getBlocks().size();
  return success();
}

/// Result `dim` of a capture's map: a dimension of the index space of the same
/// size, or a constant inside of the capture.
static LogicalResult verifyMapResult(Operation *op, const Twine &capture,
                                     AffineExpr expr, unsigned dim,
                                     const SizeExpr &size, Space space) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    int64_t value = constant.getValue();
    // Every size is at least one where anything is computed.
    if (value == 0 || (value > 0 && size.isNumber() && value < size.number()))
      return success();
    return op->emitOpError()
           << "expects constant indices of " << capture
           << " to lie within its dimension " << dim << " of size '"
           << size.str() << "', got " << value;
  }
  auto position = dyn_cast<AffineDimExpr>(expr);
  if (!position)
    return op->emitOpError() << "expects every result of the map of " << capture
                             << " to be a dimension or a constant";
  const std::optional<SizeExpr> &expected = space[position.getPosition()];
  if (!expected)
    return op->emitOpError()
           << "cannot index " << capture << " by dimension "
           << position.getPosition()
           << ", whose size differs from sequence to sequence";
  if (*expected == size)
    return success();
  return op->emitOpError() << "indexes dimension " << dim << " of " << capture
                           << " by dimension " << position.getPosition()
                           << " of size '" << expected->str()
                           << "'; expected the same size, got '" << size.str()
                           << "'";
}

/// The map of one capture; it may leave out last dimensions.
static LogicalResult verifyMap(Operation *op, const Twine &capture,
                               AffineMap map, Type type, Space space) {
  SmallVector<SizeExpr> shape = getNamedShape(type);
  if (map.getNumDims() != space.size() || map.getNumSymbols())
    return op->emitOpError()
           << "expects the map of " << capture << " to have " << space.size()
           << " dimensions and no symbols, got " << map.getNumDims() << " and "
           << map.getNumSymbols();
  if (map.getNumResults() > shape.size())
    return op->emitOpError()
           << "expects the map of " << capture << " to have at most "
           << shape.size() << " results, one per dimension of the capture; got "
           << map.getNumResults();
  for (auto [dim, expr] : llvm::enumerate(map.getResults()))
    if (failed(verifyMapResult(op, capture, expr, dim, shape[dim], space)))
      return failure();
  return success();
}

static LogicalResult verifyArguments(Operation *op, StringRef name,
                                     Block &block, ArrayRef<Type> expected) {
  if (llvm::equal(block.getArgumentTypes(), expected))
    return success();
  InFlightDiagnostic error = op->emitOpError()
                             << "expects the " << name << " to take (";
  llvm::interleaveComma(expected, error);
  error << "), got (";
  llvm::interleaveComma(block.getArgumentTypes(), error);
  return error << ")";
}

static LogicalResult verifyYield(Operation *op, StringRef name, Block &block,
                                 Type expected) {
  auto yield =
      dyn_cast_or_null<YieldOp>(block.empty() ? nullptr : &block.back());
  if (!yield)
    return op->emitOpError()
           << "expects the " << name << " to end with attn.yield";
  if (yield->getNumOperands() == 1 &&
      yield->getOperand(0).getType() == expected)
    return success();
  InFlightDiagnostic error = op->emitOpError()
                             << "expects the " << name << " to yield ("
                             << expected << "), got (";
  llvm::interleaveComma(yield->getOperandTypes(), error);
  return error << ")";
}

/// Regions see nothing but their arguments: what they use is an operand.
static LogicalResult verifyIsolated(Operation *op, StringRef name,
                                    Region &region, Operation &inner) {
  for (Value operand : inner.getOperands())
    if (!region.isAncestor(operand.getParentRegion())) {
      InFlightDiagnostic error = op->emitOpError()
                                 << "uses a value from outside in the " << name
                                 << "; expected it as a capture";
      error.attachNote(inner.getLoc()) << "used here";
      return error;
    }
  return success();
}

static bool isScalar(Type type) {
  return type.isF32() || type.isInteger(32) || type.isInteger(1);
}

LogicalResult verifyScalarRegion(Operation *op, const CapturedRegion &region,
                                 const ScalarRegionRules &rules) {
  if (failed(verifyParts(op, rules.name, region)))
    return failure();
  if (region.empty())
    return success();
  SmallVector<Type> arguments = rules.leading;
  for (auto [index, capture] : llvm::enumerate(region.captures)) {
    auto type = cast<RankedTensorType>(capture.getType());
    if (failed(verifyMap(op,
                         "capture " + Twine(index) + " of the " + rules.name,
                         region.maps[index], type, rules.space)))
      return failure();
    arguments.push_back(getCapturedType(type, region.maps[index]));
  }
  Block &block = region.block();
  if (failed(verifyArguments(op, rules.name, block, arguments)) ||
      failed(verifyYield(op, rules.name, block, rules.yielded)))
    return failure();
  for (Operation &inner : block) {
    if (failed(verifyIsolated(op, rules.name, *region.region, inner)))
      return failure();
    if (isa<YieldOp>(inner))
      continue;
    bool known = isRegionScalarOp(&inner) &&
                 (isa<LookupOp>(inner) ||
                  llvm::all_of(inner.getOperandTypes(), isScalar)) &&
                 llvm::all_of(inner.getResultTypes(), isScalar);
    if (!known) {
      InFlightDiagnostic error =
          op->emitOpError()
          << "expects the " << rules.name
          << " to hold scalar arithmetic on f32, i32 and i1, got '"
          << inner.getName() << "'";
      error.attachNote(inner.getLoc()) << "the op is here";
      return error;
    }
  }
  return success();
}

/// attn.norm, attn.softmax and attn.map that turn rows into a row.
static bool isRegionRowOp(Operation &op, Type row) {
  if (auto map = dyn_cast<MapOp>(op))
    return map.getType() == row && !map.getRowEpilogue();
  return isa<NormOp, SoftmaxOp>(op) && op.getResult(0).getType() == row;
}

LogicalResult verifyRowRegion(Operation *op, const CapturedRegion &region,
                              ArrayRef<SizeExpr> space) {
  StringRef name = "row region";
  if (failed(verifyParts(op, name, region)))
    return failure();
  if (region.empty())
    return success();
  Type element = Float32Type::get(op->getContext());
  Type row = getNamedTensor(space.back(), element);
  SmallVector<std::optional<SizeExpr>> rowSpace(space.begin(), space.end() - 1);
  SmallVector<Type> arguments = {row};
  for (auto [index, capture] : llvm::enumerate(region.captures)) {
    AffineMap map = region.maps[index];
    if (failed(verifyMap(op, "capture " + Twine(index) + " of the row region",
                         map, capture.getType(), rowSpace)))
      return failure();
    SmallVector<SizeExpr> shape = getNamedShape(capture.getType());
    auto whole = ArrayRef<SizeExpr>(shape).drop_front(map.getNumResults());
    if (whole.size() > 1)
      return op->emitOpError()
             << "expects the map of capture " << index
             << " of the row region to leave out at most one dimension, got "
             << whole.size();
    arguments.push_back(getNamedTensor(whole, element));
  }
  Block &block = region.block();
  if (failed(verifyArguments(op, name, block, arguments)) ||
      failed(verifyYield(op, name, block, row)))
    return failure();
  for (Operation &inner : block) {
    if (failed(verifyIsolated(op, name, *region.region, inner)))
      return failure();
    if (isa<YieldOp>(inner) || isRegionRowOp(inner, row))
      continue;
    InFlightDiagnostic error = op->emitOpError()
                               << "expects the row region to hold attn.norm, "
                                  "attn.softmax and attn.map "
                                  "on rows of type "
                               << row << ", got '" << inner.getName() << "'";
    error.attachNote(inner.getLoc()) << "the op is here";
    return error;
  }
  return success();
}

LogicalResult verifyAttentionRegions(Operation *op, const CapturedRegion &score,
                                     const CapturedRegion &mask,
                                     ArrayRef<std::optional<SizeExpr>> space) {
  Type index = IntegerType::get(op->getContext(), 32);
  ScalarRegionRules rules;
  rules.space.assign(space.begin(), space.end());
  rules.name = "score region";
  rules.yielded = Float32Type::get(op->getContext());
  rules.leading = {rules.yielded, index, index, index, index};
  if (failed(verifyScalarRegion(op, score, rules)))
    return failure();
  rules.name = "mask region";
  rules.leading = {index, index, index, index};
  rules.yielded = IntegerType::get(op->getContext(), 1);
  return verifyScalarRegion(op, mask, rules);
}

LogicalResult verifyEpilogues(EpilogueOpInterface op, ArrayRef<SizeExpr> space,
                              Type element, bool accumulator) {
  ScalarRegionRules rules;
  rules.name = "element region";
  rules.space.assign(space.begin(), space.end());
  if (accumulator)
    rules.leading.push_back(Float32Type::get(op->getContext()));
  rules.yielded = element;
  if (failed(verifyScalarRegion(op, op.getElementEpilogue(), rules)))
    return failure();
  CapturedRegion row = op.getRowEpilogue();
  if (row && (space.empty() || !element.isF32()))
    return op->emitOpError()
           << "expects f32 elements and at least one dimension under a row "
              "region; got "
           << element << " and " << toString(space);
  return verifyRowRegion(op, row, space);
}

} // namespace attnc::attn
