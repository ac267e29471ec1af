//===- Utf8.cpp - reading and writing UTF-8 -------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The parts that are not worth inlining.
//
//===----------------------------------------------------------------------===//
#include "Utf8.h"

#include "Buffer.h"

#include <string.h>

namespace attnrt {

size_t encodeCharacter(uint32_t code, char *out) {
  if (code < 0x80) {
    out[0] = static_cast<char>(code);
    return 1;
  }
  if (code < 0x800) {
    out[0] = static_cast<char>(0xC0 | code >> 6);
    out[1] = static_cast<char>(0x80 | (code & 0x3F));
    return 2;
  }
  if (code < 0x10000) {
    out[0] = static_cast<char>(0xE0 | code >> 12);
    out[1] = static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out[2] = static_cast<char>(0x80 | (code & 0x3F));
    return 3;
  }
  out[0] = static_cast<char>(0xF0 | code >> 18);
  out[1] = static_cast<char>(0x80 | (code >> 12 & 0x3F));
  out[2] = static_cast<char>(0x80 | (code >> 6 & 0x3F));
  out[3] = static_cast<char>(0x80 | (code & 0x3F));
  return 4;
}

bool scanCharacter(const char *at, size_t left, size_t &length) {
  const unsigned char *s = reinterpret_cast<const unsigned char *>(at);
  length = 1;
  if (s[0] < 0x80)
    return true;
  if (s[0] < 0xC2 || s[0] > 0xF4)
    return false;
  size_t wanted = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
  // The second byte has narrower bounds behind four of the lead bytes.
  unsigned char low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
  unsigned char high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
  while (length < wanted) {
    if (length == left || s[length] < low || s[length] > high)
      return false;
    low = 0x80;
    high = 0xBF;
    ++length;
  }
  return true;
}

size_t validPrefix(const char *text, size_t size) {
  size_t at = 0;
  while (at < size) {
    if (size - at >= 8) { // runs of ASCII, eight bytes at a time
      uint64_t word;
      memcpy(&word, text + at, 8);
      if (!(word & 0x8080808080808080u)) {
        at += 8;
        continue;
      }
    }
    size_t length;
    if (!scanCharacter(text + at, size - at, length))
      break;
    at += length;
  }
  return at;
}

bool appendValid(const char *text, size_t size, Buffer<char> &out) {
  while (size) {
    size_t valid = validPrefix(text, size);
    if (!out.append(text, valid))
      return false;
    text += valid;
    size -= valid;
    if (!size)
      break;
    size_t length;
    scanCharacter(text, size, length);
    text += length;
    size -= length;
    if (!out.append("\xEF\xBF\xBD", 3))
      return false;
  }
  return true;
}

} // namespace attnrt
