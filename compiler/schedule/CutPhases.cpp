//===- CutPhases.cpp -===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"

namespace attnc {
#define GEN_PASS_DEF_CUTPHASES
#include "compiler/Passes.h.inc"

namespace {
struct CutPhases : impl::CutPhasesBase<CutPhases> {
  using CutPhasesBase::CutPhasesBase;
  void runOnOperation() override {}
};
} // namespace
} // namespace attnc
