//===- WordPiece.h - a vocabulary and the cutting of words ------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// WordPiece: a word becomes the longest token of the vocabulary that it starts
// with, then the longest that the rest starts with behind a prefix ("##"), and
// so on; a word that cannot be covered becomes the unknown token.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_WORDPIECE_H
#define ATTN_RUNTIME_TEXT_WORDPIECE_H

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

class WordPiece {
public:
  explicit WordPiece(Memory &memory)
      : vocabulary(memory), prefix(memory, "the subword prefix") {}

  /// To be called once `vocabulary`, `prefix` and `unknownId` are complete.
  void finish() {
    prefixHash =
        Vocabulary::hash(Vocabulary::emptyHash, prefix.data(), prefix.size());
  }

  /// Appends the ids of one word, of `characters` code points. `hashes` is
  /// working memory. False if there is no memory.
  bool append(const char *word, size_t size, size_t characters,
              Buffer<uint64_t> &hashes, Buffer<int32_t> &ids) const;

  Vocabulary vocabulary;
  Buffer<char> prefix;        ///< of tokens that continue a word
  uint64_t longestWord = 100; ///< in code points; longer ones are unknown
  int32_t unknownId = -1;

private:
  uint64_t prefixHash = 0;
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_WORDPIECE_H
