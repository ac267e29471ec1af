//===- TileEmulator.h - AMX in software ------------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lets kernels for a processor with tiles run on one without: the intrinsics of
// AMX become calls of functions that do what Intel's manual says, on tiles of
// their own. An instruction that the manual would fault on ends the process.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_UNIT_CPU_TILEEMULATOR_H
#define ATTNC_TEST_UNIT_CPU_TILEEMULATOR_H

#include "compiler/Target.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/Module.h"

namespace attnc::test {

/// Whether this machine runs kernels for a target, their tiles emulated where
/// it has none: on vectors of AVX-512.
bool canRunKernels(const Target &target);
/// Replaces the intrinsics in a module.
void emulateTiles(llvm::Module &module);
/// Makes known to a JIT what emulateTiles calls.
llvm::Error defineTiles(llvm::orc::LLJIT &jit);
/// A target without the instructions that are emulated.
Target withoutTiles(Target target);

} // namespace attnc::test

#endif // ATTNC_TEST_UNIT_CPU_TILEEMULATOR_H
