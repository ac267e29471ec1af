//===- Utf8.h - reading and writing UTF-8 -----------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Decoding for text that is known to be valid, and the check that finds out
// (table 3-7 of the Unicode standard: no surrogates, no overlong forms).
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_UTF8_H
#define ATTN_RUNTIME_TEXT_UTF8_H

#include <stddef.h>
#include <stdint.h>

namespace attnrt {

template <typename T> class Buffer;

/// Reads one code point from valid UTF-8 and moves `at` past it.
inline uint32_t decodeCharacter(const char *&at) {
  const unsigned char *s = reinterpret_cast<const unsigned char *>(at);
  uint32_t lead = s[0];
  if (lead < 0x80) {
    at += 1;
    return lead;
  }
  if (lead < 0xE0) {
    at += 2;
    return (lead & 0x1F) << 6 | (s[1] & 0x3Fu);
  }
  if (lead < 0xF0) {
    at += 3;
    return (lead & 0xF) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
  }
  at += 4;
  return (lead & 7) << 18 | (s[1] & 0x3Fu) << 12 | (s[2] & 0x3Fu) << 6 |
         (s[3] & 0x3Fu);
}

/// Reads the code point that ends at `at` (exclusive) in valid UTF-8.
inline uint32_t decodeCharacterBefore(const char *at) {
  do
    --at;
  while ((*at & 0xC0) == 0x80);
  return decodeCharacter(at);
}

/// Writes a code point as UTF-8; returns how many bytes, 4 at most.
size_t encodeCharacter(uint32_t code, char *out);

/// Looks at the sequence that starts at `at` (`left` >= 1 bytes). Returns true
/// and its length if it is a well-formed character; else false and the length
/// of the maximal subpart that one U+FFFD replaces (Unicode, section 3.9).
bool scanCharacter(const char *at, size_t left, size_t &length);

/// Bytes at the start of the text that are well-formed UTF-8.
size_t validPrefix(const char *text, size_t size);

/// Appends a text with U+FFFD for each maximal subpart that is not well-formed;
/// false if there is no memory.
bool appendValid(const char *text, size_t size, Buffer<char> &out);

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_UTF8_H
