//===- TextStream.h - tokens to text, as they come --------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Releases text that no later token can change: whole characters, and nothing
// that may turn out to be the beginning of a stop string.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXTSTREAM_H
#define ATTN_RUNTIME_TEXTSTREAM_H

#include "text/Detokenizer.h"

namespace attnrt {

class TextStream {
public:
  explicit TextStream(Memory &memory)
      : ids(memory, "text"), scratch(memory), before(memory, "text"),
        after(memory, "text"), held(memory, "text") {}

  /// Begins behind a prompt. `detokenizer` may be NULL: no text comes then.
  /// `stops` [stopCount] must stay until the end.
  attn_status start(const Detokenizer *detokenizer, const int32_t *prompt,
                    size_t promptCount, const char *const *stops,
                    size_t stopCount);
  /// Takes a token; its text, as far as it can be released, is `text()` until
  /// the next call. `stopped`: a stop string came, and text() ends before it.
  attn_status push(int32_t token, bool &stopped);
  /// Nothing follows: text() is all that was held back.
  attn_status finish();

  const char *text() const { return held.data(); }
  size_t size() const { return released; }

private:
  attn_status decodeNew(bool last);
  attn_status moveContext();
  size_t releasable() const;

  const Detokenizer *detokenizer = nullptr;
  const char *const *stops = nullptr;
  size_t stopCount = 0;
  Buffer<int32_t> ids; ///< the prompt's end, then what came
  DetokenizerScratch scratch;
  size_t first = 0, told = 0; ///< ids[first .. told) are context, told already
  size_t middle = 0;          ///< in between, where the next context begins
  Buffer<char> before, after; ///< text of the context, and with what follows
  Buffer<char> held;          ///< not yet released, but for its beginning
  size_t released = 0;        ///< the beginning
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXTSTREAM_H
