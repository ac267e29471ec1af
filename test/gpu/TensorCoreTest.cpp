//===- TensorCoreTest.cpp - products on tensor cores, at every timing -----===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The numbers are small multiples of 1/16, so products and sums are exact: any
// difference is a mistake.
//
//===----------------------------------------------------------------------===//
#include "Kernels.h"
#include "test/gpu/emulator/Block.h"
#include <gtest/gtest.h>

using namespace attnc::emulator;

namespace {

template <typename Run> void everyTiming(Run run) {
  for (Timing timing : {Timing::Late, Timing::Early, Timing::Random})
    for (uint64_t seed = 0; seed < 6; ++seed) {
      Options options;
      options.seed = seed;
      options.timing = timing;
      SCOPED_TRACE(testing::Message()
                   << "timing " << int(timing) << ", seed " << seed);
      run(options);
    }
}

TEST(TensorCores, WarpProducts) {
  std::string text = kernelText("product-sm80.ll");
  everyTiming([&](const Options &options) {
    for (int k : {16, 32, 48, 160}) {
      Outcome outcome = runProduct80(text, k, options);
      EXPECT_EQ(outcome.error, "");
      EXPECT_EQ(outcome.difference, 0) << k;
      EXPECT_EQ(outcome.counts.warpMatrix, 2u * k / 16);
    }
  });
}

TEST(TensorCores, WarpGroupProducts) {
  std::string text = kernelText("product-sm90.ll");
  everyTiming([&](const Options &options) {
    for (int n : {1, 2, 5}) {
      Outcome outcome = runProduct90(text, n, options);
      EXPECT_EQ(outcome.error, "");
      EXPECT_EQ(outcome.difference, 0) << n;
      EXPECT_EQ(outcome.counts.groupMatrix, 4u * n);
      EXPECT_EQ(outcome.counts.tensorCopies, 2u * n);
    }
  });
}

TEST(TensorCores, Conversions) {
  EXPECT_EQ(toBfloat(1.0f), 0x3f80);
  EXPECT_EQ(toBfloat(1.00390625f), 0x3f80); // a tie goes to even
  EXPECT_EQ(toBfloat(1.01171875f), 0x3f82);
  EXPECT_EQ(toHalf(65504.0f), 0x7bff);
  EXPECT_EQ(fromHalf(0x0001), 0x1p-24f);
  EXPECT_EQ(roundToTf32(1.0f + 0x1p-11f), 1.0f + 0x1p-10f);
  EXPECT_EQ(roundToTf32(1.0f + 0x1p-12f), 1.0f);
}

} // namespace
