//===- LinearAlgebra.h - products of matrices in double ----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One product for projections, attn.matmul and both halves of attention.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_LINEARALGEBRA_H
#define ATTNC_COMPILER_INTERPRET_LINEARALGEBRA_H

#include "compiler/interpret/Parallel.h"

namespace attnc::interpret {

/// Element (row, column) of a matrix lies at row * rowStride + column *
/// columnStride of `numbers`, or of `singles` where that is set.
struct MatrixView {
  const double *numbers = nullptr;
  const float *singles = nullptr;
  int64_t rowStride = 0;
  int64_t columnStride = 1;
};

/// out[m, n] = sum over k of lhs[m, k] * rhs[k, n], summed in the order of k;
/// lhs holds doubles with unit column stride. Rows of `out` are `outStride`
/// apart.
void multiply(const MatrixView &lhs, const MatrixView &rhs, int64_t rows,
              int64_t columns, int64_t depth, double *out, int64_t outStride);

/// The same, with the columns spread over threads.
void multiply(const Parallel &parallel, const MatrixView &lhs,
              const MatrixView &rhs, int64_t rows, int64_t columns,
              int64_t depth, double *out, int64_t outStride);

} // namespace attnc::interpret

#endif // ATTNC_COMPILER_INTERPRET_LINEARALGEBRA_H
