/*===- hosts.c - models on the threads of a host ----------------------------===
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * hosts LIBTINY LIBBERT: two models share the executor of openmp.c or tbb.cpp,
 * called from four threads at once, one session each, and give the same bits as
 * on threads of their own. No model then starts a thread.
 *
 *===----------------------------------------------------------------------===*/
#define _GNU_SOURCE /* dirent's d_name, dlopen */
#include "hosts.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 25, BATCH = 9, SEQ = 31, CELLS = BATCH * SEQ };
enum { HIDDEN = 20, POOLED = 20 };

static int failures;

#define EXPECT(condition)                                                      \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "%s:%d: %s is false\n", __FILE__, __LINE__, #condition); \
      failures++;                                                              \
    }                                                                          \
  } while (0)

typedef struct outputs {
  float hidden[CELLS * HIDDEN], pooled[BATCH * POOLED];
} outputs;

typedef struct host_model {
  const attn_library *library;
  attn_model *model;
  size_t output_count;
  outputs expected;
} host_model;

static int32_t ids[CELLS];

static attn_status encode(const host_model *given, attn_session *session,
                          outputs *out) {
  int64_t sizes[2] = {BATCH, SEQ};
  attn_buffer inputs[3] = {{ids, sizeof(ids)}, {NULL, 0}, {NULL, 0}};
  attn_buffer buffers[2] = {{out->hidden, sizeof(out->hidden)},
                            {out->pooled, sizeof(out->pooled)}};
  memset(out, 0x5a, sizeof(*out));
  attn_status status = given->library->call(session, "encode", sizes, 2, inputs,
                                            3, buffers, given->output_count);
  if (status != ATTN_OK)
    fprintf(stderr, "%s\n", given->library->last_error());
  return status;
}

static int count_threads(void) {
  DIR *directory = opendir("/proc/self/task");
  int count = 0;
  while (directory && readdir(directory))
    count++;
  if (directory)
    closedir(directory);
  return count;
}

static const attn_library *load(const char *path, const char *symbol_name) {
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  void *symbol = handle ? dlsym(handle, symbol_name) : NULL;
  if (!symbol) {
    fprintf(stderr, "%s\n", dlerror());
    exit(2);
  }
  const attn_library *(*function)(void);
  memcpy(&function, &symbol, sizeof(function));
  return function();
}

/* What the model gives on threads of its own; then opens it on the host's. */
static void open_model(host_model *given, const char *path, const char *name,
                       size_t output_count, const attn_executor *executor) {
  given->library = load(path, name);
  given->output_count = output_count;
  attn_options options = ATTN_OPTIONS_INIT;
  options.threads = 2;
  attn_session *session = NULL;
  EXPECT(given->library->open(&options, &given->model) == ATTN_OK);
  EXPECT(given->library->session_open(given->model, &session) == ATTN_OK);
  EXPECT(encode(given, session, &given->expected) == ATTN_OK);
  given->library->session_close(session);
  given->library->close(given->model);
  int threads = count_threads();
  options.threads = 0;
  options.executor = executor;
  EXPECT(given->library->open(&options, &given->model) == ATTN_OK);
  EXPECT(count_threads() == threads);
}

static host_model models[2];

static void *work(void *argument) {
  const host_model *given = &models[*(int *)argument % 2];
  attn_session *session = NULL;
  outputs *out = (outputs *)malloc(sizeof(*out));
  EXPECT(out &&
         given->library->session_open(given->model, &session) == ATTN_OK);
  for (int round = 0; out && round < ROUNDS && failures == 0; round++) {
    EXPECT(encode(given, session, out) == ATTN_OK);
    EXPECT(memcmp(out->hidden, given->expected.hidden, sizeof(out->hidden)) ==
           0);
    EXPECT(memcmp(out->pooled, given->expected.pooled, sizeof(out->pooled)) ==
           0);
  }
  given->library->session_close(session);
  free(out);
  return NULL;
}

int main(int argc, char **argv) {
  if (argc != 3)
    return 2;
  for (int i = 0; i < CELLS; i++)
    ids[i] = i * 3 % 50;
  attn_executor executor = {NULL, 4, host_parallel_for};
  open_model(&models[0], argv[1], "tiny_library", 1, &executor);
  open_model(&models[1], argv[2], "bert_library", 2, &executor);
  if (failures)
    return 1;
  pthread_t threads[THREADS];
  int numbers[THREADS];
  for (int i = 0; i < THREADS; i++) {
    numbers[i] = i;
    EXPECT(pthread_create(&threads[i], NULL, work, &numbers[i]) == 0);
  }
  for (int i = 0; i < THREADS; i++)
    EXPECT(pthread_join(threads[i], NULL) == 0);
  for (int i = 0; i < 2; i++)
    models[i].library->close(models[i].model);
  long parallel = host_threads_seen();
  EXPECT(parallel > 1);
  if (failures == 0)
    printf("hosts: all as expected, on %s\n", host_name());
  return failures != 0;
}
