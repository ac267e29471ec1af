//===- DescribeStates.h - what sessions keep, as data -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of a library's description that is about states and the generation
// of text.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_PACKAGE_DESCRIBESTATES_H
#define ATTNC_COMPILER_PACKAGE_DESCRIBESTATES_H

#include "compiler/package/Description.h"

namespace attnc {

/// Fills `states`, `decodeEntry` and `stopTokens`; entries are there already.
void describeStates(mlir::ModuleOp module, LibraryDescription &library);

/// The member "states" of the self-description.
void writeStates(llvm::json::OStream &json, const LibraryDescription &library);

} // namespace attnc

#endif // ATTNC_COMPILER_PACKAGE_DESCRIBESTATES_H
