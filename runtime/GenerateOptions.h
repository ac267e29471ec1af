//===- GenerateOptions.h - what a call of generate asks for -----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Checks attn_generate_options once, so that the rest can rely on them.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_GENERATEOPTIONS_H
#define ATTN_RUNTIME_GENERATEOPTIONS_H

#include "attn/abi.h"

namespace attnrt {

/// Guesses of a draft at a time, at most, and if the caller does not say.
constexpr int64_t kMostGuesses = 64, kGuesses = 4;

/// Copies `given` (NULL: the library's defaults) into `options`, fields that
/// its version lacks being zero, and refuses what is out of range, contradicts
/// itself or does not fit the library.
attn_status readGenerateOptions(const attn_session &session,
                                const attn_generate_options *given,
                                attn_generate_options &options);

/// Checks the struct_size of a result, which may be an older caller's.
attn_status checkResult(const attn_abi_library &library,
                        const attn_generate_result *result);
/// Stores as much as the caller's version of the struct holds.
void storeResult(const attn_generate_result &facts,
                 attn_generate_result *result);

} // namespace attnrt

#endif // ATTN_RUNTIME_GENERATEOPTIONS_H
