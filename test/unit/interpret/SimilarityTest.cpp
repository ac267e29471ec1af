//===- SimilarityTest.cpp - what precision costs embeddings ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Cosines and neighbours of embeddings whose answers are known, and numbers as
// narrow formats keep them.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/Similarity.h"
#include "compiler/interpret/NarrowProducts.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace attnc;

namespace {

/// Points on a quarter of a circle, in order.
std::vector<Embedding> makeArc(size_t count) {
  std::vector<Embedding> points;
  for (size_t i = 0; i < count; ++i) {
    const double angle = i * M_PI / (2 * count);
    points.push_back({std::cos(angle), std::sin(angle)});
  }
  return points;
}

TEST(Similarity, LengthsDoNotCount) {
  std::vector<Embedding> reference = makeArc(20), scaled = reference;
  for (size_t i = 0; i < scaled.size(); ++i)
    for (double &number : scaled[i])
      number *= 1 + i;
  SimilarityReport report = compareEmbeddings(reference, scaled);
  EXPECT_EQ(report.texts, 20u);
  EXPECT_NEAR(report.meanCosine, 1, 1e-12);
  EXPECT_NEAR(report.minCosine, 1, 1e-12);
  EXPECT_NEAR(report.overlap, 1, 1e-12);
  EXPECT_TRUE(report.passes({}));
}

TEST(Similarity, FindsTheWorstText) {
  std::vector<Embedding> reference = makeArc(20), turned = reference;
  turned[7] = {std::cos(1.5), std::sin(1.5)};
  const double angle = 1.5 - 7 * M_PI / 40;
  SimilarityReport report = compareEmbeddings(reference, turned);
  EXPECT_EQ(report.worst, 7u);
  EXPECT_NEAR(report.minCosine, std::cos(angle), 1e-12);
  EXPECT_NEAR(report.meanCosine, (19 + std::cos(angle)) / 20, 1e-12);
  EXPECT_LT(report.overlap, 1);
  EXPECT_FALSE(report.passes({}));
}

TEST(Similarity, NeighboursChangeWithPlaces) {
  // Every second text moves to the place of one at the other end.
  std::vector<Embedding> reference = makeArc(22), other = reference;
  for (size_t i = 0; i < 22; i += 2)
    other[i] = reference[21 - i];
  EXPECT_LT(compareEmbeddings(reference, other).overlap, 0.7);
}

TEST(Similarity, WhatIsNoNumberIsOpposite) {
  std::vector<Embedding> reference = makeArc(12), got = reference;
  got[3][0] = NAN;
  SimilarityReport report = compareEmbeddings(reference, got);
  EXPECT_EQ(report.minCosine, -1);
  EXPECT_EQ(report.worst, 3u);
}

TEST(NarrowProducts, RoundsToWhatFormatsHold) {
  double bf16[] = {1.00390625, 1.01171875, -3.0, 0.0, INFINITY};
  interpret::roundTo("bf16", bf16, 5);
  // Halfway cases go to the even neighbour of eight bits.
  EXPECT_EQ(bf16[0], 1.0);
  EXPECT_EQ(bf16[1], 1.015625);
  EXPECT_EQ(bf16[2], -3.0);
  EXPECT_EQ(bf16[3], 0.0);
  EXPECT_EQ(bf16[4], INFINITY);

  double i8[] = {-127, 1.4, 0.6, 63.5};
  interpret::roundTo("i8", i8, 4);
  EXPECT_EQ(i8[0], -127);
  EXPECT_EQ(i8[1], 1);
  EXPECT_EQ(i8[2], 1);
  EXPECT_EQ(i8[3], 64);

  // The number of largest magnitude is exact; its opposite is clamped.
  double i4[] = {8, -8, 3.4, 0};
  interpret::roundTo("i4", i4, 4);
  EXPECT_EQ(i4[0], 8);
  EXPECT_EQ(i4[1], -7);
  EXPECT_EQ(i4[2], 3);
  EXPECT_EQ(i4[3], 0);
}

TEST(NarrowProducts, RowsOfNextToNothingAreZeros) {
  double row[] = {0x1p-101, -0x1p-101, NAN};
  interpret::roundRow("i8", row, 3);
  EXPECT_EQ(row[0], 0);
  EXPECT_EQ(row[1], 0);
  EXPECT_TRUE(std::isnan(row[2]));
  double larger[] = {0x1p-99, -0x1p-99};
  interpret::roundRow("i8", larger, 2);
  EXPECT_NEAR(larger[0], 0x1p-99, 0x1p-106);
  EXPECT_NEAR(larger[1], -0x1p-99, 0x1p-106);

  double kept[] = {0x1p-101, -0x1p-101}, more[] = {0x1p-100, 0};
  interpret::roundKept("i8", kept, 2);
  EXPECT_EQ(kept[0], 0);
  EXPECT_EQ(kept[1], 0);
  interpret::roundKept("i8", more, 2);
  EXPECT_EQ(more[0], 0x1p-100);
  double bf16[] = {0x1p-101};
  interpret::roundKept("bf16", bf16, 1);
  EXPECT_EQ(bf16[0], 0x1p-101);
  // Weights are rounded once, when the inverse may be of any size.
  double weights[] = {0x1p-101, 0};
  interpret::roundTo("i8", weights, 2);
  EXPECT_EQ(weights[0], 0x1p-101);
}

TEST(NarrowProducts, GroupsHaveScalesOfTheirOwn) {
  NarrowFormats formats;
  formats.weights = "i4";
  formats.group = 2;
  double column[] = {8, 1, 800, 100, 0.8};
  interpret::roundColumn(formats, column, 5);
  EXPECT_EQ(column[0], 8);
  EXPECT_EQ(column[1], 1);
  EXPECT_EQ(column[2], 800);
  EXPECT_EQ(column[3], 100);
  EXPECT_NEAR(column[4], 0.8, 1e-15);
}

} // namespace
