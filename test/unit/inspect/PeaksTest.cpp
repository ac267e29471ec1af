//===- PeaksTest.cpp - what this machine can do at most -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which rates there are, and that they are of an order that a machine can have.
//
//===----------------------------------------------------------------------===//
#include "compiler/inspect/Peaks.h"
#include <gtest/gtest.h>
#include <map>

using namespace attnc;

namespace {

std::map<std::string, double> measure(const std::vector<int> &cores) {
  const auto rates = measurePeaks(cores);
  return {rates.begin(), rates.end()};
}

TEST(Peaks, OneCoreHasNobodyToTalkTo) {
  std::vector<int> cores = getAllowedCores();
  ASSERT_FALSE(cores.empty());
  cores.resize(1);
  auto rates = measure(cores);
  if (rates.empty())
    GTEST_SKIP() << "a processor without AVX2";
  EXPECT_EQ(rates.count("round_trip_ns"), 0u);
  EXPECT_GT(rates["fma_gflops"], 1);
  EXPECT_GE(rates["fma_gflops"], rates["fma_ymm_gflops"]);
  EXPECT_GT(rates["read_memory_gbs"], 0.1);
}

TEST(Peaks, RoundTrip) {
  std::vector<int> cores = getAllowedCores();
  if (cores.size() < 2)
    GTEST_SKIP() << "one core";
  // Light goes 3 m in 10 ns; a millisecond would be a turn of the scheduler's.
  const double trip = measureRoundTrip(cores[0], cores[1]);
  EXPECT_GT(trip, 10);
  EXPECT_LT(trip, 1e6);
  cores.resize(2);
  auto rates = measure(cores);
  if (rates.empty())
    GTEST_SKIP() << "a processor without AVX2";
  EXPECT_GT(rates["round_trip_ns"], 10);
}

TEST(MemoryReader, WholePagesForEveryCore) {
  if (!__builtin_cpu_supports("avx2"))
    GTEST_SKIP() << "a processor without AVX2";
  std::vector<int> cores = getAllowedCores();
  ASSERT_FALSE(cores.empty());
  cores.resize(std::min<size_t>(cores.size(), 2));
  const size_t count = cores.size();
  EXPECT_EQ(MemoryReader(cores, 1).bytes(), 4096 * count);
  EXPECT_EQ(MemoryReader(cores, (3 * 4096 + 7) * count).bytes(),
            3 * 4096 * count);
  const MemoryReader reader(cores, 64 << 20);
  EXPECT_EQ(reader.bytes(), size_t(64) << 20);
  // Nothing reads a TB in a second.
  EXPECT_GT(reader.read(), 64e-6);
}

} // namespace
