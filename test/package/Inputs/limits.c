/*===- limits.c - limits of memory ------------------------------------------===
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Opens, calls and embeds under limits from one byte up to what all of it
 * needs, in small steps. The allocator is never asked for more than the limit,
 * each refusal says so, and what fitted before a refusal still works after it.
 *
 *===----------------------------------------------------------------------===*/
#define _GNU_SOURCE /* posix_memalign beside -std=c11 */
#include "check.h"

#include <stdlib.h>

enum { BATCH = 64, SEQ = 40 };
static int32_t ids[BATCH * SEQ];
static float first[WIDTH], small[WIDTH], large[BATCH * WIDTH], text[WIDTH];

static uint64_t taken, most;

static void *take(void *context, size_t bytes, size_t alignment) {
  (void)context;
  void *pointer = NULL;
  if (posix_memalign(&pointer, alignment < 8 ? 8 : alignment, bytes) != 0)
    return NULL;
  taken += bytes;
  if (taken > most)
    most = taken;
  return pointer;
}

static void give(void *context, void *pointer, size_t bytes) {
  (void)context;
  taken -= bytes;
  free(pointer);
}

/* Runs under a limit; how many steps were refused. */
static int live(uint64_t limit) {
  attn_allocator allocator = {NULL, take, give};
  attn_options options = ATTN_OPTIONS_INIT;
  options.allocator = &allocator;
  options.max_bytes = limit;
  options.threads = 2;
  tiny *model = NULL;
  tiny_session *session = NULL;
  const char *line = "a cat sees the bird";
  int refused = 0, fitted = 0;
  most = 0;
  for (int step = 0; step < 6; step++) {
    attn_status status =
        step == 0   ? tiny_open(&options, &model)
        : step == 1 ? tiny_session_open(model, &session)
        : step == 2 ? tiny_embed(session, 1, 5, ids, NULL, NULL, small)
        : step == 3 ? tiny_embed(session, BATCH, SEQ, ids, NULL, NULL, large)
        : step == 4 ? tiny_encode_text(session, 1, &line, NULL, text)
                    : tiny_embed(session, 1, 5, ids, NULL, NULL, small);
    if (step == 2)
      fitted = status == ATTN_OK;
    if (status == ATTN_OK)
      continue;
    refused++;
    EXPECT(status == ATTN_ERROR_OUT_OF_MEMORY);
    EXPECT(strstr(tiny_last_error(), "max_bytes") != NULL);
    EXPECT(step != 5 || !fitted);
    if (step < 2)
      break;
  }
  if (limit != 0 && fitted)
    EXPECT(memcmp(first, small, sizeof(first)) == 0);
  tiny_session_close(session);
  tiny_close(model);
  EXPECT(taken == 0);
  EXPECT(limit == 0 || most <= limit);
  return refused;
}

int main(void) {
  for (int i = 0; i < BATCH * SEQ; i++)
    ids[i] = i % 50;
  if (live(0) != 0)
    return finish("without a limit");
  memcpy(first, small, sizeof(first));
  uint64_t need = most;
  EXPECT(live(need) == 0);
  /* Up to there in steps that are small at first, where the model opens. Less
   * than `need` may do: an arena then grows in place of the former one. */
  int partly = 0, whole = 0;
  for (uint64_t limit = 1; limit < need; limit += 1 + limit / 50) {
    int refused = live(limit);
    EXPECT(whole == 0 || refused == 0);
    partly += refused > 0 && most > 0;
    whole += refused == 0;
  }
  EXPECT(partly > 100 && whole < 10);
  return finish("limits");
}
