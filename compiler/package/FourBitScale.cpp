//===- FourBitScale.cpp - the step of a group of i4 -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The scale that makes the number of largest magnitude -8 steps is the first
// guess. Around it, from where that number is clipped by a quarter to where it
// falls between steps, each guess gives whole steps q, and these the scale that
// fits them best: with weights w the error sum w (x - s q)^2 is least at
// s = sum w x q / sum w q^2, where it is sum w x^2 - (sum w x q)^2 / sum w q^2.
// The best of all guesses is taken. No data are needed; what a weight's error
// does to the results is taken to be the same for all of a group.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/FourBitScale.h"
#include <algorithm>
#include <cmath>
#include <numeric>

using namespace llvm;

namespace attnc {

namespace {
constexpr float kLeast = -8, kMost = 7;
/// Steps of the largest number in the guesses: 6 to 10.
constexpr float kFewestSteps = 6, kMostSteps = 10, kBetween = 0.125f;

struct Fit {
  float scale = 0, gain = -1;
};
} // namespace

/// The scale that fits the steps which `steps` for a number of 1 give; numbers
/// are times `unit` first.
static Fit fit(ArrayRef<float> numbers, float unit, float steps) {
  // Adding it leaves a whole number in the low bits of an f32.
  constexpr float kRounder = 12582912.0f;
  // Several sums, so that one addition need not wait for the other.
  constexpr size_t kSums = 8;
  float products[kSums] = {}, squares[kSums] = {};
  auto add = [&](float number, size_t sum) {
    const float x = number * unit;
    float q = std::min(std::max(x * steps, kLeast), kMost);
    q = (q + kRounder) - kRounder;
    products[sum] += x * q;
    squares[sum] += q * q;
  };
  size_t i = 0;
  for (; i + kSums <= numbers.size(); i += kSums)
    for (size_t sum = 0; sum < kSums; ++sum)
      add(numbers[i + sum], sum);
  for (; i < numbers.size(); ++i)
    add(numbers[i], i % kSums);
  const float product = std::accumulate(products, products + kSums, 0.0f);
  const float square = std::accumulate(squares, squares + kSums, 0.0f);
  if (square == 0)
    return {};
  return {product / square, product * product / square};
}

float findFourBitScale(ArrayRef<float> numbers) {
  float largest = 0;
  for (float x : numbers) {
    if (!std::isfinite(x))
      return std::fabs(x);
    if (std::fabs(x) > std::fabs(largest))
      largest = x;
  }
  // All are zero, or so small that the inverse is no number.
  const float unit = 1 / largest;
  if (!std::isfinite(unit))
    return largest / -8;
  Fit best = fit(numbers, unit, -8);
  for (float steps = kFewestSteps; steps <= kMostSteps; steps += kBetween)
    for (float sign : {-1.0f, 1.0f})
      if (Fit found = fit(numbers, unit, sign * steps); found.gain > best.gain)
        best = found;
  return best.scale * largest;
}

} // namespace attnc
