/*===- sessions.c - four sessions in four threads on one model -------------===*
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Each thread calls at its own sizes and compares with what it got first; one
 * thread cancels another's calls. For the sanitizers.
 *
 *===----------------------------------------------------------------------===*/
#include "check.h"

#include <pthread.h>
#include <stdlib.h>

enum { THREADS = 4, ROUNDS = 30 };
static tiny *model;
static tiny_session *cancelled;

static void *work(void *argument) {
  int number = *(int *)argument;
  int64_t batch = 1 + number, seq = 9 + 7 * number;
  size_t cells = (size_t)(batch * seq);
  /* Exact sizes on the heap: a byte too far is seen. */
  int32_t *ids = (int32_t *)malloc(cells * sizeof(int32_t));
  int32_t *mask = (int32_t *)malloc(cells * sizeof(int32_t));
  float *hidden = (float *)malloc(cells * HIDDEN * sizeof(float));
  float *first = (float *)malloc(cells * HIDDEN * sizeof(float));
  long wrong = !ids || !mask || !hidden || !first;
  tiny_session *session = NULL;
  wrong += tiny_session_open(model, &session) != ATTN_OK;
  for (size_t i = 0; !wrong && i < cells; i++) {
    ids[i] = (int32_t)((i * 31 + (size_t)number) % 50);
    mask[i] = (int32_t)i % seq < seq - (int64_t)i / seq * 2;
  }
  const char *text = "the little cat sleeps in a house";
  for (int round = 0; !wrong && round < ROUNDS; round++) {
    float *out = round == 0 ? first : hidden;
    wrong += tiny_encode(session, batch, seq, ids, mask, NULL, out) != ATTN_OK;
    if (round > 0)
      wrong += memcmp(first, hidden, cells * HIDDEN * sizeof(float)) != 0;
    float vector[WIDTH];
    wrong += tiny_encode_text(session, 1, &text, NULL, vector) != ATTN_OK;
    ids[0] = 99; /* refused, by each thread for itself */
    wrong +=
        tiny_encode(session, batch, seq, ids, mask, NULL, hidden) == ATTN_OK;
    wrong += strstr(tiny_last_error(), "input_ids[0] is 99") == NULL;
    ids[0] = number % 50;
    if (number == 0)
      wrong += tiny_cancel(cancelled) != ATTN_OK;
  }
  tiny_session_close(session);
  free(ids);
  free(mask);
  free(hidden);
  free(first);
  return (void *)wrong;
}

/* An executor of which ThreadSanitizer sees every step: the library's own pool
 * waits by atomics, which are invisible in code that is not instrumented. */
typedef struct part {
  void (*task)(void *context, int32_t index);
  void *context;
  int32_t index;
} part;

static void *run_part(void *argument) {
  part *own = (part *)argument;
  own->task(own->context, own->index);
  return NULL;
}

static void run_parts(void *context, int32_t count,
                      void (*task)(void *task_context, int32_t index),
                      void *task_context) {
  (void)context;
  for (int32_t first = 0; first < count; first += 2) {
    part own = {task, task_context, first};
    part other = {task, task_context, first + 1};
    pthread_t thread;
    int started = other.index < count &&
                  pthread_create(&thread, NULL, run_part, &other) == 0;
    run_part(&own);
    if (started)
      pthread_join(thread, NULL);
    else if (other.index < count)
      run_part(&other);
  }
}

int main(int argc, char **argv) {
  attn_options options = ATTN_OPTIONS_INIT;
  attn_executor executor = {NULL, 2, run_parts};
  if (argc == 2 && strcmp(argv[1], "executor") == 0)
    options.executor = &executor;
  else
    options.threads = 2;
  EXPECT(tiny_open(&options, &model) == ATTN_OK);
  EXPECT(tiny_session_open(model, &cancelled) == ATTN_OK);
  if (failures)
    return finish("open");
  /* The first text opens the tokenizer, which is published by an atomic that
   * ThreadSanitizer cannot see either; the runtime's own tests, which are
   * instrumented, begin in many threads at once. */
  const char *text = "a cat";
  float ignored[WIDTH];
  EXPECT(tiny_encode_text(cancelled, 1, &text, NULL, ignored) == ATTN_OK);
  pthread_t threads[THREADS];
  int numbers[THREADS];
  for (int i = 0; i < THREADS; i++) {
    numbers[i] = i;
    EXPECT(pthread_create(&threads[i], NULL, work, &numbers[i]) == 0);
  }
  /* The session that thread 0 cancels: either outcome, never another. */
  int32_t ids[64] = {0};
  float vector[2 * WIDTH];
  for (int round = 0; round < ROUNDS; round++) {
    attn_status status = tiny_embed(cancelled, 2, 32, ids, NULL, NULL, vector);
    EXPECT(status == ATTN_OK || status == ATTN_ERROR_CANCELLED);
  }
  for (int i = 0; i < THREADS; i++) {
    void *wrong = NULL;
    EXPECT(pthread_join(threads[i], &wrong) == 0 && wrong == NULL);
  }
  tiny_session_close(cancelled);
  tiny_close(model);
  return finish("sessions");
}
