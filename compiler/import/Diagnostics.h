//===- Diagnostics.h - how import says what is wrong ------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One form for every message: `error[A0101]: what is wrong`, with a note on
// what to do. An llvm::Error carries both in its text, "error[A0201]:
// what\nnote: what to do"; the context's engine gets a diagnostic with a note.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_DIAGNOSTICS_H
#define ATTNC_COMPILER_IMPORT_DIAGNOSTICS_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"

namespace attnc {

/// Emits an error with a note; always failure.
llvm::LogicalResult reportError(mlir::MLIRContext *context,
                                llvm::StringRef code, const llvm::Twine &what,
                                const llvm::Twine &todo);
/// The same for an error in the form above.
llvm::LogicalResult reportError(mlir::MLIRContext *context, llvm::Error error);

void reportWarning(mlir::MLIRContext *context, llvm::StringRef code,
                   const llvm::Twine &what, const llvm::Twine &todo);

/// An error in the form above.
llvm::Error makeError(llvm::StringRef code, const llvm::Twine &what,
                      const llvm::Twine &todo);

/// "'a', 'b', 'c' and 4 more"
std::string listNames(llvm::ArrayRef<llvm::StringRef> names, size_t most = 8);

/// "[3, 4]"
std::string formatShape(llvm::ArrayRef<int64_t> shape);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_DIAGNOSTICS_H
