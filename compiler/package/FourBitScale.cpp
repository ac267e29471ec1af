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
#include "compiler/package/GuessLanes.h"
#include <cmath>

using namespace llvm;

namespace attnc {

namespace {
constexpr float kLeast = -8, kMost = 7;
/// Steps of the largest number in the guesses: the plain choice, then 6 to 10
/// of either sign.
constexpr float kFewestSteps = 6, kBetween = 0.125f;
constexpr size_t kBetweens = 32;
constexpr size_t kGuesses = 1 + 2 * (kBetweens + 1);
constexpr size_t kVectors = (kGuesses + kGuessLanes - 1) / kGuessLanes;
/// Vectors whose sums need not wait for each other.
constexpr size_t kAtOnce = 3;
static_assert(kVectors % kAtOnce == 0);
} // namespace

/// Guess `index`; the plain choice again where there are no more.
static float getSteps(size_t index) {
  if (index == 0 || index >= kGuesses)
    return -8;
  const float steps = kFewestSteps + kBetween * float((index - 1) / 2);
  return index % 2 ? -steps : steps;
}

/// The best scale of numbers that are times `unit` first.
static inline __attribute__((always_inline)) float
search(ArrayRef<float> numbers, float unit) {
  float bestScale = 0, bestGain = -1;
  for (size_t first = 0; first < kVectors; first += kAtOnce) {
    GuessLanes steps[kAtOnce], products[kAtOnce] = {}, squares[kAtOnce] = {};
    for (size_t i = 0; i < kAtOnce * kGuessLanes; ++i)
      steps[i / kGuessLanes][i % kGuessLanes] =
          getSteps(first * kGuessLanes + i);
    for (float number : numbers)
      for (size_t v = 0; v < kAtOnce; ++v) {
        const GuessLanes x = spreadGuess(number * unit);
        const GuessLanes q = roundGuess(x * steps[v], kLeast, kMost);
        products[v] += x * q;
        squares[v] += q * q;
      }
    for (size_t i = 0; i < kAtOnce * kGuessLanes; ++i) {
      const float product = products[i / kGuessLanes][i % kGuessLanes];
      const float square = squares[i / kGuessLanes][i % kGuessLanes];
      if (square == 0)
        continue;
      const float scale = product / square;
      if (const float gain = product * scale; gain > bestGain) {
        bestGain = gain;
        bestScale = scale;
      }
    }
  }
  return bestScale;
}

__attribute__((target("avx2"))) static float searchWide(ArrayRef<float> numbers,
                                                        float unit) {
  return search(numbers, unit);
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
  static const bool isWide = __builtin_cpu_supports("avx2");
  return (isWide ? searchWide : search)(numbers, unit) * largest;
}

} // namespace attnc
