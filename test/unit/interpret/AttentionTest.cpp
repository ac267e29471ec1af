//===- AttentionTest.cpp - attention by hand ===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// attn.attention in its three forms against sums written out in the test.
//
//===----------------------------------------------------------------------===//
#include "ProgramTest.h"
#include <cmath>

using namespace attnc;

namespace {

using AttentionTest = ProgramTest;

/// softmax(scores) weighted sum of values.
double attend(std::vector<double> scores, std::vector<double> values) {
  double sum = 0, weighted = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    sum += std::exp(scores[i]);
    weighted += std::exp(scores[i]) * values[i];
  }
  return weighted / sum;
}

// Two queries, three keys, one dimension: s[q, kv] = query[q] * key[kv].
constexpr const char *kPlain = R"(
  %q = attn.constant dense<[[1.0], [2.0]]> : tensor<2x1xf32>
  %k = attn.constant dense<[[0.0], [0.5], [-1.0]]> : tensor<3x1xf32>
  %v = attn.constant dense<[[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]]> : tensor<3x2xf32>
)";

TEST_F(AttentionTest, PlainFormWithoutRegions) {
  TensorValue y = compute(std::string(kPlain) + R"(
    %y = attn.attention %q, %k, %v : tensor<2x1xf32>, tensor<3x1xf32>, tensor<3x2xf32> -> tensor<2x2xf32>)",
                          "tensor<2x2xf32>");
  double first = attend({0, 0.5, -1}, {1, 2, 4});
  double second = attend({0, 1, -2}, {1, 2, 4});
  expectNumbers(y, {first, 10 * first, second, 10 * second});
}

TEST_F(AttentionTest, MaskRegionDropsPositions) {
  // q >= kv: the first query sees one key, the second two.
  TensorValue y = compute(std::string(kPlain) + R"(
    %y = attn.attention %q, %k, %v mask() {
    ^bb0(%b: i32, %h: i32, %i: i32, %j: i32):
      %c = arith.cmpi sge, %i, %j : i32
      attn.yield %c : i1
    } : tensor<2x1xf32>, tensor<3x1xf32>, tensor<3x2xf32> -> tensor<2x2xf32>)",
                          "tensor<2x2xf32>");
  double second = attend({0, 1}, {1, 2});
  expectNumbers(y, {1, 10, second, 10 * second});
}

TEST_F(AttentionTest, FullyMaskedRowGivesZeros) {
  TensorValue y = compute(std::string(kPlain) + R"(
    %y = attn.attention %q, %k, %v mask() {
    ^bb0(%b: i32, %h: i32, %i: i32, %j: i32):
      %one = arith.constant 1 : i32
      %c = arith.cmpi eq, %i, %one : i32
      attn.yield %c : i1
    } : tensor<2x1xf32>, tensor<3x1xf32>, tensor<3x2xf32> -> tensor<2x2xf32>)",
                          "tensor<2x2xf32>");
  double second = attend({0, 1, -2}, {1, 2, 4});
  expectNumbers(y, {0, 0, second, 10 * second});
}

TEST_F(AttentionTest, ScoreRegionAndCaptures) {
  // score * 3 + bias[q, kv], with one -inf in the first row and a second row of
  // nothing else.
  TensorValue y = compute(std::string(kPlain) + R"(
    %bias = attn.constant dense<[[0.0, 0xFF800000, 1.0], [0xFF800000, 0xFF800000, 0xFF800000]]> : tensor<2x3xf32>
    %y = attn.attention %q, %k, %v score(%bias at affine_map<(b, h, q, kv) -> (q, kv)> : tensor<2x3xf32>) {
    ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32, %x: f32):
      %three = arith.constant 3.0 : f32
      %scaled = arith.mulf %s, %three : f32
      %sum = arith.addf %scaled, %x : f32
      attn.yield %sum : f32
    } : tensor<2x1xf32>, tensor<3x1xf32>, tensor<3x2xf32> -> tensor<2x2xf32>)",
                          "tensor<2x2xf32>");
  double first = attend({0, -2}, {1, 4});
  expectNumbers(y, {first, 10 * first, 0, 0});
}

TEST_F(AttentionTest, OneKeyIsItsValue) {
  TensorValue y = compute(R"(
    %q = attn.constant dense<[[3.0, -7.0]]> : tensor<1x2xf32>
    %v = attn.constant dense<[[5.0, 6.0, 8.0]]> : tensor<1x3xf32>
    %y = attn.attention %q, %q, %v : tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x3xf32> -> tensor<1x3xf32>)",
                          "tensor<1x3xf32>");
  expectNumbers(y, {5, 6, 8});
}

TEST_F(AttentionTest, LargeScoresDoNotOverflow) {
  TensorValue y = compute(R"(
    %q = attn.constant dense<[[1.0e4]]> : tensor<1x1xf32>
    %k = attn.constant dense<[[1.0e4], [-1.0e4]]> : tensor<2x1xf32>
    %v = attn.constant dense<[[2.0], [9.0]]> : tensor<2x1xf32>
    %y = attn.attention %q, %k, %v : tensor<1x1xf32>, tensor<2x1xf32>, tensor<2x1xf32> -> tensor<1x1xf32>)",
                          "tensor<1x1xf32>");
  expectNumbers(y, {2});
}

TEST_F(AttentionTest, GroupedHeadsShareKeys) {
  // Batch 2, one query, two keys; four query heads read two key heads.
  TensorValue y = compute(R"(
    %q = attn.constant dense<[[[[1.0], [2.0], [3.0], [4.0]]], [[[0.0], [0.0], [1.0], [1.0]]]]> : tensor<2x1x4x1xf32>
    %k = attn.constant dense<[[[[0.0], [1.0]], [[0.5], [0.0]]], [[[1.0], [1.0]], [[2.0], [3.0]]]]> : tensor<2x2x2x1xf32>
    %v = attn.constant dense<[[[[1.0], [2.0]], [[3.0], [5.0]]], [[[7.0], [1.0]], [[9.0], [2.0]]]]> : tensor<2x2x2x1xf32>
    %y = attn.attention %q, %k, %v : tensor<2x1x4x1xf32>, tensor<2x2x2x1xf32>, tensor<2x2x2x1xf32> -> tensor<2x1x4x1xf32>)",
                          "tensor<2x1x4x1xf32>");
  expectNumbers(y, {attend({0, 0.5}, {1, 3}), attend({0, 1}, {1, 3}),
                    attend({3, 0}, {2, 5}), attend({4, 0}, {2, 5}), 8, 8,
                    attend({1, 3}, {1, 2}), attend({1, 3}, {1, 2})});
}

// Lengths 2, 0, 1, one head; kv counts within the sequence, so the causal mask
// is that of each sequence; the scale is captured by batch.
constexpr const char *kPacked = R"(
attn.size @n min 1 max 8
attn.entry @f(%x: tensor<?x1x1xf32, #attn.sizes<n, 1, 1>> {attn.name = "x"}, %offsets: tensor<4xi32> {attn.name = "offsets"})
    -> (tensor<?x1x1xf32, #attn.sizes<n, 1, 1>> {attn.name = "y"}) sizes ["n"] {
  %scale = attn.constant dense<[1.0, 7.0, 3.0]> : tensor<3xf32>
  %y = attn.attention %x, %x, %x offsets(%offsets : tensor<4xi32>)
    score(%scale at affine_map<(b, h, q, kv) -> (b)> : tensor<3xf32>) {
    ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32, %f: f32):
      %p = arith.mulf %s, %f : f32
      attn.yield %p : f32
    } mask() {
    ^bb0(%b: i32, %h: i32, %i: i32, %j: i32):
      %c = arith.cmpi sle, %j, %i : i32
      attn.yield %c : i1
    } length_bound "2" : tensor<?x1x1xf32, #attn.sizes<n, 1, 1>>, tensor<?x1x1xf32, #attn.sizes<n, 1, 1>>, tensor<?x1x1xf32, #attn.sizes<n, 1, 1>> -> tensor<?x1x1xf32, #attn.sizes<n, 1, 1>>
  attn.return %y : tensor<?x1x1xf32, #attn.sizes<n, 1, 1>>
}
)";

TEST_F(AttentionTest, PackedSequencesStandAlone) {
  Values y = run(kPacked, {{"n", 3}},
                 {numbers({3, 1, 1}, {1, 2, 5}), integers({4}, {0, 2, 2, 3})});
  ASSERT_EQ(y.size(), 1u);
  expectNumbers(y[0], {1, attend({2, 4}, {1, 2}), 5});
}

TEST_F(AttentionTest, PackedFormChecksOffsets) {
  auto failWith = [&](std::vector<int64_t> offsets) {
    return fail(kPacked, {{"n", 3}},
                {numbers({3, 1, 1}, {1, 2, 5}), integers({4}, offsets)});
  };
  EXPECT_NE(failWith({0, 2, 1, 3}).find("decrease from 2 to 1"),
            std::string::npos);
  EXPECT_NE(failWith({0, 1, 2, 2}).find("end with the number of rows, 3"),
            std::string::npos);
  EXPECT_NE(failWith({0, 3, 3, 3}).find("length bound of 2"),
            std::string::npos);
}

TEST_F(AttentionTest, ManyRowsOverThreads) {
  // 130 equal keys: the mean of the values, in every one of 130 rows.
  TensorValue y = compute(R"(
    %q = attn.constant dense<1.0> : tensor<130x3xf32>
    %p = attn.map element() {
      %i = attn.index 0 : i32
      %x = arith.sitofp %i : i32 to f32
      attn.yield %x : f32
    } : tensor<130x1xf32>
    %y = attn.attention %q, %q, %p : tensor<130x3xf32>, tensor<130x3xf32>, tensor<130x1xf32> -> tensor<130x1xf32>)",
                          "tensor<130x1xf32>");
  expectNumbers(y, std::vector<double>(130, 64.5));
}

} // namespace
