//===- SplitPatterns.cpp - cutting as known regular expressions do --------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The alternatives of each expression are tried in their order, as the engine
// does that backtracks. White space is where order matters: a run gives its
// last character to the word behind it.
//
//===----------------------------------------------------------------------===//
#include "SplitPatterns.h"

#include "Unicode.h"
#include "UnicodeForms.h"
#include "Utf8.h"

#include <string.h>

namespace attnrt {

namespace {
enum class Class : uint8_t { Letter, Number, Space, Other };

Class classOf(uint32_t code) {
  if (isSpace(code))
    return Class::Space;
  uint8_t classes = characterClasses(code);
  return classes & kLetter   ? Class::Letter
         : classes & kNumber ? Class::Number
                             : Class::Other;
}

/// The class of the character at `at`; moves past it.
Class take(const char *&at) { return classOf(decodeCharacter(at)); }

/// Moves past at most `most` characters of a class.
const char *run(const char *at, const char *end, Class wanted,
                size_t most = SIZE_MAX) {
  while (at != end && most-- > 0) {
    const char *next = at;
    if (take(next) != wanted)
      break;
    at = next;
  }
  return at;
}

bool isNewline(char byte) { return byte == '\n' || byte == '\r'; }

/// `\s+(?!\S)|\s+` at white space.
const char *matchSpaces(const char *at, const char *end) {
  const char *last = at, *next = at;
  while (next != end) {
    const char *before = next;
    if (take(next) != Class::Space) {
      // The run ends in front of a word: all but its last character, unless
      // that is all there is.
      return last == at ? before : last;
    }
    last = before;
  }
  return end;
}

/// `\s*[\r\n]+|\s+(?!\S)|\s+` at white space.
const char *matchLinesOrSpaces(const char *at, const char *end) {
  const char *behindNewline = nullptr;
  for (const char *next = at; next != end;) {
    bool newline = isNewline(*next);
    if (take(next) != Class::Space)
      break;
    if (newline)
      behindNewline = next;
  }
  return behindNewline ? behindNewline : matchSpaces(at, end);
}

/// `'s|'t|'re|'ve|'m|'ll|'d`, or `at`. Where case does not matter, the long s
/// (U+017F) is an s too.
const char *matchContraction(const char *at, const char *end, bool anyCase) {
  if (*at != '\'' || end - at < 2)
    return at;
  auto lower = [anyCase](char c) {
    return anyCase && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a')
                                           : c;
  };
  char first = lower(at[1]);
  if (first == 's' || first == 't' || first == 'm' || first == 'd')
    return at + 2;
  if (end - at < 3)
    return at;
  char second = lower(at[2]);
  if (((first == 'r' || first == 'v') && second == 'e') ||
      (first == 'l' && second == 'l') ||
      (anyCase && at[1] == '\xC5' && at[2] == '\xBF'))
    return at + 3;
  return at;
}

/// `'s|...|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`.
const char *matchClip(const char *at, const char *end) {
  const char *contraction = matchContraction(at, end, false);
  if (contraction != at)
    return contraction;
  const char *next = at;
  Class first = take(next);
  if (first == Class::Space)
    return at;
  return first == Class::Number ? next : run(next, end, first);
}

/// The same after `<\|startoftext\|>|<\|endoftext\|>`, as newer files have it:
/// the marks stay whole where they are no added tokens.
const char *matchMarkedClip(const char *at, const char *end) {
  static const char *const marks[] = {"<|startoftext|>", "<|endoftext|>"};
  for (const char *mark : marks) {
    size_t length = strlen(mark);
    if (size_t(end - at) >= length && memcmp(at, mark, length) == 0)
      return at + length;
  }
  return matchClip(at, end);
}

/// The expressions of Llama 3 and of those that took it over with another
/// number of digits:
/// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
///  ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
const char *matchLlama(const char *at, const char *end, size_t digits) {
  const char *contraction = matchContraction(at, end, true);
  if (contraction != at)
    return contraction;
  const char *next = at;
  Class first = take(next);
  if (first == Class::Letter)
    return run(next, end, Class::Letter);
  if (first == Class::Number)
    return run(at, end, Class::Number, digits);
  if (!isNewline(*at)) {
    const char *letters = run(next, end, Class::Letter);
    if (letters != next)
      return letters;
  }
  const char *start = at + (*at == ' ');
  const char *others = run(start, end, Class::Other);
  if (others != start) {
    while (others != end && isNewline(*others))
      ++others;
    return others;
  }
  return matchLinesOrSpaces(at, end);
}

const char *matchLlama3(const char *at, const char *end) {
  return matchLlama(at, end, 3);
}

const char *matchQwen2(const char *at, const char *end) {
  return matchLlama(at, end, 1);
}
/// ` ?[^(\s|[.,!?…。，、।۔،])]+`: nested brackets are one set with what is
/// around them.
const char *matchBloom(const char *at, const char *end) {
  static const uint32_t marks[] = {'(',    ')',   '|',    '.',    ',',
                                   '!',    '?',   0x2026, 0x3002, 0xFF0C,
                                   0x3001, 0x964, 0x6D4,  0x60C};
  const char *start = *at == ' ' ? at + 1 : at, *to = start;
  for (const char *next = to; next != end; to = next) {
    uint32_t code = decodeCharacter(next);
    bool apart = isSpace(code);
    for (uint32_t mark : marks)
      apart |= code == mark;
    if (apart)
      break;
  }
  return to == start ? at : to;
}

/// `[0-9][0-9][0-9]`.
const char *matchThreeDigits(const char *at, const char *end) {
  if (end - at < 3)
    return at;
  for (int i = 0; i < 3; ++i)
    if (at[i] < '0' || at[i] > '9')
      return at;
  return at + 3;
}

} // namespace

const char *matchGpt2(const char *at, const char *end) {
  const char *contraction = matchContraction(at, end, false);
  if (contraction != at)
    return contraction;
  const char *next = at;
  Class first = take(next);
  if (*at == ' ' && next != end)
    first = take(next);
  if (first != Class::Space)
    return run(next, end, first);
  return matchSpaces(at, end);
}

const char *matchOneSpace(const char *at, const char *) {
  return at + (*at == ' ');
}

const char *const kKnownSplitPatterns =
    "those of GPT-2, BLOOM, CLIP, Falcon, Llama 3, Qwen 2, and one space";

SplitPattern findSplitPattern(const JsonString &expression) {
  static const struct {
    const char *text;
    SplitPattern match;
  } known[] = {
      {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
       matchGpt2},
      {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
       matchLlama3},
      {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
       matchQwen2},
      {R"('s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)",
       matchClip},
      {R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)",
       matchMarkedClip},
      {R"( ?[^(\s|[.,!?…。，、।۔،])]+)", matchBloom},
      {"[0-9][0-9][0-9]", matchThreeDigits},
  };
  for (const auto &one : known)
    if (expression == one.text)
      return one.match;
  return nullptr;
}

} // namespace attnrt
