//===- PaddedProgram.cpp - what of an entry is padded rows
//-----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rows spread from the inputs [batch, seq, ..] through the ops that read them.
// What a dropped row would have held is never seen: keys are masked in every
// attention, pooling skips them, and outputs are guarded with zero.
//
//===----------------------------------------------------------------------===//
#include "compiler/optimize/PaddedProgram.h"
#include "compiler/optimize/Matching.h"
#include "dialects/attn/Conditions.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attnc {

RowAccess getRowAccess(AffineMap map) {
  bool usesRow = false;
  for (auto [index, expr] : llvm::enumerate(map.getResults())) {
    bool isB = map.getNumDims() > 0 && expr.isFunctionOfDim(0);
    bool isS = map.getNumDims() > 1 && expr.isFunctionOfDim(1);
    if (!isB && !isS)
      continue;
    usesRow = true;
    if (index != (isB ? 0u : 1u))
      return RowAccess::Other;
  }
  if (!usesRow)
    return RowAccess::None;
  bool isPair = map.getNumResults() >= 2 &&
                map.getResult(0).isFunctionOfDim(0) &&
                map.getResult(1).isFunctionOfDim(1);
  return isPair ? RowAccess::Row : RowAccess::Other;
}

std::optional<unsigned> getScoreRow(AffineMap map) {
  constexpr unsigned kBatch = 0, kQuery = 2, kKey = 3;
  if (map.getNumResults() < 2 ||
      map.getResult(0) != getAffineDimExpr(kBatch, map.getContext()))
    return std::nullopt;
  auto row = dyn_cast<AffineDimExpr>(map.getResult(1));
  if (!row || (row.getPosition() != kQuery && row.getPosition() != kKey))
    return std::nullopt;
  for (AffineExpr rest : map.getResults().drop_front(2))
    for (unsigned dim : {kBatch, kQuery, kKey})
      if (rest.isFunctionOfDim(dim))
        return std::nullopt;
  return row.getPosition();
}

/// The captured value that `condition` compares with zero, if it is
/// `value != 0` (or `value == 0`, then `negated`) read at `access`.
static Value matchMaskTest(const RegionEditor &region, Value condition,
                           AffineMap access, bool &negated) {
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  if (!compare)
    return {};
  negated = compare.getPredicate() == arith::CmpIPredicate::eq;
  if (!negated && compare.getPredicate() != arith::CmpIPredicate::ne)
    return {};
  Value tested = compare.getLhs(), zero = compare.getRhs();
  if (!matchPattern(zero, m_Zero()))
    std::swap(tested, zero);
  std::optional<RegionEditor::Captured> captured = region.lookThrough(tested);
  if (!matchPattern(zero, m_Zero()) || !captured || captured->map != access)
    return {};
  return captured->value;
}

/// The mask and the kept value of an element region that ends in a choice
/// between it and a value for which `isDropped` holds.
static std::pair<Value, Value> matchChoice(
    Operation *op,
    function_ref<bool(const RegionEditor &region, Value dropped)> isDropped) {
  auto epilogue = dyn_cast<attn::EpilogueOpInterface>(op);
  if (!epilogue || epilogue.getRowEpilogue() || !epilogue.getElementEpilogue())
    return {};
  RegionEditor region(op, RegionKind::Element);
  auto select = region.yielded().getDefiningOp<arith::SelectOp>();
  int64_t rank = cast<RankedTensorType>(op->getResult(0).getType()).getRank();
  // The parts of a qkv_projection have other index spaces than its region.
  if (!select || rank < 2 || op->getNumResults() != 1)
    return {};
  bool negated = false;
  Value mask = matchMaskTest(
      region, select.getCondition(),
      AffineMap::getMultiDimMapWithTargets(rank, {0, 1}, op->getContext()),
      negated);
  Value kept = select.getTrueValue(), dropped = select.getFalseValue();
  if (negated)
    std::swap(kept, dropped);
  if (!mask || !isDropped(region, dropped))
    return {};
  return {mask, kept};
}

/// The mask and the kept number of an element region that ends in a guard.
static std::pair<Value, Value> matchAnyGuard(Operation *op) {
  return matchChoice(op, [](const RegionEditor &region, Value dropped) {
    std::optional<double> number = matchNumber(region, dropped);
    return number && *number == 0;
  });
}

Value PaddedProgram::matchGuard(Operation *op) const {
  auto [guardMask, kept] = matchAnyGuard(op);
  return guardMask == mask ? kept : Value();
}

bool PaddedProgram::fail(Operation *op, const Twine &reason) {
  culprit = op;
  why = reason.str();
  return false;
}

void PaddedProgram::findLiveOps() {
  for (Operation &op : llvm::reverse(entry.getBody().front()))
    // What the session keeps is wanted as much as what is returned.
    if (!wouldOpBeTriviallyDead(&op) ||
        llvm::any_of(op.getUsers(), [&](Operation *user) {
          return live.contains(
              entry.getBody().front().findAncestorOpInBlock(*user));
        }))
      live.insert(&op);
}

/// Accepts the first mask, and the same one again.
bool PaddedProgram::takeMask(Value candidate, Operation *op) {
  auto type = dyn_cast<RankedTensorType>(candidate.getType());
  if (!isa<BlockArgument>(candidate) || type.getRank() != 2 ||
      !type.getElementType().isInteger(32))
    return true;
  if (mask && mask != candidate)
    return fail(op, "two masks differ");
  mask = candidate;
  return true;
}

bool PaddedProgram::findMask() {
  findLiveOps();
  bool differ = false;
  AffineMap ofKey =
      AffineMap::getMultiDimMapWithTargets(4, {0, 3}, entry.getContext());
  for (Operation &op : entry.getBody().front()) {
    if (!isLive(&op) || differ)
      continue;
    if (auto attention = dyn_cast<attn::AttentionOp>(op)) {
      attn::CapturedRegion region = attention.getMaskRegion();
      for (auto [value, map] : llvm::zip_equal(region.captures, region.maps))
        if (map == ofKey)
          differ |= !takeMask(value, &op);
    } else if (auto pool = dyn_cast<attn::PoolOp>(op)) {
      if (pool.getMask())
        differ |= !takeMask(pool.getMask(), &op);
    } else if (Value guardMask = matchAnyGuard(&op).first) {
      differ |= !takeMask(guardMask, &op);
    }
  }
  if (!mask)
    return false;
  SmallVector<SizeExpr> shape = attn::getNamedShape(mask.getType());
  batch = shape[0];
  seq = shape[1];
  return true;
}

bool PaddedProgram::hasRows(Value value, int64_t minimumRank) const {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || type.getRank() < minimumRank)
    return false;
  SmallVector<SizeExpr> shape = attn::getNamedShape(type);
  return shape[0] == batch && shape[1] == seq;
}

bool PaddedProgram::isPackable() {
  if (culprit)
    return false; // two masks
  for (BlockArgument argument : entry.getBody().getArguments())
    if (hasRows(argument))
      padded.insert(argument);
  for (Operation &op : entry.getBody().front()) {
    if (!isLive(&op))
      continue;
    if (isa<attn::PositionsOp>(op) && hasRows(op.getResult(0))) {
      padded.insert(op.getResult(0));
      continue;
    }
    // Counted over whole sequences, as the caller gave them.
    if (auto positions = dyn_cast<attn::TokenPositionsOp>(op))
      if (isa<BlockArgument>(positions.getIds()) &&
          hasRows(positions.getResult())) {
        padded.insert(positions.getResult());
        continue;
      }
    if (llvm::none_of(op.getOperands(),
                      [&](Value operand) { return isPadded(operand); }))
      continue;
    if (!check(&op))
      return false;
    ops.insert(&op);
    if (!isa<attn::PoolOp>(op))
      padded.insert_range(op.getResults());
  }
  return true;
}

bool PaddedProgram::check(Operation *op) {
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](attn::MapOp map) {
        if (!hasRows(map.getResult()))
          return fail(map, "the result does not have a row per position");
        if (map.getRowEpilogue() && map.getType().getRank() < 3)
          return fail(map, "a row is a whole sequence");
        return checkEpilogues(map);
      })
      .Case<attn::LinearOp, attn::QkvProjectionOp>([&](auto projection) {
        return checkInput(projection, projection.getInput(), 3) &&
               checkFixed(projection, projection.getWeight()) &&
               checkEpilogues(projection);
      })
      .Case([&](attn::OutputProjectionOp projection) {
        return checkInput(projection, projection.getInput(), 4) &&
               checkFixed(projection, projection.getWeight()) &&
               checkEpilogues(projection);
      })
      .Case([&](attn::EmbeddingOp embedding) {
        return llvm::all_of(
                   embedding.getIds(),
                   [&](Value ids) { return checkInput(embedding, ids, 2); }) &&
               checkFixed(embedding, embedding.getTables()) &&
               checkEpilogues(embedding);
      })
      .Case([&](attn::NormOp norm) {
        return checkInput(norm, norm.getInput(), 3) &&
               checkFixed(norm, norm->getOperands().drop_front());
      })
      .Case([&](attn::HeadLinearOp linear) {
        return checkInput(linear, linear.getInput(), 4) &&
               checkFixed(linear, linear.getWeight());
      })
      .Case<attn::SoftmaxOp, attn::SplitHeadsOp>(
          [&](auto rows) { return checkInput(rows, rows.getInput(), 3); })
      .Case([&](attn::MergeHeadsOp merge) {
        return checkInput(merge, merge.getInput(), 4);
      })
      .Case([&](attn::RopeOp rope) {
        return checkInput(rope, rope.getInput(), 4) &&
               checkInput(rope, rope.getCos(), 3) &&
               checkInput(rope, rope.getSin(), 3);
      })
      .Case([&](attn::AttentionOp attention) {
        return checkAttention(attention);
      })
      .Case([&](attn::PoolOp pool) { return checkPool(pool); })
      .Case([&](attn::ReturnOp op) { return checkReturn(op); })
      .Default([&](Operation *other) {
        return fail(other, "the op does not treat rows one by one");
      });
}

bool PaddedProgram::checkInput(Operation *op, Value input,
                               int64_t minimumRank) {
  if (hasRows(input, minimumRank))
    return true;
  return fail(op, "the op does not treat rows one by one");
}

bool PaddedProgram::checkFixed(Operation *op, ValueRange values) {
  if (llvm::any_of(values, [&](Value value) { return isPadded(value); }))
    return fail(op, "a weight depends on the padded rows");
  return true;
}

bool PaddedProgram::checkEpilogues(attn::EpilogueOpInterface op) {
  return checkRegion(op, op.getElementEpilogue()) &&
         checkRegion(op, op.getRowEpilogue());
}

bool PaddedProgram::checkRegion(Operation *op,
                                const attn::CapturedRegion &region) {
  if (!region)
    return true;
  for (auto [value, map] : llvm::zip_equal(region.captures, region.maps)) {
    RowAccess access = getRowAccess(map);
    if (access == RowAccess::Other ||
        (access == RowAccess::None && isPadded(value)))
      return fail(op, "a capture is read at another position");
  }
  for (attn::IndexOp index : region.block().getOps<attn::IndexOp>())
    if (index.getDim() < 2)
      return fail(op, "the op uses the position within the padded batch");
  return true;
}

std::optional<SmallVector<Value>>
PaddedProgram::matchMaskRegion(attn::AttentionOp attention) const {
  if (!attention.getMaskRegion())
    return std::nullopt;
  RegionEditor region(attention, RegionKind::Mask);
  SmallVector<Value> conditions = attn::collectConditions(region.yielded());
  size_t count = conditions.size();
  llvm::erase_if(conditions, [&](Value condition) {
    bool negated = false;
    Value tested = matchMaskTest(
        region, condition,
        AffineMap::getMultiDimMapWithTargets(4, {0, 3}, attention.getContext()),
        negated);
    return tested == mask && !negated;
  });
  if (conditions.size() == count)
    return std::nullopt;
  return conditions;
}

/// Whether one of `conditions`, in one block, needs the argument.
static bool readsArgument(ArrayRef<Value> conditions, BlockArgument argument) {
  SmallVector<Value> open(conditions);
  llvm::SmallPtrSet<Operation *, 16> seen;
  while (!open.empty()) {
    Value value = open.pop_back_val();
    if (value == argument)
      return true;
    if (Operation *op = value.getDefiningOp(); op && seen.insert(op).second)
      llvm::append_range(open, op->getOperands());
  }
  return false;
}

bool PaddedProgram::checkMaskRegion(attn::AttentionOp attention) {
  std::optional<SmallVector<Value>> others = matchMaskRegion(attention);
  if (!others)
    return fail(attention, "the mask region admits masked positions");
  if (others->empty())
    return true;
  attn::CapturedRegion region = attention.getMaskRegion();
  for (auto [value, map] : llvm::zip_equal(region.captures, region.maps))
    if (value != mask && (map.isFunctionOfDim(2) || map.isFunctionOfDim(3) ||
                          (isPadded(value) && !isa<BlockArgument>(value))))
      return fail(attention, "the mask reads a capture by position");
  // The mask goes with the rows that it drops: what is left must not ask for
  // it.
  auto arguments =
      region.block().getArguments().take_back(region.captures.size());
  for (auto [value, argument] : llvm::zip_equal(region.captures, arguments))
    if (value == mask && readsArgument(*others, argument))
      return fail(attention, "the mask region reads the mask twice");
  return true;
}

bool PaddedProgram::checkAttention(attn::AttentionOp attention) {
  if (attention.isPacked() ||
      llvm::any_of(ValueRange{attention.getQuery(), attention.getKey(),
                              attention.getValue()},
                   [&](Value operand) { return !hasRows(operand, 4); }))
    return fail(attention, "query, key and value have different rows");
  if (!attention.getMaskRegion())
    return fail(attention, "the attention sees masked positions");
  if (!checkMaskRegion(attention))
    return false;
  attn::CapturedRegion score = attention.getScoreRegion();
  if (!score)
    return true;
  for (auto [value, map] : llvm::zip_equal(score.captures, score.maps)) {
    if (getScoreRow(map))
      continue;
    if (map.isFunctionOfDim(2) || map.isFunctionOfDim(3))
      return fail(attention, "the score reads a capture by position");
    if (isPadded(value) && !isa<BlockArgument>(value))
      return fail(attention, "the score reads padded rows");
  }
  return true;
}

bool PaddedProgram::checkPool(attn::PoolOp pool) {
  if (!hasRows(pool.getInput(), 3))
    return fail(pool, "the op does not treat rows one by one");
  if (pool.getMask() != mask && !isWithinMask(pool.getMask()))
    return fail(pool, "the pool does not use the mask");
  return true;
}

bool PaddedProgram::isWithinMask(Value other) const {
  auto map = other.getDefiningOp<attn::MapOp>();
  return map && isPadded(other) &&
         matchChoice(map, [](const RegionEditor &, Value dropped) {
           return matchPattern(dropped, m_Zero());
         }).first == mask;
}

bool PaddedProgram::checkReturn(attn::ReturnOp op) {
  for (Value operand : op->getOperands()) {
    Operation *producer = operand.getDefiningOp();
    if (!isPadded(operand) || !producer ||
        isa<attn::PositionsOp, attn::TokenPositionsOp>(producer))
      continue; // an input, returned as it came
    if (!matchGuard(producer))
      return fail(producer, "an output is not zero where the mask is");
  }
  return true;
}

} // namespace attnc
