//===- ProgramInfoTest.cpp - what the tables of a library need ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Numbers of sizes, weights, phases and slots, on a scheduled program.
//
//===----------------------------------------------------------------------===//
#include "compiler/schedule/ProgramInfo.h"
#include "Programs.h"
#include "compiler/Passes.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include <gtest/gtest.h>

using namespace mlir;

namespace attnc::test {
namespace {

class ProgramInfoTest : public testing::Test {
protected:
  ProgramInfoTest() {
    context.loadDialect<attn::AttnDialect, kernel::KernelDialect>();
  }

  /// Runs all of schedule.
  void schedule(llvm::StringRef text, llvm::StringRef gemm = "") {
    module = parseSourceString<ModuleOp>(text, &context);
    ASSERT_TRUE(module);
    PassManager passes(&context);
    SelectKernelsOptions options;
    options.target = "x86-64-v3";
    options.gemm = gemm.str();
    passes.addPass(createSelectKernels(options));
    passes.addPass(createChooseTiles());
    passes.addPass(createCutPhases());
    passes.addPass(createPlanArena());
    ASSERT_TRUE(succeeded(passes.run(*module)));
    auto variant = *module->getOps<kernel::VariantOp>().begin();
    program = *variant.getBody().getOps<kernel::ProgramOp>().begin();
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  kernel::ProgramOp program;
};

TEST_F(ProgramInfoTest, Sizes) {
  schedule(kFusedEncoder);
  EXPECT_EQ(getSizes(*module).size(), 3u);
  EXPECT_EQ(getSizeIndex(*module, "batch"), 0);
  EXPECT_EQ(getSizeIndex(*module, "tokens"), 2);
}

TEST_F(ProgramInfoTest, TiedWeightsInOneLayout) {
  schedule(kUnfused);
  std::vector<WeightUse> uses = getWeightUses(*module);
  // The embedding reads the panels of the product.
  ASSERT_EQ(uses.size(), 2u);
  std::set<std::string> keys;
  for (const WeightUse &use : uses)
    keys.insert(use.key);
  EXPECT_EQ(keys, (std::set<std::string>{"words#panels48", "qkv#panels48"}));
  for (const WeightUse &use : uses)
    // 50 columns fill two panels, 24 one.
    EXPECT_EQ(use.bytes,
              use.key == "words#panels48" ? 96u * 8 * 4 : 48u * 8 * 4);
}

TEST_F(ProgramInfoTest, OpenBlasReadsPlainRows) {
  schedule(kUnfused, "openblas");
  std::vector<WeightUse> uses = getWeightUses(*module);
  ASSERT_EQ(uses.size(), 2u);
  for (const WeightUse &use : uses)
    EXPECT_FALSE(use.layout) << use.key;
}

TEST_F(ProgramInfoTest, Schedule) {
  schedule(kFusedEncoder);
  ScheduleInfo info = getSchedule(program);
  EXPECT_EQ(info.entry, "encode");
  EXPECT_EQ(info.planSymbol, "x86_64_v3_encode_plan");
  ASSERT_GT(info.phases.size(), 3u);
  EXPECT_EQ(info.phases[0].name, "pack_index");
  EXPECT_TRUE(info.phases[0].serial);
  EXPECT_EQ(info.phases[2].name, "embeddings");
  EXPECT_FALSE(info.phases[2].serial);
  EXPECT_EQ(info.phases[3].symbol, "x86_64_v3_encode_phase_3");
  // Both results come of the last value, at once.
  EXPECT_EQ(info.phases.back().name, "pool_mean, unpack");
  EXPECT_EQ(info.slotCount, static_cast<int64_t>(getSlotBytes(program).size()));
  // input_ids is not optional, attention_mask is; outputs have no stand-in.
  ASSERT_EQ(info.argumentSlots.size(), 4u);
  EXPECT_EQ(info.argumentSlots[0], -1);
  EXPECT_GE(info.argumentSlots[1], 0);
  EXPECT_EQ(info.argumentSlots[2], -1);
  EXPECT_EQ(info.argumentSlots[3], -1);
  ASSERT_EQ(getScratchBytes(program).size(), 1u);
  EXPECT_EQ(getScratchBytes(program)[0].names(),
            std::vector<std::string>{"seq"});
}

/// First and last phase that touch the memory of `value`.
std::pair<int64_t, int64_t> getLife(Value value) {
  int64_t first = INT64_MAX, last = -1;
  for (Operation *user : value.getUsers()) {
    std::pair<int64_t, int64_t> life{INT64_MAX, -1};
    if (auto view = dyn_cast<kernel::ViewOp>(user))
      life = getLife(view.getResult());
    else if (auto dispatch = dyn_cast<kernel::DispatchOp>(user))
      life = {dispatch.getPhase(), dispatch.getPhase()};
    first = std::min(first, life.first);
    last = std::max(last, life.second);
  }
  return {first, last};
}

TEST_F(ProgramInfoTest, NoSlotIsSharedWithinAPhase) {
  for (const char *text : {kFusedEncoder, kUnfused}) {
    schedule(text);
    std::map<int64_t, std::vector<std::pair<int64_t, int64_t>>> lives;
    program.walk([&](kernel::SlotOp slot) {
      lives[slot.getIndex()].push_back(getLife(slot.getResult()));
    });
    bool isShared = false;
    for (auto &[index, slot] : lives) {
      std::sort(slot.begin(), slot.end());
      isShared |= slot.size() > 1;
      for (size_t i = 1; i < slot.size(); ++i)
        EXPECT_LT(slot[i - 1].second, slot[i].first) << "slot " << index;
    }
    EXPECT_TRUE(isShared);
  }
}

TEST_F(ProgramInfoTest, PlaceBehindViews) {
  schedule(kFusedEncoder);
  int seen = 0;
  program.walk([&](kernel::ViewOp view) {
    Place place = getPlace(view.getResult());
    EXPECT_TRUE(isa<kernel::SlotOp>(place.root.getDefiningOp()));
    if (view.getOffset() == 0)
      return;
    ++seen;
    EXPECT_EQ(place.offset % 40, 0);
    EXPECT_EQ(place.stride, 120);
  });
  // Key and value of two layers.
  EXPECT_EQ(seen, 4);
}

} // namespace
} // namespace attnc::test
