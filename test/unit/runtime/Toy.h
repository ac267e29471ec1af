//===- Toy.h - a hand-written library for the runtime's tests ---*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `attnc` would generate for a program small enough to follow by hand.
//
// scale(batch, seq, ids, mask, out, total): tokens are packed where mask is 1
// (a serial phase counts them), gathered from a table of 100 floats, and summed
// per row: total[b], and out[b][k] = total[b] * scale[k].
//
// embed(batch, seq, input_ids, attention_mask, token_type_ids, embedding): per
// row the number of tokens, the sum of their ids, the sum of their types, and
// the id in column 0.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_TEST_UNIT_RUNTIME_TOY_H
#define ATTN_TEST_UNIT_RUNTIME_TOY_H

#include "attn/abi.h"

#include <atomic>

namespace toy {

enum Entry : int32_t { Scale, Embed };

constexpr int64_t kBatch = 64, kSeq = 64, kTable = 100, kWidth = 4;

/// ABI 1, one variant that runs everywhere behind one that runs nowhere; no
/// embedded weights, no text.
extern const attn_abi_library library;

/// Called by each part of `scale`'s second phase and of `embed`, where not
/// NULL.
extern std::atomic<attn_phase_function> hook;

} // namespace toy

#endif // ATTN_TEST_UNIT_RUNTIME_TOY_H
