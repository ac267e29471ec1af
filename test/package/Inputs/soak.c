/*===- soak.c - very many calls of mixed sizes -----------------------------===*
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * soak CALLS SECONDS (0: no limit): first every case on 1 to 8 threads and with
 * its rows in another order, then CALLS calls from four threads on one model,
 * sessions being reopened and calls refused among them. The same bits every
 * time; resident memory, heap, threads and files do not grow.
 *
 *===----------------------------------------------------------------------===*/
#define _GNU_SOURCE /* dirent's d_name, mallinfo2, clock_gettime */
#include "check.h"

#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS = 4, BATCH = 64, SEQ = 40, CASES = 24 };

/* A call and its result. */
typedef struct trial {
  int64_t batch, seq;
  int32_t ids[BATCH * SEQ], mask[BATCH * SEQ];
  float hidden[BATCH * SEQ * HIDDEN], vectors[BATCH * WIDTH];
} trial;
static trial trials[CASES];

static const char *const texts[] = {"a cat sees the bird", "fish", "",
                                    "the little cat sleeps in a big house",
                                    "the sun is big"};
enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };
static float text_vectors[TEXTS * WIDTH];

static uint64_t next_random(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return *state >> 33;
}

static void make_trials(void) {
  uint64_t state = 7;
  for (int c = 0; c < CASES; c++) {
    trial *own = &trials[c];
    /* Mostly small; the last is the largest that there is. */
    own->batch = c == CASES - 1 ? BATCH : 1 + (int64_t)next_random(&state) % 8;
    own->seq = c == CASES - 1 ? SEQ : 1 + (int64_t)next_random(&state) % SEQ;
    for (int64_t b = 0; b < own->batch; b++) {
      int64_t length = 1 + (int64_t)next_random(&state) % own->seq;
      for (int64_t s = 0; s < own->seq; s++) {
        own->ids[b * own->seq + s] = (int32_t)(next_random(&state) % 50);
        own->mask[b * own->seq + s] = s < length;
      }
    }
  }
}

static int same(const float *first, const float *second, int64_t count) {
  return memcmp(first, second, sizeof(float) * (size_t)count) == 0;
}

/* --- Threads and positions --------------------------------------------------
 */

static float hidden[BATCH * SEQ * HIDDEN], vectors[BATCH * WIDTH];

/* The rows of a trial, last first, give the same vectors. */
static void check_reversed(tiny_session *session, const trial *own) {
  static int32_t ids[BATCH * SEQ], mask[BATCH * SEQ];
  size_t row = sizeof(int32_t) * (size_t)own->seq;
  for (int64_t b = 0; b < own->batch; b++) {
    int64_t from = (own->batch - 1 - b) * own->seq;
    memcpy(ids + b * own->seq, own->ids + from, row);
    memcpy(mask + b * own->seq, own->mask + from, row);
  }
  EXPECT(tiny_embed(session, own->batch, own->seq, ids, mask, NULL, vectors) ==
         ATTN_OK);
  for (int64_t b = 0; b < own->batch; b++)
    EXPECT(same(vectors + b * WIDTH,
                own->vectors + (own->batch - 1 - b) * WIDTH, WIDTH));
}

static void check_threads(int32_t threads) {
  attn_options options = ATTN_OPTIONS_INIT;
  options.threads = threads;
  tiny *model = NULL;
  tiny_session *session = NULL;
  EXPECT(tiny_open(&options, &model) == ATTN_OK);
  EXPECT(tiny_session_open(model, &session) == ATTN_OK);
  for (int c = 0; c < CASES && failures == 0; c++) {
    trial *own = &trials[c];
    int first = threads == 1;
    float *to = first ? own->hidden : hidden;
    EXPECT(tiny_encode(session, own->batch, own->seq, own->ids, own->mask, NULL,
                       to) == ATTN_OK);
    EXPECT(same(to, own->hidden, own->batch * own->seq * HIDDEN));
    to = first ? own->vectors : vectors;
    EXPECT(tiny_embed(session, own->batch, own->seq, own->ids, own->mask, NULL,
                      to) == ATTN_OK);
    EXPECT(same(to, own->vectors, own->batch * WIDTH));
    check_reversed(session, own);
  }
  float *to = threads == 1 ? text_vectors : vectors;
  EXPECT(tiny_encode_text(session, TEXTS, texts, NULL, to) == ATTN_OK);
  EXPECT(same(to, text_vectors, TEXTS * WIDTH));
  tiny_session_close(session);
  tiny_close(model);
}

/* --- The soak ----------------------------------------------------------------
 */

static tiny *model;
static long most_calls;
static atomic_long calls, wrong;
static atomic_int stopping;

/* One call of a random kind; 0 if it is as it should be. */
static int call_once(tiny_session *session, uint64_t *state, float *out) {
  uint64_t kind = next_random(state) % 64;
  /* The large one costs as much as a hundred others. */
  int c = (int)(next_random(state) % (CASES - 1));
  const trial *own = &trials[kind == 0 ? CASES - 1 : c];
  if (kind == 1) {
    int32_t bad = 50 + (int32_t)(next_random(state) % 50);
    return tiny_embed(session, 1, 1, &bad, NULL, NULL, out) !=
               ATTN_ERROR_INVALID_ARGUMENT ||
           !strstr(tiny_last_error(), "input_ids[0] is ");
  }
  if (kind < 8) {
    size_t first = next_random(state) % TEXTS;
    int64_t count = 1 + (int64_t)(next_random(state) % (TEXTS - first));
    return tiny_encode_text(session, count, texts + first, NULL, out) !=
               ATTN_OK ||
           !same(out, text_vectors + first * WIDTH, count * WIDTH);
  }
  if (kind < 36)
    return tiny_embed(session, own->batch, own->seq, own->ids, own->mask, NULL,
                      out) != ATTN_OK ||
           !same(out, own->vectors, own->batch * WIDTH);
  return tiny_encode(session, own->batch, own->seq, own->ids, own->mask, NULL,
                     out) != ATTN_OK ||
         !same(out, own->hidden, own->batch * own->seq * HIDDEN);
}

static void *work(void *argument) {
  uint64_t state = *(const uint64_t *)argument;
  float *out = (float *)malloc(sizeof(float) * BATCH * SEQ * HIDDEN);
  tiny_session *session = NULL;
  while (!stopping && calls++ < most_calls) {
    if (next_random(&state) % 1000 == 0) {
      tiny_session_close(session);
      session = NULL;
    }
    if (!session && tiny_session_open(model, &session) != ATTN_OK)
      wrong++;
    if (!out || !session || call_once(session, &state, out))
      wrong++;
  }
  tiny_session_close(session);
  free(out);
  return NULL;
}

typedef struct usage {
  long resident, heap, threads, files; /* the first two in kB */
} usage;

static long count_entries(const char *path) {
  DIR *directory = opendir(path);
  long count = 0;
  while (directory && readdir(directory))
    count++;
  if (directory)
    closedir(directory);
  return count;
}

static usage measure(void) {
  long total = 0, pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%ld %ld", &total, &pages) != 2)
    EXPECT(!"/proc/self/statm can be read");
  if (file)
    fclose(file);
  usage now = {pages * 4, (long)(mallinfo2().uordblks / 1024),
               count_entries("/proc/self/task"),
               count_entries("/proc/self/fd")};
  return now;
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Calls from all threads until `most` are done or the time is over. */
static void soak(long most, double limit) {
  pthread_t threads[THREADS];
  uint64_t seeds[THREADS];
  double start = seconds();
  most_calls = most;
  calls = stopping = 0;
  for (int i = 0; i < THREADS; i++) {
    seeds[i] = 1000 + (uint64_t)i;
    EXPECT(pthread_create(&threads[i], NULL, work, &seeds[i]) == 0);
  }
  while (calls < most && wrong == 0 &&
         (limit == 0 || seconds() < start + limit)) {
    struct timespec pause = {0, 10000000};
    nanosleep(&pause, NULL);
  }
  stopping = calls < most;
  for (int i = 0; i < THREADS; i++)
    EXPECT(pthread_join(threads[i], NULL) == 0);
  EXPECT(wrong == 0);
}

int main(int argc, char **argv) {
  if (argc != 3)
    return 2;
  long most = atol(argv[1]);
  double limit = atof(argv[2]);
  make_trials();
  for (int32_t threads = 1; threads <= 8; threads++)
    check_threads(threads);
  attn_options options = ATTN_OPTIONS_INIT;
  options.threads = 2;
  EXPECT(tiny_open(&options, &model) == ATTN_OK);
  if (failures)
    return finish("soak");
  /* A fifth first: heaps of threads and arenas have their sizes by then. */
  soak(most / 5, limit / 5);
  long warm = calls;
  usage before = measure();
  soak(most - most / 5, limit - limit / 5);
  usage after = measure();
  long grown = after.resident - before.resident;
  EXPECT(warm > 0 && calls > warm);
  EXPECT(grown < 1024 && after.heap - before.heap < 64);
  EXPECT(after.threads == before.threads && after.files == before.files);
  tiny_close(model);
  printf("%ld calls; resident %ld kB, %+ld kB since call %ld; heap %+ld kB; "
         "threads %+ld, files %+ld\n",
         warm + calls, after.resident, grown, warm, after.heap - before.heap,
         after.threads - before.threads, after.files - before.files);
  return finish("soak");
}
