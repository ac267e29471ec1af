//===- NormalizerChain.h - what happens to text before it is cut -*- C++
//-*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The normalizers of tokenizer.json, one behind the other: each rewrites the
// whole text. None at all leaves it as it came.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_NORMALIZERCHAIN_H
#define ATTN_RUNTIME_TEXT_NORMALIZERCHAIN_H

#include "BertNormalizer.h"
#include "CharacterMap.h"
#include "Json.h"
#include "UnicodeForms.h"

namespace attnrt {

struct NormalizerStep {
  enum class Kind : uint8_t {
    Bert,          ///< and Lowercase, which is one of its options
    Form,          ///< NFC, NFD, NFKC, NFKD
    StripAccents,  ///< drops marks of any kind
    Strip,         ///< white space off either end
    Replace,       ///< one string by another
    ReplaceSpaces, ///< `\s+`, or ` {2,}`, by a string
    Prepend,       ///< to text that is not empty
    Precompiled    ///< the chain's character map
  };
  Kind kind = Kind::Bert;
  NormalizationForm form = NormalizationForm::C;
  bool stripLeft = false;
  bool stripRight = false;
  bool anySpace = false; ///< ReplaceSpaces: `\s+`, else ` {2,}`
  BertNormalizer bert;
  // Strings, in the chain's text.
  size_t patternStart = 0, patternSize = 0;
  size_t contentStart = 0, contentSize = 0;
};

/// Working memory.
struct NormalizerScratch {
  explicit NormalizerScratch(Memory &memory)
      : first(memory, "text"), second(memory, "text"), marks(memory, "text") {}
  Buffer<char> first, second; // the text as one step leaves it, by turns
  Buffer<uint32_t> marks;
};

class NormalizerChain {
public:
  explicit NormalizerChain(Memory &memory)
      : map(memory), strings(memory, "normalizers") {}

  static constexpr size_t capacity = 16;
  /// False if there is no room.
  bool add(const NormalizerStep &step) {
    if (count == capacity)
      return false;
    steps[count++] = step;
    return true;
  }
  /// Keeps a string for a step. False if there is no memory.
  bool keep(const JsonString &string, size_t &start, size_t &size);

  CharacterMap map; ///< there is one at most

  Memory &memory() const { return strings.memory(); }
  size_t size() const { return count; }
  const NormalizerStep &operator[](size_t i) const { return steps[i]; }
  /// Whether some step lowers letters.
  bool lowercases() const;

  /// Replaces `text` by the normalized text, which lies in `scratch` unless
  /// nothing is to be done. `text` is valid UTF-8. False if there is no memory.
  bool apply(const char *&text, size_t &size, NormalizerScratch &scratch) const;

private:
  bool applyStep(const NormalizerStep &step, const char *text, size_t size,
                 Buffer<char> &out, Buffer<uint32_t> &marks) const;

  NormalizerStep steps[capacity];
  size_t count = 0;
  Buffer<char> strings;
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_NORMALIZERCHAIN_H
