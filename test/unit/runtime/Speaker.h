//===- Speaker.h - a hand-written language model ----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A library with states whose logits are a known function of the last three
// tokens and the position. Its sessions keep the tokens themselves, in blocks
// of 16 positions, so that every table, length and rewinding shows in the
// logits. Tokens are characters: see kTokenizer.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_TEST_UNIT_RUNTIME_SPEAKER_H
#define ATTN_TEST_UNIT_RUNTIME_SPEAKER_H

#include "Toybox.h"

namespace speaker {

constexpr int64_t kVocabulary = 40, kPositions = 60, kSequences = 4;
constexpr int32_t kEnd = 2, kTurn = 3, kTurnEnd = 4, kLetterA = 7;

/// A complete library without text, one with a tokenizer, and with a chat
/// template; a draft that agrees with them more often than not.
extern const attn_abi_library mute, talking, chatting, drafting;
/// Like `mute`, but positions further back than 20 are forgotten; one whose
/// entries take masks before ids, and columns before rows.
extern const attn_abi_library forgetful, reversed;

/// As the packager would generate it for `drafting`.
const attn_library *draftTable();

/// Weights with the tokenizer's files.
const toy::AlignedBytes &weights();
attn_options options();

/// What decode and score compute behind these tokens.
std::vector<float> logitsBehind(const std::vector<int32_t> &tokens);
/// The likeliest `count` tokens behind them, one after the other.
std::vector<int32_t> likeliest(std::vector<int32_t> tokens, size_t count);

/// Token ids of text, without special tokens.
std::vector<int32_t> idsOf(const std::string &text);

/// Called by each call of an entry, where not NULL.
extern std::atomic<void (*)()> hook;

/// Rows of the last call of an entry.
extern std::atomic<int64_t> rows;

/// What a callback was told, by sequence.
struct Heard {
  std::map<int64_t, std::vector<int32_t>> ids;
  std::map<int64_t, std::string> text;
  std::vector<int64_t> order; ///< sequences, as they were told
  std::map<int64_t, size_t> stopsAfter;

  static int32_t token(void *context, int32_t token, const char *text,
                       size_t length) {
    return sequence(context, 0, token, text, length);
  }
  static int32_t sequence(void *context, int64_t sequence, int32_t token,
                          const char *text, size_t length);
};

} // namespace speaker

#endif // ATTN_TEST_UNIT_RUNTIME_SPEAKER_H
