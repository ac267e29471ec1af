//===- PreTokenizer.cpp - cutting text into words -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each step hands its pieces to the next one as it finds them, so that cutting
// ends with the last word that is wanted. Steps are few: recursion is shallow.
//
//===----------------------------------------------------------------------===//
#include "PreTokenizer.h"

#include "Unicode.h"
#include "UnicodeForms.h"
#include "Utf8.h"

namespace attnrt {

using Kind = PreTokenizerStep::Kind;
using Prefix = PreTokenizerStep::Prefix;

static size_t countCharacters(const char *text, size_t size) {
  size_t characters = 0;
  for (size_t i = 0; i < size; ++i)
    characters += (text[i] & 0xC0) != 0x80;
  return characters;
}

/// The character that stands for a byte in byte-level BPE: printable ones of
/// Latin-1 for themselves, the others from U+0100 on.
static uint32_t characterOfByte(unsigned char byte) {
  if (byte <= 0x20)
    return 0x100u + byte;
  if (byte < 0x7F)
    return byte;
  if (byte <= 0xA0)
    return 0x121u + byte - 0x7F;
  return byte == 0xAD ? 0x143 : byte;
}

bool PreTokenizer::cut(const char *text, size_t size, bool first,
                       Buffer<char> &rewritten, WordSink sink,
                       bool &failed) const {
  Call call = {rewritten, sink, false};
  bool wanted = cutFrom(0, text, size, first, call);
  failed = call.failed;
  return wanted;
}

bool PreTokenizer::cutFrom(size_t step, const char *text, size_t size,
                           bool first, Call &call) const {
  if (size == 0)
    return true;
  if (step == count)
    return call.sink.take(call.sink.context, text, size,
                          countCharacters(text, size));
  switch (steps[step].kind) {
  case Kind::Bert:
    return cutBert(step, text, size, first, true, call);
  case Kind::WhiteSpace:
    return cutBert(step, text, size, first, false, call);
  case Kind::Split:
    return cutByPattern(step, text, size, first, call);
  case Kind::Classes:
    return cutByClass(step, text, size, first, call);
  case Kind::ByteLevel:
    return cutBytes(step, text, size, call);
  case Kind::Metaspace:
    return cutMetaspace(text, size, first, call);
  }
  return false;
}

/// Cuts at white space, which goes, and around punctuation, which stays.
bool PreTokenizer::cutBert(size_t step, const char *text, size_t size,
                           bool first, bool punctuation, Call &call) const {
  const char *end = text + size, *word = text;
  // The usual case, one step alone, counts characters in passing.
  bool last = step + 1 == count;
  auto hand = [&](const char *from, const char *to, size_t characters) {
    size_t length = static_cast<size_t>(to - from);
    return last ? call.sink.take(call.sink.context, from, length, characters)
                : cutFrom(step + 1, from, length, first && from == text, call);
  };
  size_t characters = 0;
  for (const char *at = text; at != end;) {
    const char *start = at;
    uint32_t code = decodeCharacter(at);
    bool space = isSpace(code);
    bool alone = !space && punctuation && characterFlags(code) & kPunctuation;
    if (!space && !alone) {
      ++characters;
      continue;
    }
    if (characters && !hand(word, start, characters))
      return false;
    if (alone && !hand(start, at, 1))
      return false;
    word = at;
    characters = 0;
  }
  return !characters || hand(word, end, characters);
}

bool PreTokenizer::cutByPattern(size_t step, const char *text, size_t size,
                                bool first, Call &call) const {
  const PreTokenizerStep &split = steps[step];
  const char *end = text + size, *gap = text;
  auto handGap = [&](const char *to) {
    return split.dropsGaps ||
           cutFrom(step + 1, gap, static_cast<size_t>(to - gap),
                   first && gap == text, call);
  };
  for (const char *at = text; at != end;) {
    const char *to = split.pattern(at, end);
    if (to == at) {
      decodeCharacter(at);
      continue;
    }
    if (split.joinsGaps)
      at = gap;
    else if (!handGap(at))
      return false;
    if (!cutFrom(step + 1, at, static_cast<size_t>(to - at),
                 first && at == text, call))
      return false;
    gap = at = to;
  }
  return handGap(end);
}

/// Cuts between characters of a class and others, and within runs of the class
/// unless they stay together.
bool PreTokenizer::cutByClass(size_t step, const char *text, size_t size,
                              bool first, Call &call) const {
  const PreTokenizerStep &classes = steps[step];
  auto isOne = [&](uint32_t code) {
    return classes.digits ? (characterClasses(code) & kDigit) != 0
                          : (characterFlags(code) & kPunctuation) != 0;
  };
  const char *end = text + size, *piece = text;
  bool before = false;
  for (const char *at = text; at != end;) {
    const char *start = at;
    bool one = isOne(decodeCharacter(at));
    bool cuts = one != before || (one && !classes.together);
    before = one;
    if (start == text || !cuts)
      continue;
    if (!cutFrom(step + 1, piece, static_cast<size_t>(start - piece),
                 first && piece == text, call))
      return false;
    piece = start;
  }
  return cutFrom(step + 1, piece, static_cast<size_t>(end - piece),
                 first && piece == text, call);
}

/// Puts a space in front, cuts by the pattern, and writes each byte as a
/// character.
bool PreTokenizer::cutBytes(size_t index, const char *text, size_t size,
                            Call &call) const {
  const PreTokenizerStep &step = steps[index];
  Buffer<char> &out = call.rewritten;
  bool prefix = step.prefix == Prefix::Always && text[0] != ' ';
  // The text with its space, and behind it room for a word of two bytes each.
  if (size > SIZE_MAX / 8) {
    call.failed = true;
    return false;
  }
  out.clear();
  if (!out.reserve(3 * (size + 1))) {
    call.failed = true;
    return false;
  }
  if (prefix) {
    out.push(' ');
    out.append(text, size);
    text = out.data();
    ++size;
  }
  char *word = out.data() + (prefix ? size : 0);
  for (const char *at = text, *end = text + size; at != end;) {
    const char *to = step.pattern ? step.pattern(at, end) : end;
    char *into = word;
    size_t characters = static_cast<size_t>(to - at);
    for (; at != to; ++at) {
      uint32_t code = characterOfByte(static_cast<unsigned char>(*at));
      if (code < 0x80) {
        *into++ = static_cast<char>(code);
      } else {
        *into++ = static_cast<char>(0xC0 | code >> 6);
        *into++ = static_cast<char>(0x80 | (code & 0x3F));
      }
    }
    size_t length = static_cast<size_t>(into - word);
    // Mostly nothing follows, and the characters are counted already.
    if (index + 1 == count
            ? !call.sink.take(call.sink.context, word, length, characters)
            : !cutFrom(index + 1, word, length, false, call))
      return false;
  }
  return true;
}

/// Writes spaces as the replacement and puts one in front; cuts before each.
bool PreTokenizer::cutMetaspace(const char *text, size_t size, bool first,
                                Call &call) const {
  const PreTokenizerStep &step = *last();
  Buffer<char> &out = call.rewritten;
  out.clear();
  bool starts = text[0] == ' ' ||
                (size >= step.replacementSize &&
                 memcmp(text, step.replacement, step.replacementSize) == 0);
  bool prefix = !starts && (step.prefix == Prefix::Always ||
                            (step.prefix == Prefix::First && first));
  bool done = !prefix || out.append(step.replacement, step.replacementSize);
  for (const char *at = text, *end = text + size; done && at != end;) {
    const char *space = static_cast<const char *>(
        memchr(at, ' ', static_cast<size_t>(end - at)));
    done = out.append(at, static_cast<size_t>((space ? space : end) - at));
    at = space ? space + 1 : end;
    if (space)
      done = done && out.append(step.replacement, step.replacementSize);
  }
  if (!done) {
    call.failed = true;
    return false;
  }
  const char *end = out.end();
  for (const char *word = out.begin(); word != end;) {
    const char *to = end;
    if (step.cuts) {
      const char *from = word;
      decodeCharacter(from);
      void *found = memmem(from, static_cast<size_t>(end - from),
                           step.replacement, step.replacementSize);
      to = found ? static_cast<const char *>(found) : end;
    }
    size_t length = static_cast<size_t>(to - word);
    if (!call.sink.take(call.sink.context, word, length,
                        countCharacters(word, length)))
      return false;
    word = to;
  }
  return true;
}

} // namespace attnrt
