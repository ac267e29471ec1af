//===- Variant.h - which of a library's variants runs -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A library holds code for one or more instruction sets, best first. The first
// that this processor (and the kernel, for AMX) allows is taken.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_VARIANT_H
#define ATTN_RUNTIME_VARIANT_H

#include "attn/abi.h"

namespace attnrt {

struct VariantChoice {
  const attn_abi_variant *variant = nullptr;
  bool usesTiles = false; ///< AMX: phases end by releasing the tiles
  char reason[512] = "";  ///< one phrase, for `info` and the log
};

/// Chooses among `library.variants` by `features` (processorFeatures()), or
/// takes the one named `wanted` (not NULL) if it runs.
attn_status chooseVariant(const attn_abi_library &library, const char *wanted,
                          uint64_t features, VariantChoice &choice);

} // namespace attnrt

#endif // ATTN_RUNTIME_VARIANT_H
