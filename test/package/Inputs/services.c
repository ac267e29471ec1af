/*===- services.c - allocator, executor and log of the caller --------------===*
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Counts every byte that a library takes, through its allocator and behind its
 * back: malloc and its kin are replaced in this program. A session's arena is
 * exactly what session_bytes says, a second call of the same size takes
 * nothing, and closing gives all back.
 *
 *===----------------------------------------------------------------------===*/
#include "check.h"

#include <stdlib.h>

/* Calls of malloc and its kin from anywhere in the program, counted by
 * interposition: glibc's own are behind these names. */
extern void *__libc_malloc(size_t);
extern void *__libc_memalign(size_t, size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
static long heap_calls;
void *malloc(size_t bytes) {
  heap_calls++;
  return __libc_malloc(bytes);
}
void *calloc(size_t count, size_t bytes) {
  heap_calls++;
  return __libc_calloc(count, bytes);
}
void *realloc(void *pointer, size_t bytes) {
  heap_calls++;
  return __libc_realloc(pointer, bytes);
}
int posix_memalign(void **pointer, size_t alignment, size_t bytes) {
  heap_calls++;
  *pointer = __libc_memalign(alignment, bytes);
  return *pointer ? 0 : 12;
}

typedef struct counts {
  long allocations, releases, unaligned;
  size_t bytes, largest;
} counts;

static void *count_allocate(void *context, size_t bytes, size_t alignment) {
  counts *all = (counts *)context;
  void *pointer = NULL;
  if (bytes == 0 || posix_memalign(&pointer, alignment, bytes) != 0)
    return NULL;
  memset(pointer, 0xa5, bytes); /* nothing may rely on zeros */
  all->allocations++;
  all->bytes += bytes;
  if (bytes > all->largest)
    all->largest = bytes;
  return pointer;
}

static void count_release(void *context, void *pointer, size_t bytes) {
  counts *all = (counts *)context;
  all->releases++;
  all->bytes -= bytes;
  free(pointer);
}

/* Runs the parts backwards, one after the other. */
static long parts;
static void backwards(void *context, int32_t count,
                      void (*task)(void *task_context, int32_t index),
                      void *task_context) {
  ++*(long *)context;
  while (count-- > 0) {
    parts++;
    task(task_context, count);
  }
}

static char logged[1 << 14];
static void keep_log(void *context, attn_log_level level, const char *message) {
  (void)level;
  EXPECT(context == logged);
  EXPECT(strchr(message, '\n') == NULL);
  strncat(logged, message, sizeof(logged) - strlen(logged) - 2);
  strcat(logged, "\n");
}

static int32_t ids[64 * 40], mask[64 * 40];
static float out[64 * WIDTH], wide[64 * 40 * HIDDEN];

/* A session's arena has the size that was announced, for `entry` = embed. */
static void check_sizes(tiny *model, counts *all) {
  for (int64_t batch = 1; batch <= 64; batch += 21)
    for (int64_t seq = 1; seq <= 40; seq += 13) {
      tiny_session *session = NULL;
      EXPECT(tiny_session_open(model, &session) == ATTN_OK);
      int64_t sizes[2] = {batch, seq};
      uint64_t announced = 0;
      EXPECT(tiny_session_bytes(model, "embed", sizes, 2, &announced) ==
             ATTN_OK);
      size_t before = all->bytes;
      EXPECT(tiny_embed(session, batch, seq, ids, NULL, NULL, out) == ATTN_OK);
      EXPECT(all->bytes - before == announced);
      long allocations = all->allocations, heap = heap_calls;
      EXPECT(tiny_embed(session, batch, seq, ids, mask, NULL, out) == ATTN_OK);
      EXPECT(tiny_embed(session, batch, seq, ids, NULL, ids, out) == ATTN_OK ||
             ids[0] > 1);
      EXPECT(all->allocations == allocations && heap_calls == heap);
      tiny_session_close(session);
    }
}

int main(void) {
  for (int i = 0; i < 64 * 40; i++) {
    ids[i] = i % 2;
    mask[i] = i % 3 != 0;
  }
  counts all = {0, 0, 0, 0, 0};
  long calls = 0;
  attn_allocator allocator = {&all, count_allocate, count_release};
  attn_executor executor = {&calls, 3, backwards};
  attn_options options = ATTN_OPTIONS_INIT;
  options.allocator = &allocator;
  options.executor = &executor;
  options.log = keep_log;
  options.log_context = logged;
  tiny *model = NULL;
  tiny_session *session = NULL;
  long heap = heap_calls;
  EXPECT(tiny_open(&options, &model) == ATTN_OK);
  EXPECT(tiny_session_open(model, &session) == ATTN_OK);
  if (failures)
    return finish("open");
  EXPECT(all.allocations > 0);
  /* Everything went through the allocator, which takes once from the heap. */
  EXPECT(heap_calls - heap == all.allocations);
  EXPECT(logged[0] != '\0');

  check_sizes(model, &all);
  EXPECT(calls > 0 && parts > calls);

  /* encode_text: a second call of the same size takes nothing either. */
  const char *texts[3] = {"a cat sees the bird", "fish", "the sun is big"};
  EXPECT(tiny_encode_text(session, 3, texts, NULL, out) == ATTN_OK);
  long allocations = all.allocations;
  heap = heap_calls;
  EXPECT(tiny_encode_text(session, 3, texts, NULL, out) == ATTN_OK);
  EXPECT(all.allocations == allocations && heap_calls == heap);

  /* The executor's result is that of the library's own threads, bit for bit. */
  tiny *plain = NULL;
  tiny_session *own = NULL;
  static float again[64 * 40 * HIDDEN];
  EXPECT(tiny_open(NULL, &plain) == ATTN_OK);
  EXPECT(tiny_session_open(plain, &own) == ATTN_OK);
  EXPECT(tiny_encode(session, 5, 33, ids, mask, NULL, wide) == ATTN_OK);
  EXPECT(tiny_encode(own, 5, 33, ids, mask, NULL, again) == ATTN_OK);
  EXPECT(memcmp(wide, again, sizeof(float) * 5 * 33 * HIDDEN) == 0);
  heap = heap_calls;
  EXPECT(tiny_encode(own, 5, 33, ids, mask, NULL, again) == ATTN_OK);
  EXPECT(heap_calls == heap);
  tiny_session_close(own);
  tiny_close(plain);

  tiny_session_close(session);
  tiny_close(model);
  EXPECT(all.bytes == 0 && all.allocations == all.releases);

  /* A limit that the largest call exceeds: refused, and the session lives. */
  options.max_bytes = 200000;
  EXPECT(tiny_open(&options, &model) == ATTN_OK);
  EXPECT(tiny_session_open(model, &session) == ATTN_OK);
  EXPECT(tiny_embed(session, 1, 8, ids, NULL, NULL, out) == ATTN_OK);
  EXPECT_ERROR(tiny_embed(session, 64, 40, ids, NULL, NULL, out),
               ATTN_ERROR_OUT_OF_MEMORY, "max_bytes is 200000");
  EXPECT(tiny_embed(session, 1, 8, ids, NULL, NULL, again) == ATTN_OK);
  EXPECT(all.bytes <= 200000);
  tiny_session_close(session);
  tiny_close(model);
  EXPECT(all.bytes == 0);
  return finish("services");
}
