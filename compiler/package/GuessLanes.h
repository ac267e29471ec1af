//===- GuessLanes.h - several guesses of a scale at a time ------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A lane for each guess: what it loses is summed up over the numbers of a group
// one by one, so that nothing is added up across lanes. The same operations
// whatever the processor, and so the same bits: where it has wider vectors, a
// lane is only done sooner. There are no fused multiply-adds.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_PACKAGE_GUESSLANES_H
#define ATTNC_COMPILER_PACKAGE_GUESSLANES_H

#include <cstddef>

namespace attnc {

constexpr size_t kGuessLanes = 8;
using GuessLanes =
    float __attribute__((vector_size(kGuessLanes * sizeof(float))));

inline __attribute__((always_inline)) GuessLanes spreadGuess(float number) {
  return GuessLanes{} + number;
}

/// The nearest whole number from `least` to `most`, ties to even.
inline __attribute__((always_inline)) GuessLanes roundGuess(GuessLanes number,
                                                            float least,
                                                            float most) {
  // Adding it leaves a whole number in the low bits of an f32.
  const GuessLanes rounder = spreadGuess(12582912.0f);
  const GuessLanes low = spreadGuess(least), high = spreadGuess(most);
  number = number < low ? low : number;
  number = number > high ? high : number;
  return (number + rounder) - rounder;
}

} // namespace attnc

#endif // ATTNC_COMPILER_PACKAGE_GUESSLANES_H
