//===- LibraryName.h - what the library is called ---------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The library's name begins the name of every C function, so it is a C
// identifier.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_LIBRARYNAME_H
#define ATTNC_COMPILER_IMPORT_LIBRARYNAME_H

#include "mlir/IR/MLIRContext.h"
#include <string>

namespace attnc {

/// `wanted` if it is given and a C identifier (an error is reported if not),
/// else one made from the last part of `path`.
llvm::FailureOr<std::string> chooseLibraryName(mlir::MLIRContext &context,
                                               llvm::StringRef wanted,
                                               llvm::StringRef path);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_LIBRARYNAME_H
