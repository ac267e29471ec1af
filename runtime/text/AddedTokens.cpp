//===- AddedTokens.cpp - tokens that are found in the text as they stand --===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tokens are kept sorted, so that matching narrows a range of them byte by
// byte: those of exactly the length reached come first in the range.
//
//===----------------------------------------------------------------------===//
#include "AddedTokens.h"

#include "Unicode.h"
#include "Utf8.h"

namespace attnrt {

/// Orders by bytes, a beginning before what it begins.
static int compare(const AddedToken &a, const AddedToken &b) {
  size_t common = a.size < b.size ? a.size : b.size;
  int order = memcmp(a.text, b.text, common);
  if (order != 0)
    return order;
  return a.size < b.size ? -1 : a.size > b.size;
}

const AddedToken *AddedTokenSet::sort() {
  // Shell's sort; the gaps are Knuth's.
  size_t gap = 1;
  while (gap < tokens.size() / 3)
    gap = gap * 3 + 1;
  for (; gap > 0; gap /= 3)
    for (size_t i = gap; i < tokens.size(); ++i) {
      AddedToken token = tokens[i];
      size_t to = i;
      for (; to >= gap && compare(tokens[to - gap], token) > 0; to -= gap)
        tokens[to] = tokens[to - gap];
      tokens[to] = token;
    }
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && compare(tokens[i - 1], tokens[i]) == 0)
      return &tokens[i];
    ++starts[static_cast<unsigned char>(tokens[i].text[0]) + 1];
  }
  for (size_t byte = 0; byte < 256; ++byte)
    starts[byte + 1] += starts[byte];
  return nullptr;
}

bool AddedTokenSet::mayStartAt(const char *at, size_t left) const {
  unsigned char first = static_cast<unsigned char>(at[0]);
  for (size_t i = starts[first]; i < starts[first + 1]; ++i) {
    size_t size = tokens[i].size < left ? tokens[i].size : left;
    if (memcmp(tokens[i].text, at, size) == 0)
      return true;
  }
  return false;
}

const AddedToken *AddedTokenSet::longestAt(const char *at, size_t left) const {
  unsigned char first = static_cast<unsigned char>(at[0]);
  size_t low = starts[first], high = starts[first + 1];
  const AddedToken *best = nullptr;
  // Tokens low .. high-1 start with `depth` bytes of the text.
  for (size_t depth = 1; low < high; ++depth) {
    if (tokens[low].size == depth)
      best = &tokens[low++];
    if (depth == left)
      break;
    unsigned char byte = static_cast<unsigned char>(at[depth]);
    auto firstNotBelow = [&](unsigned bound) {
      size_t from = low, to = high;
      while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (static_cast<unsigned char>(tokens[middle].text[depth]) < bound)
          from = middle + 1;
        else
          to = middle;
      }
      return from;
    };
    size_t next = firstNotBelow(byte);
    high = firstNotBelow(byte + 1u);
    low = next;
  }
  return best;
}

bool AddedTokenScanner::next(TextSegment &segment) {
  if (waiting.id >= 0) {
    segment = waiting;
    waiting.id = -1;
    return true;
  }
  if (set.empty())
    cursor = end;
  while (cursor != end) {
    const AddedToken *token =
        set.longestAt(cursor, static_cast<size_t>(end - cursor));
    if (!token) {
      ++cursor;
      continue;
    }
    const char *from = cursor, *to = cursor + token->size;
    cursor = to; // also where the match is thrown away below
    if (token->singleWord) {
      auto isWord = [](uint32_t code) { return characterFlags(code) & kWord; };
      const char *behind = to;
      if ((from != begin && isWord(decodeCharacterBefore(from))) ||
          (to != end && isWord(decodeCharacter(behind))))
        continue;
    }
    if (token->stripLeft) {
      if (from < covered)
        from = covered;
      while (from > covered && isSpace(decodeCharacterBefore(from)))
        do
          --from;
        while ((*from & 0xC0) == 0x80);
    }
    if (token->stripRight)
      for (const char *behind = to;
           to != end && isSpace(decodeCharacter(behind));)
        to = behind;
    if (from >= to)
      continue; // white space that the token before has taken along
    segment = {from, to, token->id};
    if (covered < from) {
      waiting = segment;
      segment = {covered, from, -1};
    }
    covered = to;
    return true;
  }
  if (covered == end)
    return false;
  segment = {covered, end, -1};
  covered = end;
  return true;
}

} // namespace attnrt
