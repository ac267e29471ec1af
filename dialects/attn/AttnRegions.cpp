//===- AttnRegions.cpp - regions with captures ----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The text form of a captured region, `(%v at map : type, ...) { ... }`, and
// the accessors by which passes and code generators see one.
//
//===----------------------------------------------------------------------===//
#include "dialects/attn/Attn.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace attnc::attn;

/// `(` (operand `at` affine-map `:` type (`,` ...)*)? `)` region
static ParseResult
parseCapturedRegion(OpAsmParser &parser,
                    SmallVectorImpl<OpAsmParser::UnresolvedOperand> &captures,
                    SmallVectorImpl<Type> &types, ArrayAttr &maps,
                    Region &region) {
  SmallVector<Attribute> parsedMaps;
  auto parseCapture = [&]() -> ParseResult {
    AffineMapAttr map;
    if (parser.parseOperand(captures.emplace_back()) ||
        parser.parseKeyword("at") || parser.parseAttribute(map) ||
        parser.parseColonType(types.emplace_back()))
      return failure();
    parsedMaps.push_back(map);
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, parseCapture))
    return failure();
  if (!parsedMaps.empty())
    maps = parser.getBuilder().getArrayAttr(parsedMaps);
  return parser.parseRegion(region);
}

static void printCapturedRegion(OpAsmPrinter &printer, Operation *,
                                OperandRange captures, TypeRange types,
                                ArrayAttr maps, Region &region) {
  printer << "(";
  for (auto [index, capture] : llvm::enumerate(captures)) {
    if (index)
      printer << ", ";
    printer << capture << " at ";
    printer.printAttribute(maps[index]);
    printer << " : " << types[index];
  }
  printer << ") ";
  printer.printRegion(region);
}

static CapturedRegion makeRegion(Region *region, OperandRange captures,
                                 std::optional<ArrayAttr> maps,
                                 unsigned leading) {
  CapturedRegion result{region, captures, {}, leading};
  if (maps && *maps)
    for (AffineMapAttr map : maps->getAsRange<AffineMapAttr>())
      result.maps.push_back(map.getValue());
  return result;
}

/// A region that the op does not have: no region and no captures.
static CapturedRegion noRegion(Operation *op) {
  return {nullptr, op->getOperands().slice(0, 0), {}, 0};
}

#define GET_OP_CLASSES
#include "dialects/attn/AttnOps.cpp.inc"

namespace attnc::attn {

CapturedRegion MapOp::getElementEpilogue() {
  return makeRegion(&getElement(), getElementCaptures(), getElementMaps(), 0);
}
CapturedRegion MapOp::getRowEpilogue() {
  return makeRegion(&getRow(), getRowCaptures(), getRowMaps(), 1);
}
CapturedRegion LinearOp::getElementEpilogue() {
  return makeRegion(&getElement(), getElementCaptures(), getElementMaps(), 1);
}
CapturedRegion LinearOp::getRowEpilogue() {
  return makeRegion(&getRow(), getRowCaptures(), getRowMaps(), 1);
}
CapturedRegion OutputProjectionOp::getElementEpilogue() {
  return makeRegion(&getElement(), getElementCaptures(), getElementMaps(), 1);
}
CapturedRegion OutputProjectionOp::getRowEpilogue() {
  return makeRegion(&getRow(), getRowCaptures(), getRowMaps(), 1);
}
CapturedRegion QkvProjectionOp::getElementEpilogue() {
  return makeRegion(&getElement(), getElementCaptures(), getElementMaps(), 1);
}
CapturedRegion QkvProjectionOp::getRowEpilogue() {
  return noRegion(getOperation());
}
CapturedRegion EmbeddingOp::getElementEpilogue() {
  return noRegion(getOperation());
}
CapturedRegion EmbeddingOp::getRowEpilogue() {
  return makeRegion(&getRow(), getRowCaptures(), getRowMaps(), 1);
}
CapturedRegion AttentionOp::getScoreRegion() {
  return makeRegion(&getScore(), getScoreCaptures(), getScoreMaps(), 5);
}
CapturedRegion AttentionOp::getMaskRegion() {
  return makeRegion(&getMask(), getMaskCaptures(), getMaskMaps(), 4);
}

CapturedRegion CachedAttentionOp::getScoreRegion() {
  return makeRegion(&getScore(), getScoreCaptures(), getScoreMaps(), 5);
}
CapturedRegion CachedAttentionOp::getMaskRegion() {
  return makeRegion(&getMask(), getMaskCaptures(), getMaskMaps(), 4);
}

bool isRegionScalarOp(Operation *op) {
  return isa<arith::ConstantOp, arith::AddFOp, arith::SubFOp, arith::MulFOp,
             arith::DivFOp, arith::NegFOp, arith::MaximumFOp, arith::MinimumFOp,
             arith::CmpFOp, arith::CmpIOp, arith::AddIOp, arith::SubIOp,
             arith::MulIOp, arith::AndIOp, arith::OrIOp, arith::XOrIOp,
             arith::SelectOp, arith::SIToFPOp, arith::UIToFPOp, arith::ExtUIOp,
             arith::ExtSIOp, arith::MaxSIOp, arith::MinSIOp, math::AbsFOp,
             math::CosOp, math::SinOp, math::ErfOp, math::ExpOp, math::Exp2Op,
             math::TanhOp, math::SqrtOp, math::RsqrtOp, IndexOp, LookupOp>(op);
}

} // namespace attnc::attn
