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
};

/// Of heads of which `size` elements are rotated, in a model of `positions`.
/// Reads the fields, reports what is wrong with them, refuses kinds of scaling
/// that are not known by name.
RotarySettings readRotarySettings(ConfigReader &config, int64_t size,
                                  int64_t positions);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_ROTARYSETTINGS_H
