//===- Unicode.cpp - what tokenizers know of characters -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Look-ups in sorted tables. Flags change rarely from one code point to the
// next, so they are kept as ranges; an index by blocks of 128 leaves a few
// steps of search in the basic plane. A general Unicode library would be ten
// times the size and would agree with no version that `tokenizers` uses.
//
//===----------------------------------------------------------------------===//
#include "Unicode.h"

#include "Utf8.h"

namespace attnrt {

namespace {
struct LowercaseRange {
  uint32_t first;
  uint32_t last;
  uint32_t step;
  int32_t delta;
};
} // namespace

#include "UnicodeTables.inc"

static constexpr size_t kRangeCount = sizeof(flagRanges) / sizeof(uint32_t);
static constexpr size_t kBlockCount = sizeof(flagBlocks) / sizeof(uint16_t) - 1;

uint8_t characterFlags(uint32_t code) {
  if (code > 0x10FFFF)
    return 0;
  size_t block = code >> 7;
  size_t low = flagBlocks[block < kBlockCount ? block : kBlockCount];
  size_t high = block < kBlockCount ? flagBlocks[block + 1] + 1u : kRangeCount;
  uint32_t key = code << 8 | 0xFF;
  return static_cast<uint8_t>(
      flagRanges[lastNotAbove(flagRanges, low, high, key)]);
}

int decompose(uint32_t code, uint32_t out[4]) {
  // Hangul syllables by arithmetic (Unicode, section 3.12).
  if (code >= 0xAC00 && code < 0xAC00 + 11172) {
    uint32_t syllable = code - 0xAC00;
    out[0] = 0x1100 + syllable / 588;
    out[1] = 0x1161 + syllable % 588 / 28;
    out[2] = 0x11A7 + syllable % 28;
    return syllable % 28 ? 3 : 2;
  }
  constexpr size_t entries = sizeof(decompositionCodes) / sizeof(uint32_t);
  size_t index =
      lastNotAbove<uint32_t>(decompositionCodes, 0, entries, code << 4 | 15);
  uint32_t entry = decompositionCodes[index];
  if (entry >> 4 != code) {
    out[0] = code;
    return 1;
  }
  const char *at = reinterpret_cast<const char *>(decompositionText) +
                   decompositionStarts[index];
  const char *end = at + (entry & 15);
  int count = 0;
  while (at != end)
    out[count++] = decodeCharacter(at);
  return count;
}

int lowercase(uint32_t code, uint32_t out[2]) {
  if (code == 0x130) { // capital I with dot: the only one that becomes two
    out[0] = 'i';
    out[1] = 0x307;
    return 2;
  }
  size_t low = 0, high = sizeof(lowercaseRanges) / sizeof(LowercaseRange);
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (lowercaseRanges[middle].first <= code)
      low = middle;
    else
      high = middle;
  }
  const LowercaseRange &range = lowercaseRanges[low];
  bool inside = code >= range.first && code <= range.last &&
                (code - range.first) % range.step == 0;
  out[0] = inside ? code + static_cast<uint32_t>(range.delta) : code;
  return 1;
}

} // namespace attnrt
