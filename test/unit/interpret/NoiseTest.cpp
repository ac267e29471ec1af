//===- NoiseTest.cpp - what code in f32 may be off ------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A library written here, in plain f32, whose norm magnifies the errors of the
// product before it a thousandfold: verification knows, and still sees what is
// not rounding.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/Noise.h"
#include "RowLibraryTest.h"
#include <cmath>

using namespace attnc;

namespace {

constexpr int kSize = 8;

/// Rows of the matrix differ by a thousandth.
float weightAt(int row, int column) {
  return 1 + 0.25f * ((column * 5) % 7) + 1e-3f * ((row * 3 + column * 5) % 11);
}

std::string getSource() {
  std::string rows;
  for (int row = 0; row < kSize; ++row) {
    rows += row ? "], [" : "[[";
    for (int column = 0; column < kSize; ++column)
      rows += (column ? ", " : "") + std::to_string(weightAt(row, column));
  }
  return R"(
attn.size @n min 1 max 64
attn.entry @f(%x: tensor<?x8xf32, #attn.sizes<n, 8>> {attn.name = "x"})
    -> (tensor<?x8xf32, #attn.sizes<n, 8>> {attn.name = "y"}) sizes ["n"] {
  %w = attn.constant dense<)" +
         rows + R"(]]> : tensor<8x8xf32>
  %l = attn.linear %x, %w : tensor<?x8xf32, #attn.sizes<n, 8>>, tensor<8x8xf32> -> tensor<?x8xf32, #attn.sizes<n, 8>>
  %y = attn.norm layer %l epsilon 1.0e-12 : tensor<?x8xf32, #attn.sizes<n, 8>>
  attn.return %y : tensor<?x8xf32, #attn.sizes<n, 8>>
})";
}

/// @f in f32; `mistake` is added to one sum of every row.
void computeRow(const float *x, float *y, float mistake) {
  float mean = 0, variance = 0;
  for (int i = 0; i < kSize; ++i) {
    float sum = 0;
    for (int j = 0; j < kSize; ++j)
      sum += x[j] * std::stof(std::to_string(weightAt(i, j)));
    y[i] = sum + (i == 3 ? mistake * sum : 0);
    mean += y[i];
  }
  mean /= kSize;
  for (int i = 0; i < kSize; ++i)
    variance += (y[i] - mean) * (y[i] - mean);
  variance /= kSize;
  for (int i = 0; i < kSize; ++i)
    y[i] = (y[i] - mean) / std::sqrt(variance + 1e-12f);
}

class NoiseTest : public RowLibraryTest {
protected:
  VerifyReport verify(float mistake) {
    return verifyRows(getSource(), kSize, [&](const float *x, float *y) {
      computeRow(x, y, mistake);
    });
  }
};

TEST_F(NoiseTest, RoundingThatANormMagnifiesPasses) {
  VerifyReport report = verify(0);
  EXPECT_TRUE(report.passed());
  size_t measured = 0;
  for (const VerifyCase &tried : report.cases)
    for (const OutputError &error : tried.outputs) {
      measured += error.rounded;
      // Neither close to the bound nor far below it.
      if (error.rounded) {
        EXPECT_LT(error.usedShare, 0.75) << tried.description;
        EXPECT_GT(error.usedShare, 0.02) << tried.description;
      }
    }
  EXPECT_GT(measured, report.cases.size() / 2);
}

TEST_F(NoiseTest, AMistakeOfAMillionthIsSeen) {
  EXPECT_GT(verify(4e-6f).failures(), 0u);
}

TEST_F(NoiseTest, NumbersAreUniformAndDifferByKey) {
  double sum = 0, squares = 0;
  constexpr int kCount = 10000;
  for (int i = 0; i < kCount; ++i) {
    double number = interpret::Noise(7).at(i);
    ASSERT_GE(number, -1);
    ASSERT_LT(number, 1);
    ASSERT_NE(number, interpret::Noise(8).at(i));
    sum += number;
    squares += number * number;
  }
  EXPECT_NEAR(sum / kCount, 0, 0.03);
  EXPECT_NEAR(squares / kCount, 1.0 / 3, 0.02);
}

} // namespace
