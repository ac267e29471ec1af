//===- Arguments.h - the inputs and outputs of a call -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Checks what a call was given before anything runs, and stands in for what was
// left out.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_ARGUMENTS_H
#define ATTN_RUNTIME_ARGUMENTS_H

#include "Session.h"

namespace attnrt {

/// Bytes that `argument` has with these sizes, in `bytes`. Refuses what does
/// not fit 63 bits.
attn_status argumentBytes(const attn_abi_entry &entry,
                          const attn_abi_argument &argument,
                          const int64_t *sizes, int64_t &bytes);

/// Checks `given` (inputs, then outputs) against the session's planned sizes:
/// NULLs, alignment and, for checked I32 inputs, every element. Writes nothing.
/// Where `onDevice` is true, an argument lies in memory that cannot be read
/// here.
attn_status checkArguments(const attn_session &session, int32_t entry,
                           void *const *given,
                           const unsigned char *onDevice = nullptr);

/// Fills session.arguments from `given`; for optional ones left out, with their
/// slots in the arena, inputs among them set to their default values. The arena
/// must be there.
void bindArguments(attn_session &session, int32_t entry, void *const *given);

} // namespace attnrt

#endif // ATTN_RUNTIME_ARGUMENTS_H
