//===- ByteSteps.h - numbers as whole steps of a scale ----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rows that become i8 while the program runs: groups beside narrow weights, and
// what caches keep. The largest magnitude is 127 steps.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_CPU_BYTESTEPS_H
#define ATTNC_COMPILER_CPU_BYTESTEPS_H

#include "compiler/cpu/Emitter.h"

namespace attnc::cpu {

/// 1.5 * 2^23: added to a number below 2^22 it leaves the nearest integer in
/// the low bits; kRounderBits are its own.
inline constexpr float kRounder = 12582912.0f;
inline constexpr int32_t kRounderBits = 0x4b400000;

/// `fold` over the vectors of `count` numbers, masked at the end.
mlir::Value
foldVectors(KernelEmitter &e, int64_t count, mlir::Value initial,
            llvm::function_ref<mlir::Value(mlir::Value sum, mlir::Value index,
                                           mlir::Value mask)>
                fold);

struct ByteSteps {
  mlir::Value scale;   ///< of a step
  mlir::Value inverse; ///< that numbers are multiplied by
};

/// The steps of `count` numbers of f32. The largest magnitude is that of the
/// bits as integers, so that a NaN becomes the scale; below 2^-100 all count as
/// zeros.
ByteSteps findByteSteps(KernelEmitter &e, mlir::Value numbers, int64_t count);

} // namespace attnc::cpu

#endif // ATTNC_COMPILER_CPU_BYTESTEPS_H
