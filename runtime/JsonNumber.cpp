//===- JsonNumber.cpp - numbers of JSON, checked for overflow -------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A number is scanned as text; integers are made of it digit by digit.
//
//===----------------------------------------------------------------------===//

#include "Json.h"

using namespace attnrt;

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
