//===- UnicodeForms.h - letters, numbers, normalization forms ---*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What byte-level BPE and SentencePiece need of Unicode beyond Unicode.h, again
// exactly as HuggingFace's `tokenizers` sees it (FormTables.inc, about 45 KB).
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_UNICODEFORMS_H
#define ATTN_RUNTIME_TEXT_UNICODEFORMS_H

#include "Buffer.h"

namespace attnrt {

enum CharacterClass : uint8_t {
  kLetter = 1, ///< \p{L} of regular expressions
  kNumber = 2, ///< \p{N}
  kAccent = 4, ///< dropped by the normalizer StripAccents: marks of any kind
  kDigit = 8   ///< cut by the pre_tokenizer Digits: \p{N} of a later Unicode
};

/// The classes of a code point; 0 beyond U+10FFFF.
uint8_t characterClasses(uint32_t code);

/// Orders combining marks as canonical combining classes do; 0 for code points
/// that start a sequence of marks.
uint8_t combiningRank(uint32_t code);

enum class NormalizationForm : uint8_t { C, D, KC, KD };

/// Appends the text in a normalization form. `text` is valid UTF-8. `marks` is
/// working memory. False if there is no memory.
bool appendNormalized(NormalizationForm form, const char *text, size_t size,
                      Buffer<char> &out, Buffer<uint32_t> &marks);

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_UNICODEFORMS_H
