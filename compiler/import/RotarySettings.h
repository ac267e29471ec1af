//===- RotarySettings.h - rotary positions by configuration -----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `rope_theta`, `rope_scaling` and `rope_parameters` ask for, as the
// frequencies of the pairs of a head.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_ROTARYSETTINGS_H
#define ATTNC_COMPILER_IMPORT_ROTARYSETTINGS_H

#include "compiler/import/Config.h"
#include "llvm/ADT/SmallVector.h"

namespace attnc {

struct RotarySettings {
  llvm::SmallVector<float> frequencies;
  double scale = 1; ///< of cos and sin
  /// Sequences of more positions have other frequencies, of all their rows; 0:
  /// none has.
  int64_t limit = 0;
};

/// What an architecture's fields are called and mean.
struct RotaryFields {
  llvm::StringLiteral theta = "rope_theta";
  /// The share of a head that is rotated; without this field all of it is.
  std::optional<llvm::StringLiteral> share = std::nullopt;
  double usualShare = 1;
  /// longrope must say for which length the model was trained.
  bool asksForLength = false;
};

/// Of heads of `size` elements, in a model of `positions`. Reads the fields,
/// reports what is wrong with them, refuses kinds of scaling that are not known
/// by name.
RotarySettings readRotarySettings(ConfigReader &config, int64_t size,
                                  int64_t positions,
                                  const RotaryFields &names = {});

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_ROTARYSETTINGS_H
