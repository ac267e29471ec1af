//===- LibraryName.h - what the library is called ---------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The library's name begins the name of every C function, so it is a C
// identifier; entries, sizes and arguments follow the same rule.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_LIBRARYNAME_H
#define ATTNC_COMPILER_IMPORT_LIBRARYNAME_H

#include "mlir/IR/MLIRContext.h"
#include <string>

namespace attnc {

/// Whether `name` can stand in a header of C and C++: an identifier, no keyword
/// and no name of the implementation's.
bool isNameInC(llvm::StringRef name);
/// What to do about one that cannot.
constexpr llvm::StringLiteral
    kNamesInC("take letters, digits and '_', not starting with a digit, and no "
              "keyword of C or C++");

/// `wanted` if it is given and a name in C (an error is reported if not),
/// else one made from the last part of `path`.
llvm::FailureOr<std::string> chooseLibraryName(mlir::MLIRContext &context,
                                               llvm::StringRef wanted,
                                               llvm::StringRef path);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_LIBRARYNAME_H
