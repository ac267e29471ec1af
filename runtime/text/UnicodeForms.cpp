//===- UnicodeForms.cpp - letters, numbers, normalization forms -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Normalization goes from starter to starter: a starter and the marks behind it
// wait until the next starter comes, are put in order, are composed, and then
// either compose with that starter or are written.
//
//===----------------------------------------------------------------------===//
#include "UnicodeForms.h"

#include "Unicode.h"
#include "Utf8.h"

namespace attnrt {

#include "FormTables.inc"

template <typename T, size_t N> static constexpr size_t sizeOf(const T (&)[N]) {
  return N;
}

uint8_t characterClasses(uint32_t code) {
  constexpr size_t blocks = sizeOf(classBlocks) - 1;
  if (code > 0x10FFFF)
    return 0;
  size_t block = code >> 7;
  size_t low = classBlocks[block < blocks ? block : blocks];
  size_t high =
      block < blocks ? classBlocks[block + 1] + 1u : sizeOf(classRanges);
  return static_cast<uint8_t>(
      classRanges[lastNotAbove(classRanges, low, high, code << 8 | 0xFF)]);
}

uint8_t combiningRank(uint32_t code) {
  return static_cast<uint8_t>(rankRanges[lastNotAbove<uint32_t>(
      rankRanges, 0, sizeOf(rankRanges), code << 8 | 0xFF)]);
}

/// What two code points compose to; 0 if they do not.
static uint32_t compose(uint32_t first, uint32_t second) {
  // Hangul syllables by arithmetic (Unicode, section 3.12).
  if (first >= 0x1100 && first < 0x1113 && second >= 0x1161 && second < 0x1176)
    return 0xAC00 + ((first - 0x1100) * 21 + second - 0x1161) * 28;
  if (first >= 0xAC00 && first < 0xAC00 + 11172 && (first - 0xAC00) % 28 == 0 &&
      second > 0x11A7 && second < 0x11C3)
    return first + second - 0x11A7;
  uint64_t pair = uint64_t(first) << 42 | uint64_t(second) << 21;
  uint64_t found = compositions[lastNotAbove<uint64_t>(
      compositions, 0, sizeOf(compositions), pair | 0x1FFFFF)];
  return (found ^ pair) >> 21 ? 0 : static_cast<uint32_t>(found & 0x1FFFFF);
}

namespace {
class FormWriter {
public:
  FormWriter(NormalizationForm form, Buffer<char> &out,
             Buffer<uint32_t> &waiting)
      : compatible(form == NormalizationForm::KC ||
                   form == NormalizationForm::KD),
        composes(form == NormalizationForm::C || form == NormalizationForm::KC),
        out(out), waiting(waiting) {
    waiting.clear();
  }

  bool put(uint32_t code);
  bool flush() { return waiting.empty() || (settle() && write()); }

private:
  bool putDecomposed(uint32_t code);
  bool settle();
  bool write();
  bool order();
  void composeMarks();

  bool compatible, composes;
  Buffer<char> &out;
  Buffer<uint32_t> &waiting; // code | rank << 24; a starter first, if any
};
} // namespace

bool FormWriter::put(uint32_t code) {
  if (code < 0x80)
    return putDecomposed(code);
  if (compatible) {
    size_t index = lastNotAbove<uint32_t>(
        compatibilityCodes, 0, sizeOf(compatibilityCodes), code << 6 | 63);
    uint32_t entry = compatibilityCodes[index];
    if (entry >> 6 == code) {
      const char *at = reinterpret_cast<const char *>(compatibilityText) +
                       compatibilityStarts[index];
      for (const char *end = at + (entry & 63); at != end;)
        if (!putDecomposed(decodeCharacter(at)))
          return false;
      return true;
    }
  }
  if (!(characterFlags(code) & kDecomposes))
    return putDecomposed(code);
  uint32_t parts[4];
  int count = decompose(code, parts);
  for (int i = 0; i < count; ++i)
    if (!putDecomposed(parts[i]))
      return false;
  return true;
}

bool FormWriter::putDecomposed(uint32_t code) {
  uint32_t rank = code < 0x300 ? 0 : combiningRank(code);
  if (rank)
    return waiting.push(code | rank << 24);
  if (!waiting.empty()) {
    if (!settle())
      return false;
    if (composes) {
      // Two starters compose only side by side.
      uint32_t both =
          waiting.size() == 1 ? compose(waiting[0] & 0xFFFFFF, code) : 0;
      if (both) { // never with a mark in front
        waiting[0] = both;
        return true;
      }
    }
    if (!write())
      return false;
  }
  return waiting.push(code);
}

/// Stably orders the marks that wait by their ranks.
bool FormWriter::order() {
  size_t count = waiting.size();
  bool ordered = true;
  for (size_t i = 1; i < count && ordered; ++i)
    ordered = waiting[i - 1] >> 24 <= waiting[i] >> 24;
  if (ordered)
    return true;
  // One turn for each rank; there are some fifty.
  if (!waiting.resize(2 * count))
    return false;
  uint32_t *from = waiting.data(), *to = from + count;
  for (uint32_t rank = 0; to != from + 2 * count;) {
    uint32_t following = 0xFF;
    for (size_t i = 0; i < count; ++i) {
      uint32_t other = from[i] >> 24;
      if (other == rank)
        *to++ = from[i];
      else if (other > rank && other < following)
        following = other;
    }
    rank = following;
  }
  memcpy(from, from + count, count * sizeof(uint32_t));
  waiting.resize(count);
  return true;
}

/// Composes the starter that waits with those marks that no other one blocks.
void FormWriter::composeMarks() {
  if (waiting[0] >> 24)
    return;
  size_t kept = 1;
  for (size_t i = 1; i < waiting.size(); ++i) {
    uint32_t rank = waiting[i] >> 24;
    bool blocked = kept > 1 && waiting[kept - 1] >> 24 >= rank;
    uint32_t both = blocked ? 0 : compose(waiting[0], waiting[i] & 0xFFFFFF);
    if (both)
      waiting[0] = both;
    else
      waiting[kept++] = waiting[i];
  }
  waiting.resize(kept);
}

/// Puts what waits in order and composes it.
bool FormWriter::settle() {
  if (!order())
    return false;
  if (composes)
    composeMarks();
  return true;
}

bool FormWriter::write() {
  if (!out.reserve(waiting.size() * 4))
    return false;
  for (uint32_t code : waiting)
    out.resize(out.size() + encodeCharacter(code & 0xFFFFFF, out.end()));
  waiting.clear();
  return true;
}

bool appendNormalized(NormalizationForm form, const char *text, size_t size,
                      Buffer<char> &out, Buffer<uint32_t> &marks) {
  FormWriter writer(form, out, marks);
  const char *end = text + size;
  for (const char *at = text; at != end;) {
    const char *start = at;
    while (at != end && !(*at & 0x80))
      ++at;
    if (at - start > 1) {
      // ASCII stays as it is; only the last one may meet a mark.
      if (!writer.flush() ||
          !out.append(start, static_cast<size_t>(at - start) - 1))
        return false;
      start = at - 1;
    }
    if (start != at ? !writer.put(static_cast<unsigned char>(*start))
                    : !writer.put(decodeCharacter(at)))
      return false;
  }
  return writer.flush();
}

} // namespace attnrt
