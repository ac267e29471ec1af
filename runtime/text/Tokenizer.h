//===- Tokenizer.h - text in, token ids out ---------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The runtime's tokenizer: WordPiece, BPE and Unigram, from the files of a
// HuggingFace folder. A tokenizer is immutable and may be used from any number
// of threads at once, each with its own TokenizerScratch.
//
// Of these files, those that travel with the model are given; others are
// refused:
//
//   tokenizer.json            everything; used alone where it is there, but for
//                             the limits, the pad token and the truncation side
//   vocab.txt                 one token a line, for folders without the above
//   vocab.json, merges.txt    the same for byte-level BPE
//   tokenizer_config.json     do_lower_case, strip_accents, add_prefix_space,
//                             the class, the special tokens
//   special_tokens_map.json   special tokens, over those of the above
//   sentence_bert_config.json max_seq_length
//
// The lengths that tokenizer.json gives for padding and truncation belong to
// the call that its author made last, and are not used.
//
// Failures: ATTN_ERROR_WEIGHTS (a file is damaged or contradicts itself or
// another one), ATTN_ERROR_UNAVAILABLE (a kind of tokenizer that is not known;
// the message lists those that are), ATTN_ERROR_INVALID_ARGUMENT,
// ATTN_ERROR_OUT_OF_MEMORY. lastError() then says more.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_TOKENIZER_H
#define ATTN_RUNTIME_TEXT_TOKENIZER_H

#include "Bpe.h"
#include "NormalizerChain.h"
#include "Unigram.h"
#include "attn/text.h"

namespace attnrt {

struct TokenizerFile {
  const char *name; ///< without its folder: "tokenizer.json"
  const char *data; ///< read while opening only
  size_t size;
};

/// What a tokenizer says of itself.
struct TokenizerFacts {
  const char *kind;       ///< "WordPiece", "BPE", "Unigram"
  int64_t vocabularySize; ///< one more than the largest id it can give
  int64_t maximumLength;  ///< tokens a row may have by the files' own limits
                          ///< (max_seq_length, model_max_length); 0: none
  int64_t specialTokens;  ///< in a row of one text: "[CLS] text [SEP]" has 2
  int32_t padId; ///< -1: none, and rows of one call must be equally long
  int32_t padTypeId;
  int32_t largestTypeId; ///< 0 if a model needs no token types for it
  bool lowercases;
};

struct Tokenizer;

/// Opens a tokenizer. The compiler calls this to refuse at compile time what
/// would not open in a library. `memory` must outlive the tokenizer.
attn_status openTokenizer(const TokenizerFile *files, size_t count,
                          Memory &memory, Tokenizer *&tokenizer);
/// Takes back everything. `tokenizer` may be nullptr.
void closeTokenizer(Tokenizer *tokenizer);

TokenizerFacts describeTokenizer(const Tokenizer &tokenizer);

/// Whether openTokenizer takes a file of this name.
bool isTokenizerFile(const char *name);

/// Working memory of tokenize(): grows to what the longest text so far needed,
/// so that a second call of the same size allocates nothing.
struct TokenizerScratch {
  explicit TokenizerScratch(Memory &memory)
      : valid(memory, "text"), plain(memory, "text"), normalizer(memory),
        rewritten(memory, "text"), hashes(memory, "text"), bpe(memory),
        unigram(memory, "text"), ids(memory, "text"), rows(memory, "text") {}

  struct Row {
    size_t start;  ///< of the first text's ids in `ids`; the second's follow
    size_t first;  ///< ids of the first text that stay
    size_t second; ///< ids of the second text that stay
  };
  Buffer<char> valid; ///< a text with its invalid bytes replaced
  Buffer<char> plain; ///< a piece of it without its guards
  NormalizerScratch normalizer;
  Buffer<char> rewritten;  ///< a piece of it, as a pre-tokenizer writes it
  Buffer<uint64_t> hashes; ///< for WordPiece
  BpeScratch bpe;
  Buffer<UnigramNode> unigram;
  Buffer<int32_t> ids;
  Buffer<Row> rows;
};

/// Appends text of a message to a prompt, so that nothing of it becomes a
/// special token: U+FDD0, which no text means, stands behind the first
/// character of what would. tokenizeGuarded() takes it out again. Bytes that
/// are no UTF-8, and U+FDD0 itself, become U+FFFD.
bool guardText(const Tokenizer &tokenizer, const char *text, size_t size,
               Buffer<char> &out);
/// Appends the ids of a prompt to `ids`, without the special tokens that a
/// tokenizer puts around a text.
attn_status tokenizeGuarded(const Tokenizer &tokenizer, const char *text,
                            size_t size, TokenizerScratch &scratch,
                            Buffer<int32_t> &ids);

/// See attn/text.h. `limit` (at least 1) stands in for a max_length of 0.
/// `longest` is what the rows have by max_length, whatever `seq` is: a `seq`
/// below it means that rows were cut to `seq`. A call that fails writes
/// nothing.
attn_status tokenize(const Tokenizer &tokenizer, int64_t limit,
                     TokenizerScratch &scratch, attn_text_batch &batch);

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_TOKENIZER_H
