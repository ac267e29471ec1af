//===- PlacementTest.cpp - where a thread runs ----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Placement.h"

#include <gtest/gtest.h>
#include <sched.h>

using namespace attnrt;

namespace {

TEST(Placement, IsThatOfTheAffinityMask) {
  cpu_set_t mask;
  ASSERT_EQ(sched_getaffinity(0, sizeof(mask), &mask), 0);
  ProcessorSet set = ProcessorSet::ofThread();
  EXPECT_EQ(set.count(), CPU_COUNT(&mask));
  const int32_t here = currentProcessor();
  ASSERT_GE(here, 0);
  set.remove(here);
  EXPECT_EQ(set.count(), CPU_COUNT(&mask) - 1);
  set.remove(here);
  set.remove(-1);
  set.remove(16384);
  set.remove(INT32_MAX);
  EXPECT_EQ(set.count(), CPU_COUNT(&mask) - 1);
}

TEST(Placement, MovesTheThread) {
  const ProcessorSet all = ProcessorSet::ofThread();
  if (all.count() < 2)
    GTEST_SKIP() << "needs two processors";
  for (int round = 0; round < 20; ++round) {
    const int32_t left = currentProcessor();
    ProcessorSet others = all;
    others.remove(left);
    ASSERT_TRUE(others.confineThread());
    EXPECT_NE(currentProcessor(), left);
    ASSERT_TRUE(all.confineThread());
  }
  EXPECT_EQ(ProcessorSet::ofThread().count(), all.count());
}

TEST(Placement, RefusesToBeNowhere) {
  EXPECT_FALSE(ProcessorSet().confineThread());
}

} // namespace
