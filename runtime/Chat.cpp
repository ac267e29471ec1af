//===- Chat.cpp - messages in, a prompt out -------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The library's template makes text of messages, and the tokenizer ids of the
// text. Special tokens are the template's alone: transformers takes them from a
// user's text too, who could then end a turn and begin one of the system's.
// Here such text remains text.
//
//===----------------------------------------------------------------------===//
#include "Errors.h"
#include "Session.h"
#include "text/ChatTemplate.h"

#include <string.h>
#include <time.h>

using namespace attnrt;

static Slice sliceOf(const char *text) { return text ? Slice(text) : Slice(); }

static attn_status checkMessages(const attn_model &model,
                                 const attn_message *messages, size_t count) {
  const attn_abi_library &library = model.library;
  if (!library.generation || !library.generation->chat)
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: this library has no chat template; give a prompt",
                library.name);
  if (!messages || !count)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s: %s", library.name,
                messages ? "there are no messages; expected at least one"
                         : "messages is NULL");
  for (size_t i = 0; i < count; ++i)
    if (!messages[i].role || !messages[i].content)
      return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s: messages[%zu].%s is NULL",
                  library.name, i, messages[i].role ? "content" : "role");
  return ATTN_OK;
}

/// Renders messages; guarded for `tokenizer` if it is not NULL.
static attn_status render(const attn_model &model, const attn_message *messages,
                          size_t count, bool continues,
                          const Tokenizer *tokenizer, TemplateArena &arena,
                          Buffer<char> &prompt) {
  const attn_abi_chat &chat = *model.library.generation->chat;
  ChatTemplate opened(model.memory);
  attn_status status = opened.open(chat.chat_template, chat.size);
  if (status != ATTN_OK)
    return status;
  ChatMessage *copies =
      static_cast<ChatMessage *>(arena.allocate(count * sizeof(ChatMessage)));
  if (!copies)
    return ATTN_ERROR_OUT_OF_MEMORY;
  for (size_t i = 0; i < count; ++i) {
    const char *const texts[] = {messages[i].role, messages[i].content};
    Slice *const targets[] = {&copies[i].role, &copies[i].content};
    for (int k = 0; k < 2; ++k) {
      *targets[k] = sliceOf(texts[k]);
      if (!tokenizer)
        continue;
      prompt.clear();
      if (!guardText(*tokenizer, texts[k], strlen(texts[k]), prompt))
        return ATTN_ERROR_OUT_OF_MEMORY;
      const char *copy = arena.copy(prompt.data(), prompt.size());
      if (!copy)
        return ATTN_ERROR_OUT_OF_MEMORY;
      *targets[k] = {copy, prompt.size()};
    }
  }
  ChatVariables variables;
  variables.addGenerationPrompt = continues;
  variables.bosToken = sliceOf(chat.bos_token);
  variables.eosToken = sliceOf(chat.eos_token);
  variables.padToken = sliceOf(chat.pad_token);
  variables.unkToken = sliceOf(chat.unk_token);
  // UTC: what the local time is would be the C library's to say, which reads
  // files and the environment for it.
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  variables.now = now.tv_sec;
  prompt.clear();
  return opened.render(copies, count, variables, arena, prompt);
}

attn_status attnrt::tokenizeMessages(const attn_model &model,
                                     const attn_message *messages, size_t count,
                                     bool continues, TemplateArena &arena,
                                     TokenizerScratch &scratch,
                                     Buffer<int32_t> &ids) {
  attn_status status = checkMessages(model, messages, count);
  const Tokenizer *tokenizer = nullptr;
  if (status == ATTN_OK)
    status = findTokenizer(model, tokenizer);
  if (status != ATTN_OK)
    return status;
  Buffer<char> prompt(model.memory, "the prompt");
  status = render(model, messages, count, continues, tokenizer, arena, prompt);
  arena.reset();
  return status == ATTN_OK ? tokenizeGuarded(*tokenizer, prompt.data(),
                                             prompt.size(), scratch, ids)
                           : status;
}

attn_status attnrt_chat_prompt(const attn_model *model,
                               const attn_message *messages, size_t count,
                               int32_t continues, char *buffer, size_t capacity,
                               size_t *needed) {
  if (!model || (!buffer && capacity))
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s is NULL",
                model ? "buffer" : "model");
  attn_status status = checkMessages(*model, messages, count);
  if (status != ATTN_OK)
    return status;
  TemplateArena arena(model->memory, "the messages");
  Buffer<char> prompt(model->memory, "the prompt");
  status =
      render(*model, messages, count, continues != 0, nullptr, arena, prompt);
  if (status != ATTN_OK)
    return status;
  if (needed)
    *needed = prompt.size();
  if (!capacity)
    return ATTN_OK;
  size_t fits = prompt.size() < capacity - 1 ? prompt.size() : capacity - 1;
  if (fits)
    memcpy(buffer, prompt.data(), fits);
  buffer[fits] = '\0';
  return ATTN_OK;
}

attn_status attnrt_chat_tokenize(const attn_model *model,
                                 const attn_message *messages, size_t count,
                                 int32_t continues, int32_t *ids,
                                 size_t capacity, size_t *needed) {
  if (!model || (!ids && capacity))
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s is NULL",
                model ? "ids" : "model");
  TemplateArena arena(model->memory, "the messages");
  TokenizerScratch scratch(model->memory);
  Buffer<int32_t> found(model->memory, "the prompt");
  attn_status status = tokenizeMessages(*model, messages, count, continues != 0,
                                        arena, scratch, found);
  if (status != ATTN_OK)
    return status;
  if (needed)
    *needed = found.size();
  size_t fits = found.size() < capacity ? found.size() : capacity;
  if (fits)
    memcpy(ids, found.data(), fits * sizeof(int32_t));
  return ATTN_OK;
}
