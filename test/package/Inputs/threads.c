/*===- threads.c - numbers of threads --------------------------------------===*
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * The same bits with 1, 2, 3 and 64 threads, at every position of a batch,
 * alone or beside other rows.
 *
 *===----------------------------------------------------------------------===*/
#include "check.h"

enum { BATCH = 8, SEQ = 37 };
static int32_t ids[BATCH][SEQ], mask[BATCH][SEQ];
static float first[BATCH][SEQ][HIDDEN], out[BATCH][SEQ][HIDDEN];

int main(void) {
  for (int b = 0; b < BATCH; b++)
    for (int i = 0; i < SEQ; i++) {
      ids[b][i] = (7 * b + 5 * i * i) % 50;
      mask[b][i] = i < SEQ - 4 * b;
    }
  static const int32_t threads[] = {1, 0, 2, 3, 64};
  for (size_t n = 0; n < sizeof(threads) / sizeof(threads[0]); n++) {
    attn_options options = ATTN_OPTIONS_INIT;
    options.threads = threads[n];
    tiny *model = NULL;
    tiny_session *session = NULL;
    EXPECT(tiny_open(&options, &model) == ATTN_OK);
    EXPECT(tiny_session_open(model, &session) == ATTN_OK);
    if (failures)
      return finish("open");
    EXPECT(tiny_encode(session, BATCH, SEQ, ids[0], mask[0], NULL, out[0][0]) ==
           ATTN_OK);
    if (n == 0)
      memcpy(first, out, sizeof(out));
    EXPECT(memcmp(first, out, sizeof(out)) == 0);
    for (int b = 0; b < BATCH; b++) {
      memset(out[0], 0x7f, sizeof(out[0]));
      EXPECT(tiny_encode(session, 1, SEQ, ids[b], mask[b], NULL, out[0][0]) ==
             ATTN_OK);
      EXPECT(memcmp(first[b], out[0], sizeof(out[0])) == 0);
    }
    tiny_session_close(session);
    tiny_close(model);
  }
  return finish("threads");
}
