//===- ProgramTrace.cpp - what a program does to its tiles ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values are computed when they are asked for; those that depend on ids are
// those of thread 0 in block 0. A branch whose condition is not known is taken,
// and so is one around all that a block does: it can only touch more.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/ProgramTrace.h"
#include "compiler/gpu/ProgramBuilder.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attnc::gpu {

// Steps of one loop that are followed. No loop over stages is longer for the
// numbers that VerifyBarriers tries, but for contractions of more than 64 K.
static constexpr int64_t kSteps = 2048;

static bool touchesTiles(Operation &op) {
  return op
      .walk([](Operation *inner) {
        return isa<warp::CopyOp, warp::UnpackOp, warp::ScaledCopyOp,
                   warp::CommitOp, warp::WaitOp, warp::SyncOp, warp::LoadOp,
                   warp::MmaOp, warp::ArriveOp, warp::AwaitOp, warp::MapCopyOp,
                   warp::GroupMmaOp, warp::GroupWaitOp, warp::TakeTurnOp,
                   warp::PassTurnOp, warp::ClearOp>(inner)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

std::vector<Event> ProgramTrace::run(Block &block) {
  events.clear();
  runBlock(block);
  return std::move(events);
}

void ProgramTrace::runBlock(Block &block) {
  for (Operation &op : block)
    runOp(op);
}

void ProgramTrace::runOp(Operation &op) {
  if (isa<warp::RolesOp>(op))
    return;
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return runFor(loop);
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    if (!touchesTiles(op))
      return;
    const bool taken = op.hasAttr(kGuardAttr) ||
                       evaluate(branch.getCondition()).value_or(1) != 0;
    if (taken)
      runBlock(*branch.thenBlock());
    else if (!branch.getElseRegion().empty())
      runBlock(*branch.elseBlock());
    return;
  }
  addEvents(op);
}

void ProgramTrace::runFor(scf::ForOp op) {
  if (!touchesTiles(*op))
    return;
  const int64_t from = evaluate(op.getLowerBound()).value_or(0);
  const int64_t to = evaluate(op.getUpperBound()).value_or(from);
  const int64_t step = evaluate(op.getStep()).value_or(1);
  llvm::SmallVector<std::optional<int64_t>> carried;
  for (Value value : op.getInitArgs())
    carried.push_back(evaluate(value));
  int64_t steps = 0;
  for (int64_t i = from; i < to && steps < kSteps; i += step, ++steps) {
    // What the body computed in the step before is stale.
    op.getBody()->walk([&](Operation *inner) {
      for (Value result : inner->getResults())
        numbers.erase(result);
    });
    numbers[op.getInductionVar()] = i;
    for (auto [argument, value] : llvm::zip(op.getRegionIterArgs(), carried))
      numbers[argument] = value;
    runBlock(*op.getBody());
    Operation *yield = op.getBody()->getTerminator();
    for (auto [value, next] : llvm::zip(carried, yield->getOperands()))
      value = evaluate(next);
  }
  for (auto [result, value] : llvm::zip(op.getResults(), carried))
    numbers[result] = value;
}

Staged ProgramTrace::staged(Value value) {
  if (auto stage = value.getDefiningOp<warp::StageOp>())
    return {stage.getTile().getDefiningOp(),
            evaluate(stage.getIndex()).value_or(0)};
  return {value.getDefiningOp(), 0};
}

Staged ProgramTrace::staged(Value barrier, Value stage) {
  return {barrier.getDefiningOp(), evaluate(stage).value_or(0)};
}

void ProgramTrace::addEvents(Operation &op) {
  llvm::TypeSwitch<Operation *>(&op)
      .Case<warp::CopyOp, warp::UnpackOp, warp::ScaledCopyOp, warp::LoadOp,
            warp::ClearOp>([&](auto touching) {
        events.push_back({&op, staged(touching.getTile()), {}});
      })
      .Case([&](warp::MmaOp mma) {
        // Right operands are read when the product wants them.
        if (auto load = mma.getRhs().getDefiningOp<warp::LoadOp>())
          events.push_back({&op, staged(load.getTile()), {}});
      })
      .Case([&](warp::ArriveOp arrive) {
        events.push_back(
            {&op, {}, staged(arrive.getBarrier(), arrive.getStage())});
      })
      .Case([&](warp::AwaitOp await) {
        events.push_back({&op,
                          {},
                          staged(await.getBarrier(), await.getStage()),
                          evaluate(await.getParity()).value_or(0) & 1});
      })
      .Case([&](warp::MapCopyOp copy) {
        events.push_back({&op, staged(copy.getTile()),
                          staged(copy.getBarrier(), copy.getStage())});
      })
      .Case([&](warp::GroupMmaOp mma) {
        if (isa<warp::TileType>(mma.getLhs().getType()))
          events.push_back({&op, staged(mma.getLhs()), {}});
        events.push_back({&op, staged(mma.getRhs()), {}});
      })
      .Case<warp::CommitOp, warp::WaitOp, warp::SyncOp, warp::GroupWaitOp,
            warp::TakeTurnOp, warp::PassTurnOp>(
          [&](auto) { events.push_back({&op, {}, {}}); });
}

//===-- numbers -----------------------------------------------------------===//

std::optional<int64_t> ProgramTrace::evaluate(Value value) {
  auto known = numbers.find(value);
  if (known != numbers.end())
    return known->second;
  Operation *op = value.getDefiningOp();
  std::optional<int64_t> result =
      op && value.getType().isIntOrIndex() ? compute(op) : std::nullopt;
  numbers[value] = result;
  return result;
}

static std::optional<int64_t> compare(arith::CmpIPredicate predicate, int64_t a,
                                      int64_t c) {
  switch (predicate) {
  case arith::CmpIPredicate::eq:
    return a == c;
  case arith::CmpIPredicate::ne:
    return a != c;
  case arith::CmpIPredicate::slt:
  case arith::CmpIPredicate::ult:
    return a < c;
  case arith::CmpIPredicate::sle:
  case arith::CmpIPredicate::ule:
    return a <= c;
  case arith::CmpIPredicate::sgt:
  case arith::CmpIPredicate::ugt:
    return a > c;
  case arith::CmpIPredicate::sge:
  case arith::CmpIPredicate::uge:
    return a >= c;
  }
  llvm_unreachable("every predicate is handled");
}

std::optional<int64_t> ProgramTrace::compute(Operation *op) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto integer = dyn_cast<IntegerAttr>(constant.getValue());
    return integer ? std::optional(integer.getInt()) : std::nullopt;
  }
  if (isa<LLVM::LoadOp>(op))
    return number * ++loads;
  if (isa<NVVM::GridDimXOp>(op))
    return place.blocks;
  if (isa<NVVM::BlockIdXOp, NVVM::BlockIdYOp, NVVM::BlockIdZOp>(op))
    return place.block;
  if (op->getName().getStringRef().starts_with("nvvm.read.ptx.sreg") ||
      isa<NVVM::ShflOp>(op))
    return 0;
  llvm::SmallVector<int64_t> x;
  for (Value operand : op->getOperands()) {
    std::optional<int64_t> value = evaluate(operand);
    if (!value)
      return std::nullopt;
    x.push_back(*value);
  }
  using Result = std::optional<int64_t>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](arith::AddIOp) -> Result { return x[0] + x[1]; })
      .Case([&](arith::SubIOp) -> Result { return x[0] - x[1]; })
      .Case([&](arith::MulIOp) -> Result { return x[0] * x[1]; })
      .Case([&](arith::DivUIOp) -> Result {
        return x[1] ? Result(x[0] / x[1]) : std::nullopt;
      })
      .Case([&](arith::RemUIOp) -> Result {
        return x[1] ? Result(x[0] % x[1]) : std::nullopt;
      })
      .Case([&](arith::MinSIOp) -> Result { return std::min(x[0], x[1]); })
      .Case([&](arith::MaxSIOp) -> Result { return std::max(x[0], x[1]); })
      .Case([&](arith::AndIOp) -> Result { return x[0] & x[1]; })
      .Case([&](arith::OrIOp) -> Result { return x[0] | x[1]; })
      .Case([&](arith::XOrIOp) -> Result { return x[0] ^ x[1]; })
      .Case([&](arith::SelectOp) -> Result { return x[0] ? x[1] : x[2]; })
      .Case([&](arith::CmpIOp cmp) {
        return compare(cmp.getPredicate(), x[0], x[1]);
      })
      .Case<arith::ExtSIOp, arith::ExtUIOp, arith::TruncIOp>(
          [&](auto) -> Result { return x[0]; })
      .Default([](Operation *) -> Result { return std::nullopt; });
}

} // namespace attnc::gpu
