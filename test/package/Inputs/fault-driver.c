/*===- fault-driver.c - a model's life while the system says no -------------===
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * fault-driver LIBRARY (the tiny sentence encoder), linked with faults.so:
 * opens, calls, tokenizes, embeds and closes again and again; in run n the n-th
 * attempt to get something of the system fails, or all from it on. Each step
 * then succeeds nevertheless, with the same bits, or says what was wrong,
 * changes nothing, and succeeds when repeated. Nothing is left behind. Each
 * life has a thread of its own, in which the library has not been called
 * before.
 *
 *===----------------------------------------------------------------------===*/
#include "attn/attn.h"
#include "attn/text.h"
#include "faults.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 12, HIDDEN = 20, BATCH = 64, SEQ = 40, TEXTS = 3 };

static const attn_library *library;
static int failures, refusals;

#define EXPECT(condition)                                                      \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr,                                                          \
              "%s:%d: %s is false; %s had failed, the last error: %s\n",       \
              __FILE__, __LINE__, #condition, faults_last(),                   \
              library->last_error());                                          \
      failures++;                                                              \
    }                                                                          \
  } while (0)

/* A step: good, or a clear refusal after which `call` is good. `changed` is
 * what a refused step must not have done. */
#define STEP(call, changed)                                                    \
  do {                                                                         \
    attn_status status = (call);                                               \
    if (status != ATTN_OK) {                                                   \
      faults_disarm();                                                         \
      EXPECT(faults_failed() > 0);                                             \
      EXPECT(strlen(library->last_error()) > 20);                              \
      EXPECT(!(changed));                                                      \
      note(status);                                                            \
      EXPECT((call) == ATTN_OK);                                               \
    }                                                                          \
  } while (0)

/* Prints each message once: what users would read. */
static void note(attn_status status) {
  static char seen[128][300];
  char text[300];
  snprintf(text, sizeof(text), "%d after %s: %.240s", (int)status,
           faults_last(), library->last_error());
  refusals++;
  for (int i = 0; i < 128; i++) {
    if (strcmp(seen[i], text) == 0)
      return;
    if (!seen[i][0]) {
      strcpy(seen[i], text);
      printf("status %s\n", text);
      return;
    }
  }
}

static int32_t ids[BATCH * SEQ], mask[BATCH * SEQ];
static float hidden[BATCH * SEQ * HIDDEN], vectors[BATCH * WIDTH];
static int32_t tokens[TEXTS * SEQ];

/* What a life computes: all of it is compared with the first one's. */
typedef struct results {
  float small[5 * HIDDEN], large[BATCH * WIDTH], text[TEXTS * WIDTH];
  float many[BATCH * WIDTH];
  int32_t tokens[TEXTS * SEQ];
  int64_t longest;
} results;

static attn_status encode(attn_session *session, int64_t batch, int64_t seq) {
  int64_t sizes[2] = {batch, seq};
  size_t cells = (size_t)(batch * seq);
  attn_buffer inputs[3] = {{ids, cells * 4}, {mask, cells * 4}, {NULL, 0}};
  attn_buffer output = {hidden, cells * HIDDEN * 4};
  return library->call(session, "encode", sizes, 2, inputs, 3, &output, 1);
}

static attn_status embed(attn_session *session, int64_t batch, int64_t seq) {
  int64_t sizes[2] = {batch, seq};
  size_t cells = (size_t)(batch * seq);
  attn_buffer inputs[3] = {{ids, cells * 4}, {NULL, 0}, {NULL, 0}};
  attn_buffer output = {vectors, (size_t)batch * WIDTH * 4};
  return library->call(session, "embed", sizes, 2, inputs, 3, &output, 1);
}

static int touched(const void *data, size_t bytes) {
  const unsigned char *at = (const unsigned char *)data;
  for (size_t i = 0; i < bytes; i++)
    if (at[i] != 0x5a)
      return 1;
  return 0;
}

static void work(attn_model *model, attn_session *session, attn_session *second,
                 results *all) {
  static const char *const texts[TEXTS] = {"a cat sees the bird", "fish",
                                           "the sun is big"};
  const char *many[BATCH];
  for (int i = 0; i < BATCH; i++)
    many[i] = texts[i % TEXTS];
  memset(hidden, 0x5a, sizeof(hidden));
  STEP(encode(session, 1, 5), touched(hidden, sizeof(hidden)));
  memcpy(all->small, hidden, sizeof(all->small));
  /* Larger: the arena grows. */
  memset(vectors, 0x5a, sizeof(vectors));
  STEP(embed(session, BATCH, SEQ), touched(vectors, sizeof(vectors)));
  memcpy(all->large, vectors, sizeof(all->large));
  memset(vectors, 0x5a, sizeof(vectors));
  STEP(library->encode_text(second, TEXTS, texts, NULL, vectors),
       touched(vectors, sizeof(vectors)));
  memcpy(all->text, vectors, sizeof(all->text));
  memset(vectors, 0x5a, sizeof(vectors));
  STEP(library->encode_text(second, BATCH, many, NULL, vectors),
       touched(vectors, sizeof(vectors)));
  memcpy(all->many, vectors, sizeof(all->many));
  struct attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
  batch.count = TEXTS;
  batch.texts = texts;
  STEP(library->tokenize(model, &batch), batch.longest != 0);
  all->longest = batch.longest;
  batch.seq = batch.longest;
  batch.input_ids = tokens;
  memset(tokens, 0x5a, sizeof(tokens));
  STEP(library->tokenize(model, &batch), touched(tokens, sizeof(tokens)));
  memcpy(all->tokens, tokens, sizeof(all->tokens));
}

static void live(int32_t threads, results *all) {
  attn_options options = ATTN_OPTIONS_INIT;
  options.threads = threads;
  attn_model *model = NULL;
  attn_session *session = NULL, *second = NULL;
  char text[4096];
  size_t needed = 0;
  uint64_t bytes = 0;
  int64_t sizes[2] = {BATCH, SEQ};
  STEP(library->open(&options, &model), model != NULL);
  if (!model)
    return;
  STEP(library->session_open(model, &session), session != NULL);
  STEP(library->session_open(model, &second), second != NULL);
  STEP(library->session_bytes(model, "embed", sizes, 2, &bytes), bytes != 0);
  STEP(library->info(model, text, sizeof(text), &needed), needed != 0);
  if (session && second)
    work(model, session, second, all);
  library->session_close(session);
  library->session_close(second);
  library->close(model);
}

typedef struct life {
  int32_t threads;
  long first; /* for faults_arm, or -1 */
  int all_fail;
  results *all;
} life;

static void *live_armed(void *argument) {
  const life *given = (const life *)argument;
  if (given->first >= 0)
    faults_arm(given->first, given->all_fail);
  live(given->threads, given->all);
  faults_disarm();
  return NULL;
}

static void live_in_thread(life given) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, live_armed, &given) != 0 ||
      pthread_join(thread, NULL) != 0) {
    fprintf(stderr, "the driver has no thread\n");
    exit(3);
  }
}

/* Lives with every attempt failing in turn; how many attempts there were. */
static long sweep(int32_t threads, int all_fail, const results *expected) {
  static results all;
  faults_held before = faults_outstanding();
  long n = 0;
  do {
    memset(&all, 0, sizeof(all));
    live_in_thread((life){threads, ++n, all_fail, &all});
    EXPECT(memcmp(&all, expected, sizeof(all)) == 0);
    faults_held after = faults_outstanding();
    if (memcmp(&before, &after, sizeof(before)) != 0) {
      fprintf(stderr,
              "attempt %ld, %s: left %+ld blocks, %+ld mappings, "
              "%+ld files\n",
              n, faults_last(), after.blocks - before.blocks,
              after.mappings - before.mappings, after.files - before.files);
      failures++;
      before = after;
    }
  } while (faults_failed() > 0 && n < 100000 && failures < 20);
  return n - 1;
}

int main(int argc, char **argv) {
  void *handle = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  void *symbol = handle ? dlsym(handle, "tiny_library") : NULL;
  if (!symbol) {
    fprintf(stderr, "%s\n", argc == 2 ? dlerror() : "no library");
    return 2;
  }
  const attn_library *(*function)(void);
  memcpy(&function, &symbol, sizeof(function));
  library = function();
  for (int i = 0; i < BATCH * SEQ; i++) {
    ids[i] = i * 7 % 50;
    mask[i] = 1;
  }
  setvbuf(stdout, NULL, _IONBF, 0);
  setvbuf(stderr, NULL, _IONBF, 0);
  static results expected, again;
  static const int32_t threads[] = {3, 0, 1};
  for (int t = 0; t < 3; t++) {
    /* Twice first: the C library keeps the stacks of threads. */
    live_in_thread((life){threads[t], -1, 0, t == 0 ? &expected : &again});
    live_in_thread((life){threads[t], -1, 0, &again});
    EXPECT(memcmp(&expected, &again, sizeof(again)) == 0);
    for (int all_fail = 0; all_fail < 2; all_fail++) {
      refusals = 0;
      long attempts = sweep(threads[t], all_fail, &expected);
      EXPECT(attempts > 20 && refusals > 20);
      printf("threads %d, %s: %ld attempts, %d refusals\n", threads[t],
             all_fail ? "all from the n-th on" : "the n-th", attempts,
             refusals);
    }
  }
  if (failures == 0)
    printf("faults: all as expected\n");
  return failures != 0;
}
