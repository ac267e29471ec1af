/*===- sanitized.c - a library that checks itself --------------------------===*
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * The program is instrumented as the library is. `clean` calls at every length
 * around tiles, with ragged batches, in buffers of exact sizes; `small` gives
 * an output that is one number too short; `race` lets two threads read and
 * write one buffer.
 *
 *===----------------------------------------------------------------------===*/
#define _POSIX_C_SOURCE 200809L /* barriers */

#include "check.h"

#include <pthread.h>
#include <stdlib.h>

enum { MOST = 40 };

/* Calls with buffers of their own; `missing` numbers are left out of `out`. */
static void call(tiny_session *session, int64_t batch, int64_t seq,
                 size_t missing) {
  size_t cells = (size_t)(batch * seq);
  int32_t *ids = (int32_t *)malloc(cells * sizeof(int32_t));
  int32_t *mask = (int32_t *)malloc(cells * sizeof(int32_t));
  float *hidden = (float *)malloc((cells * HIDDEN - missing) * sizeof(float));
  float *vectors = (float *)malloc((size_t)batch * WIDTH * sizeof(float));
  EXPECT(ids && mask && hidden && vectors);
  for (size_t i = 0; i < cells; i++) {
    ids[i] = (int32_t)(i * 31 % 50);
    mask[i] = (int64_t)i % seq < seq - 3 * ((int64_t)i / seq);
  }
  EXPECT(tiny_encode(session, batch, seq, ids, mask, NULL, hidden) == ATTN_OK);
  EXPECT(tiny_embed(session, batch, seq, ids, mask, NULL, vectors) == ATTN_OK);
  free(ids);
  free(mask);
  free(hidden);
  free(vectors);
}

static tiny *model;

static void *run_clean(void *argument) {
  int64_t number = *(int *)argument;
  tiny_session *session = NULL;
  EXPECT(tiny_session_open(model, &session) == ATTN_OK);
  for (int64_t seq = 1 + number; seq <= MOST; seq += 4)
    for (int64_t batch = 1; batch <= 4; batch += 1 + number)
      call(session, batch, seq, 0);
  const char *texts[] = {"the little cat", "a house", ""};
  float vectors[3 * WIDTH];
  EXPECT(tiny_encode_text(session, 3, texts, NULL, vectors) == ATTN_OK);
  tiny_session_close(session);
  return NULL;
}

static float shared[4 * MOST * HIDDEN];
/* Both begin every round together: on a busy machine one could otherwise be
 * over before the other begins, and what comes after it is no race. */
static pthread_barrier_t round_begins;

static void *run_race(void *argument) {
  int32_t ids[4 * MOST] = {0};
  tiny_session *session = NULL;
  (void)argument;
  EXPECT(tiny_session_open(model, &session) == ATTN_OK);
  for (int round = 0; round < 20; round++) {
    pthread_barrier_wait(&round_begins);
    EXPECT(tiny_encode(session, 4, MOST, ids, NULL, NULL, shared) == ATTN_OK);
  }
  tiny_session_close(session);
  return NULL;
}

static void run_threads(int count, void *(*run)(void *)) {
  pthread_t threads[4];
  int numbers[4];
  for (int i = 0; i < count; i++) {
    numbers[i] = i;
    EXPECT(pthread_create(&threads[i], NULL, run, &numbers[i]) == 0);
  }
  for (int i = 0; i < count; i++)
    EXPECT(pthread_join(threads[i], NULL) == 0);
}

int main(int argc, char **argv) {
  const char *mode = argc == 2 ? argv[1] : "";
  attn_options options = ATTN_OPTIONS_INIT;
  /* A pool that both take in turn would put their writes in order. */
  options.threads = strcmp(mode, "race") == 0 ? 1 : 2;
  EXPECT(tiny_open(&options, &model) == ATTN_OK);
  if (failures)
    return finish("open");
  if (strcmp(mode, "clean") == 0)
    run_threads(4, run_clean);
  if (strcmp(mode, "race") == 0) {
    EXPECT(pthread_barrier_init(&round_begins, NULL, 2) == 0);
    run_threads(2, run_race);
  }
  if (strcmp(mode, "small") == 0) {
    tiny_session *session = NULL;
    EXPECT(tiny_session_open(model, &session) == ATTN_OK);
    call(session, 3, 17, 1);
    tiny_session_close(session);
  }
  tiny_close(model);
  return finish("sanitized");
}
