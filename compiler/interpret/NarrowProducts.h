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
// Where a sequence of random numbers is given, a number between two that the
// format has becomes one of them by chance, the nearer the likelier, so that
// its mean stays. Numbers that the format has stay. The error is a rounding's
// with a root mean square of sqrt(2) that of the nearest on average: such runs
// tell what another rounding of the same size might have done.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_NARROWPRODUCTS_H
#define ATTNC_COMPILER_INTERPRET_NARROWPRODUCTS_H

#include "compiler/interpret/Noise.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>

namespace attnc {

/// Formats of a library's products and states: f32, bf16, i8, i4. Those of
/// `attention` are f32 or bf16.
struct NarrowFormats {
  llvm::StringRef weights = "f32", activations = "f32", cache = "f32",
                  attention = "f32";
  /// Weights that share a scale, of i4 and i8; 0: all of a column.
  int64_t group = 0;

  bool isNarrow() const {
    return weights != "f32" || activations != "f32" || cache != "f32" ||
           attention != "f32";
  }
};

namespace interpret {

/// Numbers that decide which way to round: number `first` on of a sequence.
/// Without one, every number is rounded to the nearest.
struct Draw {
  const Noise *noise = nullptr;
  uint64_t first = 0;
};

/// Replaces `count` numbers that share a scale (a row, or the weights of one
/// column or of a group of it) by what `format` keeps of them.
void roundTo(llvm::StringRef format, double *numbers, int64_t count,
             Draw draw = {});

/// The same for numbers that libraries round while they run: groups of a row,
/// what a cache keeps. Of i8 those that are all below 2^-100 become zeros, lest
/// the inverse of their step be beyond f32.
void roundKept(llvm::StringRef format, double *numbers, int64_t count,
               Draw draw = {});

/// The same for a row of a product that has one scale. Steps of i8 lie between
/// its lowest and its highest number, 0 among them; rows whose steps would be
/// below 2^-107 become zeros.
void roundRow(llvm::StringRef format, double *numbers, int64_t count,
              Draw draw = {});

/// The same for all weights of one column of a product.
void roundColumn(const NarrowFormats &formats, double *numbers, int64_t depth,
                 Draw draw = {});

} // namespace interpret
} // namespace attnc

#endif // ATTNC_COMPILER_INTERPRET_NARROWPRODUCTS_H
