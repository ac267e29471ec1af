//===- AttentionTest.cpp - shapes and forms of attention ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every tail of query rows, keys, head size and value size; grouped heads;
// views into one buffer; the three forms; work split over workers; equal bits
// wherever a sequence stands.
//
//===----------------------------------------------------------------------===//
#include "AttentionProblem.h"
#include "TargetTest.h"
#include <cstring>

namespace attnc::test {
namespace {

// Around the tiles: rows of 4 and 8, vectors of 4, 8 and 16 lanes, panels of 8,
// 24 and 48 keys, items of 64 rows.
const int64_t kLengths[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                            11, 12, 13, 14, 15, 16, 17, 31, 32, 33,
                            47, 48, 49, 63, 64, 65, 96, 97, 128};

struct AttentionTest : TargetTest {
  std::unique_ptr<KernelRunner> compile(const AttentionKernel &kernel) {
    return KernelRunner::compile(kernel.text(target()), target());
  }
};

AttentionKernel shaped(AttentionKernel::Form form, int64_t queryHeads,
                       int64_t keyHeads, int64_t headSize, int64_t valueSize,
                       bool oneBuffer = false) {
  AttentionKernel kernel;
  kernel.form = form;
  kernel.queryHeads = queryHeads;
  kernel.keyHeads = keyHeads;
  kernel.headSize = headSize;
  kernel.valueSize = valueSize;
  kernel.oneBuffer = oneBuffer;
  return kernel;
}

TEST_P(AttentionTest, SingleAtAllLengths) {
  AttentionKernel kernel = shaped(AttentionKernel::Single, 1, 1, 4, 5);
  auto runner = compile(kernel);
  ASSERT_TRUE(runner);
  for (int64_t queries : kLengths)
    for (int64_t keys : kLengths) {
      AttentionProblem(kernel, {1, queries, keys, {}}, queries * 131 + keys)
          .check(*runner);
      if (HasFatalFailure())
        return;
    }
}

TEST_P(AttentionTest, PaddedAtAllLengths) {
  AttentionKernel kernel = shaped(AttentionKernel::Padded, 4, 2, 20, 33);
  auto runner = compile(kernel);
  ASSERT_TRUE(runner);
  for (int64_t length : kLengths)
    for (auto [queries, keys] :
         {std::pair(length, length), std::pair(length, int64_t(17)),
          std::pair(int64_t(9), length)}) {
      AttentionProblem(kernel, {3, queries, keys, {}}, length).check(*runner);
      if (HasFatalFailure())
        return;
    }
}

TEST_P(AttentionTest, PackedInOneBuffer) {
  AttentionKernel kernel = shaped(AttentionKernel::Packed, 3, 3, 32, 32, true);
  auto runner = compile(kernel);
  ASSERT_TRUE(runner);
  const std::vector<std::vector<int64_t>> batches = {
      {1}, {128}, {65, 1, 64, 0, 7}, {0}, {0, 5, 0}, {3, 17, 128, 33, 200}};
  for (const std::vector<int64_t> &lengths : batches)
    AttentionProblem(kernel, {0, 0, 0, lengths}, lengths.size()).check(*runner);
}

TEST_P(AttentionTest, HeadAndValueSizes) {
  const std::pair<int64_t, int64_t> shapes[] = {
      {1, 1}, {4, 4}, {5, 4}, {16, 20}, {20, 16}, {64, 64}, {1, 64}, {65, 97}};
  for (auto [headSize, valueSize] : shapes) {
    AttentionKernel kernel =
        shaped(AttentionKernel::Padded, 2, 1, headSize, valueSize);
    auto runner = compile(kernel);
    ASSERT_TRUE(runner);
    for (int64_t length : {1, 7, 50, 129})
      AttentionProblem(kernel, {2, length, length, {}}, length).check(*runner);
    if (HasFatalFailure())
      return;
  }
}

TEST_P(AttentionTest, LongSequences) {
  AttentionKernel kernel = shaped(AttentionKernel::Single, 1, 1, 16, 16);
  auto runner = compile(kernel);
  ASSERT_TRUE(runner);
  AttentionProblem(kernel, {1, 70, 4097, {}}, 1).check(*runner);
  AttentionProblem(kernel, {1, 1030, 100, {}}, 2).check(*runner);
}

TEST_P(AttentionTest, MoreWorkersThanWork) {
  AttentionKernel kernel = shaped(AttentionKernel::Packed, 2, 1, 8, 8);
  auto runner = compile(kernel);
  ASSERT_TRUE(runner);
  AttentionProblem problem(kernel, {0, 0, 0, {5, 130, 1}}, 4);
  EXPECT_EQ(problem.run(*runner, 1), problem.run(*runner, 64));
}

TEST_P(AttentionTest, NothingToAttendTo) {
  AttentionKernel kernel = shaped(AttentionKernel::Padded, 2, 2, 8, 8);
  auto runner = compile(kernel);
  ASSERT_TRUE(runner);
  AttentionProblem(kernel, {2, 5, 0, {}}, 1).check(*runner);
  AttentionProblem(kernel, {2, 0, 5, {}}, 1).check(*runner);
}

TEST_P(AttentionTest, LargeScoresStayFinite) {
  AttentionKernel kernel = shaped(AttentionKernel::Single, 1, 1, 4, 5);
  auto runner = compile(kernel);
  ASSERT_TRUE(runner);
  AttentionProblem problem(kernel, {1, 9, 50, {}}, 3);
  for (int64_t row = 0; row < 9; ++row)
    for (int64_t d = 0; d < 4; ++d)
      problem.queryAt(row, 0, d) *= 1e4f;
  problem.check(*runner);
}

TEST_P(AttentionTest, InfiniteScoresOfAllKeysGiveZeros) {
  AttentionKernel kernel = shaped(AttentionKernel::Single, 1, 1, 4, 5);
  kernel.score = {"%big = arith.constant 0xFF800000 : f32\n"
                  "attn.yield %big : f32",
                  [](double, Position, const double *) { return -INFINITY; },
                  {}};
  auto runner = compile(kernel);
  ASSERT_TRUE(runner);
  for (float x : AttentionProblem(kernel, {1, 9, 50, {}}, 3).run(*runner, 1))
    ASSERT_EQ(0.0f, x);
}

/// What a sequence gives does not depend on its neighbours or on its form.
TEST_P(AttentionTest, SameBitsAloneAndInABatch) {
  const std::vector<int64_t> lengths = {33, 128, 70};
  AttentionKernel packed = shaped(AttentionKernel::Packed, 4, 2, 32, 32);
  AttentionKernel padded = shaped(AttentionKernel::Padded, 4, 2, 32, 32);
  auto packedRunner = compile(packed), paddedRunner = compile(padded);
  ASSERT_TRUE(packedRunner && paddedRunner);
  AttentionProblem together(packed, {0, 0, 0, lengths}, 5);
  std::vector<float> all = together.run(*packedRunner, 2);
  int64_t start = 0;
  for (int64_t length : lengths) {
    AttentionProblem alone(padded, {1, length, length, {}}, 7);
    for (int64_t row = 0; row < length; ++row)
      for (int64_t d = 0; d < 32; ++d) {
        for (int64_t h = 0; h < 4; ++h)
          alone.queryAt(row, h, d) = together.queryAt(start + row, h, d);
        for (int64_t h = 0; h < 2; ++h) {
          alone.keyAt(row, h, d) = together.keyAt(start + row, h, d);
          alone.valueAt(row, h, d) = together.valueAt(start + row, h, d);
        }
      }
    std::vector<float> own = alone.run(*paddedRunner, 1);
    ASSERT_EQ(0, std::memcmp(own.data(), all.data() + start * 4 * 32,
                             own.size() * sizeof(float)))
        << "sequence of length " << length;
    start += length;
  }
}

TEST_P(AttentionTest, SameBitsWhereverARowStands) {
  AttentionKernel kernel = shaped(AttentionKernel::Single, 1, 1, 20, 20);
  auto runner = compile(kernel);
  ASSERT_TRUE(runner);
  AttentionProblem(kernel, {1, 21, 77, {}}, 11).checkEqualRows(*runner, 0);
}

ATTNC_FOR_ALL_TARGETS(AttentionTest);

} // namespace
} // namespace attnc::test
