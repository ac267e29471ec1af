//===- ByteScaleTest.cpp - the step of weights of i8 ----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exact where steps suffice, never worse than the plain choice, and plain in
// what columns of zeros, of tiny numbers and of no numbers become.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/ByteScale.h"
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <vector>

namespace attnc::test {
namespace {

/// Squares of the errors that rounding to -127 .. 127 steps makes.
double error(const std::vector<float> &numbers, float scale) {
  double sum = 0;
  for (float x : numbers) {
    double q = scale ? std::nearbyint(double(x) / scale) : 0;
    q = std::clamp(q, -127.0, 127.0);
    sum += (x - q * scale) * (x - q * scale);
  }
  return sum;
}

float plainScale(const std::vector<float> &numbers) {
  float largest = 0;
  for (float x : numbers)
    largest = std::max(largest, std::fabs(x));
  return largest / 127;
}

TEST(ByteScaleTest, LosesLessThanThePlainChoice) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0, 0.05f);
  for (size_t count : {8, 13, 32, 384}) {
    double found = 0, plain = 0;
    for (int group = 0; group < 200; ++group) {
      std::vector<float> numbers(count);
      for (float &x : numbers)
        x = normal(random);
      const double now = error(numbers, findByteScale(numbers));
      const double before = error(numbers, plainScale(numbers));
      EXPECT_LE(now, before * (1 + 1e-4)) << count;
      found += now;
      plain += before;
    }
    EXPECT_LT(found, (count > 32 ? 0.97 : 0.8) * plain) << count;
  }
}

TEST(ByteScaleTest, StepsStayExact) {
  for (float scale : {0.25f, 3.0f}) {
    std::vector<float> numbers;
    for (int q = -127; q <= 127; q += 2)
      numbers.push_back(q * scale);
    EXPECT_EQ(findByteScale(numbers), scale);
  }
}

TEST(ByteScaleTest, AnOutlierIsNotClippedAway) {
  std::vector<float> numbers(32, 0.001f);
  numbers[5] = -4;
  const float scale = findByteScale(numbers);
  EXPECT_NEAR(std::clamp<float>(std::nearbyint(-4 / scale), -127, 127) * scale,
              -4, 0.001);
}

TEST(ByteScaleTest, EdgesOfNumbers) {
  EXPECT_EQ(findByteScale(std::vector<float>(32, 0.0f)), 0);
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(findByteScale(std::vector<float>{1, -infinity}), infinity);
  EXPECT_TRUE(std::isnan(findByteScale(std::vector<float>{1, NAN, 2})));
  for (float most : {std::numeric_limits<float>::denorm_min(),
                     std::numeric_limits<float>::min(), 0x1p-50f, 0x1p50f,
                     std::numeric_limits<float>::max()}) {
    const std::vector<float> numbers = {most, -most / 2, 0, most};
    const float scale = findByteScale(numbers);
    EXPECT_TRUE(std::isfinite(scale)) << most;
    EXPECT_LE(error(numbers, scale), error(numbers, 0)) << most;
  }
}

} // namespace
} // namespace attnc::test
