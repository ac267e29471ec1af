//===- JsonString.cpp - strings of JSON, checked and decoded --------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Strings are checked completely while they are scanned: comparing and decoding
// them later has no error paths.
//
//===----------------------------------------------------------------------===//

#include "Json.h"

#include "text/Utf8.h"

#include <string.h>

using namespace attnrt;

namespace {

int hexDigit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

/// Reads the four digits of \uXXXX; -1 if they are not there.
int32_t hexUnit(const char *at, const char *end) {
  if (end - at < 4)
    return -1;
  int32_t unit = 0;
  for (int i = 0; i < 4; ++i) {
    int digit = hexDigit(at[i]);
    if (digit < 0)
      return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

bool isHighSurrogate(int32_t unit) { return unit >= 0xD800 && unit < 0xDC00; }
bool isLowSurrogate(int32_t unit) { return unit >= 0xDC00 && unit < 0xE000; }

char simpleEscape(char c) {
  switch (c) {
  case 'b':
    return '\b';
  case 'f':
    return '\f';
  case 'n':
    return '\n';
  case 'r':
    return '\r';
  case 't':
    return '\t';
  default:
    return c; // '"', '\\' and '/'; nothing else passes the scan
  }
}

/// Decodes the escape at `at` (behind the backslash) of a checked string into
/// at most four bytes, and moves `at` past it.
size_t decodeEscape(const char *&at, const char *end, char *out) {
  if (*at != 'u') {
    out[0] = simpleEscape(*at++);
    return 1;
  }
  int32_t code = hexUnit(at + 1, end);
  at += 5;
  if (isHighSurrogate(code)) {
    int32_t low = hexUnit(at + 2, end);
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    at += 6;
  }
  return encodeCharacter(static_cast<uint32_t>(code), out);
}

/// Hands out a string's decoded bytes one at a time.
class DecodedBytes {
public:
  explicit DecodedBytes(const JsonString &string)
      : at(string.text), end(string.text + string.size) {}

  bool next(char &byte) {
    if (used < held) {
      byte = buffer[used++];
      return true;
    }
    if (at == end)
      return false;
    if (*at != '\\') {
      byte = *at++;
      return true;
    }
    ++at;
    held = decodeEscape(at, end, buffer);
    used = 1;
    byte = buffer[0];
    return true;
  }

private:
  const char *at;
  const char *end;
  char buffer[4];
  size_t held = 0;
  size_t used = 0;
};

} // namespace

bool JsonString::equals(const char *other, size_t otherSize) const {
  if (!escaped)
    return size == otherSize && (size == 0 || memcmp(text, other, size) == 0);
  DecodedBytes bytes(*this);
  char byte;
  for (size_t i = 0; i < otherSize; ++i)
    if (!bytes.next(byte) || byte != other[i])
      return false;
  return !bytes.next(byte);
}

bool JsonString::operator==(const char *literal) const {
  return equals(literal, strlen(literal));
}

bool JsonString::operator==(const JsonString &other) const {
  if (!other.escaped)
    return equals(other.text, other.size);
  DecodedBytes left(*this), right(other);
  char a, b;
  for (;;) {
    bool hasLeft = left.next(a), hasRight = right.next(b);
    if (!hasLeft || !hasRight)
      return hasLeft == hasRight;
    if (a != b)
      return false;
  }
}

size_t JsonString::decode(char *out) const {
  if (!escaped) {
    if (size)
      memcpy(out, text, size);
    return size;
  }
  DecodedBytes bytes(*this);
  size_t count = 0;
  for (char byte; bytes.next(byte);)
    out[count++] = byte;
  return count;
}

bool JsonReader::scanString(JsonString &value) {
  ++position; // the opening quote
  value.text = position;
  value.escaped = false;
  while (position != end) {
    unsigned char c = static_cast<unsigned char>(*position);
    if (c == '"') {
      value.size = static_cast<size_t>(position - value.text);
      ++position;
      return true;
    }
    if (c < 0x20)
      return fail("a control character in a string");
    if (c >= 0x80) {
      size_t length;
      if (!scanCharacter(position, static_cast<size_t>(end - position), length))
        return fail("a string is not valid UTF-8");
      position += length;
      continue;
    }
    if (c != '\\') {
      ++position;
      continue;
    }
    value.escaped = true;
    if (end - position < 2)
      break;
    char kind = position[1];
    if (kind != 'u') {
      // NOLINTNEXTLINE(bugprone-not-null-terminated-result): 8 characters
      if (!memchr("\"\\/bfnrt", kind, 8))
        return fail("an unknown escape in a string");
      position += 2;
      continue;
    }
    int32_t unit = hexUnit(position + 2, end);
    if (unit < 0)
      return fail("\\u needs four hexadecimal digits");
    if (isLowSurrogate(unit))
      return fail("half of a surrogate pair in a string");
    if (isHighSurrogate(unit)) {
      if (end - position < 12 || position[6] != '\\' || position[7] != 'u' ||
          !isLowSurrogate(hexUnit(position + 8, end)))
        return fail("half of a surrogate pair in a string");
      position += 6;
    }
    position += 6;
  }
  return fail("a string has no closing quote");
}
