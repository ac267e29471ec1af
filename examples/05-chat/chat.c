/*===- chat.c - a conversation in a terminal
 * --------------------------------===*
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Each line is a message; the answer comes token by token. The whole
 * conversation is given to the library each time, which computes only what its
 * session does not hold yet. One that no longer fits loses its oldest turn.
 *
 *   /reset   begins a new conversation        Ctrl-C   ends an answer
 *   /quit    ends, as does the end of input
 *
 * Compiled models are driven through their table here, so that a model without
 * a chat template can be told apart.
 *
 *===----------------------------------------------------------------------===*/
#define _POSIX_C_SOURCE 200809L
#include "model.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What was said, and what is being said. */
static attn_message *messages;
static size_t count;
static char *answer;
static size_t answer_size;

static const attn_library *library;
static attn_session *session;

static void *checked(void *memory) {
  if (!memory) {
    fprintf(stderr, "chat: out of memory\n");
    exit(1);
  }
  return memory;
}

static void say(const char *role, const char *content) {
  messages = checked(realloc(messages, (count + 1) * sizeof(*messages)));
  messages[count].role = role;
  messages[count++].content = checked(strdup(content));
}

/* Forgets messages from `first` on. */
static void forget(size_t first, size_t how_many) {
  for (size_t i = first; i < first + how_many; ++i)
    free((char *)messages[i].content);
  count -= how_many;
  memmove(messages + first, messages + first + how_many,
          (count - first) * sizeof(*messages));
}

static int32_t take(void *context, int32_t token, const char *text,
                    size_t length) {
  (void)context;
  (void)token;
  if (!length)
    return 0;
  fwrite(text, 1, length, stdout);
  fflush(stdout);
  answer = checked(realloc(answer, answer_size + length + 1));
  memcpy(answer + answer_size, text, length);
  answer_size += length;
  answer[answer_size] = '\0';
  return 0;
}

/* Only sets a flag in the session, which a signal handler may. */
static void interrupt(int signal) {
  (void)signal;
  library->cancel(session);
}

/* Answers the last message; returns 0 if that failed, having said why. */
static int reply(const attn_generate_options *options) {
  size_t system = strcmp(messages[0].role, "system") == 0;
  attn_generate_result result = {.struct_size = sizeof(result)};
  attn_status status;
  answer_size = 0;
  answer = checked(realloc(answer, 1));
  answer[0] = '\0';
  while ((status = library->chat(session, options, messages, count, take, NULL,
                                 &result)) == ATTN_ERROR_CONTEXT_FULL &&
         count >= system + 3) {
    fprintf(stderr, "(too long: the oldest question is forgotten)\n");
    forget(system, 2);
  }
  if (status != ATTN_OK && status != ATTN_ERROR_CANCELLED) {
    fprintf(stderr, "chat: %s\n", library->last_error());
    forget(count - 1, 1);
    return 0;
  }
  printf("\n");
  if (result.stop == ATTN_STOP_CONTEXT)
    fprintf(stderr, "(cut: the model has no more positions; /reset)\n");
  say("assistant", answer);
  return 1;
}

static int converse(const attn_generate_options *options, const char *system) {
  int is_terminal = isatty(STDIN_FILENO), failed = 0;
  char *line = NULL;
  size_t capacity = 0;
  ssize_t length;
  if (system)
    say("system", system);
  while (1) {
    if (is_terminal) {
      printf("> ");
      fflush(stdout);
    }
    if ((length = getline(&line, &capacity, stdin)) < 0)
      break;
    line[strcspn(line, "\n")] = '\0';
    if (strcmp(line, "/quit") == 0)
      break;
    if (strcmp(line, "/reset") == 0)
      forget(system != NULL, count - (system != NULL));
    else if (line[0]) {
      say("user", line);
      failed |= !reply(options);
    }
  }
  free(line);
  forget(0, count);
  free(messages);
  free(answer);
  return failed;
}

static int usage(void) {
  fprintf(stderr, "usage: chat [--system TEXT] [--greedy] [--max-tokens N] "
                  "[--seed N]\n");
  return 2;
}

int main(int argc, char **argv) {
  library = model_library();
  if (!library->chat) {
    fprintf(stderr, "chat: this model has no chat template; "
                    "`attnc run LIB --prompt TEXT` continues a text\n");
    return 1;
  }
  /* As the model's authors choose tokens; each conversation is another one. */
  attn_generate_options options = *library->generation()->defaults;
  options.seed = (uint64_t)time(NULL);
  const char *system = NULL;
  for (int i = 1; i < argc; ++i) {
    int has_value = i + 1 < argc;
    if (strcmp(argv[i], "--greedy") == 0)
      options.temperature = 0;
    else if (strcmp(argv[i], "--system") == 0 && has_value)
      system = argv[++i];
    else if (strcmp(argv[i], "--max-tokens") == 0 && has_value)
      options.max_tokens = strtoll(argv[++i], NULL, 10);
    else if (strcmp(argv[i], "--seed") == 0 && has_value)
      options.seed = strtoull(argv[++i], NULL, 10);
    else
      return usage();
  }

  attn_model *model = NULL;
  if (library->open(NULL, &model) != ATTN_OK ||
      library->session_open(model, &session) != ATTN_OK) {
    fprintf(stderr, "chat: %s\n", library->last_error());
    library->close(model);
    return 1;
  }
  struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESTART};
  sigaction(SIGINT, &action, NULL);
  int failed = converse(&options, system);
  signal(SIGINT, SIG_DFL); /* the session goes */
  library->session_close(session);
  library->close(model);
  return failed;
}
