//===- Inputs.cpp - what programs are run on ------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sizes and patterns of a case; and, for entries with states, what the session
// has seen before: prompts, chunks, single tokens, sequences that are copied or
// go back.
//
//===----------------------------------------------------------------------===//
#include "Check.h"
#include "compiler/schedule/StateLayout.h"
#include <algorithm>

using namespace mlir;

namespace attnc::fuzz {

/// Sizes around the edges of tiles, small ones more often.
static int64_t pickSize(Random &random, int64_t minimum, int64_t maximum) {
  int64_t size = random.chance(0.5)
                     ? random.between(1, 9)
                     : random.pick({11, 15, 16, 17, 23, 24, 25, 31, 32, 33, 40,
                                    47, 48, 49, 63, 64});
  return std::clamp(size, minimum, maximum);
}

interpret::InputPlan makePlan(attn::EntryOp entry, Random &random) {
  using namespace interpret;
  InputPlan plan;
  auto module = entry->getParentOfType<ModuleOp>();
  for (auto name : entry.getSizes().getAsValueRange<StringAttr>()) {
    auto size = module.lookupSymbol<attn::SizeOp>(name);
    plan.sizes[name.str()] =
        pickSize(random, *size.getMinimum(), *size.getMaximum());
  }
  plan.mask =
      random.pick({MaskPattern::Full, MaskPattern::Ragged, MaskPattern::Ragged,
                   MaskPattern::RowMasked, MaskPattern::Holes,
                   MaskPattern::LeftPadding, MaskPattern::LeftOut});
  plan.ids =
      random.pick({IdPattern::Random, IdPattern::Random, IdPattern::Random,
                   IdPattern::Minimum, IdPattern::Maximum});
  if (random.chance(0.1))
    plan.numbers = random.pick({NumberPattern::Denormal, NumberPattern::Mixed});
  return plan;
}

bool usesStates(attn::EntryOp entry) {
  return !entry.getBody().getOps<attn::AppendOp>().empty() ||
         !entry.getBody().getOps<attn::PastOp>().empty();
}

namespace {

/// A session whose lengths are known as steps are added.
class StepMaker {
public:
  StepMaker(attn::EntryOp entry, uint64_t seed);

  void addStep();
  /// Fewer rows where a sequence would become too long; false if none fit.
  bool shorten(interpret::InputPlan &plan) const;
  int64_t pickCount();
  std::vector<interpret::SessionStep> steps;

private:
  void addCall();
  void addCopy();
  void addTruncation();
  /// The first block that a sequence of this length needs.
  static int64_t firstBlock(int64_t window, int64_t length) {
    return window && length >= window ? (length - window + 1) / kStateBlock : 0;
  }
  bool canTruncate(int64_t from, int64_t to) const;

  attn::EntryOp entry;
  Random random;
  unsigned mask = 0; ///< the input that says what is appended
  int64_t positions = 0;
  std::vector<int64_t> windows, lengths;
};

} // namespace

StepMaker::StepMaker(attn::EntryOp entry, uint64_t seed)
    : entry(entry), random(seed ^ 0x57E9) {
  auto append = *entry.getBody().getOps<attn::AppendOp>().begin();
  auto index = append.getOffsets().getDefiningOp<attn::PackIndexOp>();
  mask = cast<BlockArgument>(index.getMask()).getArgNumber();
  auto module = entry->getParentOfType<ModuleOp>();
  for (auto state : module.getOps<attn::StateOp>()) {
    positions = state.getPositions();
    windows.push_back(state.getType().getWindow());
  }
  lengths.resize(*module.lookupSymbol<attn::SizeOp>("batch").getMaximum());
}

/// A few steps; so many that long states become full, now and then.
int64_t StepMaker::pickCount() {
  return random.chance(0.05) ? random.between(8, 16) : random.below(5);
}

bool StepMaker::shorten(interpret::InputPlan &plan) const {
  auto end = lengths.begin() + plan.sizes.at("batch");
  int64_t left = positions - *std::max_element(lengths.begin(), end);
  int64_t &seq = plan.sizes.at("seq");
  if (left < 1)
    return false;
  seq = std::min(seq, left);
  return true;
}

void StepMaker::addCall() {
  interpret::InputPlan plan = makePlan(entry, random);
  if (random.chance(0.3))
    plan.sizes["seq"] = 1;
  if (!shorten(plan))
    return;
  auto step = interpret::SessionStep::call(entry, plan, random.next() >> 1);
  const std::vector<int32_t> &kept = step.inputs[mask].integers;
  int64_t seq = plan.sizes["seq"];
  for (size_t i = 0; i < kept.size(); ++i)
    lengths[i / seq] += kept[i] != 0;
  steps.push_back(std::move(step));
}

void StepMaker::addCopy() {
  interpret::SessionStep step;
  step.kind = random.chance(0.5) ? interpret::SessionStep::Fork
                                 : interpret::SessionStep::Copy;
  step.sequence = random.below(lengths.size());
  step.to = random.below(lengths.size());
  lengths[step.to] = lengths[step.sequence];
  steps.push_back(step);
}

/// A window's rows must still be there.
bool StepMaker::canTruncate(int64_t from, int64_t to) const {
  int64_t end = (to + kStateBlock - 1) / kStateBlock;
  return llvm::all_of(windows, [&](int64_t window) {
    return std::min(end, firstBlock(window, from)) <= firstBlock(window, to);
  });
}

void StepMaker::addTruncation() {
  interpret::SessionStep step;
  step.kind = interpret::SessionStep::Truncate;
  step.sequence = random.below(lengths.size());
  int64_t &length = lengths[step.sequence];
  step.length = random.chance(0.5)
                    ? std::max<int64_t>(length - random.below(4), 0)
                    : random.between(0, length);
  if (!canTruncate(length, step.length))
    return;
  length = step.length;
  steps.push_back(step);
}

void StepMaker::addStep() {
  double choice = random.unit();
  if (choice < 0.7)
    addCall();
  else if (choice < 0.86)
    addCopy();
  else
    addTruncation();
}

std::vector<interpret::SessionStep>
makeSteps(attn::EntryOp entry, interpret::InputPlan &plan, uint64_t seed) {
  if (entry.getBody().getOps<attn::AppendOp>().empty())
    return {};
  StepMaker maker(entry, seed);
  for (int64_t count = maker.pickCount(); count > 0; --count)
    maker.addStep();
  if (maker.shorten(plan))
    return std::move(maker.steps);
  // Nothing fits behind them.
  StepMaker(entry, seed).shorten(plan);
  return {};
}

} // namespace attnc::fuzz
