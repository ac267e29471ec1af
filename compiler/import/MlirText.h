//===- MlirText.h - text that MLIR's parser does not survive ----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The parser of MLIR 22 asks the element type of `array<index: 1>` for its
// width, which `index` does not have, and crashes. Such text is valid in no
// dialect; every tool that reads text looks for it first.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_MLIRTEXT_H
#define ATTNC_COMPILER_IMPORT_MLIRTEXT_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <optional>

namespace attnc {

/// Where the first array of `index`, named so or through an alias of types,
/// begins: the offset of its `array`. Comments and strings are passed over, and
/// so is bytecode.
std::optional<size_t> findIndexArray(llvm::StringRef text);

/// Refuses such text with A0194, the name and the line.
llvm::Error checkMlirText(llvm::StringRef name, llvm::StringRef text);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_MLIRTEXT_H
