//===- Bpe.cpp - words by merging pairs -----------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each symbol knows the rank of its merge with the next one. In short words the
// lowest rank is searched for; in long ones (texts that nothing cuts into
// words) a heap gives it, whose entries count only while the symbol still has
// that rank.
//
//===----------------------------------------------------------------------===//
#include "Bpe.h"

#include "Errors.h"
#include "Utf8.h"

#include <algorithm>
#include <functional>

namespace attnrt {

static constexpr uint32_t kNone = MergeTable::kNone;

//===----------------------------------------------------------------------===//
// Merges
//===----------------------------------------------------------------------===//

bool MergeTable::add(int32_t left, int32_t right, int32_t merged) {
  return entries.push(
      {key(left, right), static_cast<uint32_t>(entries.size()), merged});
}

bool MergeTable::index() {
  size_t capacity = 16;
  while (capacity < entries.size() * 2)
    capacity *= 2;
  if (!slots.resize(capacity))
    return false;
  mask = capacity - 1;
  for (Slot &slot : slots)
    slot = {UINT64_MAX, kNone, -1};
  for (const Slot &entry : entries) {
    size_t slot = spread(entry.pair);
    while (slots[slot & mask].rank != kNone &&
           slots[slot & mask].pair != entry.pair)
      ++slot;
    slots[slot & mask] = entry;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Characters
//===----------------------------------------------------------------------===//

/// The id of a character with the marks of its place in the word, which are
/// left in `spelled`; -1 if that is no token.
bool Bpe::findCharacter(const char *text, size_t size, bool first, bool last,
                        Buffer<char> &spelled, int32_t &id) const {
  spelled.clear();
  if ((!first && !spelled.append(prefix.data(), prefix.size())) ||
      !spelled.append(text, size) ||
      (last && !spelled.append(suffix.data(), suffix.size())))
    return false;
  id = vocabulary.find(spelled.data(), spelled.size());
  return true;
}

bool Bpe::finish() {
  size_t places = prefix.empty() && suffix.empty() ? 1 : 4;
  Buffer<char> spelled(direct.memory(), "the vocabulary");
  if (!merges.index() || !direct.resize(places * kDirect))
    return false;
  for (size_t place = 0; place < places; ++place)
    for (uint32_t code = 0; code < kDirect; ++code) {
      char text[4];
      size_t size = encodeCharacter(code, text);
      if (!findCharacter(text, size, place & 2, place & 1, spelled,
                         direct[place * kDirect + code]))
        return false;
    }
  vocabulary.findBytes(bytes);
  return true;
}

bool Bpe::coversBytes() const {
  // The characters that stand for bytes are all below U+0144.
  for (size_t start = 0; start < direct.size(); start += kDirect)
    for (uint32_t code = '!'; code < 0x144; ++code)
      if (direct[start + code] < 0 &&
          (code < 0x7F || (code > 0xA0 && code != 0xAD)))
        return false;
  return true;
}

/// Turns a word into the symbols of its characters.
bool Bpe::split(const char *word, size_t size, BpeScratch &scratch) const {
  Buffer<BpeSymbol> &symbols = scratch.symbols;
  symbols.clear();
  bool marked = direct.size() > kDirect;
  bool unknownWaits = false;
  auto push = [&](int32_t id) {
    uint32_t at = static_cast<uint32_t>(symbols.size());
    return symbols.push({id, at ? at - 1 : kNone, at + 1, kNone, -1});
  };
  for (const char *at = word, *end = word + size; at != end;) {
    const char *start = at;
    uint32_t code = decodeCharacter(at);
    bool first = start == word, last = at == end;
    int32_t id = -1;
    if (code < kDirect)
      id = direct[(marked ? first * 2u + last : 0u) * kDirect + code];
    if (id < 0 && (code >= kDirect || fallsBackToBytes) &&
        !findCharacter(start, static_cast<size_t>(at - start), first, last,
                       scratch.text, id))
      return false;
    if (id >= 0) {
      if ((unknownWaits && !push(unknownId)) || !push(id))
        return false;
      unknownWaits = false;
      continue;
    }
    if (fallsBackToBytes) {
      bool known = true;
      for (char byte : scratch.text)
        known = known && bytes[static_cast<unsigned char>(byte)] >= 0;
      for (char byte : scratch.text)
        if (known && !push(bytes[static_cast<unsigned char>(byte)]))
          return false;
      if (known)
        continue; // an unknown one in front goes on waiting, as there
    }
    if (unknownId < 0)
      continue;
    if (unknownWaits && !fusesUnknown && !push(unknownId))
      return false;
    unknownWaits = true;
  }
  if (unknownWaits && !push(unknownId))
    return false;
  if (!symbols.empty())
    symbols[symbols.size() - 1].next = kNone;
  return true;
}

//===----------------------------------------------------------------------===//
// Merging
//===----------------------------------------------------------------------===//

/// Finds the merge of a symbol with the next one.
void Bpe::rankOf(Buffer<BpeSymbol> &symbols, uint32_t at) const {
  BpeSymbol &symbol = symbols[at];
  symbol.rank =
      symbol.next == kNone
          ? kNone
          : merges.find(symbol.id, symbols[symbol.next].id, symbol.merged);
}

/// Merges a symbol with the next one.
void Bpe::join(Buffer<BpeSymbol> &symbols, uint32_t at) const {
  BpeSymbol &symbol = symbols[at];
  BpeSymbol &right = symbols[symbol.next];
  right.rank = kNone; // entries of the heap die
  symbol.id = symbol.merged;
  symbol.next = right.next;
  if (symbol.next != kNone)
    symbols[symbol.next].previous = at;
  rankOf(symbols, at);
  if (symbol.previous != kNone)
    rankOf(symbols, symbol.previous);
}

bool Bpe::merge(BpeScratch &scratch) const {
  static constexpr size_t kShort = 32;
  Buffer<BpeSymbol> &symbols = scratch.symbols;
  for (uint32_t at = 0; at < symbols.size(); ++at)
    rankOf(symbols, at);
  if (symbols.size() <= kShort) {
    for (;;) {
      uint32_t best = 0;
      for (uint32_t at = 0; at != kNone; at = symbols[at].next)
        if (symbols[at].rank < symbols[best].rank)
          best = at;
      if (symbols[best].rank == kNone)
        return true;
      join(symbols, best);
    }
  }

  Buffer<uint64_t> &heap = scratch.heap;
  heap.clear();
  auto entryOf = [&](uint32_t at) {
    return uint64_t(symbols[at].rank) << 32 | at;
  };
  for (uint32_t at = 0; at < symbols.size(); ++at)
    if (symbols[at].rank != kNone && !heap.push(entryOf(at)))
      return false;
  std::greater<uint64_t> later;
  std::make_heap(heap.begin(), heap.end(), later);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    uint64_t top = heap[heap.size() - 1];
    heap.resize(heap.size() - 1);
    uint32_t at = static_cast<uint32_t>(top);
    if (symbols[at].rank != top >> 32 || symbols[at].rank == kNone)
      continue;
    join(symbols, at);
    for (uint32_t changed : {symbols[at].previous, at})
      if (changed != kNone && symbols[changed].rank != kNone) {
        if (!heap.push(entryOf(changed)))
          return false;
        std::push_heap(heap.begin(), heap.end(), later);
      }
  }
  return true;
}

bool Bpe::append(const char *word, size_t size, BpeScratch &scratch,
                 Buffer<int32_t> &ids) const {
  if (prefersWords) {
    int32_t id = vocabulary.find(word, size);
    if (id >= 0)
      return ids.push(id);
  }
  if (size >= UINT32_MAX / 4) { // positions have 32 bits
    fail(ATTN_ERROR_OUT_OF_MEMORY, "a word of %zu bytes is too long", size);
    return false;
  }
  if (!split(word, size, scratch))
    return false;
  if (scratch.symbols.empty())
    return true;
  if (!merge(scratch))
    return false;
  for (uint32_t at = 0; at != kNone; at = scratch.symbols[at].next)
    if (!ids.push(scratch.symbols[at].id))
      return false;
  return true;
}

} // namespace attnrt
