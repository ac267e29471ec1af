//===- LoweredProgram.h - lowered programs as text ------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Once programs are phase functions, the IR no longer tells which entries,
// sizes and weights a library has. Dumps of those stages carry the scheduled
// program with them, as a nested module of this name, so that they too can be
// taken up again:
//
//   module {                          module @schedule {
//     func.func @..._phase_0            attn.weight ... kernel.program ...
//     module @schedule { ... }        }
//   }
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_LOWEREDPROGRAM_H
#define ATTNC_COMPILER_LOWEREDPROGRAM_H

#include "compiler/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/raw_ostream.h"

namespace attnc {

/// Prints a module, `scheduled` inside if the module has no programs of its
/// own; `scheduled` may be null.
void printProgram(mlir::ModuleOp module, mlir::ModuleOp scheduled,
                  llvm::raw_ostream &os);

/// Takes the scheduled program out of a module that was read; null if there is
/// none.
mlir::OwningOpRef<mlir::ModuleOp> takeSchedule(mlir::ModuleOp module);

/// The target that a program is scheduled for, or null.
const Target *getScheduledTarget(mlir::ModuleOp module);

} // namespace attnc

#endif // ATTNC_COMPILER_LOWEREDPROGRAM_H
