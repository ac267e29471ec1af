//===- AddedTokens.h - tokens that are found in the text as they stand -*- C++
//-*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Added tokens ("[SEP]", a user's own) are cut out of the text before words
// are. Some are looked for in the text as it came, some in the normalized text:
// two sets. Where several match, the first and then the longest wins.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_ADDEDTOKENS_H
#define ATTN_RUNTIME_TEXT_ADDEDTOKENS_H

#include "Buffer.h"

namespace attnrt {

struct AddedToken {
  const char *text = nullptr;
  size_t size = 0;
  int32_t id = -1;
  bool singleWord = false; ///< not where a word character touches it
  bool stripLeft = false;  ///< takes the white space in front of it along
  bool stripRight = false; ///< takes the white space behind it along
};

class AddedTokenSet {
public:
  explicit AddedTokenSet(Memory &memory) : tokens(memory, "added tokens") {}

  /// `token.text` must outlive the set and not be empty.
  bool add(const AddedToken &token) { return tokens.push(token); }
  /// Makes matching work. Call once, behind the last add. Returns a token whose
  /// text another one has too, or nullptr if there is none.
  const AddedToken *sort();

  bool empty() const { return tokens.empty(); }
  /// The longest token that the text starts with, or nullptr. `left` >= 1.
  const AddedToken *longestAt(const char *at, size_t left) const;
  /// True if a token starts here, or would if the text went on.
  bool mayStartAt(const char *at, size_t left) const;

private:
  Buffer<AddedToken> tokens;
  uint32_t starts[257] = {}; // tokens by their first byte
};

/// A piece of text with an added token's id, or -1 for text in between.
struct TextSegment {
  const char *begin;
  const char *end;
  int32_t id;
};

/// Cuts valid UTF-8 at a set's tokens.
class AddedTokenScanner {
public:
  AddedTokenScanner(const AddedTokenSet &set, const char *text, size_t size)
      : set(set), begin(text), end(text + size), covered(text), cursor(text) {}

  /// The next segment, never an empty one of text; false at the end.
  bool next(TextSegment &segment);

private:
  const AddedTokenSet &set;
  const char *begin;
  const char *end;
  const char *covered; // up to here, segments have been handed out
  const char *cursor;  // from here, tokens are looked for
  TextSegment waiting = {nullptr, nullptr, -1}; // comes after a text segment
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_ADDEDTOKENS_H
