//===- Json.cpp - strict reading of JSON, in place ------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The pull reader. Nesting is one bit per level, so skip() needs no recursion
// and hostile depth costs nothing. Strings and numbers: JsonString.cpp,
// JsonNumber.cpp.
//
//===----------------------------------------------------------------------===//

#include "Json.h"

#include <string.h>

using namespace attnrt;

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
