//===- OptMain.h - a tool that runs passes on MLIR text ---------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What mlir-opt does, but that text which MLIR's parser does not survive
// (compiler/import/MlirText.h) is refused.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_OPTMAIN_H
#define ATTNC_COMPILER_OPTMAIN_H

#include "mlir/IR/DialectRegistry.h"

namespace attnc {

/// The whole of a main function: reads the command line, runs the passes that
/// are registered, returns the exit code. `name` is what --help begins with.
int optMain(int argc, char **argv, llvm::StringRef name,
            mlir::DialectRegistry &registry);

} // namespace attnc

#endif // ATTNC_COMPILER_OPTMAIN_H
