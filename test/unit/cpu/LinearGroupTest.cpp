//===- LinearGroupTest.cpp - i8 rows beside weights in groups -------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Groups of every kind of length, with a last one that is cut short: exact
// within rounding, and the same bits on every target, in every tile and for
// every number of workers, since sums of a group are integers.
//
//===----------------------------------------------------------------------===//
#include "LinearProblem.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace attnc;
using namespace attnc::test;

namespace {

using kernel::Format;

LinearShape getShape(Format weights, int64_t group, int64_t depth) {
  LinearShape shape = {100, depth, Finish::Residual};
  shape.weights = weights;
  shape.activations = Format::i8;
  shape.grouped = true;
  shape.group = group;
  return shape;
}

/// Bits of all rows are those of three workers, and of each row alone.
void checkParts(const LinearProblem &linear, const KernelRunner &runner,
                const std::vector<float> &result, int64_t columns) {
  const std::vector<float> shared = linear.run(runner, 3);
  EXPECT_TRUE(sameBits(result.data(), shared.data(), result.size()));
  const int64_t rows = result.size() / columns;
  for (int64_t row : {int64_t(0), int64_t(8), rows - 1}) {
    const std::vector<float> alone = linear.runRow(runner, row);
    EXPECT_TRUE(sameBits(result.data() + row * columns, alone.data(), columns))
        << "row " << row;
  }
}

class LinearGroups : public testing::TestWithParam<Format> {};

TEST_P(LinearGroups, EveryLengthOnEveryTarget) {
  std::vector<LinearShape> shapes;
  // Shorter than a vector, no multiple of one, of several units.
  for (int64_t group : {8, 40, 128})
    shapes.push_back(getShape(GetParam(), group, 150));
  shapes.push_back(getShape(GetParam(), 16, 33));
  constexpr int64_t kRows = 19;
  std::vector<std::vector<float>> known(shapes.size());
  for (const Target *target : getByteTargets()) {
    auto runner =
        KernelRunner::compile(makeModule(shapes, *target, false), *target);
    ASSERT_NE(runner, nullptr);
    for (auto [shape, first] : llvm::zip(shapes, known)) {
      LinearProblem linear(shape, kRows, *target, false);
      const std::vector<float> result = linear.run(*runner, 1);
      linear.check(result);
      if (HasFailure())
        return;
      if (first.empty())
        first = result;
      ASSERT_TRUE(sameBits(first.data(), result.data(), first.size()))
          << target->name.str() << ": " << getKernelName(shape);
      checkParts(linear, *runner, result, shape.columns);
    }
  }
}

/// Rows of which every number is as many steps as there are, of one sign and of
/// both, in groups of several units.
TEST_P(LinearGroups, RowsAtTheirLargest) {
  LinearShape shape = getShape(GetParam(), 128, 300);
  shape.finish = Finish::None;
  for (const Target *target : getByteTargets()) {
    auto runner =
        KernelRunner::compile(makeModule({shape}, *target, false), *target);
    ASSERT_NE(runner, nullptr);
    LinearProblem linear(shape, 5, *target, false);
    for (int64_t k = 0; k < shape.depth; ++k) {
      linear.inputRow(0)[k] = 1;
      linear.inputRow(1)[k] = -1;
      linear.inputRow(2)[k] = k % 2 ? 1e30f : -1e30f;
      linear.inputRow(3)[k] = k % 8 < 4 ? 1e-25f : -1e-25f;
    }
    linear.check(linear.run(*runner, 1));
    linear.inputRow(4)[7] = -INFINITY;
    const std::vector<float> result = linear.run(*runner, 1);
    for (int64_t n = 0; n < shape.columns; ++n)
      EXPECT_FALSE(std::isfinite(result[4 * shape.columns + n]));
  }
}

TEST_P(LinearGroups, ZerosAndNaNs) {
  LinearShape shape = getShape(GetParam(), 32, 133);
  shape.finish = Finish::None;
  for (const Target *target : getByteTargets()) {
    auto runner =
        KernelRunner::compile(makeModule({shape}, *target, false), *target);
    ASSERT_NE(runner, nullptr);
    LinearProblem linear(shape, 5, *target, false);
    const std::vector<float> before = linear.run(*runner, 1);
    std::fill_n(linear.inputRow(1), shape.depth, 0.0f);
    std::fill_n(linear.inputRow(2), shape.depth, 0x1p-110f);
    linear.inputRow(3)[shape.depth - 1] = NAN;
    const std::vector<float> result = linear.run(*runner, 1);
    for (int64_t n = 0; n < shape.columns; ++n) {
      EXPECT_EQ(result[n], before[n]);
      EXPECT_EQ(result[shape.columns + n], 0);
      EXPECT_NEAR(result[2 * shape.columns + n], 0, 0x1p-100);
      EXPECT_TRUE(std::isnan(result[3 * shape.columns + n]));
      EXPECT_EQ(result[4 * shape.columns + n], before[4 * shape.columns + n]);
    }
  }
}

/// What models' files keep: steps with scales of f16 or f32, and offsets.
struct FileBlocks {
  Format weights;
  kernel::Scales scales;
  Format rows;
};

class LinearBlocks : public testing::TestWithParam<FileBlocks> {
protected:
  LinearShape getShape(int64_t group, int64_t depth) const {
    const FileBlocks &blocks = GetParam();
    LinearShape shape = ::getShape(blocks.weights, group, depth);
    shape.activations = blocks.rows;
    shape.scales = blocks.scales;
    return shape;
  }
};

TEST_P(LinearBlocks, OnEveryTarget) {
  // As files have them, and a rest.
  const int64_t group = GetParam().weights == Format::i4 ? 32 : 16;
  const LinearShape shape = getShape(group, 150);
  std::vector<float> first;     // of rows of i8, whose sums are exact
  constexpr int64_t kRows = 19; // two full tiles and a rest
  for (const Target *target : getByteTargets()) {
    if (target->hasTiles)
      continue; // which products in groups do not use
    auto runner =
        KernelRunner::compile(makeModule({shape}, *target, false), *target);
    ASSERT_NE(runner, nullptr);
    LinearProblem linear(shape, kRows, *target, false);
    const std::vector<float> result = linear.run(*runner, 1);
    linear.check(result);
    if (HasFailure())
      return;
    if (first.empty())
      first = result;
    if (shape.activations == Format::i8)
      EXPECT_TRUE(sameBits(first.data(), result.data(), result.size()))
          << target->name.str();
    checkParts(linear, *runner, result, shape.columns);
  }
}

std::vector<FileBlocks> getFileBlocks() {
  std::vector<FileBlocks> all;
  for (Format rows : {Format::f32, Format::i8})
    for (auto [weights, scales] :
         {std::pair(Format::i4, kernel::Scales::f16_affine),
          std::pair(Format::i4, kernel::Scales::f32_affine),
          std::pair(Format::i8, kernel::Scales::f32),
          std::pair(Format::i8, kernel::Scales::f32_affine)})
      all.push_back({weights, scales, rows});
  return all;
}

INSTANTIATE_TEST_SUITE_P(
    Files, LinearBlocks, testing::ValuesIn(getFileBlocks()),
    [](const testing::TestParamInfo<FileBlocks> &info) {
      return kernel::stringifyFormat(info.param.weights).str() + "_" +
             kernel::stringifyScales(info.param.scales).str() + "_by_" +
             kernel::stringifyFormat(info.param.rows).str();
    });

INSTANTIATE_TEST_SUITE_P(Formats, LinearGroups,
                         testing::Values(Format::i4, Format::i8),
                         [](const testing::TestParamInfo<Format> &info) {
                           return kernel::stringifyFormat(info.param).str();
                         });

} // namespace
