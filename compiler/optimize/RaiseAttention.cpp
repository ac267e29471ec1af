//===- RaiseAttention.cpp - softmax(Q K^T) V becomes one op
//----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before:  %s = attn.matmul %q, %k transpose_rhs
//          %t = attn.map element(%s ...) { scale, bias, select ... }
//          %p = attn.softmax %t
//          %o = attn.matmul %p, %v
// After:   %o = attn.attention %q, %k, %v score() { scale, bias, select ... }
//
// Forms: [s, d]; [b, s, d]; [b, h, s, d], the latter two through maps that
// bring the operands to [b, s, h, d]. Such maps of maps are then composed, so
// that a transposition of a transposition vanishes. Declines scores or
// probabilities that something else reads, and anything between softmax and the
// second product.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/optimize/Matching.h"
#include "compiler/optimize/Report.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_RAISEATTENTION
#include "compiler/Passes.h.inc"

namespace {

/// The parts of one attention, from the first product to the second.
struct Parts {
  attn::MatmulOp scores;
  SmallVector<attn::MapOp> maps; ///< from the product to the softmax
  attn::SoftmaxOp softmax;
  attn::MatmulOp output;
};

/// Finds the product of query and key that `value` is computed from, element by
/// element; `maps` gets the maps on the way, in program order, `seen` all that
/// were looked at.
attn::MatmulOp findScores(Value value, SmallVectorImpl<attn::MapOp> &maps,
                          llvm::SmallPtrSetImpl<Operation *> &seen) {
  if (auto matmul = value.getDefiningOp<attn::MatmulOp>())
    return matmul;
  auto map = value.getDefiningOp<attn::MapOp>();
  if (!map || map.getRowEpilogue() || !seen.insert(map).second)
    return {};
  for (Value captured : map.getElementCaptures()) {
    if (!readsElementwise(map, captured))
      continue;
    if (attn::MatmulOp scores = findScores(captured, maps, seen)) {
      maps.push_back(map);
      return scores;
    }
  }
  return {};
}

/// From the index space (b, h, q, kv) to that of scores of some rank.
AffineMap getScoreAccess(MLIRContext *context, int64_t rank) {
  SmallVector<unsigned> dims;
  if (rank == 2)
    dims = {2, 3};
  else if (rank == 3)
    dims = {0, 2, 3};
  else
    dims = {0, 1, 2, 3};
  return AffineMap::getMultiDimMapWithTargets(4, dims, context);
}

/// Brings an operand [b, h, s, d] (or with s and d exchanged) to [b, s, h, d].
Value toSequenceMajor(OpBuilder &builder, Location loc, Value operand,
                      bool transposed) {
  int64_t rank = cast<RankedTensorType>(operand.getType()).getRank();
  SmallVector<unsigned> dims;
  if (rank == 2)
    dims = {0, 1};
  else if (rank == 3)
    dims = {0, 1, 3};
  else
    dims = {0, 2, 1, 3};
  if (transposed)
    std::swap(dims[rank - 2], dims[rank - 1]);
  return makeReindexing(builder, loc, operand,
                        AffineMap::getMultiDimMapWithTargets(
                            rank == 2 ? 2 : 4, dims, builder.getContext()));
}

/// Brings an attention's result back to the shape of the product it replaces.
Value fromSequenceMajor(OpBuilder &builder, Location loc, Value result,
                        int64_t rank) {
  if (rank == 2)
    return result;
  AffineExpr d[4];
  for (unsigned i = 0; i < 4; ++i)
    d[i] = builder.getAffineDimExpr(i);
  SmallVector<AffineExpr> exprs = {d[0], d[2], d[1], d[3]};
  if (rank == 3)
    exprs = {d[0], d[1], builder.getAffineConstantExpr(0), d[2]};
  return makeReindexing(builder, loc, result,
                        AffineMap::get(rank, 0, exprs, builder.getContext()));
}

/// attn.attention takes sequences of any length, but fixed heads.
bool hasFixedHeads(Parts &parts) {
  RankedTensorType query = parts.scores.getLhs().getType();
  int64_t rank = query.getRank();
  return !query.isDynamicDim(rank - 1) &&
         (rank < 4 || !query.isDynamicDim(1)) &&
         !parts.output.getType().isDynamicDim(rank - 1);
}

/// Copies the maps between product and softmax into the score region.
void fillScoreRegion(attn::AttentionOp attention, Parts &parts) {
  if (parts.maps.empty())
    return;
  RegionEditor score(attention, RegionKind::Score);
  Block &block = score.ensure();
  OpBuilder builder(block.getTerminator());
  AffineMap access =
      getScoreAccess(attention.getContext(), parts.softmax.getType().getRank());
  Value scores = parts.scores;
  Value current = block.getArgument(0);
  for (attn::MapOp map : parts.maps) {
    RegionEditor source(map, RegionKind::Element);
    auto argument = [&](BlockArgument blockArgument) -> Value {
      RegionEditor::Captured captured = *source.lookThrough(blockArgument);
      if (captured.value == scores)
        return current;
      return score.capture(captured.value, captured.map.compose(access));
    };
    auto index = [&](int64_t dim) -> Value {
      // Arguments 1 to 4 are b, h, q and kv.
      return block.getArgument(1 + access.getDimPosition(dim));
    };
    current = ScalarCopier(builder, argument, index).copy(source.yielded());
    scores = map;
  }
  score.setYielded(current);
}

/// Composes `map` with the map that it re-indexes; true if it is gone.
bool composeReindexing(attn::MapOp map) {
  if (!isReindexing(map))
    return false;
  auto producer = map.getElementCaptures().front().getDefiningOp<attn::MapOp>();
  if (!producer || !isReindexing(producer))
    return false;
  AffineMap access = producer.getElementEpilogue().maps[0].compose(
      map.getElementEpilogue().maps[0]);
  Value source = producer.getElementCaptures().front();
  if (access.isIdentity() && source.getType() == map.getType()) {
    map.replaceAllUsesWith(source);
    map.erase();
  } else {
    map.getElementCapturesMutable().assign(source);
    map.setElementMapsAttr(
        Builder(map.getContext()).getAffineMapArrayAttr(access));
  }
  if (producer.use_empty())
    producer.erase();
  return true;
}

struct RaiseAttention : impl::RaiseAttentionBase<RaiseAttention> {
  using RaiseAttentionBase::RaiseAttentionBase;

  void runOnOperation() override {
    SmallVector<attn::SoftmaxOp> sites;
    getOperation().walk([&](attn::SoftmaxOp op) { sites.push_back(op); });
    bool changed = false;
    for (attn::SoftmaxOp softmax : sites)
      if (std::optional<Parts> parts = match(softmax)) {
        rewrite(*parts);
        changed = true;
      }
    if (!changed)
      return;
    SmallVector<attn::MapOp> maps;
    getOperation().walk([&](attn::MapOp op) { maps.push_back(op); });
    // In program order a producer is composed before its consumers.
    for (attn::MapOp map : maps)
      if (!map.use_empty())
        composeReindexing(map);
  }

  std::optional<Parts> miss(Operation *site, Operation *culprit,
                            const Twine &why) {
    reportMissed("raise-attention", missed, site, culprit, why);
    return std::nullopt;
  }

  std::optional<Parts> match(attn::SoftmaxOp softmax) {
    Parts parts;
    parts.softmax = softmax;
    if (softmax.use_empty())
      return std::nullopt;
    Operation *user = *softmax->user_begin();
    if (Operation *other = findOtherUser(softmax, user))
      return miss(softmax, isa<attn::MatmulOp>(user) ? other : user,
                  "the probabilities have another use");
    parts.output = dyn_cast<attn::MatmulOp>(user);
    if (!parts.output || parts.output.getLhs() != softmax.getResult())
      return miss(softmax, user,
                  "the probabilities do not go straight into a product");
    if (parts.output.getRhs() == softmax.getResult())
      return miss(softmax, user, "the probabilities are the values, too");
    llvm::SmallPtrSet<Operation *, 8> seen;
    parts.scores = findScores(softmax.getInput(), parts.maps, seen);
    if (!parts.scores)
      return miss(softmax, softmax.getInput().getDefiningOp(),
                  "the scores do not come from a product");
    if (softmax.getType().getRank() > 4)
      return miss(softmax, parts.scores,
                  "the product has more than two leading dimensions");
    if (!hasFixedHeads(parts))
      return miss(softmax, parts.scores,
                  "the number or the size of the heads is not fixed");
    // Every link of the chain may be read by the next one alone.
    Value link = parts.scores;
    for (Operation *next : parts.maps) {
      if (Operation *other = findOtherUser(link, next))
        return miss(softmax, other, "the scores have another use");
      link = next->getResult(0);
    }
    if (Operation *other = findOtherUser(link, softmax))
      return miss(softmax, other, "the scores have another use");
    return parts;
  }

  void rewrite(Parts &parts) {
    attn::MatmulOp scores = parts.scores, output = parts.output;
    OpBuilder builder(output);
    Location loc = builder.getFusedLoc(
        {output.getLoc(), parts.softmax.getLoc(), scores.getLoc()});
    int64_t rank = output.getType().getRank();
    Value query = toSequenceMajor(builder, loc, scores.getLhs(), false);
    Value key = toSequenceMajor(builder, loc, scores.getRhs(),
                                !scores.getTransposeRhs());
    Value value = toSequenceMajor(builder, loc, output.getRhs(),
                                  output.getTransposeRhs());
    SmallVector<SizeExpr> shape = attn::getNamedShape(query.getType());
    shape.back() = attn::getNamedShape(value.getType()).back();
    auto attention = attn::AttentionOp::create(
        builder, loc, attn::getNamedTensor(shape, builder.getF32Type()), query,
        key, value, Value(), ValueRange(), ValueRange(), ArrayAttr(),
        ArrayAttr(), StringAttr());
    fillScoreRegion(attention, parts);
    output.replaceAllUsesWith(fromSequenceMajor(builder, loc, attention, rank));
    reportApplied("raise-attention", applied, attention,
                  "softmax between two products is one attention");
    output.erase();
    parts.softmax->erase();
    for (attn::MapOp map : llvm::reverse(parts.maps))
      map.erase();
    scores.erase();
  }
};

} // namespace
} // namespace attnc
