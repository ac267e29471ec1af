//===- FoldScale.cpp - scales of query and key become part of the score
//----===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before:  %t = attn.map element(%q) { %a * 0.125 }
//          %o = attn.attention %t, %k, %v
// After:   %o = attn.attention %q, %k, %v score() { %score * 0.125 }
//
// The product or quotient by a constant is the last thing that the map does; it
// may stand before split_heads. Declines factors that differ between elements
// and maps that something else reads.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/optimize/Matching.h"
#include "compiler/optimize/Report.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_FOLDSCALE
#include "compiler/Passes.h.inc"

namespace {

/// `scaled` by a number, at the end of a map.
struct Scaling {
  Operation *op = nullptr;
  Value scaled;
  double number = 0;
  bool isProduct() const { return isa<arith::MulFOp>(op); }
};

/// The scaling that `map` ends with.
std::optional<Scaling> matchScaling(attn::MapOp map) {
  RegionEditor region(map, RegionKind::Element);
  Operation *op = region.yielded().getDefiningOp();
  if (!isa_and_nonnull<arith::MulFOp, arith::DivFOp>(op))
    return std::nullopt;
  if (std::optional<double> number = matchNumber(region, op->getOperand(1)))
    return Scaling{op, op->getOperand(0), *number};
  if (isa<arith::MulFOp>(op))
    if (std::optional<double> number = matchNumber(region, op->getOperand(0)))
      return Scaling{op, op->getOperand(1), *number};
  return std::nullopt;
}

struct FoldScale : impl::FoldScaleBase<FoldScale> {
  using FoldScaleBase::FoldScaleBase;

  void runOnOperation() override {
    SmallVector<attn::AttentionOp> sites;
    getOperation().walk([&](attn::AttentionOp op) { sites.push_back(op); });
    for (attn::AttentionOp attention : sites) {
      fold(attention, attention.getQueryMutable(), "query");
      fold(attention, attention.getKeyMutable(), "key");
    }
  }

  void miss(attn::AttentionOp attention, Operation *culprit, const Twine &why) {
    reportMissed("fold-scale", missed, attention, culprit, why);
  }

  void fold(attn::AttentionOp attention, OpOperand &operand, StringRef role) {
    // Seeing heads does not change what an element is multiplied by.
    Operation *user = attention;
    Value scaled = operand.get();
    auto split = scaled.getDefiningOp<attn::SplitHeadsOp>();
    if (split)
      scaled = split.getInput();
    auto map = scaled.getDefiningOp<attn::MapOp>();
    if (!map || map.getRowEpilogue())
      return;
    RegionEditor region(map, RegionKind::Element);
    std::optional<Scaling> scaling = matchScaling(map);
    if (!scaling) {
      if (isa_and_nonnull<arith::MulFOp>(region.yielded().getDefiningOp()))
        miss(attention, map,
             "the factor of the " + role + " is not a constant");
      return;
    }
    if (split)
      if (Operation *other = findOtherUser(split, user))
        return miss(attention, other,
                    "the scaled " + role + " has another use");
    if (Operation *other = findOtherUser(scaled, split ? split : user))
      return miss(attention, other, "the scaled " + role + " has another use");
    // The same tensor may be both query and key; then it is scaled twice.
    if (attention.getValue() == operand.get())
      return miss(attention, attention, "the scaled " + role + " is the value");
    unsigned times = attention.getQuery() == attention.getKey() ? 2 : 1;
    if (llvm::count(attention->getOperands(), operand.get()) != times)
      return miss(attention, attention,
                  "the scaled " + role + " is captured by a region");
    for (unsigned time = 0; time < times; ++time)
      scaleScore(attention, *scaling);
    dropScaling(map, *scaling);
    reportApplied("fold-scale", applied, attention,
                  "the scale of the " + role + " is part of the score");
  }

  /// Scales the product of query and key before everything else.
  static void scaleScore(attn::AttentionOp attention, const Scaling &scaling) {
    Block &block = RegionEditor(attention, RegionKind::Score).ensure();
    OpBuilder builder = OpBuilder::atBlockBegin(&block);
    Location loc = scaling.op->getLoc();
    Value score = block.getArgument(0);
    Value number = arith::ConstantOp::create(
        builder, loc, builder.getF32FloatAttr(scaling.number));
    Operation *scaled =
        scaling.isProduct()
            ? arith::MulFOp::create(builder, loc, score, number).getOperation()
            : arith::DivFOp::create(builder, loc, score, number).getOperation();
    score.replaceAllUsesExcept(scaled->getResult(0), scaled);
  }

  /// Takes the scaling off the map; a map that then only copies goes.
  static void dropScaling(attn::MapOp map, const Scaling &scaling) {
    RegionEditor region(map, RegionKind::Element);
    region.setYielded(scaling.scaled);
    region.eraseUnused();
    if (!isReindexing(map) || !map.getElementEpilogue().maps[0].isIdentity() ||
        map.getElementCaptures().front().getType() != map.getType())
      return;
    map.replaceAllUsesWith(map.getElementCaptures().front());
    map.erase();
  }
};

} // namespace
} // namespace attnc
