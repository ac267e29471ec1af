//===- ChooseCache.cpp - what sessions keep of keys and values ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Gives every `attn.state` the format that is asked for. Layouts, the sizes of
// blocks and the fingerprint of saved sequences follow from it (StateLayout).
//
//   attn.state @k positions 512 : !attn.state<tensor<2x4xf32>>
//   attn.state @k positions 512 as i8 : !attn.state<tensor<2x4xf32>>
//
// Declined: states that a program keeps narrower by itself.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "dialects/attn/Attn.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_CHOOSECACHE
#include "compiler/Passes.h.inc"

namespace {
struct ChooseCache : impl::ChooseCacheBase<ChooseCache> {
  using ChooseCacheBase::ChooseCacheBase;

  void runOnOperation() override {
    std::optional<attn::StateFormat> chosen =
        attn::symbolizeStateFormat(format);
    if (!chosen) {
      getOperation().emitError("error[A0416]: a cache of '")
          << format << "' is not known; expected f32, bf16 or i8";
      return signalPassFailure();
    }
    auto states = getOperation().getOps<attn::StateOp>();
    if (*chosen != attn::StateFormat::f32 && states.empty()) {
      getOperation().emitError("error[A0416]: a cache of ")
          << format << " for a program that keeps nothing between calls; leave "
          << "out --cache";
      return signalPassFailure();
    }
    for (auto state : states) {
      if (state.getFormat() == attn::StateFormat::f32)
        state.setFormat(*chosen);
      narrowed += state.getFormat() != attn::StateFormat::f32;
    }
  }
};
} // namespace
} // namespace attnc
