//===- WordPiece.cpp - words to the longest tokens
//-------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The hashes of all beginnings of a word cost one pass, and trying them from
// the longest to the shortest costs one look-up each. No token being longer
// than the longest bounds the tries for endless words.
//
//===----------------------------------------------------------------------===//
#include "WordPiece.h"

namespace attnrt {

bool WordPiece::append(const char *word, size_t size, size_t characters,
                       Buffer<uint64_t> &hashes, Buffer<int32_t> &ids) const {
  if (characters > longestWord)
    return ids.push(unknownId);
  size_t before = ids.size();
  size_t longest = vocabulary.longestToken();
  for (size_t start = 0; start < size;) {
    size_t headSize = start ? prefix.size() : 0;
    uint64_t state = start ? prefixHash : Vocabulary::emptyHash;
    size_t reach = longest > headSize ? longest - headSize : 0;
    if (reach > size - start)
      reach = size - start;
    if (!hashes.resize(reach))
      return false;
    for (size_t i = 0; i < reach; ++i)
      hashes[i] = state = Vocabulary::hash(state, word[start + i]);

    int32_t id = -1;
    size_t length = reach;
    for (; length > 0; --length) {
      bool insideCharacter =
          start + length < size && (word[start + length] & 0xC0) == 0x80;
      if (insideCharacter)
        continue;
      id = vocabulary.find(hashes[length - 1], prefix.data(), headSize,
                           word + start, length);
      if (id >= 0)
        break;
    }
    if (id < 0) { // one piece without a token, and the whole word is unknown
      ids.resize(before);
      return ids.push(unknownId);
    }
    if (!ids.push(id))
      return false;
    start += length;
  }
  return true;
}

} // namespace attnrt
