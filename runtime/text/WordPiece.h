//===- WordPiece.h - words to the longest tokens ----------------*- C++ -*-===//
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

#include "Vocabulary.h"

namespace attnrt {

class WordPiece {
public:
  WordPiece(Memory &memory, const Vocabulary &vocabulary)
      : prefix(memory, "the subword prefix"), vocabulary(vocabulary) {}

  /// To be called once the vocabulary, `prefix` and `unknownId` are complete.
  void finish() {
    prefixHash =
        Vocabulary::hash(Vocabulary::emptyHash, prefix.data(), prefix.size());
  }

  /// Appends the ids of one word, of `characters` code points. `hashes` is
  /// working memory. False if there is no memory.
  bool append(const char *word, size_t size, size_t characters,
              Buffer<uint64_t> &hashes, Buffer<int32_t> &ids) const;

  Buffer<char> prefix;        ///< of tokens that continue a word
  uint64_t longestWord = 100; ///< in code points; longer ones are unknown
  int32_t unknownId = -1;

private:
  const Vocabulary &vocabulary;
  uint64_t prefixHash = 0;
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_WORDPIECE_H
