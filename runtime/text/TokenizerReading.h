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

#include "JsonFields.h"
#include "TokenizerState.h"

namespace attnrt {

/// "FILE: the PART is of type "TYPE"; known: KNOWN".
attn_status unknownKind(const char *file, const char *part,
                        const JsonString &type, const char *known);
/// Reads the "pattern" of a part, {"String": ...} or {"Regex": ...}.
attn_status readPattern(const char *file, JsonSection section,
                        JsonString &pattern, bool &isRegex);

/// An added token as a file describes it.
struct AddedTokenEntry {
  JsonString content;
  int32_t id = -1; ///< -1 where the file leaves it to the vocabulary
  bool singleWord = false;
  bool stripLeft = false;
  bool stripRight = false;
  bool normalized = false;
  bool special = false;
};

/// A special token by what it is for.
struct TokenRole {
  const char *name; ///< unless the files say another; nullptr: none
  const AddedTokenEntry &said;
  int32_t &id; ///< set if there is such a token
  bool isNeeded;
  bool stripsLeft = false; ///< as <mask> does unless the files say otherwise
};

/// What the small files say.
struct TokenizerConfig {
  Choice lowercases = Choice::Unsaid;
  Choice stripsAccents = Choice::Unsaid;
  Choice spacesChinese = Choice::Unsaid;
  Choice prefixesSpace = Choice::Unsaid;
  Choice truncatesLeft = Choice::Unsaid;
  int64_t maximumLength = 0; ///< the smallest limit; 0: none
  JsonString tokenizerClass;
  /// Special tokens by role; content.text == nullptr where unsaid.
  AddedTokenEntry unknown, separator, pad, classifier, mask, begin, end;
  JsonSection decoder;    ///< added_tokens_decoder
  JsonSection additional; ///< additional_special_tokens

  attn_status readTokenizerConfig(const TokenizerFile &file);
  attn_status readSpecialTokens(const TokenizerFile &file);
  attn_status readSentenceConfig(const TokenizerFile &file);

private:
  attn_status readLimit(const char *file, JsonSection section);
};

/// Reads {"content": ..., "single_word": ...}.
void readAddedToken(JsonReader &reader, AddedTokenEntry &entry);
/// Reads the same, or the content alone.
void readSpecialToken(JsonReader &reader, AddedTokenEntry &entry);

/// Collects added tokens and gives ids to them as `tokenizers` does: those of
/// the vocabulary keep theirs, others get the next ones behind it.
class AddedTokenCollector {
public:
  AddedTokenCollector(Tokenizer &tokenizer)
      : tokenizer(tokenizer), tokens(tokenizer.memory, "added tokens") {}

  attn_status add(const char *file, const AddedTokenEntry &entry);
  /// Finds a special token, and makes it an added token as `transformers` does.
  attn_status addRole(const char *file, const TokenRole &role);
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
    size_t ownStart; // before it was normalized
    size_t ownSize;
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
/// Its model: the vocabulary and how words are cut.
attn_status readModel(const char *file, JsonReader &reader,
                      Tokenizer &tokenizer);
/// [["token", score], ...] and the rest of a Unigram model.
attn_status readUnigram(const char *file, JsonReader reader, int32_t unknownId,
                        bool fallsBackToBytes, Tokenizer &tokenizer);
/// {"token": id, ...}, into the vocabulary, which must be indexed behind it.
attn_status readVocabulary(const char *file, JsonReader &reader,
                           Vocabulary &vocabulary);
/// Adds the merge of two tokens, given by their bytes.
attn_status addMerge(const char *file, const char *left, size_t leftSize,
                     const char *right, size_t rightSize,
                     const Vocabulary &vocabulary, Buffer<char> &text,
                     Bpe &model);
/// Its normalizer; none: text stays as it is.
attn_status readNormalizer(const char *file, const JsonSection &section,
                           NormalizerChain &chain);
/// Its pre_tokenizer, which must fit the model.
attn_status readPreTokenizer(const char *file, const JsonSection &section,
                             Tokenizer &tokenizer);
/// Its post_processor: rows without special tokens where it is absent.
attn_status readPostProcessor(const char *file, const JsonSection &section,
                              Tokenizer &tokenizer);
/// vocab.txt with the small files.
attn_status readVocabularyFile(const TokenizerFile &file,
                               const TokenizerConfig &config,
                               Tokenizer &tokenizer);

/// vocab.json and merges.txt with the small files.
attn_status readMergesFiles(const TokenizerFile &vocabulary,
                            const TokenizerFile &merges,
                            const TokenizerConfig &config,
                            Tokenizer &tokenizer);

/// added_tokens_decoder, additional_special_tokens: what the small files add.
attn_status addDecoder(const JsonSection &section,
                       AddedTokenCollector &collector);
attn_status addAdditional(const JsonSection &section,
                          AddedTokenCollector &collector);
/// Whether a class is called `name` or `name`Fast.
bool isClass(const JsonString &given, const char *name);

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_TOKENIZERREADING_H
