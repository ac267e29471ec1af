//===- FoldPadding.cpp -===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"

namespace attnc {
#define GEN_PASS_DEF_FOLDPADDING
#include "compiler/Passes.h.inc"

namespace {
struct FoldPadding : impl::FoldPaddingBase<FoldPadding> {
  using FoldPaddingBase::FoldPaddingBase;
  void runOnOperation() override {}
};
} // namespace
} // namespace attnc
