//===- FuseQkv.cpp - three projections of one input become one
//-------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before:  %a = attn.linear %x, %wq        (the same for key and value)
//          %b = attn.map element(%a, %bq) { %acc + %bias }
//          %q = attn.split_heads %b
//          attn.attention %q, %k, %v
// After:   %q, %k, %v = attn.qkv_projection %x, %w element(%bias) {...}
//          attn.attention %q, %k, %v
//
// A bias may be a map or an element region already. Maps, norms and rotations
// between the heads and the attention stay where they are. Declines different
// inputs, biases on some of the three only, other epilogues, parts that
// something else reads, and weights that do not concatenate.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/optimize/ConcatenateWeights.h"
#include "compiler/optimize/Matching.h"
#include "compiler/optimize/Report.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_FUSEQKV
#include "compiler/Passes.h.inc"

namespace {

/// One of the three projections, from its product to its heads.
struct Part {
  attn::LinearOp linear;
  attn::MapOp biasMap; ///< null if the bias is an epilogue, or there is none
  Value bias;
  attn::SplitHeadsOp heads;
};

/// Why a site was declined, and because of which op.
struct Obstacle {
  Operation *culprit = nullptr;
  std::string why;
  bool isSite = true; ///< false: nothing here looks like three projections
};

/// The vector that a region adds to `sum`, one element per column; null if the
/// region does anything else.
Value matchBias(const RegionEditor &region,
                llvm::function_ref<bool(Value)> isSum, unsigned rank) {
  auto add = region.yielded().getDefiningOp<arith::AddFOp>();
  if (!add)
    return {};
  Value sum = add.getLhs(), bias = add.getRhs();
  if (!isSum(sum))
    std::swap(sum, bias);
  std::optional<RegionEditor::Captured> captured = region.lookThrough(bias);
  if (!isSum(sum) || !captured || captured->map.getNumResults() != 1 ||
      captured->map.getResult(0) !=
          getAffineDimExpr(rank - 1, add.getContext()))
    return {};
  return captured->value;
}

/// Reads one operand of an attention back to its projection.
class PartFinder {
public:
  explicit PartFinder(Obstacle &obstacle) : obstacle(obstacle) {}

  std::optional<Part> find(Value operand) {
    Part part;
    Value value = skipHeadwise(operand);
    part.heads = value.getDefiningOp<attn::SplitHeadsOp>();
    if (!part.heads)
      return noSite(value.getDefiningOp(), "no heads of a projection");
    Operation *reader = part.heads;
    value = part.heads.getInput();
    if (auto map = value.getDefiningOp<attn::MapOp>())
      if (!readBias(map, part))
        return decline(map, "a map before the heads is not a bias");
    if (part.biasMap) {
      if (Operation *other = findOtherUser(value, reader))
        return decline(other, "a part of the projection has another use");
      reader = part.biasMap;
      value = getProduct(part.biasMap);
    }
    part.linear = value.getDefiningOp<attn::LinearOp>();
    if (!part.linear)
      return noSite(value.getDefiningOp(), "no linear makes the heads");
    if (Operation *other = findOtherUser(value, reader))
      return decline(other, "a part of the projection has another use");
    return readEpilogues(part);
  }

private:
  std::nullopt_t decline(Operation *culprit, StringRef why) {
    obstacle = {culprit, why.str(), true};
    return std::nullopt;
  }
  std::nullopt_t noSite(Operation *culprit, StringRef why) {
    obstacle = {culprit, why.str(), false};
    return std::nullopt;
  }

  /// Passes over what computes heads from heads: rotations, norms, and maps
  /// that read them element by element, such as a scale.
  static Value skipHeadwise(Value value) {
    while (Operation *op = value.getDefiningOp()) {
      Value next;
      if (isa<attn::RopeOp, attn::NormOp>(op))
        next = op->getOperand(0);
      else if (auto map = dyn_cast<attn::MapOp>(op);
               map && !map.getRowEpilogue())
        for (Value captured : map.getElementCaptures())
          if (captured.getType() == map.getType() &&
              readsElementwise(map, captured))
            next = captured;
      if (!next)
        break;
      value = next;
    }
    return value;
  }

  static Value getProduct(attn::MapOp map) {
    for (Value captured : map.getElementCaptures())
      if (captured.getDefiningOp<attn::LinearOp>())
        return captured;
    return {};
  }

  bool readBias(attn::MapOp map, Part &part) {
    Value product = getProduct(map);
    if (!product || !readsElementwise(map, product) || map.getRowEpilogue() ||
        product.getType() != map.getType())
      return false;
    RegionEditor region(map, RegionKind::Element);
    auto isSum = [&](Value scalar) {
      std::optional<RegionEditor::Captured> captured =
          region.lookThrough(scalar);
      return captured && captured->value == product;
    };
    part.biasMap = map;
    part.bias = matchBias(region, isSum, map.getType().getRank());
    return static_cast<bool>(part.bias);
  }

  std::optional<Part> readEpilogues(Part &part) {
    if (part.linear.getRowEpilogue())
      return decline(part.linear, "a projection has a row epilogue");
    RegionEditor region(part.linear, RegionKind::Element);
    if (!region.get())
      return part;
    if (part.biasMap)
      return decline(part.biasMap, "a map follows an epilogue");
    auto isSum = [&](Value scalar) {
      return scalar == region.get().block().getArgument(0);
    };
    part.bias = matchBias(region, isSum, part.linear.getType().getRank());
    if (!part.bias)
      return decline(part.linear, "an epilogue is more than a bias");
    return part;
  }

  Obstacle &obstacle;
};

struct FuseQkv : impl::FuseQkvBase<FuseQkv> {
  using FuseQkvBase::FuseQkvBase;

  void runOnOperation() override {
    SmallVector<attn::AttentionOp> sites;
    getOperation().walk([&](attn::AttentionOp op) { sites.push_back(op); });
    for (attn::AttentionOp attention : sites) {
      Obstacle obstacle;
      SmallVector<Part, 3> parts;
      if (match(attention, parts, obstacle))
        rewrite(attention, parts);
      else if (obstacle.isSite)
        reportMissed("fuse-qkv", missed, attention, obstacle.culprit,
                     obstacle.why);
    }
  }

  bool match(attn::AttentionOp attention, SmallVectorImpl<Part> &parts,
             Obstacle &obstacle) {
    PartFinder finder(obstacle);
    for (Value operand :
         {attention.getQuery(), attention.getKey(), attention.getValue()}) {
      std::optional<Part> part = finder.find(operand);
      if (!part) {
        // One projection found makes the others worth a remark.
        obstacle.isSite |= !parts.empty();
        return false;
      }
      parts.push_back(*part);
    }
    for (Part &part : parts) {
      if (part.linear.getInput() != parts[0].linear.getInput()) {
        obstacle = {part.linear, "query, key and value read different inputs"};
        return false;
      }
      if (static_cast<bool>(part.bias) != static_cast<bool>(parts[0].bias)) {
        obstacle = {part.linear, "some of the projections have a bias, others "
                                 "have none"};
        return false;
      }
    }
    if (parts[0].linear == parts[1].linear ||
        parts[0].linear == parts[2].linear ||
        parts[1].linear == parts[2].linear) {
      obstacle = {parts[0].linear, "one projection serves twice"};
      return false;
    }
    for (const SmallVector<Value> &values : getConcatenations(parts))
      if (!WeightConcatenation(getOperation(), values)
               .isPossible(obstacle.culprit, obstacle.why))
        return false;
    return true;
  }

  /// The weights, and the biases if there are any.
  static SmallVector<SmallVector<Value>>
  getConcatenations(ArrayRef<Part> parts) {
    SmallVector<SmallVector<Value>> values(parts[0].bias ? 2 : 1);
    for (const Part &part : parts) {
      values[0].push_back(attn::LinearOp(part.linear).getWeight());
      if (part.bias)
        values[1].push_back(part.bias);
    }
    return values;
  }

  void rewrite(attn::AttentionOp attention, MutableArrayRef<Part> parts) {
    // At the first of the three: every reader of a part stands behind it.
    attn::LinearOp first = parts[0].linear;
    SmallVector<Location> locs;
    for (Part &part : parts) {
      locs.push_back(part.linear.getLoc());
      if (part.linear->isBeforeInBlock(first))
        first = part.linear;
    }
    OpBuilder builder(first);
    Location loc = builder.getFusedLoc(locs);
    SmallVector<SmallVector<Value>> values = getConcatenations(parts);
    Value weight = WeightConcatenation(getOperation(), values[0])
                       .build(builder, loc, "qkv");
    Value bias;
    if (values.size() > 1)
      bias = WeightConcatenation(getOperation(), values[1])
                 .build(builder, loc, "qkv");
    auto qkv = attn::QkvProjectionOp::create(
        builder, loc, parts[0].heads.getType(), parts[1].heads.getType(),
        parts[2].heads.getType(), first.getInput(), weight, ValueRange(),
        ArrayAttr());
    if (bias)
      addBias(qkv, bias, first.getType().getRank());
    for (auto [part, result] : llvm::zip_equal(parts, qkv.getResults())) {
      part.heads.replaceAllUsesWith(result);
      part.heads.erase();
      if (part.biasMap)
        part.biasMap.erase();
      part.linear.erase();
    }
    // Two parts may share one: each is looked at once.
    llvm::SmallSetVector<Operation *, 6> sources;
    for (ArrayRef<Value> group : values)
      for (Value value : group)
        sources.insert(value.getDefiningOp());
    for (Operation *source : sources)
      if (source->use_empty())
        source->erase();
    reportApplied("fuse-qkv", applied, qkv,
                  "query, key and value are one projection");
  }

  static void addBias(attn::QkvProjectionOp qkv, Value bias, unsigned rank) {
    RegionEditor element(qkv, RegionKind::Element);
    Block &block = element.ensure();
    OpBuilder builder(block.getTerminator());
    Value column = element.capture(
        bias, AffineMap::get(rank, 0, builder.getAffineDimExpr(rank - 1)));
    element.setYielded(arith::AddFOp::create(builder, qkv.getLoc(),
                                             block.getArgument(0), column));
  }
};

} // namespace
} // namespace attnc
