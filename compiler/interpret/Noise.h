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
//   sqrt(x^2 + R^2). Elements that are 0 or infinite are so exactly. A norm
//   with a bias has such an error before the bias, too.
// - the result x of a scalar op in a region: 2 r u |x|. Arithmetic is off by
//   u |x| at most and elementary functions by 3.5 u |x| (ExpandMath.cpp), six
//   times the root mean square of this is 6.9 u |x|. There is no R here:
//   nothing says that lanes are of one scale. What is lost where a large number
//   is added and taken off again is u of the large one. An op whose operands
//   are constants alone has one error for all elements, as code has that
//   computes it once.
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
  /// A sequence of its own.
  Noise split(uint64_t part) const { return Noise(bits(~part)); }
  /// The errors of the product that `multiply` left in `out`; number
  /// first + row * outStride + column of the sequence is that of an element.
  void addToProduct(const MatrixView &lhs, const MatrixView &rhs, int64_t rows,
                    int64_t columns, int64_t depth, double *out,
                    int64_t outStride, uint64_t first) const;
  /// The errors of a row of results, in f32 as it keeps them.
  void addToRow(double *row, int64_t columns, uint64_t first) const;
  /// The error of one result of a scalar op, in f32 as it keeps it.
  double addToScalar(double value, uint64_t index) const;

private:
  uint64_t bits(uint64_t index) const;

  uint64_t key;
};

/// A double as f32 keeps it, numbers below its normal range as zero.
double roundToSingle(double value);

} // namespace attnc::interpret

#endif // ATTNC_COMPILER_INTERPRET_NOISE_H
