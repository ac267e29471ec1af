//===- CompareOutputs.cpp - every element against its bound ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Differences of f32 results from doubles, of i32 results from integers.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/CompareOutputs.h"
#include <cfloat>
#include <cmath>

namespace attnc {

/// Below the smallest normal f32, results may be flushed to zero.
static constexpr double kSmallest = 0x1p-122;

/// Distance between neighbouring f32 numbers at `value`.
static double getStep(double value) {
  int exponent = 0;
  std::frexp(value, &exponent);
  return std::ldexp(1.0, std::max(exponent - 24, -149));
}

/// Root mean square over finite elements other than zero.
static double getScale(const std::vector<double> &numbers) {
  double sum = 0;
  size_t count = 0;
  for (double number : numbers)
    if (number != 0 && std::isfinite(number)) {
      sum += number * number;
      ++count;
    }
  return count ? std::sqrt(sum / count) : 0;
}

double getDifference(double got, double expected) {
  if (got == expected || (std::isnan(got) && std::isnan(expected)))
    return 0;
  double difference = std::fabs(got - expected);
  return std::isnan(difference) ? INFINITY : difference;
}

OutputError compareNumbers(const float *got,
                           const std::vector<double> &expected, double relative,
                           llvm::ArrayRef<double> extra) {
  OutputError error;
  double scale = getScale(expected);
  error.rounded = !extra.empty();
  error.scale = scale;
  for (size_t i = 0; i < expected.size(); ++i) {
    double difference = getDifference(got[i], expected[i]);
    double magnitude = std::fabs(expected[i]);
    // A number beyond the range of f32 is an infinity there.
    if (magnitude > FLT_MAX && std::isinf(got[i]) &&
        (got[i] > 0) == (expected[i] > 0))
      difference = 0;
    error.maxAbs = std::max(error.maxAbs, difference);
    if (magnitude >= scale / 100 && magnitude > 0 &&
        std::isfinite(expected[i])) {
      error.maxRel = std::max(error.maxRel, difference / magnitude);
      error.maxUlp = std::max(error.maxUlp, difference / getStep(expected[i]));
    }
    double allowed =
        relative * std::max(std::isfinite(magnitude) ? magnitude : 0.0, scale) +
        (extra.empty() ? 0 : extra[i]) + kSmallest;
    if (difference / allowed > error.usedShare || i == 0) {
      error.usedShare = difference / allowed;
      error.allowed = allowed;
    }
  }
  return error;
}

OutputError compareIntegers(const int32_t *got,
                            const std::vector<int64_t> &expected) {
  OutputError error;
  for (size_t i = 0; i < expected.size(); ++i)
    error.maxAbs =
        std::max(error.maxAbs, std::fabs(got[i] - expected[i] * 1.0));
  error.usedShare = error.maxAbs > 0 ? INFINITY : 0;
  return error;
}

} // namespace attnc
