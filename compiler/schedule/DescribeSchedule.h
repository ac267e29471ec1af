//===- DescribeSchedule.h - what was decided, for people --------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attnc compile --print-schedule`: the machine that a variant is laid out for,
// and of every kernel that is cut into tiles how, and what the cost model makes
// of it.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_SCHEDULE_DESCRIBESCHEDULE_H
#define ATTNC_COMPILER_SCHEDULE_DESCRIBESCHEDULE_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/raw_ostream.h"

namespace attnc {

/// Prints the variants of a module that ChooseTiles has seen.
void printSchedule(mlir::ModuleOp module, llvm::raw_ostream &os);

} // namespace attnc

#endif // ATTNC_COMPILER_SCHEDULE_DESCRIBESCHEDULE_H
