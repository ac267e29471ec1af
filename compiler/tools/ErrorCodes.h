//===- ErrorCodes.h - what the codes of messages mean --------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The table of ErrorCodes.def, and the form that messages have: what was
// expected and what came, then a note on what to do. Where a message brings no
// note of its own, the table's is printed.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_TOOLS_ERRORCODES_H
#define ATTNC_COMPILER_TOOLS_ERRORCODES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace attnc::tools {

struct ErrorCode {
  llvm::StringLiteral code, summary, remedy;
};

/// All codes, sorted.
llvm::ArrayRef<ErrorCode> errorCodes();

/// The entry of a code in letters of any case; nullptr: there is none.
const ErrorCode *findErrorCode(llvm::StringRef code);

/// Prints `error[A0123]: message` with its notes, one a line and indented. A
/// message that has none gets the table's.
void printMessage(llvm::StringRef message);

} // namespace attnc::tools

#endif // ATTNC_COMPILER_TOOLS_ERRORCODES_H
