/*===- two-models.c - two libraries in one program -------------------------===*
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Both are linked statically; each finds its own weights beside the program.
 *
 *===----------------------------------------------------------------------===*/
#include "bert.h"
#include "tiny.h"

#include <stdio.h>

int main(void) {
  tiny *small = NULL;
  bert *large = NULL;
  tiny_session *small_session = NULL;
  bert_session *large_session = NULL;
  int32_t ids[4] = {2, 16, 12, 3};
  float vector[12] = {0}, hidden[4 * 20] = {0}, pooled[20] = {0};
  if (tiny_open(NULL, &small) != ATTN_OK ||
      tiny_session_open(small, &small_session) != ATTN_OK ||
      tiny_embed(small_session, 1, 4, ids, NULL, NULL, vector) != ATTN_OK) {
    fprintf(stderr, "%s\n", tiny_last_error());
    return 1;
  }
  if (bert_open(NULL, &large) != ATTN_OK ||
      bert_session_open(large, &large_session) != ATTN_OK ||
      bert_encode(large_session, 1, 4, ids, NULL, NULL, hidden, pooled) !=
          ATTN_OK) {
    fprintf(stderr, "%s\n", bert_last_error());
    return 1;
  }
  /* Errors are each library's own. */
  (void)tiny_open(NULL, NULL);
  (void)bert_cancel(NULL);
  printf("tiny: %.6f, %s\n", vector[0], tiny_last_error());
  printf("bert: %.6f, %s\n", hidden[0], bert_last_error());
  tiny_session_close(small_session);
  bert_session_close(large_session);
  tiny_close(small);
  bert_close(large);
  return 0;
}
