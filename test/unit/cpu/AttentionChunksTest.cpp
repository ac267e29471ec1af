//===- AttentionChunksTest.cpp - keys taken chunk by chunk ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An online softmax in chunks of one and two panels, around their ends, in all
// forms and formats: against the reference, between guard pages, with maxima
// that rise and fall from chunk to chunk and rows that see none of a chunk.
//
//===----------------------------------------------------------------------===//
#include "AttentionTargetTest.h"
#include "RegionTest.h"
#include <cmath>

namespace attnc::test {
namespace {

struct AttentionChunks : AttentionTargetTest {
  AttentionChunks() { kernel.chunkPanels = 1; }
  void checkLengths(std::initializer_list<int64_t> lengths) {
    auto runner = compile();
    ASSERT_TRUE(runner);
    for (int64_t length : lengths) {
      SCOPED_TRACE(length);
      AttentionProblem(kernel, {2, length, length, {}}, length).check(*runner);
      if (HasFatalFailure())
        return;
    }
  }
};

TEST_P(AttentionChunks, AroundEndsOfChunks) {
  kernel.queryHeads = 2;
  kernel.headSize = 7;
  kernel.valueSize = 5;
  for (int64_t panels : {1, 2}) {
    kernel.chunkPanels = panels;
    auto runner = compile();
    ASSERT_TRUE(runner);
    for (int64_t keys :
         {0,  1,  23, 24, 25, 31, 32,  33,  47,  48,  49,  63,  64,  65, 71,
          72, 73, 95, 96, 97, 98, 120, 143, 144, 145, 191, 192, 193, 200}) {
      SCOPED_TRACE(keys);
      AttentionProblem(kernel, {2, 9, keys, {}}, keys).check(*runner);
      if (HasFatalFailure())
        return;
    }
  }
}

TEST_P(AttentionChunks, HeadAndValueSizes) {
  for (int64_t size : {1, 16, 33, 64, 97}) {
    kernel.headSize = size;
    kernel.valueSize = 98 - size;
    checkLengths({1, 48, 50, 131});
  }
}

TEST_P(AttentionChunks, Packed) {
  kernel.form = AttentionKernel::Packed;
  kernel.queryHeads = kernel.keyHeads = 3;
  kernel.headSize = kernel.valueSize = 32;
  kernel.oneBuffer = true;
  auto runner = compile();
  ASSERT_TRUE(runner);
  const std::vector<std::vector<int64_t>> batches = {
      {1}, {128}, {65, 1, 64, 0, 7}, {0, 5, 0}, {3, 17, 129, 33, 201}};
  for (const std::vector<int64_t> &lengths : batches)
    AttentionProblem(kernel, {0, 0, 0, lengths}, lengths.size()).check(*runner);
}

// Blocks of rows end in different chunks.
TEST_P(AttentionChunks, CausalMask) {
  kernel.queryHeads = 2;
  kernel.keyHeads = 2;
  kernel.headSize = 20;
  kernel.valueSize = 33;
  kernel.mask = causal();
  checkLengths({1, 7, 48, 50, 97, 130, 200});
}

// Blocks of rows begin in different chunks, and the last rows see none.
TEST_P(AttentionChunks, WindowBehindTheRow) {
  kernel.mask = {"%five = arith.constant 5 : i32\n"
                 "%from = arith.addi %q, %five : i32\n"
                 "%admitted = arith.cmpi sge, %k, %from : i32\n"
                 "attn.yield %admitted : i1",
                 [](double, Position at, const double *) {
                   return at.k >= at.q + 5 ? 1.0 : 0.0;
                 },
                 {}};
  checkLengths({1, 6, 48, 50, 97, 130, 200});
}

// A mask that is no bound: whole chunks of a row are -inf, the first among
// them.
TEST_P(AttentionChunks, MaskOfPositions) {
  kernel.mask = {"%three = arith.constant 3 : i32\n"
                 "%r = arith.muli %q, %three : i32\n"
                 "%s = arith.addi %k, %r : i32\n"
                 "%low = arith.constant 195 : i32\n"
                 "%high = arith.constant 205 : i32\n"
                 "%a = arith.cmpi sge, %s, %low : i32\n"
                 "%b0 = arith.cmpi sle, %s, %high : i32\n"
                 "%admitted = arith.andi %a, %b0 : i1\n"
                 "attn.yield %admitted : i1",
                 [](double, Position at, const double *) {
                   const int64_t sum = at.k + 3 * at.q;
                   return sum >= 195 && sum <= 205 ? 1.0 : 0.0;
                 },
                 {}};
  checkLengths({60, 110, 150, 200});
}

// Maxima that rise by far more than exp can tell, then fall.
TEST_P(AttentionChunks, MaximaRiseAndFall) {
  kernel.headSize = 4;
  auto runner = compile();
  ASSERT_TRUE(runner);
  AttentionProblem problem(kernel, {1, 9, 200, {}}, 3);
  for (int64_t row = 0; row < 200; ++row)
    for (int64_t d = 0; d < 4; ++d)
      problem.keyAt(row, 0, d) *= row < 100 ? float(row) : float(200 - row);
  problem.check(*runner);
}

// A region that is evaluated row by row, behind the products.
TEST_P(AttentionChunks, RegionByRow) {
  kernel.score = {"%c = arith.constant 3.0 : f32\n"
                  "%x = arith.divf %s, %c : f32\n"
                  "%t = math.tanh %x : f32\n"
                  "%y = arith.mulf %t, %c : f32\n"
                  "attn.yield %y : f32",
                  [](double score, Position, const double *) {
                    return 3 * std::tanh(score / 3);
                  },
                  {}};
  checkLengths({1, 47, 49, 130});
}

// The same keys from blocks of rows that begin and end in other chunks: what
// those add is nothing, to the bit.
TEST_P(AttentionChunks, SameBitsWhereverARowStands) {
  kernel.form = AttentionKernel::Single;
  kernel.queryHeads = kernel.keyHeads = 1;
  kernel.headSize = 21;
  kernel.valueSize = 20;
  // q - 130 <= k <= q are bounds, 64 <= k < 128 by its triple is none.
  kernel.mask = {"%far = arith.constant 130 : i32\n"
                 "%from = arith.subi %q, %far : i32\n"
                 "%behind = arith.cmpi sge, %k, %from : i32\n"
                 "%before = arith.cmpi sle, %k, %q : i32\n"
                 "%three = arith.constant 3 : i32\n"
                 "%t = arith.muli %k, %three : i32\n"
                 "%low = arith.constant 192 : i32\n"
                 "%high = arith.constant 384 : i32\n"
                 "%above = arith.cmpi sge, %t, %low : i32\n"
                 "%below = arith.cmpi slt, %t, %high : i32\n"
                 "%inside = arith.andi %behind, %before : i1\n"
                 "%chosen = arith.andi %above, %below : i1\n"
                 "%admitted = arith.andi %inside, %chosen : i1\n"
                 "attn.yield %admitted : i1",
                 [](double, Position at, const double *) {
                   return at.k >= at.q - 130 && at.k <= at.q && at.k >= 64 &&
                                  at.k < 128
                              ? 1.0
                              : 0.0;
                 },
                 {}};
  auto runner = compile();
  ASSERT_TRUE(runner);
  AttentionProblem problem(kernel, {1, 192, 192, {}}, 11);
  problem.checkEqualRows(*runner, 128);
  problem.check(*runner);
}

INSTANTIATE_TEST_SUITE_P(Targets, AttentionChunks,
                         testing::Values("x86-64-v4", "x86-64-v3",
                                         "x86-64-v4-bf16", "amx"),
                         AttentionChunks::name);

} // namespace
} // namespace attnc::test
