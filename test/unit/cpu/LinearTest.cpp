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
#include "TileEmulator.h"
#include "attn/abi.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace attnc;
using namespace attnc::test;

namespace {

struct Provider {
  const char *target;
  bool openBlas;
  kernel::Format weights = kernel::Format::f32;
  kernel::Format activations = kernel::Format::f32;
  bool grouped = false;
};

std::string getName(const Provider &provider) {
  std::string name = provider.target;
  std::replace(name.begin(), name.end(), '-', '_');
  if (provider.openBlas)
    return name + "_openblas";
  if (provider.weights == kernel::Format::f32)
    return name;
  return name + "_" + kernel::stringifyFormat(provider.weights).str() + "_" +
         kernel::stringifyFormat(provider.activations).str() +
         (provider.grouped ? "_grouped" : "");
}

void PrintTo(const Provider &provider, std::ostream *os) {
  *os << getName(provider);
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
    {100, 11, Finish::None, 4},
    {100, 300, Finish::Residual, 128},
    {100, 300, Finish::Residual},
    {20, 133},
    {96, 40, Finish::LayerNorm, 16},
    {20, 6, Finish::None, 0, 10},
};

/// Depths around every word, tile and group of narrow weights.
const std::vector<LinearShape> kNarrowShapes = {
    {49, 1},
    {100, 5},
    {33, 7, Finish::LayerNorm},
    {49, 12, Finish::Gelu},
    {20, 133},
    {96, 64, Finish::LayerNorm},
    {100, 300, Finish::Residual},
    {100, 300, Finish::Residual, 128},
    {20, 6, Finish::None, 0, 10},
};

/// The shapes of a provider in its formats; narrow rows take all of their depth
/// at once.
std::vector<LinearShape> getShapes(const Provider &provider) {
  if (provider.weights == kernel::Format::f32)
    return kShapes;
  std::vector<LinearShape> shapes;
  for (LinearShape shape : kNarrowShapes) {
    shape.weights = provider.weights;
    shape.activations = provider.activations;
    shape.grouped = provider.grouped;
    if (shape.blockDepth == 0 || shape.activations == kernel::Format::f32)
      shapes.push_back(shape);
  }
  return shapes;
}

std::vector<int64_t> rowCounts() {
  std::vector<int64_t> counts;
  for (int64_t count = 1; count <= 17; ++count)
    counts.push_back(count);
  counts.insert(counts.end(), {31, 32, 33, 63, 64, 65});
  return counts;
}

class Linear : public testing::TestWithParam<Provider> {
protected:
  /// Every kernel of kShapes for the provider, compiled once.
  static const KernelRunner *compiled(const Provider &provider) {
    static std::map<std::string, std::unique_ptr<KernelRunner>> runners;
    const Target &target = *Target::find(provider.target);
    auto &runner = runners[getName(provider)];
    if (!runner)
      runner = KernelRunner::compile(
          makeModule(getShapes(provider), target, provider.openBlas), target);
    return runner.get();
  }

  void SetUp() override {
    target = Target::find(GetParam().target);
    ASSERT_NE(target, nullptr);
    if (!canRunKernels(*target))
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
  for (const LinearShape &shape : getShapes(GetParam()))
    for (int64_t rows : rowCounts()) {
      LinearProblem linear = problem(shape, rows);
      linear.check(linear.run(*runner, 1));
      if (HasFailure())
        return;
    }
}

TEST_P(Linear, SameBitsForEveryNumberOfWorkers) {
  for (const LinearShape &shape : getShapes(GetParam()))
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

TEST(LinearShares, NoWorkerIsIdleWhereStripsAreFew) {
  const Target &target = *Target::find("x86-64-v3");
  if (!target.runsHere())
    GTEST_SKIP() << "this machine cannot run x86-64-v3";
  const LinearShape shape = {96, 64, Finish::LayerNorm};
  auto runner =
      KernelRunner::compile(makeModule({shape}, target, false), target);
  ASSERT_NE(runner, nullptr);
  using Caller = void (*)(const attn_frame *, int32_t, int32_t, void *const *);
  auto call = reinterpret_cast<Caller>(
      runner->lookup("call_v_" + getKernelName(shape)));
  ASSERT_NE(call, nullptr);
  // Six strips of 16 columns, and 8 rows for each worker.
  constexpr int64_t kRows = 128;
  constexpr int32_t kWorkers = 16;
  std::vector<float> operand(kRows * shape.columns, 1.0f);
  for (int32_t worker = 0; worker < kWorkers; ++worker) {
    std::vector<float> out(kRows * shape.columns, -100.0f);
    std::vector<void *> arguments(6, operand.data());
    arguments.push_back(out.data());
    int64_t size = kRows;
    uint32_t arrived = 0;
    attn_frame frame = {};
    frame.sizes = &size;
    frame.arrived = &arrived;
    call(&frame, worker, kWorkers, arguments.data());
    EXPECT_EQ(llvm::count(out, -100.0f), (kRows - 8) * shape.columns)
        << "worker " << worker;
    EXPECT_EQ(arrived, 0u);
  }
}

TEST_P(Linear, SameBitsWhereverARowStands) {
  const int64_t rows = 23;
  for (const LinearShape &shape : getShapes(GetParam())) {
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
  if (GetParam().activations != kernel::Format::f32)
    GTEST_SKIP() << "narrow rows take all of their depth at once";
  // Blocks of whole chains of sums.
  LinearShape whole = {100, 300, Finish::Residual};
  whole.weights = GetParam().weights;
  whole.grouped = GetParam().grouped;
  LinearShape blocks = whole;
  blocks.blockDepth = 128;
  std::vector<float> a = problem(whole, 33).run(*runner, 1);
  std::vector<float> b = problem(blocks, 33).run(*runner, 1);
  EXPECT_TRUE(sameBits(a.data(), b.data(), a.size()));
}

TEST_P(Linear, NoRowsAreNoWork) {
  std::vector<int64_t> sizes = {0};
  GuardedBuffer nothing(0);
  std::vector<void *> arguments(7, nothing.data());
  for (const LinearShape &shape : getShapes(GetParam()))
    runner->run("v_" + getKernelName(shape), sizes, arguments, 2);
}

/// One product of bytes on a target.
LinearShape getBytesShape() {
  LinearShape shape = {100, 133};
  shape.weights = shape.activations = kernel::Format::i8;
  return shape;
}

TEST(LinearOfBytes, SameBitsOnEveryTarget) {
  const LinearShape shape = getBytesShape();
  std::vector<float> first;
  for (const Target *target : getByteTargets()) {
    auto runner =
        KernelRunner::compile(makeModule({shape}, *target, false), *target);
    ASSERT_NE(runner, nullptr);
    std::vector<float> result =
        LinearProblem(shape, 19, *target, false).run(*runner, 1);
    if (first.empty())
      first = result;
    EXPECT_TRUE(sameBits(first.data(), result.data(), first.size()))
        << target->name.str();
  }
}

/// Rows whose numbers lie to one side of 0, or whose range is no f32.
TEST(LinearOfBytes, RowsOfOneSign) {
  const LinearShape shape = getBytesShape();
  std::vector<float> first;
  for (const Target *target : getByteTargets()) {
    auto runner =
        KernelRunner::compile(makeModule({shape}, *target, false), *target);
    ASSERT_NE(runner, nullptr);
    LinearProblem linear(shape, 6, *target, false);
    for (int64_t k = 0; k < shape.depth; ++k) {
      linear.inputRow(0)[k] = std::fabs(linear.inputRow(0)[k]);
      linear.inputRow(1)[k] = -std::fabs(linear.inputRow(1)[k]);
      linear.inputRow(2)[k] += 5;
      linear.inputRow(3)[k] = -3;
      linear.inputRow(4)[k] = k % 2 ? 1.8e38f : -1.8e38f;
      linear.inputRow(5)[k] = std::max(linear.inputRow(5)[k], -0x1p-12f);
    }
    std::fill_n(linear.inputRow(4) + 2, shape.depth - 2, 0.0f);
    std::vector<float> result = linear.run(*runner, 1);
    linear.check(result);
    if (first.empty())
      first = result;
    EXPECT_TRUE(sameBits(first.data(), result.data(), first.size()))
        << target->name.str();
  }
}

TEST(LinearOfBytes, RowsOfZerosAndWithNaNs) {
  const LinearShape shape = getBytesShape();
  for (const Target *target : getByteTargets()) {
    auto runner =
        KernelRunner::compile(makeModule({shape}, *target, false), *target);
    ASSERT_NE(runner, nullptr);
    LinearProblem linear(shape, 8, *target, false);
    std::vector<float> before = linear.run(*runner, 1);
    std::fill_n(linear.inputRow(1), shape.depth, 0.0f);
    std::fill_n(linear.inputRow(2), shape.depth, 0x1p-110f);
    linear.inputRow(3)[shape.depth - 1] = NAN;
    linear.inputRow(5)[0] = -NAN;
    linear.inputRow(6)[0] = INFINITY;
    linear.inputRow(7)[shape.depth - 1] = -INFINITY;
    std::vector<float> result = linear.run(*runner, 1);
    for (int64_t n = 0; n < shape.columns; ++n) {
      EXPECT_EQ(result[n], before[n]);
      EXPECT_EQ(result[shape.columns + n], 0);
      EXPECT_NEAR(result[2 * shape.columns + n], 0, 0x1p-100);
      EXPECT_TRUE(std::isnan(result[3 * shape.columns + n]));
      EXPECT_EQ(result[4 * shape.columns + n], before[4 * shape.columns + n]);
      EXPECT_TRUE(std::isnan(result[5 * shape.columns + n]));
      EXPECT_FALSE(std::isfinite(result[6 * shape.columns + n]));
      EXPECT_FALSE(std::isfinite(result[7 * shape.columns + n]));
    }
  }
}

/// Contractions of several passes, and more rows than a form of tiles has.
TEST(LinearOfTiles, PassesOfDepthAreWhole) {
  const Target &target = *Target::find("amx");
  if (!canRunKernels(target))
    GTEST_SKIP() << "this machine has no vectors to emulate tiles on";
  for (kernel::Format format : {kernel::Format::bf16, kernel::Format::i8}) {
    LinearShape shape = {100, 1100, Finish::Residual};
    shape.weights = shape.activations = format;
    auto runner =
        KernelRunner::compile(makeModule({shape}, target, false), target);
    ASSERT_NE(runner, nullptr);
    for (int64_t rows : {1, 16, 32, 33, 49, 65, 113, 128, 200}) {
      LinearProblem linear(shape, rows, target, false);
      std::vector<float> all = linear.run(*runner, 1);
      linear.check(all);
      // A row alone is multiplied in one pass, and in another form.
      std::vector<float> alone = linear.runRow(*runner, rows - 1);
      EXPECT_TRUE(sameBits(all.data() + (rows - 1) * shape.columns,
                           alone.data(), shape.columns));
    }
  }
}

std::vector<Provider> getProviders() {
  std::vector<Provider> providers = {
      {"x86-64-v4", true}, {"x86-64-v3", true}, {"x86-64", true}};
  using kernel::Format;
  for (const char *target : {"x86-64-v4", "x86-64-v3"}) {
    providers.push_back({target, false});
    for (Format weights : {Format::bf16, Format::i8, Format::i4})
      providers.push_back({target, false, weights});
    providers.push_back({target, false, Format::i8, Format::i8});
    providers.push_back({target, false, Format::i8, Format::f32, true});
  }
  for (const char *target :
       {"amx", "x86-64-v4", "x86-64-v4-vnni", "x86-64-v3", "x86-64-v3-vnni"}) {
    providers.push_back({target, false, Format::i4, Format::i8});
    providers.push_back({target, false, Format::i8, Format::i8, true});
  }
  for (const char *target : {"amx", "x86-64-v4-vnni", "x86-64-v3-vnni"})
    providers.push_back({target, false, Format::i8, Format::i8});
  for (const char *target : {"amx", "x86-64-v4-bf16"})
    providers.push_back({target, false, Format::bf16, Format::bf16});
  return providers;
}

INSTANTIATE_TEST_SUITE_P(Providers, Linear, testing::ValuesIn(getProviders()),
                         [](const testing::TestParamInfo<Provider> &info) {
                           return getName(info.param);
                         });

} // namespace
