/*===- arguments.c - arguments that a library refuses -----------------------===
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * NULL, zero, negative and too large arguments: each is refused with a message
 * that says what was expected and what came, and changes nothing.
 *
 *===----------------------------------------------------------------------===*/
#include "check.h"

static const attn_status INVALID = ATTN_ERROR_INVALID_ARGUMENT;

static void check_options(void) {
  tiny *model = (tiny *)&model; /* must become NULL */
  EXPECT_ERROR(tiny_open(NULL, NULL), INVALID, "model is NULL");
  attn_options options = ATTN_OPTIONS_INIT;
  options.struct_size = 3;
  EXPECT_ERROR(tiny_open(&options, &model), INVALID, "struct_size is 3");
  EXPECT(model == NULL);
  options.struct_size = sizeof(options);
  options.threads = -1;
  EXPECT_ERROR(tiny_open(&options, &model), INVALID,
               "options.threads is -1; expected 0");
  options.threads = 10000;
  EXPECT_ERROR(tiny_open(&options, &model), INVALID, "threads is 10000");
  options.threads = 0;
  options.device = "gpu";
  EXPECT_ERROR(tiny_open(&options, &model), INVALID, "device is \"gpu\"");
  options.device = "cpu";
  options.variant = "vax";
  EXPECT(tiny_open(&options, &model) != ATTN_OK && model == NULL);
  EXPECT(strstr(tiny_last_error(), "vax") != NULL);
  options.variant = NULL;
  options.weights_size = 5;
  EXPECT_ERROR(tiny_open(&options, &model), INVALID, "weights_data is NULL");
  options.weights_size = 0;
  options.weights_path = "";
  EXPECT_ERROR(tiny_open(&options, &model), INVALID, "weights_path is empty");
  options.weights_path = NULL;
  options.max_bytes = 64;
  EXPECT_ERROR(tiny_open(&options, &model), ATTN_ERROR_OUT_OF_MEMORY, "64");
  attn_allocator allocator = {NULL, NULL, NULL};
  options.max_bytes = 0;
  options.allocator = &allocator;
  EXPECT_ERROR(tiny_open(&options, &model), INVALID, "allocate is NULL");
  options.allocator = NULL;
  attn_executor executor = {NULL, 0, NULL};
  options.executor = &executor;
  EXPECT_ERROR(tiny_open(&options, &model), INVALID, "width is 0");
  executor.width = 2;
  EXPECT_ERROR(tiny_open(&options, &model), INVALID, "parallel_for is NULL");
}

static void check_handles(tiny *model) {
  tiny_session *session = NULL;
  int64_t sizes[2] = {1, 1};
  uint64_t bytes = 77;
  EXPECT_ERROR(tiny_session_open(NULL, &session), INVALID, "model is NULL");
  EXPECT_ERROR(tiny_session_open(model, NULL), INVALID, "session is NULL");
  EXPECT_ERROR(tiny_cancel(NULL), INVALID, "session is NULL");
  EXPECT_ERROR(tiny_session_bytes(NULL, "embed", sizes, 2, &bytes), INVALID,
               "model is NULL");
  EXPECT_ERROR(tiny_session_bytes(model, "embed", sizes, 2, NULL), INVALID,
               "bytes is NULL");
  EXPECT_ERROR(tiny_session_bytes(model, NULL, sizes, 2, &bytes), INVALID,
               "entry is NULL");
  EXPECT_ERROR(tiny_session_bytes(model, "fly", sizes, 2, &bytes), INVALID,
               "fly");
  EXPECT_ERROR(tiny_session_bytes(model, "embed", sizes, 1, &bytes), INVALID,
               "2");
  sizes[1] = 41;
  EXPECT_ERROR(tiny_session_bytes(model, "embed", sizes, 2, &bytes), INVALID,
               "seq is 41; expected 1 to 40");
  EXPECT(bytes == 77);
  EXPECT_ERROR(tiny_info(NULL, NULL, 0, NULL), INVALID, "NULL");
}

static void check_calls(tiny_session *session) {
  int32_t ids[40] = {0};
  float out[WIDTH] = {42.0f};
  EXPECT_ERROR(tiny_embed(NULL, 1, 1, ids, NULL, NULL, out), INVALID,
               "session is NULL");
  EXPECT_ERROR(tiny_embed(session, 0, 1, ids, NULL, NULL, out), INVALID,
               "batch is 0; expected 1 to 64");
  EXPECT_ERROR(tiny_embed(session, -1, 1, ids, NULL, NULL, out), INVALID,
               "batch is -1");
  EXPECT_ERROR(tiny_embed(session, 65, 1, ids, NULL, NULL, out), INVALID,
               "batch is 65");
  EXPECT_ERROR(tiny_embed(session, INT64_MAX, INT64_MAX, ids, NULL, NULL, out),
               INVALID, "batch is 9223372036854775807");
  EXPECT_ERROR(tiny_embed(session, 1, 41, ids, NULL, NULL, out), INVALID,
               "seq is 41; expected 1 to 40");
  EXPECT_ERROR(tiny_embed(session, 1, INT64_MIN, ids, NULL, NULL, out), INVALID,
               "seq is -9223372036854775808");
  EXPECT_ERROR(tiny_embed(session, 1, 3, NULL, NULL, NULL, out), INVALID,
               "input_ids is NULL; expected 12 bytes");
  EXPECT_ERROR(tiny_embed(session, 1, 3, ids, NULL, NULL, NULL), INVALID,
               "sentence_embedding is NULL; expected 48 bytes");
  ids[2] = 50;
  EXPECT_ERROR(tiny_embed(session, 1, 3, ids, NULL, NULL, out), INVALID,
               "input_ids[2] is 50; expected 0 to 49");
  ids[2] = -1;
  EXPECT_ERROR(tiny_embed(session, 1, 3, ids, NULL, NULL, out), INVALID,
               "input_ids[2] is -1");
  ids[2] = 2;
  EXPECT_ERROR(tiny_embed(session, 1, 3, ids, ids, NULL, out), INVALID,
               "attention_mask[2] is 2; expected 0 to 1");
  EXPECT_ERROR(tiny_embed(session, 1, 3, ids, NULL, ids, out), INVALID,
               "token_type_ids[2] is 2");
  const int32_t *odd = (const int32_t *)(const void *)((const char *)ids + 1);
  EXPECT_ERROR(tiny_embed(session, 1, 3, odd, NULL, NULL, out), INVALID,
               "divisible by 4");
  EXPECT(out[0] == 42.0f);
  EXPECT(tiny_embed(session, 1, 3, ids, NULL, NULL, out) == ATTN_OK);
}

static void check_named_calls(tiny_session *session) {
  const attn_library *table = tiny_library();
  attn_session *same = (attn_session *)session;
  int32_t ids[3] = {1, 2, 3};
  float out[WIDTH];
  int64_t sizes[2] = {1, 3};
  attn_buffer inputs[3] = {{ids, sizeof(ids)}, {NULL, 0}, {NULL, 0}};
  attn_buffer output = {out, sizeof(out)};
  EXPECT_ERROR(table->call(same, "fly", sizes, 2, inputs, 3, &output, 1),
               INVALID, "fly");
  EXPECT_ERROR(table->call(same, NULL, sizes, 2, inputs, 3, &output, 1),
               INVALID, "NULL");
  EXPECT_ERROR(table->call(same, "embed", sizes, 3, inputs, 3, &output, 1),
               INVALID, "3");
  EXPECT_ERROR(table->call(same, "embed", sizes, 2, inputs, 2, &output, 1),
               INVALID, "2");
  EXPECT_ERROR(table->call(same, "embed", sizes, 2, inputs, 3, &output, 0),
               INVALID, "0");
  inputs[0].bytes = 8;
  EXPECT_ERROR(table->call(same, "embed", sizes, 2, inputs, 3, &output, 1),
               INVALID, "12");
  inputs[0].bytes = sizeof(ids);
  output.bytes = 4;
  EXPECT_ERROR(table->call(same, "embed", sizes, 2, inputs, 3, &output, 1),
               INVALID, "48");
}

static void check_text(const tiny *model, tiny_session *session) {
  const char *texts[2] = {"a cat", NULL};
  float out[2][WIDTH];
  attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
  EXPECT_ERROR(tiny_tokenize(NULL, &batch), INVALID, "model is NULL");
  EXPECT_ERROR(tiny_tokenize(model, NULL), INVALID, "batch is NULL");
  EXPECT_ERROR(tiny_tokenize(model, &batch), INVALID, "count is 0");
  batch.count = 2;
  EXPECT_ERROR(tiny_tokenize(model, &batch), INVALID, "texts is NULL");
  batch.texts = texts;
  EXPECT_ERROR(tiny_tokenize(model, &batch), INVALID, "texts[1] is NULL");
  EXPECT_ERROR(tiny_encode_text(NULL, 1, texts, NULL, out[0]), INVALID,
               "session is NULL");
  EXPECT_ERROR(tiny_encode_text(session, 0, texts, NULL, out[0]), INVALID,
               "count is 0");
  EXPECT_ERROR(tiny_encode_text(session, 1, NULL, NULL, out[0]), INVALID,
               "texts is NULL");
  EXPECT_ERROR(tiny_encode_text(session, 1, texts, NULL, NULL), INVALID,
               "embeddings is NULL");
  EXPECT_ERROR(tiny_encode_text(session, 2, texts, NULL, out[0]), INVALID,
               "texts[1] is NULL");
}

int main(void) {
  check_options();
  tiny *model = NULL;
  tiny_session *session = NULL;
  EXPECT(tiny_open(NULL, &model) == ATTN_OK);
  EXPECT(tiny_session_open(model, &session) == ATTN_OK);
  if (failures)
    return finish("open");
  check_handles(model);
  check_calls(session);
  check_named_calls(session);
  check_text(model, session);
  tiny_session_close(session);
  tiny_close(model);
  return finish("arguments");
}
