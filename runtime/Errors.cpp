//===- Errors.cpp - the last error of each thread -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Formats messages into a thread-local buffer. The thread-local object has no
// constructor and no destructor: nothing is left to run when a thread ends
// after the library was closed.
//
//===----------------------------------------------------------------------===//
#include "Errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

namespace attnrt {

static thread_local char message[kErrorCapacity];

attn_status fail(attn_status status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(message, kErrorCapacity, format, arguments);
  va_end(arguments);
  if (length < 0)
    message[0] = '\0';
  if (length >= static_cast<int>(kErrorCapacity))
    memcpy(message + kErrorCapacity - 4, "...", 4);
  for (char *at = message; *at; ++at)
    if (static_cast<unsigned char>(*at) < 0x20 || *at == 0x7f)
      *at = '?';
  return status;
}

const char *lastError() { return message[0] ? message : "no error"; }

const char *systemError(int number) {
  const char *text = strerrordesc_np(number);
  return text ? text : "unknown error";
}

} // namespace attnrt

extern "C" const char *attnrt_last_error(void) { return attnrt::lastError(); }
