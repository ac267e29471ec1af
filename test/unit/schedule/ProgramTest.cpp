//===- ProgramTest.cpp - whole programs against the interpreter -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Scheduled, compiled and run on every target that this machine has.
//
//===----------------------------------------------------------------------===//
#include "ProgramRunner.h"
#include "Programs.h"
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <map>

namespace attnc::test {
namespace {

struct Way {
  const char *name, *target, *gemm;
};

class ProgramTest : public testing::TestWithParam<Way> {
protected:
  void SetUp() override {
    if (!Target::find(GetParam().target)->runsHere())
      GTEST_SKIP() << "this machine does not run " << GetParam().target;
    // The program finds its functions in this process.
    if (*GetParam().gemm && !dlopen("libopenblas.so.0", RTLD_NOW | RTLD_GLOBAL))
      GTEST_SKIP() << dlerror();
  }

  std::unique_ptr<ProgramRunner> compile(const char *text) {
    return ProgramRunner::compile(text, *Target::find(GetParam().target),
                                  GetParam().gemm);
  }

  /// The fused encoder, compiled once per way.
  ProgramRunner &encoder() {
    static std::map<const char *, std::unique_ptr<ProgramRunner>> compiled;
    std::unique_ptr<ProgramRunner> &runner = compiled[GetParam().name];
    if (!runner)
      runner = compile(kFusedEncoder);
    EXPECT_TRUE(runner) << "the encoder does not compile";
    if (!runner)
      abort();
    return *runner;
  }
};

/// A mask that keeps a different number of tokens of every sequence, in places
/// that are not always the first.
TensorValue raggedMask(int64_t batch, int64_t seq) {
  TensorValue mask;
  mask.shape = {batch, seq};
  mask.isInteger = true;
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t s = 0; s < seq; ++s)
      mask.integers.push_back(b % 3 == 2 ? (s % 2) : s * (b + 1) < seq);
  return mask;
}

TEST_P(ProgramTest, FusedEncoder) {
  ProgramRunner &runner = encoder();
  for (int64_t batch : {1, 3})
    for (int64_t seq : {1, 2, 7, 16, 33}) {
      SCOPED_TRACE(std::to_string(batch) + " x " + std::to_string(seq));
      ProgramRunner::Sizes sizes{{"batch", batch}, {"seq", seq}};
      TensorValue ids = randomIntegers({batch, seq}, 98, seq);
      TensorValue mask = raggedMask(batch, seq);
      auto results = runner.run(sizes, {ids, mask});
      expectNear(results, runner.expect(sizes, {ids, mask}));
      // The same bits however the work is split, rows of chains included.
      for (int64_t blockRows : {1024, 12})
        for (int workers : {1, 2, 5}) {
          for (PhaseInfo &phase : runner.schedule.phases)
            phase.chain.blockRows = blockRows;
          auto split = runner.run(sizes, {ids, mask}, workers);
          EXPECT_EQ(split[0].numbers, results[0].numbers);
          EXPECT_EQ(split[1].numbers, results[1].numbers);
        }
      if (HasFailure())
        return;
    }
}

TEST_P(ProgramTest, FullyMaskedBatch) {
  ProgramRunner &runner = encoder();
  TensorValue mask = raggedMask(2, 3);
  mask.integers.assign(6, 0);
  auto results = runner.run({{"batch", 2}, {"seq", 3}},
                            {randomIntegers({2, 3}, 98, 1), mask});
  EXPECT_EQ(results[0].numbers, std::vector<double>(2 * 3 * 40, 0.0));
  EXPECT_EQ(results[1].numbers, std::vector<double>(2 * 40, 0.0));
}

TEST_P(ProgramTest, OptionalInputStandsIn) {
  ProgramRunner &runner = encoder();
  ProgramRunner::Sizes sizes{{"batch", 2}, {"seq", 9}};
  TensorValue ids = randomIntegers({2, 9}, 98, 3), ones = ids;
  ones.integers.assign(18, 1);
  auto given = runner.run(sizes, {ids, ones});
  auto left = runner.run(sizes, {ids, std::nullopt});
  EXPECT_EQ(left[0].numbers, given[0].numbers);
}

TEST_P(ProgramTest, Unfused) {
  auto runner = compile(kUnfused);
  ASSERT_TRUE(runner);
  for (int64_t batch : {1, 3}) {
    ProgramRunner::Sizes sizes{{"batch", batch}};
    TensorValue ids = randomIntegers({batch, 18}, 49, batch);
    expectNear(runner->run(sizes, {ids}, 2), runner->expect(sizes, {ids}));
  }
}

TEST_P(ProgramTest, CopiedResults) {
  auto runner = compile(kCopies);
  ASSERT_TRUE(runner);
  for (int64_t n : {0, 1, 11}) {
    TensorValue x = randomNumbers({n, 6}, 5), i = randomIntegers({n}, 9, 6);
    expectNear(runner->run({{"n", n}}, {x, i}, 3),
               runner->expect({{"n", n}}, {x, i}));
  }
}

TEST_P(ProgramTest, ArenaIsExact) {
  ProgramRunner &runner = encoder();
  auto bytes = [&](int64_t batch, int64_t seq, int workers) {
    TensorValue ids = randomIntegers({batch, seq}, 98, 1);
    runner.run({{"batch", batch}, {"seq", seq}}, {ids, std::nullopt}, workers);
    return runner.arenaBytes;
  };
  // One slot for the products of query, key and value (480 bytes a token),
  // which never meet; three for the residual, the attention and the sum that
  // meet in one phase (160 each); a little for rows. Two layers share them.
  int64_t perToken = (bytes(4, 64, 1) - bytes(2, 64, 1)) / (2 * 64);
  EXPECT_GE(perToken, 480 + 3 * 160);
  EXPECT_LT(perToken, 480 + 4 * 160);
  // Each worker has its scratch.
  EXPECT_EQ(bytes(1, 8, 3) - bytes(1, 8, 2), bytes(1, 8, 2) - bytes(1, 8, 1));
}

INSTANTIATE_TEST_SUITE_P(
    Ways, ProgramTest,
    testing::Values(Way{"V4", "x86-64-v4", ""}, Way{"V3", "x86-64-v3", ""},
                    Way{"V3OpenBlas", "x86-64-v3", "openblas"},
                    Way{"V1OpenBlas", "x86-64", "openblas"}),
    [](const auto &info) { return info.param.name; });

} // namespace
} // namespace attnc::test
