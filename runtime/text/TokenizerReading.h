//===- TokenizerReading.h - from the files to a tokenizer -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the readers of the single files share. Errors name the file, and for
// malformed JSON the byte.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_TOKENIZERREADING_H
#define ATTN_RUNTIME_TEXT_TOKENIZERREADING_H

#include "Errors.h"
#include "TokenizerState.h"

namespace attnrt {

/// A value inside a JSON file, to be read (again) later.
struct JsonSection {
  bool present = false;
  JsonReader reader{nullptr, 0};

  /// Notes where `from` stands and passes over the value.
  void take(JsonReader &from) {
    present = from.peek() != JsonKind::Null;
    reader = from;
    from.skip();
  }
};

/// "FILE, byte 17: expected a string".
attn_status malformed(const char *file, const JsonReader &reader);

/// At most 60 bytes of a string, for "%.*s".
inline int shown(const JsonString &string) {
  return static_cast<int>(string.size < 60 ? string.size : 60);
}

enum class Choice : uint8_t { Unsaid, No, Yes };

/// Reads true, false or null (Unsaid).
void readChoice(JsonReader &reader, Choice &choice);
/// Reads an integer from 0 to 2^31-1.
bool readId(JsonReader &reader, int32_t &id);

/// An added token as a file describes it.
struct AddedTokenEntry {
  JsonString content;
  int32_t id = -1; ///< -1 where the file leaves it to the vocabulary
  bool singleWord = false;
  bool stripLeft = false;
  bool stripRight = false;
  bool normalized = false;
};

/// What the small files say.
struct TokenizerConfig {
  Choice lowercases = Choice::Unsaid;
  Choice stripsAccents = Choice::Unsaid;
  Choice spacesChinese = Choice::Unsaid;
  Choice truncatesLeft = Choice::Unsaid;
  int64_t maximumLength = 0; ///< the smallest limit; 0: none
  JsonString tokenizerClass;
  /// Special tokens by role; content.text == nullptr where unsaid.
  AddedTokenEntry unknown, separator, pad, classifier, mask;
  JsonSection decoder;    ///< added_tokens_decoder
  JsonSection additional; ///< additional_special_tokens

  attn_status readTokenizerConfig(const TokenizerFile &file);
  attn_status readSpecialTokens(const TokenizerFile &file);
  attn_status readSentenceConfig(const TokenizerFile &file);

private:
  bool readRole(const JsonString &key, JsonReader &reader);
  void readLimit(JsonReader &reader);
};

/// Reads {"content": ..., "single_word": ...}.
void readAddedToken(JsonReader &reader, AddedTokenEntry &entry);

/// Collects added tokens and gives ids to them as `tokenizers` does: those of
/// the vocabulary keep theirs, others get the next ones behind it.
class AddedTokenCollector {
public:
  AddedTokenCollector(Tokenizer &tokenizer)
      : tokenizer(tokenizer), tokens(tokenizer.memory, "added tokens") {}

  attn_status add(const char *file, const AddedTokenEntry &entry);
  /// The id of an added token or a token of the vocabulary; -1: neither.
  attn_status find(const JsonString &content, int32_t &id) const;
  bool contains(const JsonString &content) const { return findAdded(content); }
  /// Hands the tokens to the tokenizer, whose normalizer must be configured.
  attn_status finish();

private:
  struct Token {
    size_t start; // in tokenizer.tokenText
    size_t size;
    AddedTokenEntry entry;
  };
  const Token *findAdded(const JsonString &content) const;
  Tokenizer &tokenizer;
  Buffer<Token> tokens;
  int32_t largestAdded = -1;
};

/// tokenizer.json.
attn_status readTokenizerJson(const TokenizerFile &file,
                              const TokenizerConfig &config,
                              Tokenizer &tokenizer);
/// Its post_processor: rows without special tokens where it is absent.
attn_status readPostProcessor(const char *file, const JsonSection &section,
                              Tokenizer &tokenizer);
/// vocab.txt with the small files.
attn_status readVocabularyFile(const TokenizerFile &file,
                               const TokenizerConfig &config,
                               Tokenizer &tokenizer);

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_TOKENIZERREADING_H
