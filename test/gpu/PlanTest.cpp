//===- PlanTest.cpp - room for what calls make of a schedule --------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A session takes the room for its plans and graphs once, before it knows what
// calls leave out.
//
//===----------------------------------------------------------------------===//
#include "cuda/Gpu.h"

#include <gtest/gtest.h>

using namespace attnrt::cuda;

namespace {

/// The nodes of a graph that are known at once, for phases of so many launches.
size_t nodesOf(std::initializer_list<int32_t> counts) {
  std::vector<attn_abi_launch> launches(8);
  std::vector<attn_abi_device_phase> phases;
  for (int32_t count : counts)
    phases.push_back({"phase", launches.data(), count});
  attn_abi_device_schedule schedule{phases.data(),
                                    static_cast<int32_t>(phases.size())};
  PlanSize size;
  measurePlan(schedule, size);
  return size.nodes;
}

TEST(Plans, APhaseAndWhatItWaitsFor) {
  EXPECT_EQ(nodesOf({3}), 3u);
  EXPECT_EQ(nodesOf({2, 3}), 5u);
  EXPECT_EQ(nodesOf({3, 0, 3}), 6u);
}

TEST(Plans, PhasesInBetweenMayBeLeftOut) {
  EXPECT_EQ(nodesOf({5, 1, 4}), 9u);
  EXPECT_EQ(nodesOf({1, 6, 2, 2, 5, 1}), 11u);
}

} // namespace
