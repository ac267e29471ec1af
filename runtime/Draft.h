//===- Draft.h - a smaller model that guesses -------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Another library, with a runtime of its own, driven through its attn_library.
// It follows a sequence as far as it can: what it has not seen of it makes its
// guesses worse and nothing else.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_DRAFT_H
#define ATTN_RUNTIME_DRAFT_H

#include "Sample.h"

namespace attnrt {

class Draft {
public:
  explicit Draft(Memory &memory)
      : held(memory, "the draft"), logits(memory, "the draft"),
        shares(memory, "the draft"), guesses(memory, "the draft"),
        all(memory, "the draft") {}

  /// Takes the checked options of a call; the model that judges gives `judged`
  /// logits, which may be padded to another number than the draft's.
  void start(const attn_generate_options &options, int64_t judged);
  bool isThere() const { return library != nullptr; }

  /// Guesses up to `most` tokens behind `tokens` [count]; `seen` are what a
  /// penalty counts. Fewer, or none, where the draft has no position left or
  /// does not know the last token. Guesses are tokens that both models have.
  attn_status guess(const int32_t *tokens, size_t count,
                    const Buffer<int32_t> &seen, int64_t most,
                    Sampler &sampler);
  const Buffer<int32_t> &tokens() const { return guesses; }
  /// What the probabilities of guess `index` were, by token of the model that
  /// judges.
  double *sharesOf(size_t index) {
    return shares.data() + index * static_cast<size_t>(judged);
  }

private:
  attn_status check(attn_status status) const;
  void skipUnknown(const int32_t *&tokens, size_t &count) const;
  attn_status follow(const int32_t *tokens, size_t count);
  attn_status feed(const int32_t *tokens, size_t count);

  const attn_library *library = nullptr;
  attn_session *session = nullptr;
  int64_t vocabulary = 0, judged = 0;
  Buffer<int32_t> held; ///< tokens of the draft's positions
  Buffer<float> logits; ///< behind them
  Buffer<double> shares;
  Buffer<int32_t> guesses;
  Buffer<int32_t> all; ///< what a penalty counts
};

} // namespace attnrt

#endif // ATTN_RUNTIME_DRAFT_H
