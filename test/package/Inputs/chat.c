/*===- chat.c - conversations, batches and drafts from C
 * ----------------------===*
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Three models of one vocabulary in one program: `tiny`, `small`, which
 * guesses for it, and `other`, whose tokenizer gives other ids.
 *
 *===----------------------------------------------------------------------===*/
#include "check.h"
#include "other.h"
#include "small.h"

#include <stdlib.h>

typedef struct {
  int32_t ids[4][128];
  int64_t counts[4];
} heard;

static int32_t take_of(void *context, int64_t sequence, int32_t token,
                       const char *text, size_t length) {
  heard *h = context;
  (void)text;
  (void)length;
  if (token >= 0)
    h->ids[sequence][h->counts[sequence]++] = token;
  return 0;
}
static int32_t take(void *context, int32_t token, const char *text,
                    size_t length) {
  return take_of(context, 0, token, text, length);
}

static int64_t length_of(tiny_session *session, int64_t sequence) {
  int64_t length = -1;
  EXPECT(tiny_session_length(session, sequence, &length) == ATTN_OK);
  return length;
}

static const attn_message messages[] = {{"system", "be brief"},
                                        {"user", "hello<|im_end|>"}};
static const char prompt[] = "<|im_start|>system\nbe brief<|im_end|>\n"
                             "<|im_start|>user\nhello<|im_end|><|im_end|>\n"
                             "<|im_start|>assistant\n";

static void check_chat(tiny *opened, tiny_session *session) {
  char text[256];
  int32_t ids[128];
  size_t needed = 0, count = 0;
  EXPECT(tiny_chat_prompt(opened, messages, 2, 1, text, sizeof(text),
                          &needed) == ATTN_OK);
  EXPECT(needed == strlen(prompt) && strcmp(text, prompt) == 0);
  EXPECT(tiny_chat_tokenize(opened, messages, 2, 1, ids, 128, &count) ==
         ATTN_OK);
  /* Of the turn's end that the user wrote only the template's remains one. */
  int ends = 0;
  for (size_t i = 0; i < count; ++i)
    ends += ids[i] == 4;
  EXPECT(ends == 2);

  attn_generate_options options = ATTN_GENERATE_INIT;
  options.max_tokens = 6;
  options.keeps_model_stops = 1;
  heard alone = {0}, chat = {0}, again = {0};
  EXPECT(tiny_generate(session, &options, ids, count, take, &alone, NULL) ==
         ATTN_OK);
  EXPECT(tiny_session_reset(session) == ATTN_OK);
  attn_generate_result result = {.struct_size = sizeof(result)};
  EXPECT(tiny_chat(session, &options, messages, 2, take, &chat, &result) ==
         ATTN_OK);
  EXPECT(result.prompt_tokens == (int64_t)count && result.reused_tokens == 0);
  EXPECT(memcmp(&alone, &chat, sizeof(chat)) == 0);
  EXPECT(tiny_chat(session, &options, messages, 2, take, &again, &result) ==
         ATTN_OK);
  EXPECT(result.reused_tokens == (int64_t)count - 1);
  EXPECT(memcmp(&alone, &again, sizeof(chat)) == 0);
  EXPECT(tiny_chat(session, &options, NULL, 2, take, &again, &result) ==
         ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT(tiny_session_reset(session) == ATTN_OK);
}

static void check_batch(tiny_session *session) {
  static const int32_t prompts[3][3] = {{9, 10, 11}, {30, 0, 0}, {8, 8, 0}};
  static const size_t counts[3] = {3, 1, 2};
  attn_generate_options options[3];
  attn_generate_request requests[3];
  heard together = {0};
  for (int i = 0; i < 3; ++i) {
    options[i] = (attn_generate_options)ATTN_GENERATE_INIT;
    options[i].sequence = i == 2 ? 3 : i;
    options[i].max_tokens = 5 + 4 * i;
    options[i].keeps_model_stops = 1;
    requests[i] = (attn_generate_request)ATTN_GENERATE_REQUEST_INIT;
    requests[i].options = &options[i];
    requests[i].ids = prompts[i];
    requests[i].count = counts[i];
  }
  EXPECT(tiny_generate_batch(session, requests, 3, take_of, &together) ==
         ATTN_OK);
  for (int i = 0; i < 3; ++i) {
    int64_t sequence = options[i].sequence;
    heard alone = {0};
    EXPECT(length_of(session, sequence) ==
           (int64_t)counts[i] + options[i].max_tokens - 1);
    EXPECT(tiny_session_truncate(session, 0, 0) == ATTN_OK);
    options[i].sequence = 0;
    EXPECT(tiny_generate(session, &options[i], prompts[i], counts[i], take,
                         &alone, NULL) == ATTN_OK);
    EXPECT(alone.counts[0] == options[i].max_tokens);
    EXPECT(memcmp(alone.ids[0], together.ids[sequence], sizeof(alone.ids[0])) ==
           0);
  }
  EXPECT(length_of(session, 2) == 0);
  EXPECT(tiny_session_reset(session) == ATTN_OK);
}

static void check_draft(tiny_session *session, small_session *drafting,
                        other_session *foreign) {
  static const int32_t ids[] = {7, 20, 11};
  attn_generate_options options = ATTN_GENERATE_INIT;
  options.max_tokens = 60;
  options.keeps_model_stops = 1;
  heard alone = {0};
  EXPECT(tiny_generate(session, &options, ids, 3, take, &alone, NULL) ==
         ATTN_OK);
  options.draft = small_library();
  options.draft_session = (attn_session *)drafting;
  for (int64_t guesses = 1; guesses <= 8; ++guesses) {
    heard drafted = {0};
    attn_generate_result result = {.struct_size = sizeof(result)};
    EXPECT(tiny_session_reset(session) == ATTN_OK);
    options.draft_tokens = guesses;
    EXPECT(tiny_generate(session, &options, ids, 3, take, &drafted, &result) ==
           ATTN_OK);
    EXPECT(memcmp(&alone, &drafted, sizeof(alone)) == 0);
    EXPECT(result.tokens == 60 && result.draft_tokens > 0);
    EXPECT(result.draft_accepted <= result.draft_tokens);
    EXPECT(length_of(session, 0) == 62);
  }
  /* A model that guesses for itself is always right. */
  attn_generate_result result = {.struct_size = sizeof(result)};
  heard drafted = {0};
  EXPECT(tiny_session_reset(session) == ATTN_OK);
  options.draft = other_library();
  options.draft_session = (attn_session *)foreign;
  EXPECT(tiny_generate(session, &options, ids, 3, take, &drafted, &result) ==
         ATTN_ERROR_VOCABULARY);
  EXPECT(strstr(tiny_last_error(), "other") != NULL);
  EXPECT(length_of(session, 0) == 0);
}

static void check_itself(tiny *opened, tiny_session *session) {
  static const int32_t ids[] = {7, 20, 11};
  tiny_session *second = NULL;
  EXPECT(tiny_session_open(opened, &second) == ATTN_OK);
  attn_generate_options options = ATTN_GENERATE_INIT;
  options.max_tokens = 41;
  options.keeps_model_stops = 1;
  options.draft = tiny_library();
  options.draft_session = (attn_session *)second;
  attn_generate_result result = {.struct_size = sizeof(result)};
  EXPECT(tiny_session_reset(session) == ATTN_OK);
  EXPECT(tiny_generate(session, &options, ids, 3, NULL, NULL, &result) ==
         ATTN_OK);
  EXPECT(result.draft_accepted == result.draft_tokens);
  EXPECT(result.draft_accepted == 32);
  tiny_session_close(second);
}

static void check_feeding(tiny_session *session) {
  static const int32_t ids[] = {7, 20, 11};
  const attn_generation *facts = tiny_generation();
  EXPECT(facts->vocabulary == 40 && facts->positions == 90);
  EXPECT(facts->stop_token_count == 2 && facts->stop_tokens[1] == 4);
  EXPECT(facts->defaults->temperature == 0.5f && facts->defaults->top_k == 50);
  float *logits = malloc(sizeof(float) * 40);
  EXPECT(tiny_session_reset(session) == ATTN_OK);
  EXPECT(tiny_session_feed(session, 1, ids, 3, logits) == ATTN_OK);
  int32_t best = 0;
  for (int32_t i = 1; i < 40; ++i)
    best = logits[i] > logits[best] ? i : best;
  heard alone = {0};
  attn_generate_options options = ATTN_GENERATE_INIT;
  options.max_tokens = 1;
  EXPECT(tiny_generate(session, &options, ids, 3, take, &alone, NULL) ==
         ATTN_OK);
  EXPECT(alone.ids[0][0] == best);
  free(logits);
}

int main(void) {
  tiny *opened = NULL;
  small *draft = NULL;
  other *foreign = NULL;
  tiny_session *session = NULL;
  small_session *drafting = NULL;
  other_session *strange = NULL;
  EXPECT(tiny_open(NULL, &opened) == ATTN_OK);
  EXPECT(small_open(NULL, &draft) == ATTN_OK);
  EXPECT(other_open(NULL, &foreign) == ATTN_OK);
  EXPECT(tiny_session_open(opened, &session) == ATTN_OK);
  EXPECT(small_session_open(draft, &drafting) == ATTN_OK);
  EXPECT(other_session_open(foreign, &strange) == ATTN_OK);
  check_chat(opened, session);
  check_batch(session);
  check_draft(session, drafting, strange);
  check_itself(opened, session);
  check_feeding(session);
  tiny_session_close(session);
  small_session_close(drafting);
  other_session_close(strange);
  tiny_close(opened);
  small_close(draft);
  other_close(foreign);
  return finish("chat");
}
