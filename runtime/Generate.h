//===- Generate.h - prompt in, tokens out -----------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a session keeps for NAME_generate: buffers, and the token that was made
// last and is fed first.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_GENERATE_H
#define ATTN_RUNTIME_GENERATE_H

#include "Sample.h"
#include "TextStream.h"

struct attn_model;

namespace attnrt {

struct Generation {
  explicit Generation(Memory &memory)
      : sampler(memory), stream(memory), ids(memory, "generating"),
        mask(memory, "generating"), logits(memory, "generating"),
        scratch(memory) {}

  Sampler sampler;
  TextStream stream;
  Buffer<int32_t> ids;  ///< of this call: the prompt, then what was made
  Buffer<int32_t> mask; ///< ones
  Buffer<float> logits; ///< of the last position
  TokenizerScratch scratch;
  /// The last token made, not fed yet; valid while the states' changes() are
  /// what they were then.
  int32_t pending = -1;
  uint64_t pendingAt = 0;
};

/// The model's tokenizer and decoder, opened by the first who asks.
attn_status findTokenizer(const attn_model &model, const Tokenizer *&tokenizer);
attn_status findDetokenizer(const attn_model &model,
                            const Detokenizer *&detokenizer);
/// Takes one back; NULL is allowed.
void closeDetokenizer(Detokenizer *detokenizer, Memory &memory);

} // namespace attnrt

#endif // ATTN_RUNTIME_GENERATE_H
