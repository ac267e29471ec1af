//===- Sanitize.h - generated code that checks itself --------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM's AddressSanitizer and ThreadSanitizer over everything that a module
// defines.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_CPU_SANITIZE_H
#define ATTNC_COMPILER_CPU_SANITIZE_H

#include "compiler/cpu/Codegen.h"

namespace llvm {
class PassBuilder;
}

namespace attnc {

/// Marks the functions of `module` and appends the sanitizer's passes to the
/// pipeline that `builder` will build.
void addSanitizer(llvm::Module &module, Sanitizer sanitizer,
                  llvm::PassBuilder &builder);

} // namespace attnc

#endif // ATTNC_COMPILER_CPU_SANITIZE_H
