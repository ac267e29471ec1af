//===- Noise.h - errors of the size that f32 makes ---------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A run in Precision::Single stands for f32 code: every result gets a random
// error as large as rounding makes it where it arises, with u = 2^-24 and r
// uniform in [-1, 1):
//
// - a sum of K products t_k, in whatever order: r u sqrt(K sum t_k^2). Every
//   partial sum is rounded, by u / sqrt(3) of itself at most and half of the
//   steps' worth in all, so that this is about twice what is to be expected;
//   r sqrt(K) alone would miss sums whose terms cancel.
// - anything else, element x of a row with root mean square R: 2 r u
//   sqrt(x^2 + R^2). Elements that are 0 or infinite are so exactly.
//
// Later ops then magnify or damp these errors as they do those of f32 code, all
// with their correlations. Runs with other seeds draw other errors.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_NOISE_H
#define ATTNC_COMPILER_INTERPRET_NOISE_H

#include "compiler/interpret/LinearAlgebra.h"

namespace attnc::interpret {

class Noise {
public:
  static constexpr double kUnitRoundoff = 0x1p-24;

  explicit Noise(uint64_t key) : key(key) {}

  /// Number `index` of the sequence, in [-1, 1).
  double at(uint64_t index) const;
  /// The errors of the product that `multiply` left in `out`; number
  /// first + row * outStride + column of the sequence is that of an element.
  void addToProduct(const MatrixView &lhs, const MatrixView &rhs, int64_t rows,
                    int64_t columns, int64_t depth, double *out,
                    int64_t outStride, uint64_t first) const;
  /// The errors of a row of results, in f32 as it keeps them.
  void addToRow(double *row, int64_t columns, uint64_t first) const;

private:
  uint64_t key;
};

/// A double as f32 keeps it, numbers below its normal range as zero.
double roundToSingle(double value);

} // namespace attnc::interpret

#endif // ATTNC_COMPILER_INTERPRET_NOISE_H
