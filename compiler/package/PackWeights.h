//===- PackWeights.h - weights as generated code reads them -----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The layouts of #kernel.panels, made from row-major f32.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_PACKAGE_PACKWEIGHTS_H
#define ATTNC_COMPILER_PACKAGE_PACKWEIGHTS_H

#include "compiler/import/StoredWeights.h"
#include "dialects/kernel/Kernel.h"

namespace attnc {

/// The bytes of the matrix `weight` [columns, depth] in `panels`: rounded and
/// scaled as the attribute's description says. Groups have scales of f16,
/// without offsets.
std::vector<uint8_t> packPanels(llvm::ArrayRef<float> weight, int64_t columns,
                                int64_t depth, kernel::PanelsAttr panels);

/// The bytes of a matrix [columns, depth] whose steps, scales and offsets are
/// known, in `panels` in groups, of which the last may be short. Scales and
/// offsets are exact in the layout's type; offsets are not looked at where it
/// has none.
std::vector<uint8_t> packBlocks(const StoredBlocks &blocks, int64_t columns,
                                int64_t depth, kernel::PanelsAttr panels);

/// Numbers whose common scale is beyond f16.
struct LostGroup {
  int64_t column, first, count; ///< of the depth
  float largest;                ///< magnitude
};

/// The first group of `packed`, made from `weight`, with an infinite scale
/// though its numbers are finite.
std::optional<LostGroup> findLostGroup(llvm::ArrayRef<float> weight,
                                       int64_t columns, int64_t depth,
                                       kernel::PanelsAttr panels,
                                       llvm::ArrayRef<uint8_t> packed);

} // namespace attnc

#endif // ATTNC_COMPILER_PACKAGE_PACKWEIGHTS_H
