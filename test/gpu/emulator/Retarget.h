//===- Retarget.h - kernels become host code --------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_GPU_EMULATOR_RETARGET_H
#define ATTNC_TEST_GPU_EMULATOR_RETARGET_H

#include "Site.h"
#include "llvm/IR/Module.h"

namespace attnc::emulator {

struct Retargeted {
  /// Sites that host code names by address.
  std::vector<std::unique_ptr<Site>> sites;
  std::vector<std::string> kernels; ///< entry: "emulate." + name
  size_t staticShared = 0;          ///< bytes of shared globals
  bool flushesDenormals = false;
};

/// Rewrites a module for NVPTX, whose data layout becomes `layout`.
llvm::Expected<Retargeted> retarget(llvm::Module &module,
                                    const llvm::DataLayout &layout,
                                    const llvm::Triple &triple);

/// What the code calls: runs a site, checks an access.
inline constexpr llvm::StringLiteral kCallSymbol = "attnc_emulator_call";
inline constexpr llvm::StringLiteral kAccessSymbol = "attnc_emulator_access";

} // namespace attnc::emulator

#endif // ATTNC_TEST_GPU_EMULATOR_RETARGET_H
