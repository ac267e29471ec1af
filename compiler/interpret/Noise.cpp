//===- Noise.cpp - errors of the size that f32 makes ----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Numbers are drawn by index (Steele et al., "SplitMix", 2014), so that they do
// not depend on threads. The sums of squared products are products of squares.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/Noise.h"
#include <algorithm>
#include <cfloat>
#include <cmath>

namespace attnc::interpret {

double roundToSingle(double value) {
  float single = static_cast<float>(value);
  return std::fabs(single) < FLT_MIN ? 0.0 : single;
}

uint64_t Noise::bits(uint64_t index) const {
  uint64_t z = key + (index + 1) * 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

double Noise::at(uint64_t index) const {
  return static_cast<int64_t>(bits(index)) * 0x1p-63;
}

static double square(double x) { return x * x; }

void Noise::addToProduct(const MatrixView &lhs, const MatrixView &rhs,
                         int64_t rows, int64_t columns, int64_t depth,
                         double *out, int64_t outStride, uint64_t first) const {
  // Columns at once: what the squares of the right side take stays small.
  constexpr int64_t kColumns = 512;
  std::vector<double> left(rows * depth), right, spread;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t k = 0; k < depth; ++k)
      left[row * depth + k] = square(lhs.numbers[row * lhs.rowStride + k]);
  for (int64_t start = 0; start < columns; start += kColumns) {
    const int64_t count = std::min(kColumns, columns - start);
    right.resize(count * depth);
    spread.resize(rows * count);
    for (int64_t column = 0; column < count; ++column)
      for (int64_t k = 0; k < depth; ++k) {
        const int64_t place =
            k * rhs.rowStride + (start + column) * rhs.columnStride;
        right[column * depth + k] =
            square(rhs.singles ? rhs.singles[place] : rhs.numbers[place]);
      }
    multiply({left.data(), nullptr, depth, 1},
             {right.data(), nullptr, 1, depth}, rows, count, depth,
             spread.data(), count);
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < count; ++column) {
        const double size = std::sqrt(depth * spread[row * count + column]);
        const int64_t place = row * outStride + start + column;
        if (std::isfinite(size))
          out[place] += kUnitRoundoff * size * at(first + place);
      }
  }
}

double Noise::addToScalar(double value, uint64_t index) const {
  if (value == 0 || !std::isfinite(value))
    return value;
  return roundToSingle(value * (1 + 2 * kUnitRoundoff * at(index)));
}

void Noise::addToRow(double *row, int64_t columns, uint64_t first) const {
  double sum = 0;
  int64_t count = 0;
  for (int64_t i = 0; i < columns; ++i)
    if (row[i] != 0 && std::isfinite(row[i])) {
      sum += square(row[i]);
      ++count;
    }
  const double mean = count ? sum / count : 0;
  for (int64_t i = 0; i < columns; ++i)
    if (row[i] != 0 && std::isfinite(row[i]))
      row[i] = roundToSingle(row[i] + 2 * kUnitRoundoff *
                                          std::sqrt(square(row[i]) + mean) *
                                          at(first + i));
}

} // namespace attnc::interpret
