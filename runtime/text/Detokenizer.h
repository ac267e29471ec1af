//===- Detokenizer.h - token ids in, text out -------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The way back: ids become tokens, and the decoder of tokenizer.json makes text
// of them. It is opened beside a tokenizer, so that libraries that only read
// text hold none of it. Immutable, as a tokenizer is.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_DETOKENIZER_H
#define ATTN_RUNTIME_TEXT_DETOKENIZER_H

#include "Slice.h"
#include "Tokenizer.h"

namespace attnrt {

struct DecoderStep {
  enum class Kind : uint8_t {
    ByteLevel,    ///< characters that stand for bytes, to the bytes
    ByteFallback, ///< "<0x0A>" to the byte
    Fuse,         ///< all tokens to one
    Strip,        ///< characters off either end of each token
    Replace,      ///< one string by another, in each token
    Metaspace,    ///< a character to spaces, gone from the first token
    WordPiece     ///< spaces between words
  };
  Kind kind = Kind::Fuse;
  bool keepsFirst = false;      ///< Metaspace: the first token too has spaces
  bool cleans = false;          ///< WordPiece: no spaces before punctuation
  uint64_t left = 0, right = 0; ///< Strip: characters, at most
  // Strings, in Detokenizer::strings: what is looked for, what stands for it.
  size_t patternStart = 0, patternSize = 0;
  size_t contentStart = 0, contentSize = 0;
};

/// A list of tokens: their bytes, and where each ends.
struct TokenList {
  explicit TokenList(Memory &memory)
      : text(memory, "text"), ends(memory, "text") {}
  Buffer<char> text;
  Buffer<size_t> ends;

  void clear() {
    text.clear();
    ends.clear();
  }
  /// Ends a token behind the bytes there are.
  bool close() { return ends.push(text.size()); }
};

struct DetokenizerScratch {
  explicit DetokenizerScratch(Memory &memory)
      : first(memory), second(memory), spare(memory, "text") {}
  TokenList first, second; // as one step leaves them, by turns
  Buffer<char> spare;
};

class Detokenizer {
public:
  explicit Detokenizer(Memory &memory)
      : strings(memory, "the decoder"), texts(memory, "the vocabulary"),
        tokens(memory, "the vocabulary") {}

  /// Reads the decoder and the tokens from a tokenizer.json.
  attn_status open(const TokenizerFile &file);

  /// Appends the text of `count` ids to `out`; ids without a token give
  /// nothing, special tokens neither if `skipsSpecial`.
  attn_status decode(const int32_t *ids, size_t count, bool skipsSpecial,
                     DetokenizerScratch &scratch, Buffer<char> &out) const;

  /// Whether `decode` passes over the id, whatever stands around it.
  bool isSilent(int32_t id, bool skipsSpecial) const {
    const size_t index = static_cast<size_t>(id);
    return id < 0 || index >= tokens.size() || !tokens[index].exists ||
           (skipsSpecial && tokens[index].special);
  }

  /// Tokens have ids below; there may be gaps.
  int32_t size() const { return static_cast<int32_t>(tokens.size()); }
  /// A token as it stands in the vocabulary; false if there is none.
  bool getToken(int32_t id, Slice &text) const;

private:
  friend class DetokenizerReader;
  struct Token {
    size_t start, size;
    bool exists, special;
  };
  static constexpr size_t capacity = 16;

  bool applyStep(const DecoderStep &step, const TokenList &from, TokenList &to,
                 Buffer<char> &spare) const;
  bool setToken(int32_t id, const JsonString &text, bool special);
  bool normalizeToken(int32_t id, const NormalizerChain &normalizer,
                      NormalizerScratch &scratch);

  DecoderStep steps[capacity];
  size_t count = 0;
  bool joinsBySpaces = true; // without a decoder
  Buffer<char> strings;      // of the steps
  Buffer<char> texts;        // of the tokens
  Buffer<Token> tokens;      // by id
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_DETOKENIZER_H
