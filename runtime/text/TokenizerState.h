//===- TokenizerState.h - what an open tokenizer holds ----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shared by the files that read a tokenizer and the one that runs it.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_TOKENIZERSTATE_H
#define ATTN_RUNTIME_TEXT_TOKENIZERSTATE_H

#include "AddedTokens.h"
#include "Bpe.h"
#include "NormalizerChain.h"
#include "PreTokenizer.h"
#include "Tokenizer.h"
#include "WordPiece.h"

namespace attnrt {

/// A row's layout: special tokens and the place of each text.
struct RowTemplate {
  enum class Kind : uint8_t { Token, FirstText, SecondText };
  struct Piece {
    Kind kind;
    int32_t id; ///< of a Token
    int32_t typeId;
  };
  static constexpr size_t capacity = 32;

  Piece pieces[capacity];
  size_t count = 0;
  size_t tokens = 0; ///< special tokens among the pieces

  /// False if there is no room.
  bool add(Kind kind, int32_t typeId, int32_t id = -1) {
    if (count == capacity)
      return false;
    pieces[count++] = {kind, id, typeId};
    tokens += kind == Kind::Token;
    return true;
  }
};

enum class ModelKind : uint8_t { WordPiece, Bpe, Unigram };

struct Tokenizer {
  explicit Tokenizer(Memory &memory)
      : memory(memory), normalizer(memory), vocabulary(memory),
        wordPiece(memory, vocabulary), bpe(memory, vocabulary),
        unigram(memory, vocabulary), rawTokens(memory),
        normalizedTokens(memory), specialTokens(memory),
        tokenText(memory, "added tokens") {}

  /// [CLS] A [SEP], and [CLS] A [SEP] B [SEP] with token type 1 from B on.
  void useBertTemplates(int32_t classifier, int32_t separator);
  /// <s> A </s>, and <s> A </s></s> B </s>.
  void useRobertaTemplates(int32_t classifier, int32_t separator);
  /// A, and A B with token type 1 for B.
  void usePlainTemplates();

  Memory &memory;
  NormalizerChain normalizer;
  PreTokenizer preTokenizer;
  ModelKind model = ModelKind::WordPiece;
  Vocabulary vocabulary; ///< of the model
  WordPiece wordPiece;
  Bpe bpe;
  Unigram unigram;
  AddedTokenSet rawTokens;         ///< looked for in the text as it came
  AddedTokenSet normalizedTokens;  ///< looked for in the normalized text
  AddedTokenSet specialTokens;     ///< of both, as they came: for guardText()
  bool normalizesSpecials = false; ///< some are in the second set
  Buffer<char> tokenText;          ///< their bytes
  RowTemplate single, pair;
  bool truncatesLeft = false;
  int32_t padId = -1; ///< -1: there is none
  int32_t padTypeId = 0;
  int32_t largestId = -1;
  int64_t maximumLength = 0;
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_TOKENIZERSTATE_H
