//===- CompareOutputs.h - every element against its bound -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a library gave in one output, beside what a reference gave.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_COMPAREOUTPUTS_H
#define ATTNC_COMPILER_INTERPRET_COMPAREOUTPUTS_H

#include "compiler/interpret/Verify.h"

namespace attnc {

/// The difference that counts: none between two NaNs or equal infinities,
/// infinite where only one of two is a number.
double getDifference(double got, double expected);

/// Elements may be off by `relative` of themselves or of the root mean square,
/// and by `extra`, which is empty or has a number for each.
OutputError compareNumbers(const float *got,
                           const std::vector<double> &expected, double relative,
                           llvm::ArrayRef<double> extra);

OutputError compareIntegers(const int32_t *got,
                            const std::vector<int64_t> &expected);

} // namespace attnc

#endif // ATTNC_COMPILER_INTERPRET_COMPAREOUTPUTS_H
