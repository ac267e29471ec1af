/*===- interruptions.c - cancelling calls, forking under them --------------===*
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * A call that is cancelled in any of its phases begins no further one, and the
 * session then works as ever. A child forked while other threads call has a
 * model that works, with threads of its own.
 *
 *===----------------------------------------------------------------------===*/
#define _GNU_SOURCE /* fork beside -std=c11 */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, SEQ = 40 };
static int32_t ids[BATCH * SEQ];
static float expected[BATCH * SEQ * HIDDEN], hidden[BATCH * SEQ * HIDDEN];

static attn_status encode(tiny_session *session) {
  return tiny_encode(session, BATCH, SEQ, ids, NULL, NULL, hidden);
}

/* --- Cancelled by another thread in the midst of a phase -------------------
 */

typedef struct canceller {
  tiny_session *session;
  int at, phases;
} canceller;

static void *cancel(void *argument) {
  EXPECT(tiny_cancel((tiny_session *)argument) == ATTN_OK);
  return NULL;
}

static void cancelling_for(void *context, int32_t count,
                           void (*task)(void *task_context, int32_t index),
                           void *task_context) {
  canceller *own = (canceller *)context;
  if (++own->phases == own->at) {
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, cancel, own->session) == 0 &&
           pthread_join(thread, NULL) == 0);
  }
  for (int32_t i = 0; i < count; i++)
    task(task_context, i);
}

static void check_phases(void) {
  canceller own = {NULL, 0, 0};
  attn_executor executor = {&own, 2, cancelling_for};
  attn_options options = ATTN_OPTIONS_INIT;
  options.executor = &executor;
  tiny *model = NULL;
  EXPECT(tiny_open(&options, &model) == ATTN_OK);
  EXPECT(tiny_session_open(model, &own.session) == ATTN_OK);
  EXPECT(encode(own.session) == ATTN_OK);
  int phases = own.phases;
  EXPECT(phases > 3);
  for (int at = 1; at <= phases; at++) {
    own.at = at;
    own.phases = 0;
    attn_status status = encode(own.session);
    /* Too late in the last phase: then the call is done. */
    if (at < phases || status != ATTN_OK)
      EXPECT(status == ATTN_ERROR_CANCELLED);
    EXPECT(own.phases == at);
    own.at = 0;
    memset(hidden, 0x5a, sizeof(hidden));
    EXPECT(encode(own.session) == ATTN_OK);
    EXPECT(memcmp(hidden, expected, sizeof(hidden)) == 0);
  }
  tiny_session_close(own.session);
  tiny_close(model);
}

/* --- Cancelled at any time, on the model's own threads ---------------------
 */

static atomic_int calling, done;

static void *cancel_often(void *argument) {
  while (!done) {
    if (calling)
      EXPECT(tiny_cancel((tiny_session *)argument) == ATTN_OK);
    struct timespec pause = {0, 30000};
    nanosleep(&pause, NULL);
  }
  return NULL;
}

static void check_threads(tiny *model) {
  tiny_session *session = NULL;
  EXPECT(tiny_session_open(model, &session) == ATTN_OK);
  /* Between calls there is nothing to cancel. */
  EXPECT(tiny_cancel(session) == ATTN_OK);
  EXPECT(encode(session) == ATTN_OK);
  pthread_t thread;
  EXPECT(pthread_create(&thread, NULL, cancel_often, session) == 0);
  int cancelled = 0;
  for (int i = 0; i < 20000 && cancelled < 50; i++) {
    calling = 1;
    attn_status status = encode(session);
    calling = 0;
    EXPECT(status == ATTN_OK || status == ATTN_ERROR_CANCELLED);
    cancelled += status == ATTN_ERROR_CANCELLED;
  }
  done = 1;
  EXPECT(pthread_join(thread, NULL) == 0);
  EXPECT(cancelled > 0);
  memset(hidden, 0x5a, sizeof(hidden));
  EXPECT(encode(session) == ATTN_OK);
  EXPECT(memcmp(hidden, expected, sizeof(hidden)) == 0);
  tiny_session_close(session);
}

/* --- Forked ----------------------------------------------------------------
 */

static atomic_int stopping;

static void *call_on(void *argument) {
  tiny_session *session = NULL;
  float out[8 * WIDTH];
  EXPECT(tiny_session_open((tiny *)argument, &session) == ATTN_OK);
  while (!stopping && failures == 0) {
    const char *text = "the sun is big";
    EXPECT(tiny_embed(session, 8, SEQ, ids, NULL, NULL, out) == ATTN_OK);
    EXPECT(tiny_encode_text(session, 1, &text, NULL, out) == ATTN_OK);
  }
  tiny_session_close(session);
  return NULL;
}

static void check_child(tiny *model, tiny_session *session) {
  tiny_session *own = NULL;
  for (int i = 0; i < 3; i++) {
    EXPECT(encode(session) == ATTN_OK);
    EXPECT(memcmp(hidden, expected, sizeof(hidden)) == 0);
  }
  EXPECT(tiny_session_open(model, &own) == ATTN_OK);
  EXPECT(encode(own) == ATTN_OK);
  EXPECT_ERROR(tiny_encode(own, 0, SEQ, ids, NULL, NULL, hidden),
               ATTN_ERROR_INVALID_ARGUMENT, "batch is 0");
  tiny_session_close(own);
  tiny_session_close(session);
  tiny_close(model);
  _exit(failures != 0);
}

static void check_fork(tiny *model) {
  tiny_session *session = NULL;
  EXPECT(tiny_session_open(model, &session) == ATTN_OK);
  EXPECT(encode(session) == ATTN_OK);
  pthread_t threads[2];
  for (int i = 0; i < 2; i++)
    EXPECT(pthread_create(&threads[i], NULL, call_on, model) == 0);
  for (int i = 0; i < 30; i++) {
    pid_t child = fork();
    if (child == 0) {
      alarm(20); /* a child that hangs fails */
      check_child(model, session);
    }
    int status = -1;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
  }
  stopping = 1;
  for (int i = 0; i < 2; i++)
    EXPECT(pthread_join(threads[i], NULL) == 0);
  EXPECT(encode(session) == ATTN_OK);
  EXPECT(memcmp(hidden, expected, sizeof(hidden)) == 0);
  tiny_session_close(session);
}

int main(void) {
  for (int i = 0; i < BATCH * SEQ; i++)
    ids[i] = i % 50;
  attn_options options = ATTN_OPTIONS_INIT;
  options.threads = 3;
  tiny *model = NULL;
  tiny_session *session = NULL;
  EXPECT(tiny_open(&options, &model) == ATTN_OK);
  EXPECT(tiny_session_open(model, &session) == ATTN_OK);
  if (failures || encode(session) != ATTN_OK)
    return finish("open") | 1;
  memcpy(expected, hidden, sizeof(expected));
  tiny_session_close(session);
  check_phases();
  check_threads(model);
  check_fork(model);
  tiny_close(model);
  return finish("interruptions");
}
