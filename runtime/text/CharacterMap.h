//===- CharacterMap.h - SentencePiece's character map -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The normalizer Precompiled: a trie (a double array, as the darts library
// writes it) from bytes to strings. A cluster below six bytes is looked up as a
// whole, of which the shortest match stands for all of it; others character by
// character.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_CHARACTERMAP_H
#define ATTN_RUNTIME_TEXT_CHARACTERMAP_H

#include "Buffer.h"

namespace attnrt {

class CharacterMap {
public:
  explicit CharacterMap(Memory &memory)
      : units(memory, "the character map"),
        strings(memory, "the character map") {}

  /// Reads what base64 holds: the trie's bytes, its units, strings that end in
  /// NUL. `encoded` is overwritten. Returns what is wrong, or nullptr;
  /// `hasMemory` is cleared if that was it.
  const char *read(Buffer<char> &encoded, bool &hasMemory);
  bool empty() const { return units.empty(); }

  /// Appends the mapped text. `text` is valid UTF-8. False if there is no
  /// memory.
  bool append(const char *text, size_t size, Buffer<char> &out) const;

private:
  struct Match {
    const char *text; // nullptr: none
    size_t size;
  };
  Match find(const char *text, size_t size) const;

  Buffer<uint32_t> units;
  Buffer<char> strings;
  bool mapsAscii[128] = {};
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_CHARACTERMAP_H
