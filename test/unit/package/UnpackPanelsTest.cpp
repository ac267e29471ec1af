//===- UnpackPanelsTest.cpp - weights as a library has them ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is packed and read back is the same number in f32, the nearest one in
// bf16, and half a step off at most in i8 and i4, at every tail of a panel.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/UnpackPanels.h"
#include "compiler/package/PackWeights.h"
#include <cmath>
#include <gtest/gtest.h>
#include <random>

namespace attnc::test {
namespace {

using kernel::Format;

struct Shape {
  int64_t columns, depth;
};

class UnpackPanels : public ::testing::TestWithParam<Shape> {
protected:
  UnpackPanels() {
    context.loadDialect<kernel::KernelDialect>();
    std::mt19937 random(3);
    std::normal_distribution<float> normal(0, 0.05f);
    weights.resize(GetParam().columns * GetParam().depth);
    for (float &weight : weights)
      weight = normal(random);
  }

  std::vector<double> keep(Format format, int64_t group) {
    auto [columns, depth] = GetParam();
    auto panels = kernel::PanelsAttr::get(&context, 16, format, group);
    return unpackPanels(packPanels(weights, columns, depth, panels), columns,
                        depth, panels);
  }

  mlir::MLIRContext context;
  std::vector<float> weights;
};

TEST_P(UnpackPanels, SinglesAreKept) {
  std::vector<double> kept = keep(Format::f32, 0);
  ASSERT_EQ(kept.size(), weights.size());
  for (size_t i = 0; i < kept.size(); ++i)
    EXPECT_EQ(kept[i], weights[i]);
}

TEST_P(UnpackPanels, Bf16IsTheNearest) {
  std::vector<double> kept = keep(Format::bf16, 0);
  for (size_t i = 0; i < kept.size(); ++i) {
    int exponent;
    std::frexp(weights[i], &exponent);
    EXPECT_LE(std::fabs(kept[i] - weights[i]), std::ldexp(1.0, exponent - 9));
    EXPECT_EQ(std::nearbyint(std::ldexp(kept[i], 8 - exponent)),
              std::ldexp(kept[i], 8 - exponent));
  }
}

/// Numbers that share a scale are whole steps of one, the nearest ones but at
/// the ends, where a step that loses less of the others may clip.
TEST_P(UnpackPanels, BytesAndNibblesAreWholeSteps) {
  auto [columns, depth] = GetParam();
  struct Kind {
    Format format;
    int64_t group;
    double steps;
  };
  for (Kind kind : {Kind{Format::i8, 0, 127}, Kind{Format::i8, 8, 127},
                    Kind{Format::i4, 8, 7}, Kind{Format::i4, 32, 7}}) {
    std::vector<double> kept = keep(kind.format, kind.group);
    const int64_t group = kind.group ? kind.group : depth;
    for (int64_t column = 0; column < columns; ++column)
      for (int64_t k = 0; k < depth; k += group) {
        double largest = 0, squares = 0, lost = 0;
        for (int64_t i = k; i < std::min(k + group, depth); ++i) {
          const double weight = weights[column * depth + i];
          largest = std::max(largest, std::fabs(weight));
          squares += weight * weight;
          lost += std::pow(kept[column * depth + i] - weight, 2);
        }
        // Half a step of all of them at most, whichever steps were chosen.
        EXPECT_LE(std::sqrt(lost / std::min(group, depth - k)),
                  0.55 * largest / kind.steps)
            << "column " << column << " from " << k << ", i"
            << (kind.format == Format::i8 ? 8 : 4) << " in " << kind.group;
        EXPECT_LT(lost, squares / 4);
      }
  }
}

/// Blocks of a file come back number for number.
TEST_P(UnpackPanels, BlocksAreKept) {
  auto [columns, depth] = GetParam();
  std::mt19937 random(5);
  for (auto [format, scales] :
       {std::pair(Format::i8, kernel::Scales::f16),
        std::pair(Format::i8, kernel::Scales::f32),
        std::pair(Format::i8, kernel::Scales::f32_affine),
        std::pair(Format::i4, kernel::Scales::f16),
        std::pair(Format::i4, kernel::Scales::f16_affine),
        std::pair(Format::i4, kernel::Scales::f32_affine)}) {
    auto panels = kernel::PanelsAttr::get(&context, 16, format, 16, scales);
    const bool isSigned = format == Format::i8 || !panels.isAffine();
    const int64_t groups = llvm::divideCeil(depth, 16);
    StoredBlocks blocks;
    for (int64_t i = 0; i < columns * depth; ++i) {
      const int32_t steps = random() % (format == Format::i8 ? 256 : 16);
      const int32_t half = format == Format::i8 ? 128 : 8;
      blocks.steps.push_back(isSigned ? steps - half : steps);
    }
    for (int64_t i = 0; i < columns * groups; ++i) {
      // Eleven bits fit f16, nineteen do not.
      const int bits = panels.hasHalves() ? 11 : 19;
      blocks.scales.push_back(std::ldexp(float(random() % (1 << bits)), -24));
      blocks.offsets.push_back(-std::ldexp(float(random() % (1 << bits)), -24));
    }
    std::vector<double> kept = unpackPanels(
        packBlocks(blocks, columns, depth, panels), columns, depth, panels);
    for (int64_t i = 0; i < columns * depth; ++i) {
      const int64_t group = i / depth * groups + i % depth / 16;
      const float number =
          panels.isAffine()
              ? std::fma(float(blocks.steps[i]), blocks.scales[group],
                         blocks.offsets[group])
              : blocks.steps[i] * blocks.scales[group];
      ASSERT_EQ(kept[i], number) << i;
    }
  }
}

/// Scales of f16 have steps of their own below 2^-14: weights that are small,
/// all of them, lose half of one besides, and not their largest numbers.
TEST_P(UnpackPanels, SmallWeightsKeepTheirLargest) {
  auto [columns, depth] = GetParam();
  const std::vector<float> usual = weights;
  for (float factor : {1e5f, 1e-2f, 1e-3f, 1e-4f, 1e-5f, 1e-6f, 1e-30f, 0.0f})
    for (Format format : {Format::i8, Format::i4}) {
      for (size_t i = 0; i < usual.size(); ++i)
        weights[i] = usual[i] * factor;
      constexpr int64_t kGroup = 32;
      const std::vector<double> kept = keep(format, kGroup);
      for (int64_t column = 0; column < columns; ++column)
        for (int64_t k = 0; k < depth; k += kGroup) {
          const int64_t count = std::min(kGroup, depth - k);
          double largest = 0, lost = 0;
          for (int64_t i = k; i < k + count; ++i) {
            const double weight = weights[column * depth + i];
            largest = std::max(largest, std::fabs(weight));
            lost += std::pow(kept[column * depth + i] - weight, 2);
          }
          EXPECT_LE(std::sqrt(lost / count),
                    0.55 *
                        (largest / (format == Format::i8 ? 127 : 7) + 0x1p-24))
              << "times " << factor << ", column " << column << " from " << k;
        }
    }
}

/// Up to as many of the largest f16 as a number has steps; beyond, the group is
/// told and shows in every result.
TEST_P(UnpackPanels, LargeGroupsAreReachedOrTold) {
  auto [columns, depth] = GetParam();
  const int64_t column = columns - 1, group = 8, first = depth - group;
  for (Format format : {Format::i8, Format::i4})
    for (float sign : {1.0f, -1.0f})
      for (float steps : {0.9f, 1.0f, 1.05f}) {
        auto panels = kernel::PanelsAttr::get(&context, 16, format, group);
        const float most = 65504.0f * (format == Format::i8 ? 127 : 8);
        std::vector<float> large = weights;
        large[column * depth + first + 3] = sign * steps * most;
        const std::vector<uint8_t> packed =
            packPanels(large, columns, depth, panels);
        const auto lost = findLostGroup(large, columns, depth, panels, packed);
        ASSERT_EQ(bool(lost), steps > 1) << sign << " " << steps;
        const std::vector<double> kept =
            unpackPanels(packed, columns, depth, panels);
        for (int64_t i = 0; i < columns * depth; ++i) {
          const bool isThere = i >= column * depth + first;
          if (!isThere)
            EXPECT_TRUE(std::isfinite(kept[i]));
          else if (lost)
            EXPECT_FALSE(std::isfinite(kept[i]));
          else
            EXPECT_NEAR(kept[i], large[i], 32752);
        }
        if (!lost)
          continue;
        EXPECT_EQ(lost->column, column);
        EXPECT_EQ(lost->first, first);
        EXPECT_EQ(lost->count, group);
        EXPECT_EQ(lost->largest, steps * most);
      }
}

/// What is no number in the model is none in its group, or in its column, and
/// nowhere else.
TEST_P(UnpackPanels, WhatIsNotFiniteShows) {
  auto [columns, depth] = GetParam();
  const std::vector<float> usual = weights;
  for (float number : {INFINITY, -INFINITY, NAN})
    for (auto [format, group] :
         {std::pair(Format::bf16, int64_t(0)),
          std::pair(Format::i8, int64_t(0)), std::pair(Format::i8, int64_t(8)),
          std::pair(Format::i4, int64_t(8))}) {
      weights = usual;
      const int64_t at = (columns - 1) * depth + depth - 3;
      weights[at] = number;
      const std::vector<double> kept = keep(format, group);
      const int64_t first = format == Format::bf16 ? at
                            : group == 0           ? (columns - 1) * depth
                                                   : columns * depth - group;
      const int64_t last = format == Format::bf16 ? at : columns * depth - 1;
      for (int64_t i = 0; i < columns * depth; ++i)
        EXPECT_EQ(std::isfinite(kept[i]), i < first || i > last)
            << number << " in " << int(format) << ", " << group << " at " << i;
      auto panels = kernel::PanelsAttr::get(&context, 16, format, group);
      EXPECT_FALSE(findLostGroup(weights, columns, depth, panels,
                                 packPanels(weights, columns, depth, panels)));
    }
}

INSTANTIATE_TEST_SUITE_P(Shapes, UnpackPanels,
                         ::testing::Values(Shape{1, 8}, Shape{16, 32},
                                           Shape{17, 64}, Shape{33, 40},
                                           Shape{48, 72}));

} // namespace
} // namespace attnc::test
