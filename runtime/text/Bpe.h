//===- Bpe.h - words by merging pairs ---------------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Byte-pair encoding: a word starts as its characters; as long as some two
// neighbours have a merge, those whose merge comes first in the list become
// one, the leftmost ones where several have it.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_BPE_H
#define ATTN_RUNTIME_TEXT_BPE_H

#include "Vocabulary.h"

namespace attnrt {

/// What two neighbouring tokens become, and how early.
class MergeTable {
public:
  static constexpr uint32_t kNone = UINT32_MAX;

  explicit MergeTable(Memory &memory)
      : entries(memory, "the merges"), slots(memory, "the merges") {}

  /// Adds the next merge; of one pair twice, the later counts.
  bool add(int32_t left, int32_t right, int32_t merged);
  /// Makes find() work. False if there is no memory.
  bool index();

  /// The rank of a pair and what it becomes; kNone if it has no merge.
  uint32_t find(int32_t left, int32_t right, int32_t &merged) const {
    uint64_t pair = key(left, right);
    for (size_t slot = spread(pair);; ++slot) {
      const Slot &at = slots[slot & mask];
      if (at.pair == pair) {
        merged = at.merged;
        return at.rank;
      }
      if (at.rank == kNone)
        return kNone;
    }
  }

private:
  struct Slot {
    uint64_t pair;
    uint32_t rank;
    int32_t merged;
  };
  static uint64_t key(int32_t left, int32_t right) {
    return uint64_t(static_cast<uint32_t>(left)) << 32 |
           static_cast<uint32_t>(right);
  }
  static size_t spread(uint64_t pair) {
    return static_cast<size_t>(pair * 0x9E3779B97F4A7C15u >> 32);
  }

  Buffer<Slot> entries; // as they were added
  Buffer<Slot> slots;   // a power of two
  size_t mask = 0;
};

/// Working memory: a token of the word so far.
struct BpeSymbol {
  int32_t id;
  uint32_t previous, next; // positions; kNone at the ends
  uint32_t rank;  // of the merge with the next one; kNone: there is none
  int32_t merged; // what that gives
};

struct BpeScratch {
  explicit BpeScratch(Memory &memory)
      : symbols(memory, "text"), heap(memory, "text"), text(memory, "text") {}
  Buffer<BpeSymbol> symbols;
  Buffer<uint64_t> heap; // rank << 32 | position
  Buffer<char> text;
};

class Bpe {
public:
  Bpe(Memory &memory, const Vocabulary &vocabulary)
      : merges(memory), prefix(memory, "the subword prefix"),
        suffix(memory, "the word's suffix"), direct(memory, "the vocabulary"),
        vocabulary(vocabulary) {}

  /// To be called once the members below and the vocabulary are complete. False
  /// if there is no memory.
  bool finish();
  /// Appends the ids of one word. False if there is no memory.
  bool append(const char *word, size_t size, BpeScratch &scratch,
              Buffer<int32_t> &ids) const;
  /// Whether each character of byte-level BPE is a token wherever it stands.
  bool coversBytes() const;

  MergeTable merges;
  Buffer<char> prefix;    ///< of tokens that do not start a word; often empty
  Buffer<char> suffix;    ///< of tokens that end a word; often empty
  int32_t unknownId = -1; ///< -1: unknown characters go
  bool unknownIsMissing = false; ///< one is named, but is no token
  bool fusesUnknown = false;
  bool fallsBackToBytes = false;
  bool prefersWords = false; ///< "ignore_merges": a word that is a token is one

private:
  /// Characters below this are found without the hash table.
  static constexpr uint32_t kDirect = 0x200;
  bool findCharacter(const char *text, size_t size, bool first, bool last,
                     Buffer<char> &spelled, int32_t &id) const;
  bool split(const char *word, size_t size, BpeScratch &scratch) const;
  bool merge(BpeScratch &scratch) const;
  void rankOf(Buffer<BpeSymbol> &symbols, uint32_t at) const;
  void join(Buffer<BpeSymbol> &symbols, uint32_t at) const;

  Buffer<int32_t> direct; // by place in the word, then by character
  int32_t bytes[256];     // the ids of "<0x00>" and so on; -1: not a token
  const Vocabulary &vocabulary;
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_BPE_H
