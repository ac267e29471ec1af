//===- BertNormalizer.cpp - BERT's normalization of text ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One pass over the text instead of one per step. The steps see characters one
// by one, but for the canonical order of combining marks: marks that are not
// stripped wait in `marks` until the next starter, and leave it in order.
//
//===----------------------------------------------------------------------===//
#include "BertNormalizer.h"

#include "Unicode.h"
#include "UnicodeForms.h"
#include "Utf8.h"

namespace attnrt {

static constexpr uint8_t kGone = 0xFF;

void BertNormalizer::configure(const BertOptions &options) {
  chosen = options;
  for (uint32_t c = 0; c < 128; ++c) {
    ascii[c] = static_cast<uint8_t>(c);
    if (options.cleanText && (characterFlags(c) & kDropped))
      ascii[c] = kGone;
    else if (options.cleanText && isSpace(c))
      ascii[c] = ' ';
    else if (options.lowercase && c >= 'A' && c <= 'Z')
      ascii[c] = static_cast<uint8_t>(c - 'A' + 'a');
  }
}

bool BertNormalizer::apply(const char *text, size_t size, Buffer<char> &out,
                           Buffer<uint32_t> &marks) const {
  marks.clear();
  const char *at = text, *end = text + size;
  while (at != end) {
    if (!(*at & 0x80)) {
      // A dropped character is gone before marks are ordered: it ends no run.
      if (!marks.empty()) {
        if (ascii[static_cast<unsigned char>(*at)] == kGone) {
          ++at;
          continue;
        }
        if (!flush(marks, out))
          return false;
      }
      if (!out.reserve(static_cast<size_t>(end - at)))
        return false;
      char *to = out.end();
      for (; at != end && !(*at & 0x80); ++at) {
        uint8_t mapped = ascii[static_cast<unsigned char>(*at)];
        *to = static_cast<char>(mapped);
        to += mapped != kGone;
      }
      out.resize(static_cast<size_t>(to - out.data()));
      continue;
    }
    uint32_t code = decodeCharacter(at);
    uint8_t flags = characterFlags(code);
    if (chosen.cleanText && (flags & kDropped))
      continue;
    if (chosen.cleanText && isSpace(code)) {
      code = ' ';
      flags = 0;
    }
    bool apart = chosen.spaceChinese && (flags & kChinese);
    if (apart && !put(' ', 0, out, marks))
      return false;
    if (!put(code, flags, out, marks))
      return false;
    if (apart && !put(' ', 0, out, marks))
      return false;
  }
  return flush(marks, out);
}

/// A character behind the cleaning: decomposes it if accents are stripped.
bool BertNormalizer::put(uint32_t code, uint8_t flags, Buffer<char> &out,
                         Buffer<uint32_t> &marks) const {
  if (!chosen.stripAccents)
    return emit(code, flags, out);
  if (!(flags & kDecomposes))
    return putInOrder(code, flags, out, marks);
  uint32_t parts[4];
  int count = decompose(code, parts);
  for (int i = 0; i < count; ++i)
    if (!putInOrder(parts[i], characterFlags(parts[i]), out, marks))
      return false;
  return true;
}

/// A decomposed character: orders combining marks, strips nonspacing ones.
bool BertNormalizer::putInOrder(uint32_t code, uint8_t flags, Buffer<char> &out,
                                Buffer<uint32_t> &marks) const {
  if (flags & kReorders)
    return (flags & kMark) || marks.push(code);
  if (!flush(marks, out))
    return false;
  return (flags & kMark) || emit(code, flags, out);
}

bool BertNormalizer::emit(uint32_t code, uint8_t flags,
                          Buffer<char> &out) const {
  uint32_t lower[2] = {code, 0};
  int count = 1;
  if (chosen.lowercase && (flags & kLowers))
    count = lowercase(code, lower);
  if (!out.reserve(8))
    return false;
  for (int i = 0; i < count; ++i)
    out.resize(out.size() + encodeCharacter(lower[i], out.end()));
  return true;
}

/// Emits the waiting marks, stably ordered by combining class. There are only
/// some ten classes of marks that are not stripped: one turn for each.
bool BertNormalizer::flush(Buffer<uint32_t> &marks, Buffer<char> &out) const {
  if (marks.empty())
    return true;
  uint8_t rank = 0; // the highest one that is already out
  for (size_t done = 0; done < marks.size();) {
    uint8_t next = 0xFF;
    for (uint32_t mark : marks) {
      uint8_t other = combiningRank(mark);
      if (other > rank && other < next)
        next = other;
    }
    for (uint32_t mark : marks)
      if (combiningRank(mark) == next) {
        if (!emit(mark, characterFlags(mark), out))
          return false;
        ++done;
      }
    rank = next;
  }
  marks.clear();
  return true;
}

} // namespace attnrt
