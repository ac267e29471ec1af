//===- NarrowProducts.h - numbers as narrow formats keep them ---*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rounds the two sides of a product as `#kernel.precision` says, in double
// precision: how the reference finds out what a format costs.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_NARROWPRODUCTS_H
#define ATTNC_COMPILER_INTERPRET_NARROWPRODUCTS_H

#include "llvm/ADT/StringRef.h"
#include <cstdint>

namespace attnc {

/// Formats of a library's products and states: f32, bf16, i8, i4.
struct NarrowFormats {
  llvm::StringRef weights = "f32", activations = "f32", cache = "f32";
  /// Weights that share a scale, of i4 and i8; 0: all of a column.
  int64_t group = 0;

  bool isNarrow() const {
    return weights != "f32" || activations != "f32" || cache != "f32";
  }
};

namespace interpret {

/// Replaces `count` numbers that share a scale (a row, or the weights of one
/// column or of a group of it) by what `format` keeps of them.
void roundTo(llvm::StringRef format, double *numbers, int64_t count);

/// The same for all weights of one column of a product.
void roundColumn(const NarrowFormats &formats, double *numbers, int64_t depth);

} // namespace interpret
} // namespace attnc

#endif // ATTNC_COMPILER_INTERPRET_NARROWPRODUCTS_H
