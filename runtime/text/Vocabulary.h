//===- Vocabulary.h - tokens by their bytes ---------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An open hash table from a token's bytes to its id. FNV-1a goes byte by byte,
// so the hashes of all beginnings of a word cost one pass.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_VOCABULARY_H
#define ATTN_RUNTIME_TEXT_VOCABULARY_H

#include "Buffer.h"
#include "Json.h"

namespace attnrt {

/// Tokens by their bytes.
class Vocabulary {
public:
  explicit Vocabulary(Memory &memory)
      : bytes(memory, "the vocabulary"), entries(memory, "the vocabulary"),
        slots(memory, "the vocabulary") {}

  bool add(const JsonString &token, int32_t id);
  bool add(const char *token, size_t size, int32_t id);
  /// Makes find() work. Call once, behind the last add. A token that was added
  /// twice keeps its later id. False if there is no memory.
  bool index();

  /// The id of a token; -1 if there is none.
  int32_t find(const char *token, size_t size) const;
  /// The same for the token head + tail, whose hash() is known.
  int32_t find(uint64_t hash, const char *head, size_t headSize,
               const char *tail, size_t tailSize) const;

  static constexpr uint64_t emptyHash = 0xCBF29CE484222325u;
  static uint64_t hash(uint64_t state, char byte) {
    return (state ^ static_cast<unsigned char>(byte)) * 0x100000001B3u;
  }
  static uint64_t hash(uint64_t state, const char *text, size_t size) {
    for (size_t i = 0; i < size; ++i)
      state = hash(state, text[i]);
    return state;
  }

  /// Finds "<0x00>" to "<0xFF>"; -1 for those that are no tokens.
  void findBytes(int32_t ids[256]) const;

  struct Token {
    const char *text;
    size_t size;
    int32_t id;
  };
  /// How often add() was called, and the token of the i-th call.
  size_t added() const { return entries.size(); }
  Token token(size_t i) const {
    return {bytes.data() + entries[i].start, entries[i].size, entries[i].id};
  }

  size_t size() const { return distinct; }        ///< tokens, each counted once
  int32_t largestId() const { return largest; }   ///< -1 without a token
  size_t longestToken() const { return longest; } ///< in bytes

private:
  struct Entry {
    uint32_t start;
    uint32_t size;
    uint32_t hash; // the upper half of what spread() gives
    int32_t id;
  };
  bool add(size_t start, int32_t id);
  static uint64_t spread(uint64_t hash) { return hash * 0x9E3779B97F4A7C15u; }

  Buffer<char> bytes;
  Buffer<Entry> entries;
  Buffer<uint32_t> slots; // index of an entry plus 1, or 0; a power of two
  size_t distinct = 0;
  size_t longest = 0;
  int32_t largest = -1;
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_VOCABULARY_H
