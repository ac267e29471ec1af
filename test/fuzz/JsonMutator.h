//===- JsonMutator.h - changes to JSON that leave it JSON -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For fuzzers of files that are JSON or hold it. Bytes alone rarely get past a
// parser; here values, keys and whole subtrees change places, numbers move to
// the edges of types, and words of a dictionary come in.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_FUZZ_JSONMUTATOR_H
#define ATTNC_TEST_FUZZ_JSONMUTATOR_H

#include "programs/Random.h"
#include <string>
#include <vector>

namespace attnc::fuzz {

/// A parsed value; strings and numbers as they are spelled.
struct Json {
  enum Kind { Literal, String, Array, Object } kind = Literal;
  std::string text;              ///< of a literal or a string, without quotes
  std::vector<std::string> keys; ///< of an object
  std::vector<Json> items;       ///< of an array or object

  /// False if `text` is not JSON, but for blanks at its end.
  static bool parse(const std::string &text, Json &value);
  std::string print() const;
};

class JsonMutator {
public:
  /// Words that stand in files of this kind: keys and strings.
  JsonMutator(std::vector<std::string> words) : words(std::move(words)) {}

  /// One to four changes; text that is not JSON comes back as a dictionary's
  /// object.
  std::string mutate(const std::string &text, Random &random) const;

private:
  void change(Json &root, Random &random) const;
  Json makeValue(Random &random) const;

  std::vector<std::string> words;
};

/// Parts of one seed's text spliced into another's by bytes: for what is not
/// JSON.
std::string mutateBytes(std::string text, size_t most, Random &random);

} // namespace attnc::fuzz

#endif // ATTNC_TEST_FUZZ_JSONMUTATOR_H
