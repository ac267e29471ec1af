//===- CharacterMap.cpp - SentencePiece's character map -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A unit holds a label in its low byte, whether a string belongs to what has
// been read so far, and how far its children are. Steps out of the array, which
// only a damaged file has, find nothing.
//
//===----------------------------------------------------------------------===//
#include "CharacterMap.h"

#include "Graphemes.h"
#include "Utf8.h"

namespace attnrt {

static int digitOf(char c) {
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (c >= '0' && c <= '9')
    return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/// Decodes base64 in place; false if it is not.
static bool decodeBase64(Buffer<char> &text) {
  size_t size = text.size();
  if (size % 4)
    return false;
  size_t padding = 0;
  while (padding < 2 && padding < size && text[size - 1 - padding] == '=')
    ++padding;
  size_t to = 0;
  for (size_t from = 0; from < size; from += 4) {
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; ++i) {
      int digit = from + i < size - padding ? digitOf(text[from + i]) : 0;
      if (digit < 0)
        return false;
      bits = bits << 6 | static_cast<uint32_t>(digit);
    }
    for (int shift = 16; shift >= 0; shift -= 8)
      text[to++] = static_cast<char>(bits >> shift);
  }
  text.resize(to - padding);
  return true;
}

const char *CharacterMap::read(Buffer<char> &encoded, bool &hasMemory) {
  if (!decodeBase64(encoded))
    return "is not base64";
  auto wordAt = [&](size_t at) {
    const unsigned char *b =
        reinterpret_cast<const unsigned char *>(encoded.data()) + at;
    return b[0] | uint32_t(b[1]) << 8 | uint32_t(b[2]) << 16 |
           uint32_t(b[3]) << 24;
  };
  size_t size = encoded.size();
  size_t count = size >= 4 ? wordAt(0) / 4 : 0;
  if (count == 0 || count > (size - 4) / 4)
    return "ends within its trie";
  size_t start = 4 + 4 * count;
  if (validPrefix(encoded.data() + start, size - start) != size - start)
    return "has strings that are not UTF-8";
  hasMemory = units.resize(count) &&
              strings.append(encoded.data() + start, size - start) &&
              strings.push('\0');
  if (!hasMemory)
    return "needs memory";
  for (size_t i = 0; i < count; ++i)
    units[i] = wordAt(4 + 4 * i);
  for (size_t c = 1; c < 128; ++c) {
    char text = static_cast<char>(c);
    mapsAscii[c] = find(&text, 1).text != nullptr;
  }
  return nullptr;
}

/// The string of the shortest beginning of the text that has one.
CharacterMap::Match CharacterMap::find(const char *text, size_t size) const {
  auto offset = [](uint32_t unit) {
    return size_t(unit >> 10) << ((unit & 1u << 9) >> 6);
  };
  size_t position = offset(units[0]);
  for (size_t i = 0; i < size; ++i) {
    unsigned char byte = static_cast<unsigned char>(text[i]);
    position ^= byte;
    if (byte == 0 || position >= units.size())
      break;
    uint32_t unit = units[position];
    if ((unit & (1u << 31 | 0xFF)) != byte)
      break;
    position ^= offset(unit);
    if (!(unit >> 8 & 1))
      continue;
    if (position >= units.size())
      break;
    size_t start = units[position] & 0x7FFFFFFF;
    // A string must start at a character, and the last one ends in NUL.
    if (start >= strings.size() || (strings[start] & 0xC0) == 0x80)
      break;
    const char *string = strings.data() + start;
    return {string, strlen(string)};
  }
  return {nullptr, 0};
}

bool CharacterMap::append(const char *text, size_t size,
                          Buffer<char> &out) const {
  for (const char *at = text, *end = text + size; at != end;) {
    const char *start = at;
    // ASCII in front of ASCII hangs together with nothing.
    while (at != end && *at > '\r' && !mapsAscii[static_cast<size_t>(*at)] &&
           (end - at == 1 || at[1] > '\r'))
      ++at;
    if (!out.append(start, static_cast<size_t>(at - start)))
      return false;
    if (at == end)
      break;
    const char *to = clusterEnd(at, end);
    if (to - at < 6) {
      Match whole = find(at, static_cast<size_t>(to - at));
      if (whole.text) {
        if (!out.append(whole.text, whole.size))
          return false;
        at = to;
        continue;
      }
    }
    while (at != to) {
      const char *one = at;
      decodeCharacter(at);
      Match match = find(one, static_cast<size_t>(at - one));
      if (match.text ? !out.append(match.text, match.size)
                     : !out.append(one, static_cast<size_t>(at - one)))
        return false;
    }
  }
  return true;
}

} // namespace attnrt
