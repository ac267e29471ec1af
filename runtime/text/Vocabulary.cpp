//===- Vocabulary.cpp - tokens by their bytes -----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Adding, indexing, finding. Slots hold no pointers, so that growing is a copy.
//
//===----------------------------------------------------------------------===//
#include "Vocabulary.h"

namespace attnrt {

bool Vocabulary::add(const JsonString &token, int32_t id) {
  size_t start = bytes.size();
  if (!bytes.resize(start + token.size))
    return false;
  bytes.resize(start + token.decode(bytes.data() + start));
  return add(start, id);
}

bool Vocabulary::add(const char *token, size_t size, int32_t id) {
  size_t start = bytes.size();
  return bytes.append(token, size) && add(start, id);
}

/// Adds the token whose bytes stand from `start` to the end.
bool Vocabulary::add(size_t start, int32_t id) {
  size_t size = bytes.size() - start;
  uint64_t state = hash(emptyHash, bytes.data() + start, size);
  return entries.push({static_cast<uint32_t>(start),
                       static_cast<uint32_t>(size),
                       static_cast<uint32_t>(spread(state) >> 32), id});
}

bool Vocabulary::index() {
  size_t capacity = 16;
  while (capacity < entries.size() * 2)
    capacity *= 2;
  if (!slots.resize(capacity))
    return false;
  memset(slots.data(), 0, capacity * sizeof(uint32_t));
  for (size_t i = 0; i < entries.size(); ++i) {
    Entry &entry = entries[i];
    if (entry.id > largest)
      largest = entry.id;
    if (entry.size > longest)
      longest = entry.size;
    for (size_t slot = entry.hash;; ++slot) {
      slot &= capacity - 1;
      if (!slots[slot]) {
        slots[slot] = static_cast<uint32_t>(i + 1);
        ++distinct;
        break;
      }
      Entry &other = entries[slots[slot] - 1];
      if (other.hash == entry.hash && other.size == entry.size &&
          (entry.size == 0 ||
           memcmp(bytes.data() + other.start, bytes.data() + entry.start,
                  entry.size) == 0)) {
        other.id = entry.id;
        break;
      }
    }
  }
  return true;
}

void Vocabulary::findBytes(int32_t ids[256]) const {
  static const char digits[] = "0123456789ABCDEF";
  for (unsigned byte = 0; byte < 256; ++byte) {
    char name[6] = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
    ids[byte] = find(name, sizeof(name));
  }
}

int32_t Vocabulary::find(const char *token, size_t size) const {
  return find(hash(emptyHash, token, size), "", 0, token, size);
}

int32_t Vocabulary::find(uint64_t state, const char *head, size_t headSize,
                         const char *tail, size_t tailSize) const {
  uint32_t wanted = static_cast<uint32_t>(spread(state) >> 32);
  for (size_t slot = wanted;; ++slot) {
    slot &= slots.size() - 1;
    if (!slots[slot])
      return -1;
    const Entry &entry = entries[slots[slot] - 1];
    if (entry.hash != wanted || entry.size != headSize + tailSize)
      continue;
    const char *token = bytes.data() + entry.start;
    if ((headSize == 0 || memcmp(token, head, headSize) == 0) &&
        (tailSize == 0 || memcmp(token + headSize, tail, tailSize) == 0))
      return entry.id;
  }
}

} // namespace attnrt
