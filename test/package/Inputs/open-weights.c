/*===- open-weights.c - opens a library with given weights -----------------===*
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * open-weights [FILE [memory]]: tells the status and the last error; with ,
 * FILE is read by this program and given as weights_data.
 *
 *===----------------------------------------------------------------------===*/
#include "check.h"

#include <stdlib.h>

int main(int argc, char **argv) {
  attn_options options = ATTN_OPTIONS_INIT;
  void *data = NULL;
  if (argc == 2)
    options.weights_path = argv[1];
  if (argc == 3) {
    FILE *file = fopen(argv[1], "rb");
    if (!file || !(data = aligned_alloc(64, 1 << 20)))
      return 2;
    options.weights_data = data;
    options.weights_size = fread(data, 1, 1 << 20, file);
    fclose(file);
  }
  tiny *model = (tiny *)&model;
  attn_status status = tiny_open(&options, &model);
  if (status == ATTN_OK) {
    tiny_session *session = NULL;
    float out[WIDTH];
    const char *text = "a cat sees the bird";
    EXPECT(tiny_session_open(model, &session) == ATTN_OK);
    EXPECT(tiny_encode_text(session, 1, &text, NULL, out) == ATTN_OK);
    printf("%.6f\n", out[0]);
    tiny_session_close(session);
    tiny_close(model);
    /* Bytes that are not aligned are refused. */
    if (data) {
      options.weights_data = (const char *)data + 4;
      EXPECT_ERROR(tiny_open(&options, &model), ATTN_ERROR_INVALID_ARGUMENT,
                   "aligned to 64");
    }
  } else {
    EXPECT(model == NULL);
    printf("status %d: %s\n", (int)status, tiny_last_error());
  }
  free(data);
  return failures != 0;
}
