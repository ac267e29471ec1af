//===- Json.cpp - strict reading of JSON, in place
//--------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The pull reader. Nesting is one bit per level, so skip() needs no recursion
// and hostile depth costs nothing. Strings are checked completely while they
// are scanned: comparing and decoding them later has no error paths.
//
//===----------------------------------------------------------------------===//

#include "Json.h"

#include "text/Utf8.h"

#include <string.h>

using namespace attnrt;

//===----------------------------------------------------------------------===//
// Strings
//===----------------------------------------------------------------------===//

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

size_t JsonString::decodedSize() const {
  if (!escaped)
    return size;
  DecodedBytes bytes(*this);
  size_t count = 0;
  for (char byte; bytes.next(byte);)
    ++count;
  return count;
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

const char *attnrt::describe(JsonKind kind) {
  switch (kind) {
  case JsonKind::Null:
    return "null";
  case JsonKind::Boolean:
    return "a boolean";
  case JsonKind::Number:
    return "a number";
  case JsonKind::String:
    return "a string";
  case JsonKind::Array:
    return "an array";
  case JsonKind::Object:
    return "an object";
  case JsonKind::Invalid:
    break;
  }
  return "no JSON value";
}

//===----------------------------------------------------------------------===//
// Scanning
//===----------------------------------------------------------------------===//

JsonReader::JsonReader(const char *text, size_t size)
    : begin(text), position(text), end(text + size) {}

bool JsonReader::fail(const char *why) {
  if (!message)
    message = why;
  return false;
}

void JsonReader::skipSpace() {
  while (position != end && (*position == ' ' || *position == '\n' ||
                             *position == '\t' || *position == '\r'))
    ++position;
}

JsonKind JsonReader::peek() {
  if (message)
    return JsonKind::Invalid;
  skipSpace();
  if (position == end)
    return JsonKind::Invalid;
  switch (*position) {
  case 'n':
    return JsonKind::Null;
  case 't':
  case 'f':
    return JsonKind::Boolean;
  case '"':
    return JsonKind::String;
  case '[':
    return JsonKind::Array;
  case '{':
    return JsonKind::Object;
  default:
    return *position == '-' || (*position >= '0' && *position <= '9')
               ? JsonKind::Number
               : JsonKind::Invalid;
  }
}

bool JsonReader::expect(JsonKind kind) {
  JsonKind found = peek();
  if (message)
    return false;
  if (found == kind)
    return true;
  if (found == JsonKind::Invalid)
    return fail(position == end ? "the text ends where a value is expected"
                                : "expected a value");
  switch (kind) {
  case JsonKind::Null:
    return fail("expected null");
  case JsonKind::Boolean:
    return fail("expected true or false");
  case JsonKind::Number:
    return fail("expected a number");
  case JsonKind::String:
    return fail("expected a string");
  case JsonKind::Array:
    return fail("expected an array");
  default:
    return fail("expected an object");
  }
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

bool JsonReader::scanNumber() {
  auto digits = [this] {
    const char *start = position;
    while (position != end && *position >= '0' && *position <= '9')
      ++position;
    return position != start;
  };
  if (*position == '-')
    ++position;
  const char *integer = position;
  if (!digits())
    return fail("a number has no digits");
  if (*integer == '0' && position - integer > 1)
    return fail("a number starts with 0");
  if (position != end && *position == '.') {
    ++position;
    if (!digits())
      return fail("a number has no digits behind its point");
  }
  if (position != end && (*position == 'e' || *position == 'E')) {
    ++position;
    if (position != end && (*position == '+' || *position == '-'))
      ++position;
    if (!digits())
      return fail("a number has no digits in its exponent");
  }
  return true;
}

bool JsonReader::scanLiteral(const char *literal, size_t size) {
  if (static_cast<size_t>(end - position) < size ||
      memcmp(position, literal, size) != 0)
    return fail("expected a value");
  position += size;
  return true;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

bool JsonReader::enter(JsonKind kind) {
  if (!expect(kind))
    return false;
  if (depth == maximumDepth)
    return fail("nested too deeply");
  uint64_t bit = uint64_t(1) << depth;
  objects = kind == JsonKind::Object ? objects | bit : objects & ~bit;
  ++depth;
  ++position;
  fresh = true;
  return true;
}

bool JsonReader::enterObject() { return enter(JsonKind::Object); }
bool JsonReader::enterArray() { return enter(JsonKind::Array); }

/// Steps to the next element; false at the end of the container.
bool JsonReader::next(bool isObject) {
  if (message)
    return false;
  if (depth == 0 || (objects >> (depth - 1) & 1) != (isObject ? 1u : 0u))
    return fail("the reader stands in a container of the other type");
  skipSpace();
  if (position == end)
    return fail(isObject ? "an object has no closing brace"
                         : "an array has no closing bracket");
  if (*position == (isObject ? '}' : ']')) {
    ++position;
    --depth;
    fresh = false; // the container around it now has this element
    return false;
  }
  if (!fresh) {
    if (*position != ',')
      return fail(isObject ? "expected ',' or '}'" : "expected ',' or ']'");
    ++position;
    skipSpace();
    if (position != end && (*position == '}' || *position == ']'))
      return fail("a comma with nothing behind it");
  }
  fresh = false;
  return true;
}

bool JsonReader::nextMember(JsonString &key) {
  if (!next(true))
    return false;
  if (peek() != JsonKind::String)
    return fail("expected a key in quotes");
  if (!scanString(key))
    return false;
  skipSpace();
  if (position == end || *position != ':')
    return fail("expected ':' behind a key");
  ++position;
  return true;
}

bool JsonReader::nextElement() { return next(false); }

bool JsonReader::readString(JsonString &value) {
  return expect(JsonKind::String) && scanString(value);
}

bool JsonReader::readBoolean(bool &value) {
  if (!expect(JsonKind::Boolean))
    return false;
  bool isTrue = *position == 't';
  if (!(isTrue ? scanLiteral("true", 4) : scanLiteral("false", 5)))
    return false;
  value = isTrue;
  return true;
}

bool JsonReader::readNull() {
  return expect(JsonKind::Null) && scanLiteral("null", 4);
}

bool JsonReader::readNumber(const char *&text, size_t &size) {
  if (!expect(JsonKind::Number))
    return false;
  const char *start = position;
  if (!scanNumber())
    return false;
  text = start;
  size = static_cast<size_t>(position - start);
  return true;
}

namespace {
/// Digits to a number; false if one is no digit or the number has no room.
bool parseDigits(const char *at, const char *end, uint64_t &value) {
  value = 0;
  for (; at != end; ++at) {
    if (*at < '0' || *at > '9')
      return false;
    uint64_t digit = static_cast<uint64_t>(*at - '0');
    if (value > (UINT64_MAX - digit) / 10)
      return false;
    value = value * 10 + digit;
  }
  return true;
}
} // namespace

bool JsonReader::readUnsigned(uint64_t &value) {
  const char *text;
  size_t size;
  if (!readNumber(text, size))
    return false;
  uint64_t result;
  if (!parseDigits(text, text + size, result)) {
    position = text;
    return fail("expected an integer from 0 to 2^64-1");
  }
  value = result;
  return true;
}

bool JsonReader::readInteger(int64_t &value) {
  const char *text;
  size_t size;
  if (!readNumber(text, size))
    return false;
  bool negative = text[0] == '-';
  uint64_t magnitude;
  uint64_t limit = uint64_t(INT64_MAX) + (negative ? 1 : 0);
  if (!parseDigits(text + negative, text + size, magnitude) ||
      magnitude > limit) {
    position = text;
    return fail("expected an integer from -2^63 to 2^63-1");
  }
  value = static_cast<int64_t>(negative ? 0 - magnitude : magnitude);
  return true;
}

bool JsonReader::skip() {
  uint32_t outside = depth;
  do {
    JsonString string;
    bool boolean;
    const char *number;
    size_t size;
    switch (peek()) {
    case JsonKind::Object:
      enterObject();
      break;
    case JsonKind::Array:
      enterArray();
      break;
    case JsonKind::String:
      readString(string);
      break;
    case JsonKind::Number:
      readNumber(number, size);
      break;
    case JsonKind::Boolean:
      readBoolean(boolean);
      break;
    default: // null, or an error that expect() words
      readNull();
    }
    // Leave every container that ends here; stop in front of the next value.
    while (!message && depth > outside) {
      bool more =
          objects >> (depth - 1) & 1 ? nextMember(string) : nextElement();
      if (more)
        break;
    }
  } while (!message && depth > outside);
  return !message;
}

bool JsonReader::finish() {
  if (message)
    return false;
  if (depth != 0)
    return fail("the text was not read to its end");
  skipSpace();
  if (position != end)
    return fail("text behind the end of the value");
  return true;
}
