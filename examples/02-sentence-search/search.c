/*===- search.c - ranks sentences by their similarity to a query -----------===*
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 *   search SENTENCES.txt "a question"
 *
 * Links a library that `attnc compile FOLDER --name encoder` made. Vectors of a
 * sentence encoder have length 1, so their dot product is the cosine.
 *
 *===----------------------------------------------------------------------===*/
#include "encoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SENTENCES = 256, MAX_LINE = 1024, MAX_WIDTH = 4096 };

static char lines[MAX_SENTENCES + 1][MAX_LINE];
static float vectors[MAX_SENTENCES + 1][MAX_WIDTH];

/* Reads one sentence a line; returns how many, or -1. */
static int read_sentences(const char *path) {
  FILE *file = fopen(path, "r");
  if (!file) {
    perror(path);
    return -1;
  }
  int count = 0;
  while (count < MAX_SENTENCES && fgets(lines[count], MAX_LINE, file)) {
    lines[count][strcspn(lines[count], "\r\n")] = '\0';
    if (lines[count][0])
      count++;
  }
  fclose(file);
  return count;
}

/* The width of the vectors, from the library's description of itself: the last
 * number of the dims of "sentence_embedding". */
static int vector_width(void) {
  const char *json = encoder_library()->describe();
  const char *output = strstr(json, "\"sentence_embedding\"");
  const char *dims = output ? strstr(output, "\"dims\":[\"batch\",") : NULL;
  return dims ? atoi(dims + strlen("\"dims\":[\"batch\",")) : 0;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s SENTENCES.txt \"a question\"\n", argv[0]);
    return 2;
  }
  int count = read_sentences(argv[1]);
  if (count < 1)
    return 1;
  snprintf(lines[count], MAX_LINE, "%s", argv[2]);

  encoder *model = NULL;
  encoder_session *session = NULL;
  attn_options options = ATTN_OPTIONS_INIT;
  if (encoder_open(&options, &model) != ATTN_OK ||
      encoder_session_open(model, &session) != ATTN_OK) {
    fprintf(stderr, "%s\n", encoder_last_error());
    encoder_close(model);
    return 1;
  }

  int width = vector_width();
  int status = 1;
  if (width > 0 && width <= MAX_WIDTH) {
    const char *texts[MAX_SENTENCES + 1];
    for (int i = 0; i <= count; i++)
      texts[i] = lines[i];
    float *packed = &vectors[0][0];
    if (encoder_encode_text(session, count + 1, texts, NULL, packed) !=
        ATTN_OK) {
      fprintf(stderr, "%s\n", encoder_last_error());
    } else {
      float scores[MAX_SENTENCES];
      const float *query = packed + (size_t)count * (size_t)width;
      for (int i = 0; i < count; i++) {
        scores[i] = 0;
        for (int k = 0; k < width; k++)
          scores[i] += packed[(size_t)i * (size_t)width + (size_t)k] * query[k];
      }
      printf("\n  %s\n\n", argv[2]);
      for (int rank = 0; rank < 5 && rank < count; rank++) {
        int best = 0;
        for (int i = 1; i < count; i++)
          if (scores[i] > scores[best])
            best = i;
        printf("  %.3f  %s\n", scores[best], lines[best]);
        scores[best] = -2;
      }
      status = 0;
    }
  } else {
    fprintf(stderr, "the library holds no sentence encoder\n");
  }
  encoder_session_close(session);
  encoder_close(model);
  return status;
}
