//===- FoldPadding.cpp - additive masks become the mask region
//-------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before:  %bias = attn.map element(%m) { select(%a != 0, 0.0, -inf) }
//          attn.attention %q, %k, %v score(%bias) { %score + %b }
// After:   attn.attention %q, %k, %v mask(%m) { %a != 0 }
//
// So does select(condition, score, -inf) at the end of the score region.
// Declines biases with other numbers, conditions on the score itself, and
// masks that more arithmetic follows. A number of -1e30 or less counts as
// -inf: only rows in which nothing is kept differ, where attn.attention is zero
// and a finite mask would average all values.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/optimize/Matching.h"
#include "compiler/optimize/Report.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_FOLDPADDING
#include "compiler/Passes.h.inc"

namespace {

/// An i1 scalar of a region; the position counts where it is not `negated`.
struct Condition {
  Value value;
  bool negated;
};

bool dependsOn(Value value, Value source) {
  llvm::SmallSetVector<Value, 8> reached;
  reached.insert(value);
  for (unsigned i = 0; i < reached.size(); ++i)
    if (Operation *op = reached[i].getDefiningOp())
      reached.insert_range(op->getOperands());
  return reached.contains(source);
}

/// Finds the conditions under which `value` is 0, being -inf otherwise: one
/// select, or a sum of them, each of which is read once.
bool collectConditions(const RegionEditor &region, Value value,
                       SmallVectorImpl<Condition> &conditions) {
  if (auto sum = value.getDefiningOp<arith::AddFOp>())
    return sum->hasOneUse() &&
           collectConditions(region, sum.getLhs(), conditions) &&
           collectConditions(region, sum.getRhs(), conditions);
  auto select = value.getDefiningOp<arith::SelectOp>();
  if (!select)
    return false;
  auto isZero = [&](Value scalar) {
    std::optional<double> number = matchNumber(region, scalar);
    return number && *number == 0;
  };
  Value kept = select.getTrueValue(), masked = select.getFalseValue();
  bool negated = isMaskedOut(region, kept);
  if (negated)
    std::swap(kept, masked);
  if (!isZero(kept) || !isMaskedOut(region, masked))
    return false;
  conditions.push_back({select.getCondition(), negated});
  return true;
}

/// One term of the sum that a score region ends with.
struct Term {
  Value value;
  arith::AddFOp sum; ///< adds it
  Value rest;        ///< the sum's other operand
};

/// The terms of the sum that `value` is; sums with other uses are not opened.
void collectTerms(Value value, SmallVectorImpl<Term> &terms) {
  auto sum = value.getDefiningOp<arith::AddFOp>();
  if (!sum || !sum->hasOneUse())
    return;
  terms.push_back({sum.getLhs(), sum, sum.getRhs()});
  terms.push_back({sum.getRhs(), sum, sum.getLhs()});
  collectTerms(sum.getLhs(), terms);
  collectTerms(sum.getRhs(), terms);
}

/// Moves the masks of one attention.
class MaskFolder {
public:
  explicit MaskFolder(attn::AttentionOp attention)
      : attention(attention), score(attention, RegionKind::Score),
        mask(attention, RegionKind::Mask) {}

  /// Moves every mask that can be moved; returns how many.
  unsigned fold() {
    unsigned count = 0;
    while (foldSelect() || foldTerm())
      ++count;
    if (!count)
      return 0;
    score.eraseUnused();
    if (score.yielded() == score.get().block().getArgument(0))
      score.clear();
    mask.eraseUnused();
    return count;
  }

  /// A select of -inf at the end of the score region stays; it needs the score.
  Operation *findStuckSelect() {
    auto select = score.yielded().getDefiningOp<arith::SelectOp>();
    if (select && (isMaskedOut(score, select.getTrueValue()) ||
                   isMaskedOut(score, select.getFalseValue())))
      return select;
    return nullptr;
  }

private:
  bool foldSelect() {
    auto select = score.yielded().getDefiningOp<arith::SelectOp>();
    if (!select ||
        dependsOn(select.getCondition(), score.get().block().getArgument(0)))
      return false;
    bool negated = isMaskedOut(score, select.getTrueValue());
    if (!negated && !isMaskedOut(score, select.getFalseValue()))
      return false;
    keepWhere({select.getCondition(), negated}, score,
              AffineMap::getMultiDimIdentityMap(4, attention.getContext()));
    score.setYielded(negated ? select.getFalseValue() : select.getTrueValue());
    score.eraseUnused();
    return true;
  }

  bool foldTerm() {
    SmallVector<Term> terms;
    collectTerms(score.yielded(), terms);
    for (Term &term : terms) {
      SmallVector<Condition> conditions;
      if (collectConditions(score, term.value, conditions) &&
          llvm::none_of(conditions, [&](Condition condition) {
            return dependsOn(condition.value,
                             score.get().block().getArgument(0));
          })) {
        drop(term, conditions, score,
             AffineMap::getMultiDimIdentityMap(4, attention.getContext()));
        return true;
      }
      std::optional<RegionEditor::Captured> bias =
          score.lookThrough(term.value);
      auto map =
          bias ? bias->value.getDefiningOp<attn::MapOp>() : attn::MapOp();
      if (!map || map.getRowEpilogue())
        continue;
      RegionEditor source(map, RegionKind::Element);
      conditions.clear();
      if (!collectConditions(source, source.yielded(), conditions))
        continue;
      drop(term, conditions, source, bias->map);
      if (map.use_empty())
        map.erase();
      return true;
    }
    return false;
  }

  /// Takes a term off its sum and puts its conditions into the mask.
  void drop(Term &term, ArrayRef<Condition> conditions,
            const RegionEditor &source, AffineMap access) {
    for (Condition condition : conditions)
      keepWhere(condition, source, access);
    term.sum.getResult().replaceAllUsesWith(term.rest);
    score.eraseUnused();
  }

  /// Adds a condition of `source` to the mask region; `access` leads from
  /// (b, h, q, kv) to the index space of `source`.
  void keepWhere(Condition condition, const RegionEditor &source,
                 AffineMap access) {
    Block &block = mask.ensure();
    OpBuilder builder(block.getTerminator());
    auto index = [&](int64_t dim) -> Value {
      AffineExpr expr = access.getResult(dim);
      if (auto constant = dyn_cast<AffineConstantExpr>(expr))
        return arith::ConstantOp::create(
            builder, attention.getLoc(),
            builder.getI32IntegerAttr(constant.getValue()));
      return block.getArgument(cast<AffineDimExpr>(expr).getPosition());
    };
    auto argument = [&](BlockArgument blockArgument) -> Value {
      if (std::optional<RegionEditor::Captured> captured =
              source.lookThrough(blockArgument))
        return mask.capture(captured->value, captured->map.compose(access));
      // The score region's b, h, q and kv follow the score.
      return index(blockArgument.getArgNumber() - 1);
    };
    Value kept = ScalarCopier(builder, argument, index).copy(condition.value);
    if (condition.negated)
      kept = negate(builder, kept);
    Value others = mask.yielded();
    if (!matchPattern(others, m_One()))
      kept = arith::AndIOp::create(builder, attention.getLoc(), others, kept);
    mask.setYielded(kept);
  }

  static Value negate(OpBuilder &builder, Value condition) {
    if (auto compare = condition.getDefiningOp<arith::CmpIOp>())
      return arith::CmpIOp::create(
          builder, compare.getLoc(),
          arith::invertPredicate(compare.getPredicate()), compare.getLhs(),
          compare.getRhs());
    Value yes = arith::ConstantOp::create(builder, condition.getLoc(),
                                          builder.getBoolAttr(true));
    return arith::XOrIOp::create(builder, condition.getLoc(), condition, yes);
  }

  attn::AttentionOp attention;
  RegionEditor score, mask;
};

struct FoldPadding : impl::FoldPaddingBase<FoldPadding> {
  using FoldPaddingBase::FoldPaddingBase;

  void runOnOperation() override {
    SmallVector<attn::AttentionOp> sites;
    getOperation().walk([&](attn::AttentionOp op) { sites.push_back(op); });
    for (attn::AttentionOp attention : sites) {
      if (!attention.getScoreRegion())
        continue;
      MaskFolder folder(attention);
      if (folder.fold())
        reportApplied("fold-padding", applied, attention,
                      "the additive mask is the mask region");
      if (!attention.getScoreRegion())
        continue;
      if (Operation *select = folder.findStuckSelect())
        miss(attention, select, "the mask depends on the score");
      reportLeftMasks(attention);
    }
  }

  void miss(attn::AttentionOp attention, Operation *culprit, const Twine &why) {
    reportMissed("fold-padding", missed, attention, culprit, why);
  }

  /// Biases that are computed from integers are masks that did not match.
  void reportLeftMasks(attn::AttentionOp attention) {
    for (Value captured : attention.getScoreCaptures()) {
      auto map = captured.getDefiningOp<attn::MapOp>();
      if (!map || map.getRowEpilogue())
        continue;
      RegionEditor region(map, RegionKind::Element);
      SmallVector<Condition> conditions;
      if (collectConditions(region, region.yielded(), conditions))
        miss(attention, map, "more arithmetic follows the mask");
      else if (llvm::any_of(map.getElementCaptures(), [](Value value) {
                 return getElementTypeOrSelf(value).isInteger();
               }))
        miss(attention, map, "the bias is not 0 where kept and -inf elsewhere");
    }
  }
};

} // namespace
} // namespace attnc
