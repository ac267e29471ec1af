//===- ElementwiseTest.cpp - maps, norms and rows by hand ===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// attn.map with every scalar op, attn.norm, attn.softmax, row regions.
//
//===----------------------------------------------------------------------===//
#include "ProgramTest.h"
#include <cmath>

using namespace attnc;

namespace {

using ElementwiseTest = ProgramTest;

TEST_F(ElementwiseTest, MapTransposesBroadcastsAndIndexes) {
  TensorValue y = compute(R"(
    %x = attn.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
    %r = attn.constant dense<[10.0, 20.0]> : tensor<2xf32>
    %s = attn.constant dense<100.0> : tensor<f32>
    %y = attn.map element(%x at affine_map<(d0, d1) -> (d1, d0)> : tensor<3x2xf32>, %r at affine_map<(d0, d1) -> (d0)> : tensor<2xf32>, %r at affine_map<(d0, d1) -> (1)> : tensor<2xf32>, %s at affine_map<(d0, d1) -> ()> : tensor<f32>) {
    ^bb0(%a: f32, %b: f32, %c: f32, %d: f32):
      %0 = arith.addf %a, %b : f32
      %1 = arith.addf %0, %c : f32
      %2 = arith.addf %1, %d : f32
      %j = attn.index 1 : i32
      %k = arith.sitofp %j : i32 to f32
      %3 = arith.addf %2, %k : f32
      attn.yield %3 : f32
    } : tensor<2x3xf32>)",
                          "tensor<2x3xf32>");
  expectNumbers(y, {131, 134, 137, 142, 145, 148});
}

TEST_F(ElementwiseTest, MapOfAScalar) {
  TensorValue y = compute(R"(
    %x = attn.constant dense<3.0> : tensor<f32>
    %y = attn.map element(%x at affine_map<() -> ()> : tensor<f32>) {
    ^bb0(%a: f32):
      %0 = arith.negf %a : f32
      attn.yield %0 : f32
    } : tensor<f32>)",
                          "tensor<f32>");
  expectNumbers(y, {-3});
}

/// One operand at three places through one op.
class NumberOps : public ElementwiseTest {
protected:
  TensorValue unary(const std::string &op) {
    return compute(R"(
      %x = attn.constant dense<[0.25, 1.0, 4.0]> : tensor<3xf32>
      %y = attn.map element(%x at affine_map<(d0) -> (d0)> : tensor<3xf32>) {
      ^bb0(%a: f32):
        %0 = )" + op + R"( %a : f32
        attn.yield %0 : f32
      } : tensor<3xf32>)",
                   "tensor<3xf32>");
  }
  TensorValue binary(const std::string &op) {
    return compute(R"(
      %x = attn.constant dense<[-2.0, 3.0, 0x7FC00000]> : tensor<3xf32>
      %z = attn.constant dense<[5.0, 2.0, 1.0]> : tensor<3xf32>
      %y = attn.map element(%x at affine_map<(d0) -> (d0)> : tensor<3xf32>, %z at affine_map<(d0) -> (d0)> : tensor<3xf32>) {
      ^bb0(%a: f32, %b: f32):
        %0 = )" + op + R"( %a, %b : f32
        attn.yield %0 : f32
      } : tensor<3xf32>)",
                   "tensor<3xf32>");
  }
};

TEST_F(NumberOps, Unary) {
  using Function = double (*)(double);
  std::pair<const char *, Function> cases[] = {
      {"arith.negf", [](double x) { return -x; }},
      {"math.absf", [](double x) { return std::fabs(x); }},
      {"math.cos", [](double x) { return std::cos(x); }},
      {"math.sin", [](double x) { return std::sin(x); }},
      {"math.erf", [](double x) { return std::erf(x); }},
      {"math.exp", [](double x) { return std::exp(x); }},
      {"math.exp2", [](double x) { return std::exp2(x); }},
      {"math.tanh", [](double x) { return std::tanh(x); }},
      {"math.sqrt", [](double x) { return std::sqrt(x); }},
      {"math.rsqrt", [](double x) { return 1 / std::sqrt(x); }}};
  for (auto [op, function] : cases) {
    SCOPED_TRACE(op);
    expectNumbers(unary(op), {function(0.25), function(1), function(4)});
  }
}

TEST_F(NumberOps, Binary) {
  std::tuple<const char *, double, double> cases[] = {
      {"arith.addf", 3, 5},     {"arith.subf", -7, 1},
      {"arith.mulf", -10, 6},   {"arith.divf", -0.4, 1.5},
      {"arith.maximumf", 5, 3}, {"arith.minimumf", -2, 2}};
  for (auto [op, first, second] : cases) {
    SCOPED_TRACE(op);
    TensorValue y = binary(op);
    ASSERT_EQ(y.numbers.size(), 3u);
    EXPECT_DOUBLE_EQ(y.numbers[0], first);
    EXPECT_DOUBLE_EQ(y.numbers[1], second);
    EXPECT_TRUE(std::isnan(y.numbers[2]));
  }
}

TEST_F(NumberOps, Comparisons) {
  // Of -2 and 5, 3 and 2, NaN and 1.
  std::pair<const char *, std::vector<double>> cases[] = {
      {"olt", {1, 0, 0}}, {"ult", {1, 0, 1}}, {"oge", {0, 1, 0}},
      {"uge", {0, 1, 1}}, {"oeq", {0, 0, 0}}, {"une", {1, 1, 1}},
      {"one", {1, 1, 0}}, {"ord", {1, 1, 0}}, {"uno", {0, 0, 1}},
      {"ogt", {0, 1, 0}}, {"ole", {1, 0, 0}}, {"ueq", {0, 0, 1}}};
  for (const auto &[predicate, expected] : cases) {
    SCOPED_TRACE(predicate);
    expectNumbers(compute(std::string(R"(
      %x = attn.constant dense<[-2.0, 3.0, 0x7FC00000]> : tensor<3xf32>
      %z = attn.constant dense<[5.0, 2.0, 1.0]> : tensor<3xf32>
      %y = attn.map element(%x at affine_map<(d0) -> (d0)> : tensor<3xf32>, %z at affine_map<(d0) -> (d0)> : tensor<3xf32>) {
      ^bb0(%a: f32, %b: f32):
        %0 = arith.cmpf )") + predicate +
                              R"(, %a, %b : f32
        %one = arith.constant 1.0 : f32
        %zero = arith.constant 0.0 : f32
        %1 = arith.select %0, %one, %zero : f32
        attn.yield %1 : f32
      } : tensor<3xf32>)",
                          "tensor<3xf32>"),
                  expected);
  }
}

TEST_F(ElementwiseTest, IntegersWrapAndCompare) {
  auto integer = [&](const std::string &op) {
    return compute(R"(
      %x = attn.constant dense<[-1, 2147483647, 6]> : tensor<3xi32>
      %z = attn.constant dense<[3, 1, 5]> : tensor<3xi32>
      %y = attn.map element(%x at affine_map<(d0) -> (d0)> : tensor<3xi32>, %z at affine_map<(d0) -> (d0)> : tensor<3xi32>) {
      ^bb0(%a: i32, %b: i32):
        )" + op + R"(
        attn.yield %0 : i32
      } : tensor<3xi32>)",
                   "tensor<3xi32>");
  };
  auto compared = [&](const std::string &predicate) {
    return integer("%one = arith.constant 1 : i32\n"
                   "%zero = arith.constant 0 : i32\n"
                   "%c = arith.cmpi " +
                   predicate +
                   ", %a, %b : i32\n"
                   "%0 = arith.select %c, %one, %zero : i32");
  };
  expectIntegers(integer("%0 = arith.addi %a, %b : i32"), {2, INT32_MIN, 11});
  expectIntegers(integer("%0 = arith.subi %a, %b : i32"),
                 {-4, INT32_MAX - 1, 1});
  expectIntegers(integer("%0 = arith.muli %a, %b : i32"), {-3, INT32_MAX, 30});
  expectIntegers(integer("%0 = arith.andi %a, %b : i32"), {3, 1, 4});
  expectIntegers(integer("%0 = arith.ori %a, %b : i32"), {-1, INT32_MAX, 7});
  expectIntegers(integer("%0 = arith.xori %a, %b : i32"),
                 {-4, INT32_MAX - 1, 3});
  expectIntegers(integer("%0 = arith.maxsi %a, %b : i32"), {3, INT32_MAX, 6});
  expectIntegers(integer("%0 = arith.minsi %a, %b : i32"), {-1, 1, 5});
  expectIntegers(compared("slt"), {1, 0, 0});
  expectIntegers(compared("ult"), {0, 0, 0});
  expectIntegers(compared("uge"), {1, 1, 1});
  expectIntegers(compared("ne"), {1, 1, 1});
}

TEST_F(ElementwiseTest, BooleansAreOneBit) {
  // true + true wraps to false; sitofp reads i1 as signed.
  TensorValue y = compute(R"(
    %y = attn.map element() {
      %t = arith.constant true
      %0 = arith.addi %t, %t : i1
      %1 = arith.xori %0, %t : i1
      %2 = arith.sitofp %1 : i1 to f32
      attn.yield %2 : f32
    } : tensor<2xf32>)",
                          "tensor<2xf32>");
  expectNumbers(y, {-1, -1});
}

TEST_F(ElementwiseTest, LongRowsInSeveralPieces) {
  TensorValue y = compute(R"(
    %y = attn.map element() {
      %i = attn.index 0 : i32
      %j = attn.index 1 : i32
      %k = arith.constant 1000 : i32
      %0 = arith.muli %i, %k : i32
      %1 = arith.addi %0, %j : i32
      attn.yield %1 : i32
    } : tensor<3x600xi32>)",
                          "tensor<3x600xi32>");
  ASSERT_EQ(y.integers.size(), 1800u);
  for (int64_t i = 0; i < 1800; ++i)
    EXPECT_EQ(y.integers[i], i / 600 * 1000 + i % 600);
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

TEST_F(ElementwiseTest, LayerNorm) {
  // Mean 3, biased variance 4 of (1, 5); epsilon 5 makes the divisor 3.
  TensorValue y = compute(R"(
    %x = attn.constant dense<[[1.0, 5.0]]> : tensor<1x2xf32>
    %g = attn.constant dense<[3.0, 6.0]> : tensor<2xf32>
    %b = attn.constant dense<[0.5, -0.5]> : tensor<2xf32>
    %y = attn.norm layer %x weight(%g : tensor<2xf32>) bias(%b : tensor<2xf32>) epsilon 5.0 : tensor<1x2xf32>)",
                          "tensor<1x2xf32>");
  expectNumbers(y, {-1.5, 3.5});
}

TEST_F(ElementwiseTest, RmsNorm) {
  TensorValue y = compute(R"(
    %x = attn.constant dense<[[1.0, 7.0], [0.0, 0.0]]> : tensor<2x2xf32>
    %g = attn.constant dense<[2.0, 1.0]> : tensor<2xf32>
    %y = attn.norm rms %x weight(%g : tensor<2xf32>) epsilon 11.0 : tensor<2x2xf32>)",
                          "tensor<2x2xf32>");
  expectNumbers(y, {2.0 / 6, 7.0 / 6, 0, 0});
}

TEST_F(ElementwiseTest, L2Norm) {
  TensorValue y = compute(R"(
    %x = attn.constant dense<[[3.0, 4.0], [0.0, 0.25]]> : tensor<2x2xf32>
    %y = attn.norm l2 %x epsilon 0.5 : tensor<2x2xf32>)",
                          "tensor<2x2xf32>");
  expectNumbers(y, {0.6, 0.8, 0, 0.5});
}

TEST_F(ElementwiseTest, Softmax) {
  TensorValue y = compute(R"(
    %x = attn.constant dense<[[0.0, 0.0], [0xFF800000, 7.0], [0xFF800000, 0xFF800000]]> : tensor<3x2xf32>
    %y = attn.softmax %x : tensor<3x2xf32>)",
                          "tensor<3x2xf32>");
  expectNumbers(y, {0.5, 0.5, 0, 1, 0, 0});
}

TEST_F(ElementwiseTest, RowRegion) {
  // Adds the row's own residual, normalizes, then shifts by a vector.
  TensorValue y = compute(R"(
    %x = attn.constant dense<[[1.0, 1.0], [2.0, 3.0]]> : tensor<2x2xf32>
    %r = attn.constant dense<[[2.0, 3.0], [6.0, 3.0]]> : tensor<2x2xf32>
    %b = attn.constant dense<[10.0, 20.0]> : tensor<2xf32>
    %y = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<2x2xf32>) {
    ^bb0(%a: f32):
      attn.yield %a : f32
    } row(%r at affine_map<(d0) -> (d0)> : tensor<2x2xf32>, %b at affine_map<(d0) -> ()> : tensor<2xf32>) {
    ^bb0(%row: tensor<2xf32>, %s: tensor<2xf32>, %t: tensor<2xf32>):
      %0 = attn.map element(%row at affine_map<(d0) -> (d0)> : tensor<2xf32>, %s at affine_map<(d0) -> (d0)> : tensor<2xf32>) {
      ^bb0(%u: f32, %v: f32):
        %1 = arith.addf %u, %v : f32
        attn.yield %1 : f32
      } : tensor<2xf32>
      %2 = attn.norm l2 %0 epsilon 0.0 : tensor<2xf32>
      %3 = attn.map element(%2 at affine_map<(d0) -> (d0)> : tensor<2xf32>, %t at affine_map<(d0) -> (d0)> : tensor<2xf32>) {
      ^bb0(%u: f32, %v: f32):
        %4 = arith.addf %u, %v : f32
        attn.yield %4 : f32
      } : tensor<2xf32>
      attn.yield %3 : tensor<2xf32>
    } : tensor<2x2xf32>)",
                          "tensor<2x2xf32>");
  expectNumbers(y, {10.6, 20.8, 10.8, 20.6});
}

TEST_F(ElementwiseTest, RowRegionOfSoftmax) {
  TensorValue y = compute(R"(
    %x = attn.constant dense<[[[1.0, 1.0]], [[0xFF800000, 3.0]]]> : tensor<2x1x2xf32>
    %y = attn.map element(%x at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<2x1x2xf32>) {
    ^bb0(%a: f32):
      attn.yield %a : f32
    } row() {
    ^bb0(%row: tensor<2xf32>):
      %0 = attn.softmax %row : tensor<2xf32>
      attn.yield %0 : tensor<2xf32>
    } : tensor<2x1x2xf32>)",
                          "tensor<2x1x2xf32>");
  expectNumbers(y, {0.5, 0.5, 0, 1});
}

} // namespace
