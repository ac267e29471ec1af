/*===- every-function.c - each function of a library, once ------------------===
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Opens, asks, tokenizes, encodes, by name and by header, and compares what
 * must be equal bit for bit. Compiled as C11 and as C++17 by two compilers.
 *
 *===----------------------------------------------------------------------===*/
#include "check.h"

#include <math.h>

enum { BATCH = 2, SEQ = 6 };

/* Two texts, the second one shorter. */
static const char *const texts[BATCH] = {"A cat sees the bird", "fish"};

static void check_text(const tiny *model, tiny_session *session,
                       int32_t ids[BATCH][SEQ], int32_t mask[BATCH][SEQ]) {
  int32_t types[BATCH][SEQ];
  attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
  batch.count = BATCH;
  batch.texts = texts;
  EXPECT(tiny_tokenize(model, &batch) == ATTN_OK);
  EXPECT(batch.longest == 7);
  batch.seq = SEQ;
  batch.max_length = SEQ; /* cuts one token off the first text */
  batch.input_ids = ids[0];
  batch.attention_mask = mask[0];
  batch.token_type_ids = types[0];
  EXPECT(tiny_tokenize(model, &batch) == ATTN_OK);
  EXPECT(batch.longest == SEQ);
  EXPECT(ids[0][0] == 2 && ids[0][SEQ - 1] == 3); /* [CLS] ... [SEP] */
  EXPECT(ids[1][1] == 16 && mask[1][2] == 1 && mask[1][3] == 0);
  EXPECT(types[0][0] == 0);

  float embeddings[BATCH][WIDTH], again[BATCH][WIDTH];
  size_t lengths[BATCH] = {19, 4};
  EXPECT(tiny_encode_text(session, BATCH, texts, NULL, embeddings[0]) ==
         ATTN_OK);
  EXPECT(tiny_encode_text(session, BATCH, texts, lengths, again[0]) == ATTN_OK);
  EXPECT(memcmp(embeddings, again, sizeof(again)) == 0);
  /* The second text is whole in `ids`: the same by way of its ids. */
  float embedded[BATCH][WIDTH];
  EXPECT(tiny_embed(session, BATCH, SEQ, ids[0], mask[0], NULL, embedded[0]) ==
         ATTN_OK);
  EXPECT(memcmp(embedded[1], embeddings[1], sizeof(embedded[1])) == 0);
  EXPECT(memcmp(embedded[0], embeddings[0], sizeof(embedded[0])) != 0);
  float norm = 0;
  for (int i = 0; i < WIDTH; i++)
    norm += embeddings[0][i] * embeddings[0][i];
  EXPECT(fabsf(norm - 1.0f) < 1e-5f);
}

static void check_ids(tiny_session *session, int32_t ids[BATCH][SEQ],
                      int32_t mask[BATCH][SEQ]) {
  float hidden[BATCH][SEQ][HIDDEN], again[BATCH][SEQ][HIDDEN];
  EXPECT(tiny_encode(session, BATCH, SEQ, ids[0], mask[0], NULL,
                     hidden[0][0]) == ATTN_OK);
  /* Positions that are masked are zero. */
  for (int i = 3; i < SEQ; i++)
    for (int k = 0; k < HIDDEN; k++)
      EXPECT(hidden[1][i][k] == 0.0f);
  EXPECT(hidden[1][2][0] != 0.0f);
  /* NULL stands for all ones and for all zeros. */
  int32_t ones[SEQ], zeros[SEQ];
  for (int i = 0; i < SEQ; i++) {
    ones[i] = 1;
    zeros[i] = 0;
  }
  EXPECT(tiny_encode(session, 1, SEQ, ids[0], NULL, NULL, hidden[0][0]) ==
         ATTN_OK);
  EXPECT(tiny_encode(session, 1, SEQ, ids[0], ones, zeros, again[0][0]) ==
         ATTN_OK);
  EXPECT(memcmp(hidden[0], again[0], sizeof(hidden[0])) == 0);
}

static void check_table(tiny *model, int32_t ids[BATCH][SEQ]) {
  const attn_library *table = tiny_library();
  EXPECT(table->struct_size == sizeof(attn_library));
  EXPECT(table->abi_version == ATTN_ABI_VERSION);
  EXPECT(strcmp(table->name, "tiny") == 0);
  EXPECT(strstr(table->describe(), "\"sentence_embedding\"") != NULL);
  attn_model *opened = NULL;
  attn_session *session = NULL;
  EXPECT(table->open(NULL, &opened) == ATTN_OK);
  EXPECT(table->session_open(opened, &session) == ATTN_OK);
  int64_t sizes[2] = {1, SEQ};
  uint64_t bytes = 0, same = 0;
  EXPECT(table->session_bytes(opened, "embed", sizes, 2, &bytes) == ATTN_OK);
  EXPECT(tiny_session_bytes(model, "embed", sizes, 2, &same) == ATTN_OK);
  EXPECT(bytes == same && bytes > 0);
  float embedding[WIDTH], by_name[WIDTH];
  attn_buffer inputs[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
  inputs[0].data = ids[0];
  inputs[0].bytes = SEQ * sizeof(int32_t);
  attn_buffer output = {NULL, 0};
  output.data = by_name;
  output.bytes = sizeof(by_name);
  EXPECT(table->call(session, "embed", sizes, 2, inputs, 3, &output, 1) ==
         ATTN_OK);
  tiny_session *own = NULL;
  EXPECT(tiny_session_open(model, &own) == ATTN_OK);
  EXPECT(tiny_embed(own, 1, SEQ, ids[0], NULL, NULL, embedding) == ATTN_OK);
  EXPECT(memcmp(embedding, by_name, sizeof(by_name)) == 0);
  tiny_session_close(own);
  EXPECT(table->cancel(session) == ATTN_OK); /* nothing runs: no effect */
  EXPECT(table->tokenize != NULL && table->encode_text != NULL);
  EXPECT(table->last_error() == tiny_last_error());
  table->session_close(session);
  table->close(opened);
}

int main(void) {
  tiny *model = NULL;
  tiny_session *session = NULL;
  attn_options options = ATTN_OPTIONS_INIT;
  EXPECT(tiny_open(&options, &model) == ATTN_OK);
  EXPECT(tiny_session_open(model, &session) == ATTN_OK);
  if (failures)
    return finish("open");

  int32_t ids[BATCH][SEQ], mask[BATCH][SEQ];
  check_text(model, session, ids, mask);
  check_ids(session, ids, mask);
  check_table(model, ids);

  char text[4096];
  size_t needed = 0;
  EXPECT(tiny_info(model, NULL, 0, &needed) == ATTN_OK);
  EXPECT(needed > 0 && needed < sizeof(text));
  EXPECT(tiny_info(model, text, sizeof(text), &needed) == ATTN_OK);
  EXPECT(strlen(text) == needed && strstr(text, "\"variant\"") != NULL);
  char little[8];
  EXPECT(tiny_info(model, little, sizeof(little), &needed) == ATTN_OK);
  EXPECT(strlen(little) == sizeof(little) - 1);

  EXPECT(tiny_cancel(session) == ATTN_OK);
  tiny_session_close(session);
  tiny_close(model);
  tiny_session_close(NULL);
  tiny_close(NULL);
  return finish("every function");
}
