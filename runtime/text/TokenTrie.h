//===- TokenTrie.h - tokens by their beginnings -----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A trie over the bytes of all tokens: gives each token that a text starts
// with, in one walk. Nodes stand level by level, the children of one side by
// side, so that nine bytes hold a node.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_TOKENTRIE_H
#define ATTN_RUNTIME_TEXT_TOKENTRIE_H

#include "Vocabulary.h"

namespace attnrt {

class TokenTrie {
public:
  explicit TokenTrie(Memory &memory)
      : nodes(memory, "the vocabulary"), labels(memory, "the vocabulary") {}

  /// False if there is no memory.
  bool build(const Vocabulary &vocabulary);

  static constexpr uint32_t kRoot = 0;
  /// The child of a node by a byte; kRoot if it has none.
  uint32_t child(uint32_t node, char byte) const {
    if (node == kRoot)
      return roots[static_cast<unsigned char>(byte)];
    uint32_t first = nodes[node].first;
    size_t count = nodes[node + 1].first - first;
    const void *found =
        count ? memchr(labels.data() + first, byte, count) : nullptr;
    return found ? static_cast<uint32_t>(static_cast<const char *>(found) -
                                         labels.data())
                 : kRoot;
  }
  /// The token that ends at a node; -1: none does.
  int32_t id(uint32_t node) const { return nodes[node].id; }

private:
  struct Node {
    uint32_t first; // child; the next node's is the end
    int32_t id;
  };
  Buffer<Node> nodes; // and one behind the last
  Buffer<char> labels;
  uint32_t roots[256] = {};
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_TOKENTRIE_H
