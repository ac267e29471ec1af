//===- Unicode.h - what tokenizers know of characters -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The properties and mappings of code points, exactly as HuggingFace's
// `tokenizers` sees them (UnicodeTables.inc, about 40 KB).
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_UNICODE_H
#define ATTN_RUNTIME_TEXT_UNICODE_H

#include <stddef.h>
#include <stdint.h>

namespace attnrt {

enum CharacterFlag : uint8_t {
  kDropped = 1,     ///< removed by cleaning: controls, format, private use
  kMark = 2,        ///< a nonspacing mark: an accent to strip
  kPunctuation = 4, ///< a token of its own, ASCII symbols included
  kWord = 8,        ///< \w: what a `single_word` token must not touch
  kDecomposes = 16, ///< has a canonical decomposition
  kLowers = 32,     ///< has another lower case
  kReorders = 64,   ///< has a nonzero canonical combining class
  kChinese = 128    ///< in BERT's ranges of CJK ideographs
};

/// Index of the last of `values[low]` to `values[high - 1]`, ascending, that is
/// not above `key`; the first must not be.
template <typename T>
size_t lastNotAbove(const T *values, size_t low, size_t high, T key) {
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (values[middle] <= key)
      low = middle;
    else
      high = middle;
  }
  return low;
}

/// The flags of a code point; 0 beyond U+10FFFF.
uint8_t characterFlags(uint32_t code);

/// White_Space of the Unicode standard.
inline bool isSpace(uint32_t code) {
  if (code < 0x80)
    return code == ' ' || (code >= 9 && code <= 13);
  return code == 0x85 || code == 0xA0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
         code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

/// Writes the full canonical decomposition of a code point that kDecomposes,
/// not yet put in order; returns how many code points, 4 at most.
int decompose(uint32_t code, uint32_t out[4]);

/// Writes the lower case of a code point that kLowers; returns how many code
/// points, 2 at most.
int lowercase(uint32_t code, uint32_t out[2]);

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_UNICODE_H
