//===- OpenedTokenizer.h - a tokenizer for tests ----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Opens tokenizers from files or from texts, and gives rows as vectors.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_TEST_TEXT_OPENEDTOKENIZER_H
#define ATTN_TEST_TEXT_OPENEDTOKENIZER_H

#include "Errors.h"
#include "text/Tokenizer.h"

#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <map>
#include <string>
#include <vector>

/// The bytes of a file; empty if there is none.
inline std::string readFile(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

struct TokenRow {
  std::vector<int32_t> ids, types;
  bool operator==(const TokenRow &other) const {
    return ids == other.ids && types == other.types;
  }
};

/// An allocator that has `left` blocks to give.
struct Stingy {
  explicit Stingy(int left) : left(left), allocator{this, allocate, release} {}
  int left;
  attn_allocator allocator;

private:
  static void *allocate(void *context, size_t bytes, size_t) {
    return static_cast<Stingy *>(context)->left-- > 0 ? std::malloc(bytes)
                                                      : nullptr;
  }
  static void release(void *, void *pointer, size_t) { std::free(pointer); }
};

class OpenedTokenizer {
public:
  using Files = std::map<std::string, std::string>;

  explicit OpenedTokenizer(const Files &files,
                           const attn_allocator *allocator = nullptr)
      : memory(allocator, 0), scratch(memory) {
    std::vector<attnrt::TokenizerFile> list;
    for (const auto &file : files)
      list.push_back(
          {file.first.c_str(), file.second.data(), file.second.size()});
    status = attnrt::openTokenizer(list.data(), list.size(), memory, tokenizer);
    if (status)
      error = attnrt::lastError();
  }
  ~OpenedTokenizer() { attnrt::closeTokenizer(tokenizer); }
  OpenedTokenizer(const OpenedTokenizer &) = delete;

  /// Those files of a tokenizer that a folder holds.
  static Files folder(const std::string &path) {
    Files files;
    for (const char *name :
         {"tokenizer.json", "vocab.txt", "vocab.json", "merges.txt",
          "tokenizer_config.json", "special_tokens_map.json",
          "sentence_bert_config.json"}) {
      std::string bytes = readFile(path + "/" + name);
      if (!bytes.empty())
        files[name] = bytes;
    }
    return files;
  }

  /// Tokenizes one text or pair, without padding. Empty, with `error`, if that
  /// fails.
  TokenRow row(const std::string &text, const std::string *pair = nullptr,
               int64_t maximum = 0) {
    const char *texts[] = {text.data()};
    size_t lengths[] = {text.size()};
    const char *pairs[] = {pair ? pair->data() : nullptr};
    size_t pairLengths[] = {pair ? pair->size() : 0};
    attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
    batch.count = 1;
    batch.texts = texts;
    batch.lengths = lengths;
    batch.pairs = pair ? pairs : nullptr;
    batch.pair_lengths = pair ? pairLengths : nullptr;
    batch.max_length = maximum;
    TokenRow row;
    status = attnrt::tokenize(*tokenizer, limit, scratch, batch);
    if (!status && batch.longest) {
      batch.seq = batch.longest;
      row.ids.resize(batch.seq, -1);
      row.types.resize(batch.seq, -1);
      batch.input_ids = row.ids.data();
      batch.token_type_ids = row.types.data();
      status = attnrt::tokenize(*tokenizer, limit, scratch, batch);
    }
    if (status)
      error = attnrt::lastError();
    return row;
  }

  attnrt::Memory memory;
  attnrt::TokenizerScratch scratch;
  attnrt::Tokenizer *tokenizer = nullptr;
  attn_status status = ATTN_OK;
  std::string error;
  int64_t limit = 1 << 20;
};

#endif // ATTN_TEST_TEXT_OPENEDTOKENIZER_H
