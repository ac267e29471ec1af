//===- LookupTest.cpp - tables in regions, and products of heads ----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// attn.lookup in maps and in attention, padded and packed, and
// attn.head_linear, against numbers written out in the test.
//
//===----------------------------------------------------------------------===//
#include "ProgramTest.h"
#include <cmath>

using namespace attnc;

namespace {

using LookupTest = ProgramTest;

TEST_F(LookupTest, IndicesAreHeldToTheTable) {
  TensorValue y = compute(R"(
    %t = attn.constant dense<[10.0, 20.0, 30.0]> : tensor<3xf32>
    %y = attn.map element(%t at affine_map<(d0) -> ()> : tensor<3xf32>) {
    ^bb0(%table: tensor<3xf32>):
      %i = attn.index 0 : i32
      %two = arith.constant 2 : i32
      %n = arith.subi %i, %two : i32
      %x = attn.lookup %table[%n] : tensor<3xf32>
      attn.yield %x : f32
    } : tensor<7xf32>)",
                          "tensor<7xf32>");
  expectNumbers(y, {10, 10, 10, 20, 30, 30, 30});
}

TEST_F(LookupTest, AnEmptyTableGivesZero) {
  Values results = run(R"(
    attn.size @n min 0 max 4
    attn.entry @f(%t: tensor<?xf32, #attn.sizes<n>> {attn.name = "t"}) -> (tensor<2xf32> {attn.name = "y"}) sizes ["n"] {
      %y = attn.map element(%t at affine_map<(d0) -> ()> : tensor<?xf32, #attn.sizes<n>>) {
      ^bb0(%table: tensor<?xf32, #attn.sizes<n>>):
        %i = attn.index 0 : i32
        %x = attn.lookup %table[%i] : tensor<?xf32, #attn.sizes<n>>
        attn.yield %x : f32
      } : tensor<2xf32>
      attn.return %y : tensor<2xf32>
    })",
                       {{"n", 0}}, {numbers({0}, {})});
  ASSERT_EQ(results.size(), 1u);
  expectNumbers(results[0], {0, 0});
}

TEST_F(LookupTest, TablesOfIntegersPerRow) {
  TensorValue y = compute(R"(
    %t = attn.constant dense<[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]> : tensor<2x2x2xi32>
    %y = attn.map element(%t at affine_map<(d0, d1) -> (d0)> : tensor<2x2x2xi32>) {
    ^bb0(%table: tensor<2x2xi32>):
      %i = attn.index 1 : i32
      %one = arith.constant 1 : i32
      %other = arith.subi %one, %i : i32
      %x = attn.lookup %table[%other, %i] : tensor<2x2xi32>
      attn.yield %x : i32
    } : tensor<2x2xi32>)",
                          "tensor<2x2xi32>");
  expectIntegers(y, {3, 2, 7, 6});
}

TEST_F(LookupTest, BiasesByDistance) {
  // Query and keys are zero: the softmax is of the biases alone.
  TensorValue y = compute(R"(
    %q = attn.constant dense<0.0> : tensor<2x1xf32>
    %v = attn.constant dense<[[1.0], [2.0]]> : tensor<2x1xf32>
    %t = attn.constant dense<[[0.5, 1.0, 2.0]]> : tensor<1x3xf32>
    %y = attn.attention %q, %q, %v score(%t at affine_map<(b, h, q, kv) -> (h)> : tensor<1x3xf32>) {
    ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32, %table: tensor<3xf32>):
      %one = arith.constant 1 : i32
      %d = arith.subi %i, %j : i32
      %n = arith.addi %d, %one : i32
      %x = attn.lookup %table[%n] : tensor<3xf32>
      %r = arith.addf %s, %x : f32
      attn.yield %r : f32
    } : tensor<2x1xf32>, tensor<2x1xf32>, tensor<2x1xf32> -> tensor<2x1xf32>)",
                          "tensor<2x1xf32>");
  double a = std::exp(0.5), b = std::exp(1.0), c = std::exp(2.0);
  expectNumbers(y, {(b + 2 * a) / (a + b), (c + 2 * b) / (b + c)});
}

TEST_F(LookupTest, CapturesOfThePackedFormAreReadAtRows) {
  // Two sequences of two rows and one; the keys' captures decide which counts.
  TensorValue y = compute(R"(
    %q = attn.constant dense<0.0> : tensor<3x1x1xf32>
    %v = attn.constant dense<[[[1.0]], [[2.0]], [[4.0]]]> : tensor<3x1x1xf32>
    %o = attn.constant dense<[0, 2, 3]> : tensor<3xi32>
    %c = attn.constant dense<[0, 1, 1]> : tensor<3xi32>
    %y = attn.attention %q, %q, %v offsets(%o : tensor<3xi32>) mask(%c at affine_map<(b, h, q, kv) -> (kv)> : tensor<3xi32>) {
    ^bb0(%b: i32, %h: i32, %i: i32, %j: i32, %x: i32):
      %zero = arith.constant 0 : i32
      %r = arith.cmpi ne, %x, %zero : i32
      attn.yield %r : i1
    } length_bound "2" : tensor<3x1x1xf32>, tensor<3x1x1xf32>, tensor<3x1x1xf32> -> tensor<3x1x1xf32>)",
                          "tensor<3x1x1xf32>");
  expectNumbers(y, {2, 2, 4});
}

TEST_F(LookupTest, EveryHeadHasItsMatrix) {
  TensorValue y = compute(R"(
    %x = attn.constant dense<[[[1.0, 2.0], [3.0, 4.0]]]> : tensor<1x2x2xf32>
    %w = attn.constant dense<[[[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]], [[2.0, 0.0, 0.5], [0.0, 2.0, 0.5]]]> : tensor<2x2x3xf32>
    %y = attn.head_linear %x, %w : tensor<1x2x2xf32>, tensor<2x2x3xf32> -> tensor<1x2x3xf32>)",
                          "tensor<1x2x3xf32>");
  expectNumbers(y, {1, 2, 3, 6, 8, 3.5});
}

} // namespace
