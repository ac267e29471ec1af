//===- DrawnRoundingTest.cpp - roundings that might have been -------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Roundings that chance decides, and what verification allows for them: a
// library whose keys round the other way, so that two scores are equal; but not
// one whose result no rounding gives.
//
//===----------------------------------------------------------------------===//
#include "ProgramTest.h"
#include "compiler/interpret/Verify.h"
#include <cmath>

using namespace attnc;
using interpret::Noise;

namespace {

TEST(DrawnRounding, IsOneOfTwoNeighboursAndRightInTheMean) {
  constexpr int kCount = 20000;
  double sum = 0;
  for (int i = 0; i < kCount; ++i) {
    const Noise noise(i);
    double numbers[] = {1 + 0x1p-9, 127, 4};
    interpret::roundTo("bf16", numbers, 1, {&noise, 0});
    ASSERT_TRUE(numbers[0] == 1 || numbers[0] == 1 + 0x1p-7) << numbers[0];
    sum += numbers[0];
  }
  EXPECT_NEAR(sum / kCount, 1 + 0x1p-9, 1e-4);
}

TEST(DrawnRounding, WhatTheFormatHasStays) {
  for (uint64_t key = 0; key < 100; ++key) {
    const Noise noise(key);
    double i8[] = {-127, 64, 0, 1}, i4[] = {-8, 7, 0, 3}, bf16[] = {1.5, 0, -3};
    interpret::roundTo("i8", i8, 4, {&noise, 0});
    interpret::roundTo("i4", i4, 4, {&noise, 0});
    interpret::roundTo("bf16", bf16, 3, {&noise, 0});
    EXPECT_EQ(std::vector<double>(i8, i8 + 4),
              (std::vector<double>{-127, 64, 0, 1}));
    EXPECT_EQ(std::vector<double>(i4, i4 + 4),
              (std::vector<double>{-8, 7, 0, 3}));
    EXPECT_EQ(std::vector<double>(bf16, bf16 + 3),
              (std::vector<double>{1.5, 0, -3}));
  }
}

class DrawnRoundingTest : public ProgramTest {
protected:
  /// Of an attention whose second key is `second`, against a result.
  OutputError verify(const char *second, float result, NarrowFormats formats) {
    mlir::OwningOpRef<mlir::ModuleOp> module = parse(std::string(R"(
attn.entry @f() -> (tensor<1x1xf32> {attn.name = "y"}) sizes [] {
  %q = attn.constant dense<[[1.0e4]]> : tensor<1x1xf32>
  %k = attn.constant dense<[[1.005], [)") + second +
                                                     R"(]]> : tensor<2x1xf32>
  %v = attn.constant dense<[[2.0], [4.0]]> : tensor<2x1xf32>
  %y = attn.attention %q, %k, %v : tensor<1x1xf32>, tensor<2x1xf32>, tensor<2x1xf32> -> tensor<1x1xf32>
  attn.return %y : tensor<1x1xf32>
})");
    VerifyOptions options;
    options.quick = true;
    options.formats = formats;
    VerifyReport report = llvm::cantFail(verifyLibrary(
        *module, nullptr, options,
        [&](llvm::StringRef, const Sizes &, llvm::ArrayRef<VerifyBuffer>,
            llvm::ArrayRef<VerifyBuffer> outputs) {
          *static_cast<float *>(outputs[0].data) = result;
          return llvm::Error::success();
        }));
    return report.cases.front().outputs.front();
  }

  static NarrowFormats formats() {
    NarrowFormats formats;
    formats.attention = "bf16";
    return formats;
  }
};

/// To the nearest, 1.005 and 1.003 become 1.0078 and 1; both may become 1.
TEST_F(DrawnRoundingTest, EqualScoresOfAnotherRoundingPass) {
  EXPECT_LE(verify("1.003", 2, formats()).usedShare, 1);
  EXPECT_LE(verify("1.003", 3, formats()).usedShare, 1);
  EXPECT_LE(verify("1.003", 4, formats()).usedShare, 1);
}

TEST_F(DrawnRoundingTest, WhatNoRoundingGivesIsSeen) {
  EXPECT_GT(verify("1.003", 9, formats()).usedShare, 1);
  // These keys are steps apart.
  EXPECT_LE(verify("0.5", 2, formats()).usedShare, 1);
  EXPECT_GT(verify("0.5", 2.1f, formats()).usedShare, 1);
}

/// What a library did not round is not allowed for.
TEST_F(DrawnRoundingTest, AttentionInF32HasTheBoundOfF32) {
  NarrowFormats narrow;
  narrow.weights = narrow.activations = "i8";
  EXPECT_GT(verify("1.003", 3, narrow).usedShare, 1);
  EXPECT_GT(verify("1.003", 2.0001f, narrow).usedShare, 1);
  EXPECT_LE(verify("1.003", 2, narrow).usedShare, 1);
}

/// Numbers that a run makes are rounded anew in every run.
TEST_F(DrawnRoundingTest, WeightsThatAreComputedAreNotKept) {
  mlir::OwningOpRef<mlir::ModuleOp> module = parse(R"(
attn.entry @f(%x: tensor<1x1xf32> {attn.name = "x"}) -> (tensor<1x1xf32> {attn.name = "y"}) sizes [] {
  %a = attn.constant dense<[[1.0]]> : tensor<1x1xf32>
  %w = attn.map element (%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<1x1xf32>) {
  ^bb0(%e: f32):
    %two = arith.constant 2.0 : f32
    %d = arith.mulf %e, %two : f32
    attn.yield %d : f32
  } : tensor<1x1xf32>
  %y = attn.linear %a, %w : tensor<1x1xf32>, tensor<1x1xf32> -> tensor<1x1xf32>
  attn.return %y : tensor<1x1xf32>
})");
  Interpreter interpreter(*module, nullptr, 1);
  NarrowFormats formats;
  formats.weights = "bf16";
  interpreter.setFormats(formats);
  for (double x : {1.0, 2.0, 3.0, 4.0, 5.0})
    EXPECT_EQ(llvm::cantFail(interpreter.run("f", {}, {numbers({1, 1}, {x})},
                                             Precision::Narrow))[0]
                  .numbers[0],
              2 * x);
}

} // namespace
