//===- RandomInput.h - inputs to time a library with --------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `attnc bench` and `attnc compile --tune` call entries with.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_TOOLS_RANDOMINPUT_H
#define ATTNC_COMPILER_TOOLS_RANDOMINPUT_H

#include "compiler/tools/Library.h"
#include <random>

namespace attnc::tools {

/// Random ids within their range; all of a mask kept; normal numbers.
HostTensor makeRandomInput(const LibraryArgument &argument,
                           const std::map<std::string, int64_t> &sizes,
                           std::mt19937 &random);

} // namespace attnc::tools

#endif // ATTNC_COMPILER_TOOLS_RANDOMINPUT_H
