//===- Unigram.cpp - words by the likeliest tokens ------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The search of `tokenizers`, sum for sum, so that ties fall as they do there:
// of two ways with one score, the one that was found first stays.
//
//===----------------------------------------------------------------------===//
#include "Unigram.h"

#include "Errors.h"

#include <algorithm>

namespace attnrt {

static constexpr uint32_t kNone = UINT32_MAX;
static constexpr double kUnknownPenalty = 10.0;

bool Unigram::finish() {
  double lowest = scores[0]; // there is one: the unknown token
  for (double score : scores)
    lowest = score < lowest ? score : lowest;
  unknownScore = lowest - kUnknownPenalty;
  vocabulary.findBytes(bytes);
  return trie.build(vocabulary);
}

static size_t characterSize(char lead) {
  unsigned char byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// Appends characters that no token covers. Together they may be one all the
/// same.
bool Unigram::appendUnknown(const char *text, size_t size,
                            Buffer<int32_t> &ids) const {
  int32_t id = vocabulary.find(text, size);
  if (id >= 0)
    return ids.push(id);
  bool known = fallsBackToBytes;
  for (size_t i = 0; i < size && known; ++i)
    known = bytes[static_cast<unsigned char>(text[i])] >= 0;
  if (!known)
    return ids.push(unknownId);
  for (size_t i = 0; i < size; ++i)
    if (!ids.push(bytes[static_cast<unsigned char>(text[i])]))
      return false;
  return true;
}

bool Unigram::append(const char *word, size_t size, Buffer<UnigramNode> &nodes,
                     Buffer<int32_t> &ids) const {
  if (size >= UINT32_MAX / 4) { // places have 32 bits
    fail(ATTN_ERROR_OUT_OF_MEMORY, "a word of %zu bytes is too long", size);
    return false;
  }
  if (!nodes.resize(size + 1))
    return false;
  for (UnigramNode &node : nodes)
    node = {0, kNone, 0};
  for (uint32_t start = 0; start < size;) {
    double soFar = nodes[start].score;
    uint32_t character =
        start + static_cast<uint32_t>(characterSize(word[start]));
    bool covered = false;
    auto reach = [&](uint32_t end, double score, int32_t id) {
      UnigramNode &node = nodes[end];
      if (node.start == kNone || score > node.score)
        node = {score, start, id};
    };
    uint32_t at = TokenTrie::kRoot;
    for (uint32_t end = start; end < size;) {
      at = trie.child(at, word[end++]);
      if (at == TokenTrie::kRoot)
        break;
      int32_t id = trie.id(at);
      if (id < 0)
        continue;
      reach(end, scores[static_cast<size_t>(id)] + soFar, id);
      covered = covered || end == character;
    }
    if (!covered)
      reach(character, unknownScore + soFar, unknownId);
    start = character;
  }

  // Backwards from the end; unknown neighbours are one.
  size_t before = ids.size();
  for (uint32_t end = static_cast<uint32_t>(size); end > 0;) {
    uint32_t start = nodes[end].start;
    if (nodes[end].id != unknownId) {
      if (!ids.push(nodes[end].id))
        return false;
      end = start;
      continue;
    }
    while (start > 0 && nodes[start].id == unknownId)
      start = nodes[start].start;
    size_t from = ids.size();
    if (!appendUnknown(word + start, end - start, ids))
      return false;
    std::reverse(ids.begin() + from, ids.end());
    end = start;
  }
  std::reverse(ids.begin() + before, ids.end());
  return true;
}

} // namespace attnrt
