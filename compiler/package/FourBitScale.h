//===- FourBitScale.h - the step of a group of i4 ---------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which scale loses least when a group of weights becomes -8 .. 7 steps of it.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_PACKAGE_FOURBITSCALE_H
#define ATTNC_COMPILER_PACKAGE_FOURBITSCALE_H

#include "llvm/ADT/ArrayRef.h"

namespace attnc {

/// The scale for `numbers`; 0 if all of them are, NaN or infinite if one is.
float findFourBitScale(llvm::ArrayRef<float> numbers);

} // namespace attnc

#endif // ATTNC_COMPILER_PACKAGE_FOURBITSCALE_H
