/*===- check.h - what the test programs share -------------------------------===
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * EXPECT counts and prints what is false; a program ends with finish().
 * Everything is valid C11 and C++17.
 *
 *===----------------------------------------------------------------------===*/
#ifndef ATTN_TEST_CHECK_H
#define ATTN_TEST_CHECK_H

#include "tiny.h"

#include <stdio.h>
#include <string.h>

static int failures = 0;

#define EXPECT(condition)                                                      \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "%s:%d: %s is false; the last error is: %s\n", __FILE__, \
              __LINE__, #condition, tiny_last_error());                        \
      failures++;                                                              \
    }                                                                          \
  } while (0)

/* The call fails with this status and a message that holds this text. */
#define EXPECT_ERROR(call, expected, text)                                     \
  do {                                                                         \
    attn_status came = (call);                                                 \
    if (came != (expected) || !strstr(tiny_last_error(), (text))) {            \
      fprintf(stderr,                                                          \
              "%s:%d: %s\n  gave status %d, expected %d; the last error is\n"  \
              "    %s\n  expected\n    %s\n",                                  \
              __FILE__, __LINE__, #call, (int)came, (int)(expected),           \
              tiny_last_error(), (text));                                      \
      failures++;                                                              \
    }                                                                          \
  } while (0)

/* The tiny sentence encoder: its vectors' width, its hidden size. */
enum { WIDTH = 12, HIDDEN = 20 };

static inline int finish(const char *what) {
  if (failures == 0)
    printf("%s: all as expected\n", what);
  return failures != 0;
}

#endif /* ATTN_TEST_CHECK_H */
