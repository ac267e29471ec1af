//===- UnpackPanels.h - weights as a library has them -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Packed weights (PackWeights.h) as numbers again. The reference of `attnc
// verify` computes with what this gives: no second account of a format's
// rounding exists.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_PACKAGE_UNPACKPANELS_H
#define ATTNC_COMPILER_PACKAGE_UNPACKPANELS_H

#include "dialects/kernel/Kernel.h"

namespace attnc {

/// The numbers that the bytes of a matrix [columns, depth] in `panels` stand
/// for, row-major and exact.
std::vector<double> unpackPanels(llvm::ArrayRef<uint8_t> packed,
                                 int64_t columns, int64_t depth,
                                 kernel::PanelsAttr panels);

} // namespace attnc

#endif // ATTNC_COMPILER_PACKAGE_UNPACKPANELS_H
