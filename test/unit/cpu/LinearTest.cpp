//===- LinearTest.cpp - linear kernels at every tail ----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rows, columns and depths around every tile's edge, every epilogue, blocks of
// depth, strided rows, for every micro-kernel and for OpenBLAS: exact within
// rounding, nothing touched outside the operands, and the same bits whatever
// the number of workers and the place of a row.
//
//===----------------------------------------------------------------------===//
#include "LinearProblem.h"
#include <cstring>
#include <gtest/gtest.h>

using namespace attnc;
using namespace attnc::test;

namespace {

struct Provider {
  const char *target;
  bool openBlas;
};

void PrintTo(const Provider &provider, std::ostream *os) {
  *os << provider.target << (provider.openBlas ? " by openblas" : "");
}

const std::vector<LinearShape> kShapes = {
    {1, 5},
    {15, 5},
    {16, 5},
    {17, 5},
    {47, 5},
    {48, 5},
    {49, 5},
    {96, 5},
    {100, 5},
    {1, 1},
    {49, 1},
    {100, 3},
    {49, 4},
    {100, 384},
    {100, 5, Finish::Residual},
    {49, 12, Finish::Gelu},
    {33, 7, Finish::LayerNorm},
    {96, 64, Finish::LayerNorm},
    {100, 11, Finish::Residual, 4},
    {100, 300, Finish::Residual, 128},
    {100, 300, Finish::Residual},
    {20, 133},
    {96, 40, Finish::LayerNorm, 16},
    {20, 6, Finish::None, 0, 10},
};

std::vector<int64_t> rowCounts() {
  std::vector<int64_t> counts;
  for (int64_t count = 1; count <= 17; ++count)
    counts.push_back(count);
  counts.insert(counts.end(), {31, 32, 33, 63, 64, 65});
  return counts;
}

bool sameBits(const float *a, const float *b, size_t count) {
  return std::memcmp(a, b, count * sizeof(float)) == 0;
}

class Linear : public testing::TestWithParam<Provider> {
protected:
  /// Every kernel of kShapes for the provider, compiled once.
  static const KernelRunner *compiled(const Provider &provider) {
    static std::map<std::string, std::unique_ptr<KernelRunner>> runners;
    const Target &target = *Target::find(provider.target);
    auto &runner = runners[provider.target + std::to_string(provider.openBlas)];
    if (!runner)
      runner = KernelRunner::compile(
          makeModule(kShapes, target, provider.openBlas), target);
    return runner.get();
  }

  void SetUp() override {
    target = Target::find(GetParam().target);
    ASSERT_NE(target, nullptr);
    if (!target->runsHere())
      GTEST_SKIP() << "this machine cannot run " << GetParam().target;
    runner = compiled(GetParam());
    ASSERT_NE(runner, nullptr);
  }

  LinearProblem problem(const LinearShape &shape, int64_t rows) const {
    return LinearProblem(shape, rows, *target, GetParam().openBlas);
  }

  const Target *target = nullptr;
  const KernelRunner *runner = nullptr;
};

TEST_P(Linear, ExactAtEveryTail) {
  for (const LinearShape &shape : kShapes)
    for (int64_t rows : rowCounts()) {
      LinearProblem linear = problem(shape, rows);
      linear.check(linear.run(*runner, 1));
      if (HasFailure())
        return;
    }
}

TEST_P(Linear, SameBitsForEveryNumberOfWorkers) {
  for (const LinearShape &shape : kShapes)
    for (int64_t rows : {1, 2, 7, 8, 17, 33, 65, 100}) {
      LinearProblem linear = problem(shape, rows);
      std::vector<float> one = linear.run(*runner, 1);
      for (int workers : {2, 3, 16}) {
        std::vector<float> many = linear.run(*runner, workers);
        ASSERT_TRUE(sameBits(one.data(), many.data(), one.size()))
            << getKernelName(shape) << ", " << rows << " rows, " << workers
            << " workers";
      }
    }
}

TEST_P(Linear, SameBitsWhereverARowStands) {
  const int64_t rows = 23;
  for (const LinearShape &shape : kShapes) {
    LinearProblem linear = problem(shape, rows);
    std::vector<float> all = linear.run(*runner, 1);
    for (int64_t row = 0; row < rows; ++row) {
      std::vector<float> alone = linear.runRow(*runner, row);
      ASSERT_TRUE(sameBits(all.data() + row * shape.columns, alone.data(),
                           shape.columns))
          << getKernelName(shape) << ", row " << row;
    }
  }
}

TEST_P(Linear, BlocksOfDepthChangeNoBit) {
  // Blocks of whole chains of sums.
  LinearShape whole = {100, 300, Finish::Residual};
  LinearShape blocks = {100, 300, Finish::Residual, 128};
  std::vector<float> a = problem(whole, 33).run(*runner, 1);
  std::vector<float> b = problem(blocks, 33).run(*runner, 1);
  EXPECT_TRUE(sameBits(a.data(), b.data(), a.size()));
}

TEST_P(Linear, NoRowsAreNoWork) {
  std::vector<int64_t> sizes = {0};
  GuardedBuffer nothing(0);
  std::vector<void *> arguments(7, nothing.data());
  for (const LinearShape &shape : kShapes)
    runner->run("v_" + getKernelName(shape), sizes, arguments, 2);
}

INSTANTIATE_TEST_SUITE_P(
    Providers, Linear,
    testing::Values(Provider{"x86-64-v4", false}, Provider{"x86-64-v3", false},
                    Provider{"x86-64-v4", true}, Provider{"x86-64-v3", true},
                    Provider{"x86-64", true}),
    [](const testing::TestParamInfo<Provider> &info) {
      std::string name = info.param.target;
      std::replace(name.begin(), name.end(), '-', '_');
      return name + (info.param.openBlas ? "_openblas" : "");
    });

} // namespace
