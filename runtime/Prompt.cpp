//===- Prompt.cpp - prompts to ids, ids to text ---------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Special tokens that a tokenizer puts around a text belong to the beginning of
// a sequence alone: a prompt that goes on has none.
//
//===----------------------------------------------------------------------===//
#include "Errors.h"
#include "Session.h"
#include "text/TokenizerState.h"

#include <string.h>

using namespace attnrt;

attn_status attnrt::tokenizePrompt(const attn_model &model, const char *text,
                                   size_t length, bool begins,
                                   Generation &generation,
                                   Buffer<int32_t> &ids) {
  const Tokenizer *tokenizer = nullptr;
  attn_status status = findTokenizer(model, tokenizer);
  if (status != ATTN_OK)
    return status;
  attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
  batch.count = 1;
  batch.texts = &text;
  batch.lengths = &length;
  // Too long a prompt is an error and not cut.
  constexpr int64_t kNoLimit = INT64_C(1) << 40;
  status = tokenize(*tokenizer, kNoLimit, generation.scratch, batch);
  if (status != ATTN_OK)
    return status;
  size_t count = static_cast<size_t>(batch.longest);
  if (!ids.resize(count) || !generation.mask.resize(count))
    return ATTN_ERROR_OUT_OF_MEMORY;
  if (!count)
    return ATTN_OK;
  batch.seq = batch.longest;
  batch.input_ids = ids.data();
  batch.attention_mask = generation.mask.data();
  status = tokenize(*tokenizer, kNoLimit, generation.scratch, batch);
  if (status != ATTN_OK || begins)
    return status;
  const RowTemplate &row = tokenizer->single;
  size_t before = 0;
  while (before < row.count &&
         row.pieces[before].kind == RowTemplate::Kind::Token)
    ++before;
  size_t own = count - row.tokens;
  memmove(ids.data(), ids.data() + before, own * sizeof(int32_t));
  ids.resize(own);
  return ATTN_OK;
}

attn_status attnrt_detokenize(const attn_model *model, const int32_t *ids,
                              size_t count, char *buffer, size_t capacity,
                              size_t *needed) {
  if (!model || (!ids && count) || (!buffer && capacity))
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s is NULL",
                !model          ? "model"
                : !ids && count ? "ids"
                                : "buffer");
  const Detokenizer *detokenizer = nullptr;
  attn_status status = findDetokenizer(*model, detokenizer);
  if (status != ATTN_OK)
    return status;
  DetokenizerScratch scratch(model->memory);
  Buffer<char> text(model->memory, "text");
  status =
      detokenizer->decode(ids, count, /*skipsSpecial=*/true, scratch, text);
  if (status != ATTN_OK)
    return status;
  if (needed)
    *needed = text.size();
  if (!capacity)
    return ATTN_OK;
  size_t fits = text.size() < capacity - 1 ? text.size() : capacity - 1;
  if (fits)
    memcpy(buffer, text.data(), fits);
  buffer[fits] = '\0';
  return ATTN_OK;
}
