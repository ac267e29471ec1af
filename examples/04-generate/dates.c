/*===- dates.c - dates as people write them, in ISO 8601 -------------------===*
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 *   dates "3. März 2021" "the third of March, 2021"
 *   dates < FILE
 *
 * Links a library that `attnc compile examples/04-generate/model --name dates`
 * made. The model reads a date and "=", then writes the date in ISO 8601 and a
 * newline. Every answer stands on a line of its own, before what it answers.
 *
 *===----------------------------------------------------------------------===*/
#include "dates.h"

#include <stdio.h>
#include <string.h>

enum { MAX_DATE = 80, MAX_ANSWER = 64 };

typedef struct answer {
  char text[MAX_ANSWER];
  size_t length;
} answer;

/* Keeps what the model writes; more than fits is no date. */
static int32_t keep(void *context, int32_t token, const char *text,
                    size_t length) {
  answer *made = context;
  (void)token;
  if (length >= MAX_ANSWER - made->length)
    return 1;
  memcpy(made->text + made->length, text, length);
  made->length += length;
  made->text[made->length] = '\0';
  return 0;
}

static int fail(void) {
  fprintf(stderr, "%s\n", dates_last_error());
  return 1;
}

/* Prints the answer to one date; returns 0 if there was one. */
static int convert(dates_session *session, const char *date) {
  static const char *const ends[] = {"\n"};
  char prompt[MAX_DATE + 2];
  answer made = {"", 0};
  attn_generate_options options = ATTN_GENERATE_INIT;
  options.max_tokens = 16;
  options.stop_strings = ends;
  options.stop_string_count = 1;
  options.keeps_model_stops = 1; /* the newline ends answers, as text */

  int length = snprintf(prompt, sizeof prompt, "%s=", date);
  if (length < 0 || (size_t)length >= sizeof prompt) {
    fprintf(stderr, "longer than %d bytes: %s\n", MAX_DATE, date);
    return 1;
  }
  /* Every date is a text of its own: nothing of the last one stays. */
  if (dates_session_reset(session) != ATTN_OK ||
      dates_generate_text(session, &options, prompt, (size_t)length, keep,
                          &made, NULL) != ATTN_OK)
    return fail();
  printf("%s  %s\n", made.text, date);
  return 0;
}

static int convert_lines(dates_session *session) {
  char line[1024];
  int status = 0;
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\r\n")] = '\0';
    if (line[0])
      status |= convert(session, line);
  }
  return status;
}

int main(int argc, char **argv) {
  dates *model = NULL;
  dates_session *session = NULL;
  attn_options options = ATTN_OPTIONS_INIT;
  options.threads = 1; /* so small a model is fastest on one */
  int status = 0;
  if (dates_open(&options, &model) != ATTN_OK ||
      dates_session_open(model, &session) != ATTN_OK)
    status = fail();
  else if (argc < 2)
    status = convert_lines(session);
  for (int i = 1; i < argc && session; i++)
    status |= convert(session, argv[i]);
  dates_session_close(session);
  dates_close(model);
  return status;
}
