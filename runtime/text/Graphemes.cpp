//===- Graphemes.cpp - characters that hang together ----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One pass with what the rules remember of the cluster so far.
//
//===----------------------------------------------------------------------===//
#include "Graphemes.h"

#include "Utf8.h"

namespace attnrt {

#include "GraphemeTable.inc"

// The values of GraphemeTable.inc; the last two by arithmetic.
enum Class : uint8_t {
  Other,
  CarriageReturn,
  LineFeed,
  Control,
  Extend,
  Joiner,
  SpacingMark,
  Prepend,
  Lead,
  Vowel,
  Tail,
  Picture,
  Consonant,
  Linker,
  LeadVowel,
  LeadVowelTail
};

static Class classOf(uint32_t code) {
  if (code >= 0xAC00 && code < 0xAC00 + 11172)
    return (code - 0xAC00) % 28 ? LeadVowelTail : LeadVowel;
  size_t low = 0, high = sizeof(graphemeRanges) / sizeof(uint32_t);
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (graphemeRanges[middle] <= (code << 8 | 0xFF))
      low = middle;
    else
      high = middle;
  }
  return static_cast<Class>(graphemeRanges[low] & 0xFF);
}

static bool isBreaking(Class one) {
  return one == CarriageReturn || one == LineFeed || one == Control;
}

static bool hangs(Class one) {
  return one == Extend || one == Joiner || one == SpacingMark || one == Linker;
}

/// Whether two Hangul letters or syllables are one.
static bool joinsHangul(Class left, Class right) {
  switch (left) {
  case Lead:
    return right == Lead || right == Vowel || right == LeadVowel ||
           right == LeadVowelTail;
  case LeadVowel:
  case Vowel:
    return right == Vowel || right == Tail;
  case LeadVowelTail:
  case Tail:
    return right == Tail;
  default:
    return false;
  }
}

const char *clusterEnd(const char *at, const char *end) {
  Class before = classOf(decodeCharacter(at));
  bool picture = before == Picture;     // and only Extend since
  bool consonant = before == Consonant; // and only marks since
  bool linked = false;                  // of which one is a Linker
  bool joined = false;                  // `picture`, then a Joiner
  while (at != end) {
    if (!(at[0] & 0x80) && before == Other && *at >= 0x20 && *at != 0x7F)
      return at; // the usual case
    const char *next = at;
    Class here = classOf(decodeCharacter(next));
    if (before == CarriageReturn && here == LineFeed)
      return next;
    if (isBreaking(before) || isBreaking(here))
      return at;
    bool joins = hangs(here) || before == Prepend ||
                 joinsHangul(before, here) || (joined && here == Picture) ||
                 (linked && here == Consonant);
    if (!joins)
      return at;
    joined = picture && here == Joiner;
    picture =
        here == Picture || (picture && (here == Extend || here == Linker));
    linked = (linked || here == Linker) && consonant &&
             (here == Extend || here == Joiner || here == Linker);
    consonant =
        here == Consonant ||
        (consonant && (here == Extend || here == Joiner || here == Linker));
    before = here;
    at = next;
  }
  return end;
}

} // namespace attnrt
