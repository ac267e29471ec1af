//===- Json.h - strict JSON of files we did not write -----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM's JSON parser for hostile input: nesting is bounded (the parser is
// recursive) and a key that stands twice in an object is an error (the parser
// would keep one of the two).
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_JSON_H
#define ATTNC_COMPILER_IMPORT_JSON_H

#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace attnc {

/// Deepest nesting of arrays and objects that parseJson takes.
constexpr unsigned kMaxJsonDepth = 64;

/// The value of a whole text; errors say where and why.
llvm::Expected<llvm::json::Value> parseJson(llvm::StringRef text);

/// "a number", "a string"...: what a value is, for messages.
llvm::StringRef describeKind(const llvm::json::Value &value);

/// Text from a file as it may stand in a message: in quotes, escaped, not
/// longer than a line.
std::string quote(llvm::StringRef text);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_JSON_H
