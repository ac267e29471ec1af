//===- SelectKernels.cpp -===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"

namespace attnc {
#define GEN_PASS_DEF_SELECTKERNELS
#include "compiler/Passes.h.inc"

namespace {
struct SelectKernels : impl::SelectKernelsBase<SelectKernels> {
  using SelectKernelsBase::SelectKernelsBase;
  void runOnOperation() override {}
};
} // namespace
} // namespace attnc
