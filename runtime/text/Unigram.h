//===- Unigram.h - words by the likeliest tokens ----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// SentencePiece's unigram model: of all ways to cut a word into tokens, the one
// with the largest sum of scores. Characters that no token covers cost a fixed
// penalty; neighbouring ones are one unknown token, or their bytes.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_UNIGRAM_H
#define ATTN_RUNTIME_TEXT_UNIGRAM_H

#include "TokenTrie.h"

namespace attnrt {

/// Working memory: the best way to a place in the word.
struct UnigramNode {
  double score;
  uint32_t start; // of the last token; kNone: there is no way yet
  int32_t id;
};

class Unigram {
public:
  Unigram(Memory &memory, const Vocabulary &vocabulary)
      : scores(memory, "the vocabulary"), vocabulary(vocabulary), trie(memory) {
  }

  /// To be called once the members below and the vocabulary are complete. False
  /// if there is no memory.
  bool finish();
  /// Appends the ids of one word. False if there is no memory.
  bool append(const char *word, size_t size, Buffer<UnigramNode> &nodes,
              Buffer<int32_t> &ids) const;

  Buffer<double> scores; ///< by id
  int32_t unknownId = -1;
  bool fallsBackToBytes = false;

private:
  bool appendUnknown(const char *text, size_t size, Buffer<int32_t> &ids) const;

  const Vocabulary &vocabulary;
  TokenTrie trie;
  double unknownScore = 0;
  int32_t bytes[256]; // the ids of "<0x00>" and so on; -1: not a token
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_UNIGRAM_H
