//===- ShortErf.h - erf in front of narrow products -------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where the next product rounds as much again, code takes one polynomial for
// erf (cpu/ExpandMath.cpp). `attnc verify` repeats it, since 3e-5 are more than
// f32 costs. Coefficients, highest degree first, come from
// cpu/fit-polynomials.py.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_SHORTERF_H
#define ATTNC_COMPILER_SHORTERF_H

namespace attnc {

// kErfRough: erf(x) / x, s = x^2, x <= kErfRoughTop; error 1.7e-05 / x
inline constexpr float kErfRough[] = {
    4.07412841e-08f, -1.94479162e-06f, 4.10600369e-05f,
    -0.00051103282f, 0.00423540873f,   -0.0251028109f,
    0.111079268f,    -0.375314832f,    1.12826836f};
inline constexpr float kErfRoughTop = 3.0f;

/// As code computes it, every step rounded to `T`; NaN stays one.
template <typename T> T computeShortErf(T x) {
  x = kErfRoughTop < x ? T(kErfRoughTop) : x;
  x = x < -kErfRoughTop ? T(-kErfRoughTop) : x;
  const T square = x * x;
  T sum = 0;
  for (float coefficient : kErfRough)
    sum = static_cast<T>(double(sum) * square + coefficient);
  return sum * x;
}

} // namespace attnc

#endif // ATTNC_COMPILER_SHORTERF_H
