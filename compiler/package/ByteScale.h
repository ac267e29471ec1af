//===- ByteScale.h - the step of weights of i8 ------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which scale loses least when weights become -127 .. 127 steps of it.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_PACKAGE_BYTESCALE_H
#define ATTNC_COMPILER_PACKAGE_BYTESCALE_H

#include "llvm/ADT/ArrayRef.h"

namespace attnc {

/// The scale that makes the largest magnitude of `numbers` 127 steps, not
/// negative; 0 if all of them are, NaN or infinite if one is.
float getFullByteScale(llvm::ArrayRef<float> numbers);

/// The scale that loses least of `numbers`, near the one above.
float findByteScale(llvm::ArrayRef<float> numbers);

} // namespace attnc

#endif // ATTNC_COMPILER_PACKAGE_BYTESCALE_H
