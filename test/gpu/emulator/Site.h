//===- Site.h - a call that the emulator stands in for ----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One call of an NVVM intrinsic or one asm statement in a kernel's code. Host
// code passes its address, where the result goes, and where the operands lie.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_GPU_EMULATOR_SITE_H
#define ATTNC_TEST_GPU_EMULATOR_SITE_H

#include "Ptx.h"

namespace attnc::emulator {

struct Site {
  using Handler = void (*)(Block &block, const Site &site, void *result,
                           void **operands);
  Handler handler = nullptr;
  std::string name; ///< of the intrinsic, without "llvm.nvvm."
  // Of an asm statement:
  PtxSnippet snippet;
  struct Place {
    uint64_t offset; ///< in the result
    int bytes;
  };
  std::vector<Place> outputs;
  struct Input {
    int number; ///< of the register
    int bytes;  ///< that it takes of the operand
  };
  std::vector<Input> inputs;
};

/// Finds what stands in for an intrinsic; null if it is not known.
Site::Handler findIntrinsic(llvm::StringRef name);
/// Runs an asm statement.
void runAssembly(Block &block, const Site &site, void *result, void **operands);

} // namespace attnc::emulator

#endif // ATTNC_TEST_GPU_EMULATOR_SITE_H
