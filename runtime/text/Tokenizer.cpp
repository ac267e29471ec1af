//===- Tokenizer.cpp - opening and closing a tokenizer --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Picks the files, reads the small ones first (the large ones are checked
// against them), and checks at the end that every id that a row can hold
// exists.
//
//===----------------------------------------------------------------------===//
#include "TokenizerReading.h"

#include <new>

namespace attnrt {

// In the order of their role below.
static const char *const fileNames[] = {"tokenizer.json",
                                        "vocab.txt",
                                        "vocab.json",
                                        "merges.txt",
                                        "tokenizer_config.json",
                                        "special_tokens_map.json",
                                        "sentence_bert_config.json"};
enum {
  TokenizerJson,
  VocabularyText,
  VocabularyJson,
  Merges,
  Config,
  SpecialTokens,
  SentenceConfig
};
static constexpr size_t kFileCount = sizeof(fileNames) / sizeof(*fileNames);

// Offsets inside a file are kept in 32 bits; no vocabulary comes near this.
static constexpr size_t kLargestFile = size_t(256) << 20;

static size_t fileRole(const char *name) {
  size_t role = 0;
  while (role < kFileCount && strcmp(fileNames[role], name) != 0)
    ++role;
  return role;
}

bool isTokenizerFile(const char *name) { return fileRole(name) < kFileCount; }

/// Sorts the files by role, and refuses what has none.
static attn_status sortFiles(const TokenizerFile *files, size_t count,
                             const TokenizerFile **byRole) {
  for (size_t i = 0; i < count; ++i) {
    size_t role = fileRole(files[i].name);
    if (role == kFileCount)
      return fail(ATTN_ERROR_INVALID_ARGUMENT,
                  "\"%s\" is not a file of a tokenizer; known: tokenizer.json, "
                  "vocab.txt, vocab.json, merges.txt, tokenizer_config.json, "
                  "special_tokens_map.json, sentence_bert_config.json",
                  files[i].name);
    if (byRole[role])
      return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s is given twice",
                  files[i].name);
    if (files[i].size > kLargestFile)
      return fail(ATTN_ERROR_WEIGHTS, "%s has %zu bytes; the most is %zu",
                  files[i].name, files[i].size, kLargestFile);
    byRole[role] = &files[i];
  }
  if (!byRole[TokenizerJson] && !byRole[VocabularyText] &&
      !(byRole[VocabularyJson] && byRole[Merges]))
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "a tokenizer needs tokenizer.json, or vocab.txt, or vocab.json "
                "and merges.txt");
  return ATTN_OK;
}

static attn_status checkIds(const Tokenizer &tokenizer) {
  if (tokenizer.padId > tokenizer.largestId)
    return fail(ATTN_ERROR_WEIGHTS,
                "the pad token has id %d, but the largest of the vocabulary is "
                "%d",
                tokenizer.padId, tokenizer.largestId);
  const RowTemplate *rows[] = {&tokenizer.single, &tokenizer.pair};
  for (const RowTemplate *row : rows)
    for (size_t i = 0; i < row->count; ++i)
      if (row->pieces[i].id > tokenizer.largestId)
        return fail(ATTN_ERROR_WEIGHTS,
                    "the post_processor adds id %d, but the largest of the "
                    "vocabulary is %d",
                    row->pieces[i].id, tokenizer.largestId);
  return ATTN_OK;
}

static attn_status readFiles(const TokenizerFile *const *files,
                             Tokenizer &tokenizer) {
  TokenizerConfig config;
  attn_status status = ATTN_OK;
  // What both files name, special_tokens_map.json says last.
  if ((files[Config] &&
       (status = config.readTokenizerConfig(*files[Config]))) ||
      (files[SpecialTokens] &&
       (status = config.readSpecialTokens(*files[SpecialTokens]))) ||
      (files[SentenceConfig] &&
       (status = config.readSentenceConfig(*files[SentenceConfig]))))
    return status;
  tokenizer.maximumLength = config.maximumLength;
  if (files[TokenizerJson])
    status = readTokenizerJson(*files[TokenizerJson], config, tokenizer);
  else if (files[VocabularyText])
    status = readVocabularyFile(*files[VocabularyText], config, tokenizer);
  else
    status = readMergesFiles(*files[VocabularyJson], *files[Merges], config,
                             tokenizer);
  return status ? status : checkIds(tokenizer);
}

attn_status openTokenizer(const TokenizerFile *files, size_t count,
                          Memory &memory, Tokenizer *&tokenizer) {
  const TokenizerFile *byRole[kFileCount] = {};
  attn_status status = sortFiles(files, count, byRole);
  if (status)
    return status;
  void *storage = memory.allocate(sizeof(Tokenizer), "the tokenizer");
  if (!storage)
    return ATTN_ERROR_OUT_OF_MEMORY;
  Tokenizer *fresh = new (storage) Tokenizer(memory);
  status = readFiles(byRole, *fresh);
  if (status)
    closeTokenizer(fresh);
  else
    tokenizer = fresh;
  return status;
}

void closeTokenizer(Tokenizer *tokenizer) {
  if (!tokenizer)
    return;
  Memory &memory = tokenizer->memory;
  tokenizer->~Tokenizer();
  memory.release(tokenizer, sizeof(Tokenizer));
}

TokenizerFacts describeTokenizer(const Tokenizer &tokenizer) {
  TokenizerFacts facts = {};
  static const char *const kinds[] = {"WordPiece", "BPE", "Unigram"};
  facts.kind = kinds[static_cast<size_t>(tokenizer.model)];
  facts.vocabularySize = int64_t(tokenizer.largestId) + 1;
  facts.maximumLength = tokenizer.maximumLength;
  facts.specialTokens = static_cast<int64_t>(tokenizer.single.tokens);
  facts.padId = tokenizer.padId;
  facts.padTypeId = tokenizer.padTypeId;
  facts.largestTypeId = tokenizer.padTypeId;
  const RowTemplate *rows[] = {&tokenizer.single, &tokenizer.pair};
  for (const RowTemplate *row : rows)
    for (size_t i = 0; i < row->count; ++i)
      if (row->pieces[i].typeId > facts.largestTypeId)
        facts.largestTypeId = row->pieces[i].typeId;
  facts.lowercases = tokenizer.normalizer.lowercases();
  return facts;
}

} // namespace attnrt
