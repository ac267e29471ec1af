//===- RegionNoiseTest.cpp - what scalars of regions may be off -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A library written here, in plain f32, adds a number to every element of a row
// and takes it off again before a norm. Where the number is large, rounding
// there passes; a mistake of a few steps of that number does not, and where
// nothing cancels, a mistake of a few steps of the element does not either.
//
//===----------------------------------------------------------------------===//
#include "RowLibraryTest.h"
#include <cmath>

using namespace attnc;

namespace {

constexpr int kSize = 8;

std::string getSource(const char *number) {
  return std::string(R"(
attn.size @n min 1 max 64
attn.entry @f(%x: tensor<?x8xf32, #attn.sizes<n, 8>> {attn.name = "x"})
    -> (tensor<?x8xf32, #attn.sizes<n, 8>> {attn.name = "y"}) sizes ["n"] {
  %y = attn.map element (%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<?x8xf32, #attn.sizes<n, 8>>) {
  ^bb0(%e: f32):
    attn.yield %e : f32
  } row () {
  ^bb0(%r: tensor<8xf32>):
    %m = attn.map element (%r at affine_map<(d0) -> (d0)> : tensor<8xf32>) {
    ^bb0(%e: f32):
      %c = arith.constant )") +
         number + R"( : f32
      %up = arith.addf %e, %c : f32
      %down = arith.subf %up, %c : f32
      attn.yield %down : f32
    } : tensor<8xf32>
    %z = attn.norm rms %m epsilon 1.0e-3 : tensor<8xf32>
    attn.yield %z : tensor<8xf32>
  } : tensor<?x8xf32, #attn.sizes<n, 8>>
  attn.return %y : tensor<?x8xf32, #attn.sizes<n, 8>>
})";
}

/// @f in f32; `mistake` is added to what the map yields for one element.
void computeRow(const float *x, float *y, float number, float mistake) {
  float squares = 0;
  for (int i = 0; i < kSize; ++i) {
    volatile float up = x[i] + number;
    y[i] = up - number + (i == 3 ? mistake : 0);
    squares += y[i] * y[i];
  }
  for (int i = 0; i < kSize; ++i)
    y[i] /= std::sqrt(squares / kSize + 1e-3f);
}

class RegionNoiseTest : public RowLibraryTest {
protected:
  VerifyReport verify(const char *number, float mistake) {
    return verifyRows(getSource(number), kSize, [&](const float *x, float *y) {
      computeRow(x, y, std::stof(number), mistake);
    });
  }
};

TEST_F(RegionNoiseTest, ALargeNumberAddedAndTakenOffPasses) {
  VerifyReport report = verify("4096.0", 0);
  EXPECT_TRUE(report.passed());
  size_t measured = 0;
  for (const VerifyCase &tried : report.cases)
    measured += tried.outputs[0].rounded;
  EXPECT_GT(measured, report.cases.size() / 2);
}

/// Neighbours of 4096 are 2^-11 apart.
TEST_F(RegionNoiseTest, AMistakeOfAFewStepsOfTheNumberIsSeen) {
  EXPECT_GT(verify("4096.0", 8 * 0x1p-11f).failures(), 0u);
}

TEST_F(RegionNoiseTest, WhereNothingCancelsAMillionthIsSeen) {
  EXPECT_TRUE(verify("0.5", 0).passed());
  EXPECT_GT(verify("0.5", 4e-6f).failures(), 0u);
}

std::string getSum(const char *element) {
  return std::string(R"(
attn.entry @f() -> (tensor<1x1xf32> {attn.name = "y"}) sizes [] {
  %x = attn.constant dense<3.0> : tensor<1x64xf32>
  %w = attn.constant dense<1.0> : tensor<1x64xf32>
  %m = attn.map element (%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<1x64xf32>) {
  ^bb0(%e: f32):
    %c = arith.constant 3.0 : f32
    %d = arith.constant 1024.0 : f32
    %s = arith.constant 3071.0 : f32
    %p = arith.mulf )") +
         element + R"(, %d : f32
    %q = arith.subf %p, %s : f32
    attn.yield %q : f32
  } : tensor<1x64xf32>
  %y = attn.matmul %m, %w transpose_rhs : tensor<1x64xf32>, tensor<1x64xf32> -> tensor<1x1xf32>
  attn.return %y : tensor<1x1xf32>
})";
}

/// Errors of 64 elements add up like 8, but one error of a constant like 64.
TEST_F(RegionNoiseTest, ConstantsAreOffByTheSameInAllElements) {
  mlir::OwningOpRef<mlir::ModuleOp> apart = parse(getSum("%e")),
                                    once = parse(getSum("%c"));
  double ratio = measureError(*once) / measureError(*apart);
  EXPECT_GT(ratio, 6);
  EXPECT_LT(ratio, 10);
}

} // namespace
