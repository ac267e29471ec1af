//===- ProjectionTest.cpp - products by hand ===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// attn.linear, attn.qkv_projection, attn.output_projection, attn.matmul, heads.
//
//===----------------------------------------------------------------------===//
#include "ProgramTest.h"
#include <cmath>

using namespace attnc;

namespace {

using ProjectionTest = ProgramTest;

TEST_F(ProjectionTest, LinearWithEpilogues) {
  // acc = x w^T = (5, 11; 11, 25), plus bias (0, 25), then l2 rows.
  TensorValue y = compute(R"(
    %x = attn.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
    %b = attn.constant dense<[7.0, 5.0]> : tensor<2xf32>
    %y = attn.linear %x, %x element(%b at affine_map<(d0, d1) -> (d1)> : tensor<2xf32>) {
    ^bb0(%acc: f32, %c: f32):
      %s = arith.addf %acc, %c : f32
      attn.yield %s : f32
    } row() {
    ^bb0(%row: tensor<2xf32>):
      %n = attn.norm l2 %row epsilon 0.0 : tensor<2xf32>
      attn.yield %n : tensor<2xf32>
    } : tensor<2x2xf32>, tensor<2x2xf32> -> tensor<2x2xf32>)",
                          "tensor<2x2xf32>");
  double first = std::hypot(12, 16), second = std::hypot(18, 30);
  expectNumbers(y, {12 / first, 16 / first, 18 / second, 30 / second});
}

TEST_F(ProjectionTest, LinearOfEveryTailSize) {
  // x[m, k] = m + 1, w[n, k] = n + 1: result (m + 1) (n + 1) K.
  for (int64_t size : {1, 3, 4, 5, 15, 16, 17, 33}) {
    SCOPED_TRACE(size);
    std::string n = std::to_string(size);
    std::string matrix = R"( = attn.map element() {
      %i = attn.index 0 : i32
      %one = arith.constant 1 : i32
      %j = arith.addi %i, %one : i32
      %f = arith.sitofp %j : i32 to f32
      attn.yield %f : f32
    } : tensor<)" + n + "x7xf32>\n";
    std::string type = "tensor<" + n + "x7xf32>";
    std::string result = "tensor<" + n + "x" + n + "xf32>";
    TensorValue y =
        compute("%x" + matrix + "%y = attn.linear %x, %x : " + type + ", " +
                    type + " -> " + result,
                result);
    ASSERT_EQ(y.numElements(), size * size);
    for (int64_t i = 0; i < size * size; ++i)
      EXPECT_EQ(y.numbers[i], 7.0 * (i / size + 1) * (i % size + 1));
  }
}

TEST_F(ProjectionTest, QkvProjectionCutsColumns) {
  // Weight row n is n + 1 alone; query [1, 2, 2], key and value [1, 1, ..].
  Values y = run(R"(
    attn.entry @f() -> (tensor<1x2x2xf32> {attn.name = "q"}, tensor<1x1x2xf32> {attn.name = "k"}, tensor<1x1x3xf32> {attn.name = "v"}) sizes [] {
      %x = attn.constant dense<[[2.0]]> : tensor<1x1xf32>
      %w = attn.constant dense<[[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0], [9.0]]> : tensor<9x1xf32>
      %q, %k, %v = attn.qkv_projection %x, %w element() {
      ^bb0(%acc: f32):
        %n = attn.index 1 : i32
        %f = arith.sitofp %n : i32 to f32
        %s = arith.addf %acc, %f : f32
        attn.yield %s : f32
      } : tensor<1x1xf32>, tensor<9x1xf32> -> tensor<1x2x2xf32>, tensor<1x1x2xf32>, tensor<1x1x3xf32>
      attn.return %q, %k, %v : tensor<1x2x2xf32>, tensor<1x1x2xf32>, tensor<1x1x3xf32>
    })");
  ASSERT_EQ(y.size(), 3u);
  expectNumbers(y[0], {2, 5, 8, 11});
  expectNumbers(y[1], {14, 17});
  expectNumbers(y[2], {20, 23, 26});
}

TEST_F(ProjectionTest, QkvProjectionOfSeveralRows) {
  Values y = run(R"(
    attn.entry @f() -> (tensor<2x1x1xf32> {attn.name = "q"}, tensor<2x1x1xf32> {attn.name = "k"}, tensor<2x1x1xf32> {attn.name = "v"}) sizes [] {
      %x = attn.constant dense<[[1.0], [10.0]]> : tensor<2x1xf32>
      %w = attn.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
      %q, %k, %v = attn.qkv_projection %x, %w : tensor<2x1xf32>, tensor<3x1xf32> -> tensor<2x1x1xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32>
      attn.return %q, %k, %v : tensor<2x1x1xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32>
    })");
  ASSERT_EQ(y.size(), 3u);
  expectNumbers(y[0], {1, 10});
  expectNumbers(y[1], {2, 20});
  expectNumbers(y[2], {3, 30});
}

TEST_F(ProjectionTest, OutputProjectionReadsHeadsInOrder) {
  TensorValue y = compute(R"(
    %x = attn.constant dense<[[[1.0, 2.0], [3.0, 4.0]]]> : tensor<1x2x2xf32>
    %w = attn.constant dense<[[1.0, 10.0, 100.0, 1000.0]]> : tensor<1x4xf32>
    %y = attn.output_projection %x, %w : tensor<1x2x2xf32>, tensor<1x4xf32> -> tensor<1x1xf32>)",
                          "tensor<1x1xf32>");
  expectNumbers(y, {4321});
}

TEST_F(ProjectionTest, Matmul) {
  std::string operands = R"(
    %a = attn.constant dense<[[[1.0, 2.0]], [[3.0, 4.0]]]> : tensor<2x1x2xf32>
    %b = attn.constant dense<[[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]> : tensor<2x2x2xf32>
  )";
  expectNumbers(compute(operands + "%y = attn.matmul %a, %b : "
                                   "tensor<2x1x2xf32>, tensor<2x2x2xf32> -> "
                                   "tensor<2x1x2xf32>",
                        "tensor<2x1x2xf32>"),
                {7, 10, 43, 50});
  expectNumbers(compute(operands + "%y = attn.matmul %a, %b transpose_rhs : "
                                   "tensor<2x1x2xf32>, tensor<2x2x2xf32> -> "
                                   "tensor<2x1x2xf32>",
                        "tensor<2x1x2xf32>"),
                {5, 11, 39, 53});
}

TEST_F(ProjectionTest, HeadsAreViews) {
  TensorValue y = compute(R"(
    %x = attn.constant dense<[[1.0, 2.0, 3.0, 4.0]]> : tensor<1x4xf32>
    %h = attn.split_heads %x : tensor<1x4xf32> -> tensor<1x2x2xf32>
    %t = attn.map element(%h at affine_map<(d0, d1, d2) -> (d0, d2, d1)> : tensor<1x2x2xf32>) {
    ^bb0(%a: f32):
      attn.yield %a : f32
    } : tensor<1x2x2xf32>
    %y = attn.merge_heads %t : tensor<1x2x2xf32> -> tensor<1x4xf32>)",
                          "tensor<1x4xf32>");
  expectNumbers(y, {1, 3, 2, 4});
}

} // namespace
