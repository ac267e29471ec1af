//===- ProjectRows.h - what is computed of weights alone --------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The product behind `attn.projected` (dialects/attn/ProjectedWeight.h), in
// double precision.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_PROJECTROWS_H
#define ATTNC_COMPILER_IMPORT_PROJECTROWS_H

#include "llvm/ADT/ArrayRef.h"
#include <optional>
#include <vector>

namespace attnc {

/// `matrix` [N, K] times each of the `rows` [R, K], plus `bias` [N]; with an
/// epsilon, rows are normalized before, with `scale` and `shift` [K].
struct RowProjection {
  llvm::ArrayRef<float> rows, matrix, bias;
  std::optional<double> epsilon;
  llvm::ArrayRef<float> scale, shift;

  /// [N, R]
  std::vector<float> compute() const;

private:
  std::vector<double> normalize(llvm::ArrayRef<float> row) const;
};

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_PROJECTROWS_H
