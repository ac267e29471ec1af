//===- Work.h - what a phase computes and moves -------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operations and bytes of every phase as expressions over named sizes, for
// `attnc bench --roofline` and for anybody who reads a library's description.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_SCHEDULE_WORK_H
#define ATTNC_COMPILER_SCHEDULE_WORK_H

#include "compiler/schedule/ProgramInfo.h"
#include <optional>

namespace attnc {

/// Of one phase. `flops` counts the multiplications and additions of products
/// and of attention as they are defined, masked positions included, and nothing
/// else. `bytes` counts every operand and result once: what would come from and
/// go to memory if caches kept everything within a phase and nothing between
/// phases; of a table only the rows that are looked up. What a session keeps is
/// as long as no size tells: `perPosition` counts it for each position that a
/// sequence has when the call is over, of the last `window` if that is not 0.
struct PhaseWork {
  std::vector<std::string> kernels; ///< in the order of dispatches
  SizeExpr flops = 0, bytes = 0;
  SizeExpr flopsPerPosition = 0, bytesPerPosition = 0;
  int64_t window = 0;
  /// Type of the products' factors: "f32", "bf16", "i8"; empty without
  /// products.
  std::string type;
};

/// Needs phases (CutPhases); both forms of programs will do.
std::vector<PhaseWork> getWork(kernel::ProgramOp program);

/// Cycles that a dispatch takes on one core, as its `cycles`: operations at the
/// peak and bytes at the rate of L3, one after the other. Nothing for kernels
/// that read what a session keeps, whose length is no size.
std::optional<SizeExpr> getCycles(kernel::DispatchOp dispatch);

} // namespace attnc

#endif // ATTNC_COMPILER_SCHEDULE_WORK_H
