//===- AttentionNarrowTest.cpp - attention by products of bf16 ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// By vectors and by tiles of AMX, which are emulated where there are none: the
// tails that pairs of bf16 add, odd head sizes, odd numbers of keys, value
// sizes around vectors; views into one buffer; bounds of masks; equal bits
// wherever a row or a sequence stands. AttentionProblem derives the tolerance.
//
//===----------------------------------------------------------------------===//
#include "AttentionTargetTest.h"
#include <cmath>
#include <cstring>

namespace attnc::test {
namespace {

struct AttentionNarrow : AttentionTargetTest {
  void shape(AttentionKernel::Form form, int64_t queryHeads, int64_t keyHeads,
             int64_t headSize, int64_t valueSize, bool oneBuffer = false) {
    kernel.form = form;
    kernel.queryHeads = queryHeads;
    kernel.keyHeads = keyHeads;
    kernel.headSize = headSize;
    kernel.valueSize = valueSize;
    kernel.oneBuffer = oneBuffer;
  }
};

TEST_P(AttentionNarrow, AllNumbersOfKeys) {
  shape(AttentionKernel::Padded, 2, 1, 7, 5);
  auto runner = compile();
  ASSERT_TRUE(runner);
  for (int64_t keys = 0; keys <= 130; ++keys) {
    AttentionProblem(kernel, {2, 9, keys, {}}, keys).check(*runner);
    if (HasFatalFailure())
      return;
  }
}

TEST_P(AttentionNarrow, HeadAndValueSizes) {
  for (int64_t size : {1, 2, 3, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 97}) {
    shape(AttentionKernel::Padded, 2, 2, size, 98 - size);
    auto runner = compile();
    ASSERT_TRUE(runner);
    for (int64_t length : {1, 8, 49, 131})
      AttentionProblem(kernel, {2, length, length, {}}, length).check(*runner);
    if (HasFatalFailure())
      return;
  }
}

TEST_P(AttentionNarrow, PackedInOneBuffer) {
  shape(AttentionKernel::Packed, 3, 3, 32, 32, true);
  auto runner = compile();
  ASSERT_TRUE(runner);
  const std::vector<std::vector<int64_t>> batches = {
      {1}, {128}, {65, 1, 64, 0, 7}, {0, 5, 0}, {3, 17, 129, 33, 201}};
  for (const std::vector<int64_t> &lengths : batches)
    AttentionProblem(kernel, {0, 0, 0, lengths}, lengths.size()).check(*runner);
}

TEST_P(AttentionNarrow, CausalMask) {
  shape(AttentionKernel::Padded, 2, 2, 20, 33);
  kernel.mask = causal();
  auto runner = compile();
  ASSERT_TRUE(runner);
  for (int64_t length : {1, 7, 9, 48, 50, 97, 130})
    AttentionProblem(kernel, {2, length, length, {}}, length).check(*runner);
}

/// A window of keys, a bias and a soft cap, over heads that share keys.
TEST_P(AttentionNarrow, RegionsAndWindow) {
  shape(AttentionKernel::Padded, 4, 2, 40, 24);
  kernel.score = {"%b0 = arith.addf %s, %c0 : f32\n"
                  "%t = math.tanh %b0 : f32\n"
                  "attn.yield %t : f32",
                  [](double score, Position, const double *c) {
                    return std::tanh(score + c[0]);
                  },
                  {{"hqk"}}};
  kernel.mask = {"%w = arith.constant 37 : i32\n"
                 "%first = arith.subi %q, %w : i32\n"
                 "%low = arith.cmpi sgt, %k, %first : i32\n"
                 "%high = arith.cmpi sle, %k, %q : i32\n"
                 "%both = arith.andi %low, %high : i1\n"
                 "attn.yield %both : i1",
                 [](double, Position at, const double *) {
                   return at.k <= at.q && at.k > at.q - 37 ? 1.0 : 0.0;
                 },
                 {}};
  auto runner = compile();
  ASSERT_TRUE(runner);
  for (int64_t length : {1, 16, 17, 31, 32, 33, 64, 65, 97, 130, 193}) {
    AttentionProblem(kernel, {2, length, length, {}}, length).check(*runner);
    if (HasFatalFailure())
      return;
  }
}

/// A mask that is read at rows, sequences one behind the other.
TEST_P(AttentionNarrow, PackedWithCaptures) {
  shape(AttentionKernel::Packed, 4, 2, 24, 17);
  kernel.mask = {
      "%zero = arith.constant 0 : i32\n"
      "%admitted = arith.cmpi sgt, %c0, %zero : i32\n"
      "attn.yield %admitted : i1",
      [](double, Position, const double *c) { return c[0] > 0 ? 1.0 : 0.0; },
      {{"k", true, -1, 2}}};
  auto runner = compile();
  ASSERT_TRUE(runner);
  const std::vector<std::vector<int64_t>> batches = {
      {1, 1}, {33, 2, 64}, {100, 0, 31, 32}};
  for (const std::vector<int64_t> &lengths : batches)
    AttentionProblem(kernel, {0, 0, 0, lengths}, lengths.size()).check(*runner);
}

/// Scores far apart: the weights of all keys but one vanish.
TEST_P(AttentionNarrow, LargeScoresStayFinite) {
  shape(AttentionKernel::Single, 1, 1, 4, 5);
  auto runner = compile();
  ASSERT_TRUE(runner);
  AttentionProblem problem(kernel, {1, 9, 50, {}}, 3);
  for (int64_t row = 0; row < 9; ++row)
    for (int64_t d = 0; d < 4; ++d)
      problem.queryAt(row, 0, d) *= 1e30f;
  for (float x : problem.run(*runner, 1))
    ASSERT_TRUE(std::isfinite(x));
}

TEST_P(AttentionNarrow, SameBitsWhereverARowStands) {
  shape(AttentionKernel::Single, 1, 1, 21, 20);
  auto runner = compile();
  ASSERT_TRUE(runner);
  AttentionProblem(kernel, {1, 21, 77, {}}, 11).checkEqualRows(*runner, 0);
}

TEST_P(AttentionNarrow, SameBitsAloneAndInABatch) {
  shape(AttentionKernel::Packed, 2, 2, 32, 16);
  auto runner = compile();
  ASSERT_TRUE(runner);
  const std::vector<int64_t> lengths = {33, 128, 71};
  AttentionProblem together(kernel, {0, 0, 0, lengths}, 5);
  std::vector<float> all = together.run(*runner, 2);
  int64_t start = 0;
  for (int64_t length : lengths) {
    AttentionProblem alone(kernel, {0, 0, 0, {length}}, 7);
    for (int64_t row = 0; row < length; ++row)
      for (int64_t h = 0; h < 2; ++h) {
        for (int64_t d = 0; d < 32; ++d) {
          alone.queryAt(row, h, d) = together.queryAt(start + row, h, d);
          alone.keyAt(row, h, d) = together.keyAt(start + row, h, d);
        }
        for (int64_t d = 0; d < 16; ++d)
          alone.valueAt(row, h, d) = together.valueAt(start + row, h, d);
      }
    std::vector<float> own = alone.run(*runner, 1);
    ASSERT_EQ(0, std::memcmp(own.data(), all.data() + start * 2 * 16,
                             own.size() * sizeof(float)))
        << "sequence of length " << length;
    start += length;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, AttentionNarrow,
                         testing::Values("x86-64-v4-bf16", "amx"),
                         AttentionNarrow::name);

} // namespace
} // namespace attnc::test
