//===- PreTokenizer.h - cutting text into words -----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The pre-tokenizers of tokenizer.json, one behind the other: each cuts what
// the one before it left. One of them may rewrite text; only Metaspace must be
// the last.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_PRETOKENIZER_H
#define ATTN_RUNTIME_TEXT_PRETOKENIZER_H

#include "Buffer.h"
#include "SplitPatterns.h"

namespace attnrt {

struct PreTokenizerStep {
  enum class Kind : uint8_t {
    Bert,       ///< at white space, which goes, and around punctuation
    WhiteSpace, ///< at white space, which goes
    Split,      ///< by `pattern`
    Classes,    ///< around punctuation or digits (`digits`)
    ByteLevel,  ///< by `pattern`, if any; then each byte becomes a character
    Metaspace   ///< spaces become a character, at which text is cut
  };
  enum class Prefix : uint8_t { Never, First, Always };
  Kind kind = Kind::Bert;
  SplitPattern pattern = nullptr;
  bool dropsGaps = false;         ///< what no match covers goes
  bool joinsGaps = false;         ///< a match ends the piece before it
  bool digits = false;            ///< of Classes: digits, else punctuation
  bool together = false;          ///< of Classes: a run of them is one piece
  Prefix prefix = Prefix::Always; ///< whether text gets a space in front
  bool cuts = true;               ///< of Metaspace
  char replacement[5] = {};       ///< of Metaspace: one character
  size_t replacementSize = 0;
};

/// Takes a word; `characters` are its code points. False ends the cutting.
struct WordSink {
  void *context;
  bool (*take)(void *context, const char *word, size_t size, size_t characters);
};

class PreTokenizer {
public:
  static constexpr size_t capacity = 8;
  bool add(const PreTokenizerStep &step) {
    if (count == capacity)
      return false;
    steps[count++] = step;
    return true;
  }
  size_t size() const { return count; }
  /// nullptr without steps.
  const PreTokenizerStep *last() const {
    return count ? &steps[count - 1] : nullptr;
  }
  /// The step that writes bytes as characters, or nullptr.
  const PreTokenizerStep *byteLevel() const {
    for (size_t i = 0; i < count; ++i)
      if (steps[i].kind == PreTokenizerStep::Kind::ByteLevel)
        return &steps[i];
    return nullptr;
  }

  /// Cuts valid UTF-8. `first`: the text starts where the caller's did. False
  /// if the sink said so or `rewritten`, which is working memory, cannot grow;
  /// then `failed` is set.
  bool cut(const char *text, size_t size, bool first, Buffer<char> &rewritten,
           WordSink sink, bool &failed) const;

private:
  struct Call {
    Buffer<char> &rewritten;
    WordSink sink;
    bool failed;
  };
  bool cutFrom(size_t step, const char *text, size_t size, bool first,
               Call &call) const;
  bool cutBert(size_t step, const char *text, size_t size, bool first,
               bool punctuation, Call &call) const;
  bool cutByPattern(size_t step, const char *text, size_t size, bool first,
                    Call &call) const;
  bool cutByClass(size_t step, const char *text, size_t size, bool first,
                  Call &call) const;
  bool cutBytes(size_t step, const char *text, size_t size, Call &call) const;
  bool cutMetaspace(const char *text, size_t size, bool first,
                    Call &call) const;

  PreTokenizerStep steps[capacity];
  size_t count = 0;
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_PRETOKENIZER_H
