//===- TokenTrie.cpp - tokens by their beginnings -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Built from the sorted tokens: a node is a range of them that start alike.
//
//===----------------------------------------------------------------------===//
#include "TokenTrie.h"

#include <algorithm>

namespace attnrt {

bool TokenTrie::build(const Vocabulary &vocabulary) {
  struct Range {
    uint32_t low, high, depth;
  };
  size_t count = vocabulary.added();
  Buffer<Vocabulary::Token> tokens(nodes.memory(), "the vocabulary");
  Buffer<Range> ranges(nodes.memory(), "the vocabulary"); // of each node
  if (!tokens.resize(count))
    return false;
  for (size_t i = 0; i < count; ++i)
    tokens[i] = vocabulary.token(i);
  std::sort(tokens.begin(), tokens.end(),
            [](const Vocabulary::Token &a, const Vocabulary::Token &b) {
              size_t common = a.size < b.size ? a.size : b.size;
              int order = common ? memcmp(a.text, b.text, common) : 0;
              return order ? order < 0 : a.size < b.size;
            });
  auto add = [&](char label, Range range) {
    return nodes.push({0, -1}) && labels.push(label) && ranges.push(range);
  };
  if (!add('\0', {0, static_cast<uint32_t>(count), 0}))
    return false;
  for (uint32_t node = 0; node < nodes.size(); ++node) {
    Range range = ranges[node];
    nodes[node].first = static_cast<uint32_t>(nodes.size());
    uint32_t at = range.low;
    for (; at < range.high && tokens[at].size == range.depth; ++at)
      nodes[node].id = tokens[at].id;
    while (at < range.high) {
      char byte = tokens[at].text[range.depth];
      uint32_t from = at;
      while (at < range.high && tokens[at].text[range.depth] == byte)
        ++at;
      if (node == kRoot)
        roots[static_cast<unsigned char>(byte)] =
            static_cast<uint32_t>(nodes.size());
      if (!add(byte, {from, at, range.depth + 1}))
        return false;
    }
  }
  return nodes.push({static_cast<uint32_t>(nodes.size()), -1});
}

} // namespace attnrt
