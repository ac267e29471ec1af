//===- FaultTest.cpp - synchronization faults are caught ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each test breaks a kernel that is right: it drops a wait or a barrier, swaps
// a phase, frees a stage too early. Some run of a few seeds must go wrong, by
// an error or by a wrong result; a fault that no seed shows would be one that
// the emulator cannot see.
//
//===----------------------------------------------------------------------===//
#include "Kernels.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace attnc::emulator;

namespace {

using Run = Outcome (*)(const std::string &, int, const Options &);

/// Whether the kernel goes wrong, with any of a few seeds and timings.
bool isCaught(Run run, const std::string &text, int size) {
  for (Timing timing : {Timing::Late, Timing::Random, Timing::Early})
    for (uint64_t seed = 0; seed < 8; ++seed) {
      Options options;
      options.seed = seed;
      options.timing = timing;
      if (!run(text, size, options).isRight(0))
        return true;
    }
  return false;
}

struct Fault {
  const char *name, *kernel;
  Run run;
  int size;
  std::vector<Replacement> changes;
};

void PrintTo(const Fault &fault, std::ostream *os) { *os << fault.name; }

class Faults : public testing::TestWithParam<Fault> {};

TEST_P(Faults, IsCaught) {
  const Fault &fault = GetParam();
  EXPECT_FALSE(isCaught(fault.run, kernelText(fault.kernel), fault.size))
      << "the kernel is wrong without the fault";
  EXPECT_TRUE(
      isCaught(fault.run, kernelText(fault.kernel, fault.changes), fault.size));
}

constexpr const char *kBarrier =
    "call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)";

constexpr const char *kTakeTurn =
    "call void asm sideeffect \"bar.sync $0, 256;\", \"r\"(i32 %mine) "
    "convergent";
constexpr const char *kPassTurn =
    "call void asm sideeffect \"bar.arrive $0, 256;\", \"r\"(i32 %next) "
    "convergent";
/// The same before the work, where the turn is not the last.
constexpr const char *kPassAtOnce =
    "  %last.0 = icmp eq i32 %r, %end\n  %last.1 = and i1 %last.0, %is1\n"
    "  br i1 %last.1, label %begin, label %early\nearly:\n"
    "  call void asm sideeffect \"bar.arrive $0, 256;\", \"r\"(i32 %next) "
    "convergent\n  br label %begin\nbegin:";

const Fault faults[] = {
    {"SumWithoutBarrier", "block-sum.ll", runBlockSum, 128, {{kBarrier, ""}}},
    {"ShuffleByTheWrongLane",
     "block-sum.ll",
     runBlockSum,
     128,
     {{"float %s0, i32 16", "float %s0, i32 8"}}},
    {"CopyNotWaitedFor",
     "product-sm80.ll",
     runProduct80,
     96,
     {{"cp.async.wait.group(i32 1)", "cp.async.wait.group(i32 2)"}}},
    {"CopyWithoutCommit",
     "product-sm80.ll",
     runProduct80,
     96,
     {{"compute:\n  call void @llvm.nvvm.cp.async.commit.group()",
       "compute:"}}},
    {"OtherWarpsCopyNotWaitedFor",
     "product-sm80.ll",
     runProduct80,
     96,
     {{std::string(kBarrier) + " ; landed", ""}}},
    {"StageOverwrittenWhileRead",
     "product-sm80.ll",
     runProduct80,
     96,
     {{std::string(kBarrier) + " ; used up", ""}}},
    {"OneStageOnly",
     "product-sm80.ll",
     runProduct80,
     96,
     {{"xor i32 %stage, 1024", "xor i32 %stage, 0"}}},
    {"AccumulatorsNotWaitedFor",
     "product-sm90.ll",
     runProduct90,
     5,
     {{"wgmma.wait_group.sync.aligned 0", "wgmma.wait_group.sync.aligned 1"}}},
    {"NoFenceBeforeRegisters",
     "product-sm90.ll",
     runProduct90,
     5,
     {{"wgmma.fence.sync.aligned;\\0A", ""}}},
    {"ConsumerPhaseSwapped",
     "product-sm90.ll",
     runProduct90,
     5,
     {{"%cp = and i32 %cr, 1", "%cp.0 = and i32 %cr, 1\n  %cp = xor i32 %cp.0, "
                               "1"}}},
    {"ProducerPhaseSwapped",
     "product-sm90.ll",
     runProduct90,
     5,
     {{"%pp = xor i32 %pr.1, 1", "%pp = xor i32 %pr.1, 0"}}},
    {"ProducerDoesNotWaitForRoom",
     "product-sm90.ll",
     runProduct90,
     5,
     {{"(ptr addrspace(3) %p.empty, i32 %pp)",
       "(ptr addrspace(3) %p.full, i32 1)"}}},
    {"ConsumerDoesNotWaitForData",
     "product-sm90.ll",
     runProduct90,
     5,
     {{"(ptr addrspace(3) %c.full, i32 %cp)",
       "(ptr addrspace(3) %c.empty, i32 1)"}}},
    {"StageFreedBeforeTheProduct",
     "product-sm90.ll",
     runProduct90,
     5,
     {{"call void asm sideeffect \"mbarrier.arrive.shared.b64 _, [$0];\", "
       "\"r\"(ptr addrspace(3) %c.empty)",
       ""},
      {"  %c.base = mul i32 %cs, 9216",
       "  call void asm sideeffect \"mbarrier.arrive.shared.b64 _, [$0];\", "
       "\"r\"(ptr addrspace(3) %c.empty)\n  %c.base = mul i32 %cs, 9216"}}},
    {"TooFewBytesExpected",
     "product-sm90.ll",
     runProduct90,
     5,
     {{"%p.full, i32 9216", "%p.full, i32 8192"}}},
    {"BarriersUsedBeforeTheirInit",
     "product-sm90.ll",
     runProduct90,
     5,
     {{kBarrier, ""}}},
    {"WrongSwizzle",
     "product-sm90.ll",
     runProduct90,
     5,
     {{"4611686293305360384", "9223372311732748288"}}},
    {"TurnNotTaken", "turns.ll", runTurns, 4, {{kTakeTurn, ""}}},
    {"TurnNotPassed", "turns.ll", runTurns, 4, {{kPassTurn, ""}}},
    {"TurnPassedBeforeItsWork",
     "turns.ll",
     runTurns,
     4,
     {{kPassTurn, ""}, {"  ; work", kPassAtOnce}}},
    {"TurnPassedToOneself",
     "turns.ll",
     runTurns,
     4,
     {{"xor i32 %g, 1", "xor i32 %g, 0"}}},
    {"FirstTurnWaitedFor",
     "turns.ll",
     runTurns,
     4,
     {{"and i1 %starts, %is0", "and i1 %starts, false"}}},
    {"LastTurnPassed",
     "turns.ll",
     runTurns,
     4,
     {{"and i1 %ends, %is1", "and i1 %ends, false"}}},
};

INSTANTIATE_TEST_SUITE_P(Emulator, Faults, testing::ValuesIn(faults),
                         [](const testing::TestParamInfo<Fault> &info) {
                           return std::string(info.param.name);
                         });

} // namespace
