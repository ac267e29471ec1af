//===- OwnRounding.h - a library's own roundings, repeated ------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What formats lose hides mistakes from the bounds of Verify.h. So where the
// formats of single products are known (ProductFormats.h), a second reference
// computes in double precision with the weights that the library has, and with
// rows rounded as the library rounds them. Where sessions have adapters beside
// the model's products, it runs the same program, which has to compute what the
// model with the adapter merged does. From this reference the library is off by
// f32 arithmetic alone, in one of two ways:
//
// - Rows, attention and caches of f32: in every case, within the bound of f32.
// - Others: a number near the middle of two that a format has may become either
//   one, which shows in all that follows. Few cases have such a number in a
//   small model, all of them in a large one. A run of the reference with errors
//   as f32 makes them (Precision::Rounded) tells how far that goes: of all
//   cases of an output, the quarter that is nearest to the reference must be
//   within four times what half of these runs keep within, or within the bound
//   of f32. These errors are about twice those of code (Noise.h); so a mistake
//   that shows in three cases of four, by more than what f32 makes of the
//   formats, is seen.
//
// The difference of the two references is what the formats cost.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_OWNROUNDING_H
#define ATTNC_COMPILER_INTERPRET_OWNROUNDING_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/JSON.h"
#include <optional>
#include <string>

namespace attnc {

struct VerifyReport;

/// One output in one case, as shares of the root mean square of the reference
/// with the library's roundings.
struct OwnRounding {
  double library = 0;   ///< largest error of the library
  double simulated = 0; ///< of the reference with errors of f32
  double bound = 0;     ///< of f32
  double cost = 0;      ///< root mean square of what the formats cost
  double cosine = 1;    ///< of the two references
};

OwnRounding measureOwnRounding(const float *got, llvm::ArrayRef<double> exact,
                               llvm::ArrayRef<double> own,
                               llvm::ArrayRef<double> simulated, double bound);

/// One output over all cases.
struct OwnRoundingSummary {
  std::string output; ///< `entry.output`
  double quarter = 0; ///< of the library's errors
  double allowed = 0;
  double cost = 0;   ///< the largest
  double cosine = 1; ///< the smallest
  size_t cases = 0;

  bool passed() const { return quarter <= allowed; }
  llvm::json::Value toJson() const;
};

std::vector<OwnRoundingSummary>
summarizeOwnRounding(const VerifyReport &report);

/// A line for each.
void printOwnRounding(llvm::ArrayRef<OwnRoundingSummary> summaries,
                      llvm::raw_ostream &os);

} // namespace attnc

#endif // ATTNC_COMPILER_INTERPRET_OWNROUNDING_H
