//===- AttentionRegionTest.cpp - score and mask regions -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Scale, bias, ALiBi and soft-cap as score regions; causal, window, padding and
// document masks, alone and together, in the forms that admit their captures;
// what a mask leaves out is not looked at.
//
//===----------------------------------------------------------------------===//
#include "RegionTest.h"
#include <cmath>

namespace attnc::test {
namespace {

Region scale() {
  return {"%f = arith.constant 0.25 : f32\n"
          "%r = arith.mulf %s, %f : f32\n"
          "attn.yield %r : f32",
          [](double score, Position, const double *) { return 0.25 * score; },
          {}};
}

Region bias() {
  return {"%r = arith.addf %s, %c0 : f32\nattn.yield %r : f32",
          [](double score, Position, const double *c) { return score + c[0]; },
          {{"hqk"}}};
}

/// Read across the lanes with a stride: one column of a [k, q] matrix per row.
Region transposedBias() {
  return {"%r = arith.addf %s, %c0 : f32\nattn.yield %r : f32",
          [](double score, Position, const double *c) { return score + c[0]; },
          {{"kq"}}};
}

Region alibi() {
  return {"%n = arith.subi %k, %q : i32\n"
          "%d = arith.sitofp %n : i32 to f32\n"
          "%p = arith.mulf %d, %c0 : f32\n"
          "%r = arith.addf %s, %p : f32\n"
          "attn.yield %r : f32",
          [](double score, Position at, const double *c) {
            return score + double(at.k - at.q) * c[0];
          },
          {{"h", false, 0, 0.1f}}};
}

Region softCap() {
  return {"%t = arith.constant 2.0 : f32\n"
          "%x = arith.divf %s, %t : f32\n"
          "%y = math.tanh %x : f32\n"
          "%r = arith.mulf %y, %t : f32\n"
          "attn.yield %r : f32",
          [](double score, Position, const double *) {
            return 2 * std::tanh(score / 2);
          },
          {}};
}

/// Causal where the queries continue 11 earlier positions.
Region causalWithOffset() {
  return {"%p = arith.constant 11 : i32\n"
          "%n = arith.addi %q, %p : i32\n"
          "%r = arith.cmpi sge, %n, %k : i32\nattn.yield %r : i1",
          [](double, Position at, const double *) { return at.k <= at.q + 11; },
          {}};
}

Region window() {
  return {"%w = arith.constant 9 : i32\n"
          "%d = arith.subi %q, %k : i32\n"
          "%near = arith.cmpi slt, %d, %w : i32\n"
          "%past = arith.cmpi sge, %q, %k : i32\n"
          "%r = arith.andi %near, %past : i1\nattn.yield %r : i1",
          [](double, Position at, const double *) {
            return at.q - at.k < 9 && at.k <= at.q;
          },
          {}};
}

/// Strictly later keys only: the last row admits nothing.
Region future() {
  return {"%r = arith.cmpi slt, %q, %k : i32\nattn.yield %r : i1",
          [](double, Position at, const double *) { return at.q < at.k; },
          {}};
}

Region padding() {
  return {"%zero = arith.constant 0 : i32\n"
          "%r = arith.cmpi ne, %c0, %zero : i32\nattn.yield %r : i1",
          [](double, Position, const double *c) { return c[0] != 0; },
          {{"bk", true, 0, 1}}};
}

/// Keys of the query's own document; a capture per query and one per key.
Region document() {
  return {"%r = arith.cmpi eq, %c0, %c1 : i32\nattn.yield %r : i1",
          [](double, Position, const double *c) { return c[0] == c[1]; },
          {{"bq", true, 0, 2}, {"bk", true, 0, 2}}};
}

/// Not a conjunction: nothing may be left out by loop bounds.
Region causalOrFirst() {
  return {"%four = arith.constant 4 : i32\n"
          "%first = arith.cmpi slt, %k, %four : i32\n"
          "%past = arith.cmpi sle, %k, %q : i32\n"
          "%r = arith.ori %first, %past : i1\nattn.yield %r : i1",
          [](double, Position at, const double *) {
            return at.k < 4 || at.k <= at.q;
          },
          {}};
}

struct AttentionRegionTest : RegionTest {};

TEST_P(AttentionRegionTest, Scale) { checkPadded(scale(), {}); }
TEST_P(AttentionRegionTest, Bias) { checkPadded(bias(), {}); }
TEST_P(AttentionRegionTest, TransposedBias) {
  checkPadded(transposedBias(), {});
}
TEST_P(AttentionRegionTest, Alibi) { checkPacked(alibi(), causal()); }
TEST_P(AttentionRegionTest, SoftCap) { checkPadded(softCap(), {}); }
TEST_P(AttentionRegionTest, SoftCapCausal) { checkPacked(softCap(), causal()); }
TEST_P(AttentionRegionTest, SoftCapPadding) {
  checkPadded(softCap(), padding());
}
TEST_P(AttentionRegionTest, Causal) { checkPadded({}, causal()); }
TEST_P(AttentionRegionTest, CausalWithOffset) {
  checkPadded({}, causalWithOffset());
}
TEST_P(AttentionRegionTest, Window) { checkPadded({}, window()); }
TEST_P(AttentionRegionTest, WindowPacked) { checkPacked(scale(), window()); }
TEST_P(AttentionRegionTest, Future) { checkPadded({}, future()); }
TEST_P(AttentionRegionTest, Padding) { checkPadded(scale(), padding()); }
TEST_P(AttentionRegionTest, Document) { checkPadded(bias(), document()); }
TEST_P(AttentionRegionTest, CausalOrFirst) { checkPadded({}, causalOrFirst()); }

TEST_P(AttentionRegionTest, FullyMaskedRowsGiveZeros) {
  AttentionKernel kernel;
  kernel.queryHeads = kernel.keyHeads = 2;
  kernel.mask = padding();
  auto runner = compile(kernel);
  ASSERT_TRUE(runner);
  AttentionProblem problem(kernel, {2, 19, 70, {}}, 1);
  std::fill_n(reinterpret_cast<int32_t *>(problem.captureData()[0]), 70, 0);
  problem.check(*runner);
  std::vector<float> output = problem.run(*runner, 2);
  for (size_t i = 0; i < output.size() / 2; ++i)
    ASSERT_EQ(0.0f, output[i]);
}

/// Keys beyond the bounds of a causal mask are not even read.
TEST_P(AttentionRegionTest, CausalNeverVisitsTheFuture) {
  AttentionKernel kernel;
  kernel.form = AttentionKernel::Single;
  kernel.mask = causal();
  auto runner = compile(kernel);
  ASSERT_TRUE(runner);
  AttentionProblem problem(kernel, {1, 16, 200, {}}, 1);
  for (int64_t row = 64; row < 200; ++row)
    for (int64_t d = 0; d < 16; ++d)
      problem.valueAt(row, 0, d) = NAN;
  for (float x : problem.run(*runner, 1))
    ASSERT_TRUE(std::isfinite(x));
}

ATTNC_FOR_ALL_TARGETS(AttentionRegionTest);

} // namespace
} // namespace attnc::test
