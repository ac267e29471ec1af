//===- Errors.h - the last error of each thread -----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The text behind NAME_last_error(): one line per thread, in a table of fixed
// size, so that reporting a failure needs no memory. It is the runtime's only
// state outside models and sessions.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_ERRORS_H
#define ATTN_RUNTIME_ERRORS_H

#include "attn/attn.h"

namespace attnrt {

/// Bytes kept of a message, its NUL included; a longer one ends in "...".
constexpr size_t kErrorCapacity = 1024;

/// Stores the message as the calling thread's last error and returns `status`,
/// so that failing is `return fail(...)`. Control bytes (names and paths come
/// from outside) become '?': a message is one line.
attn_status fail(attn_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/// Makes text one line: control bytes become '?'.
void makeLine(char *text);

/// The calling thread's last error; "no error" before the first.
const char *lastError();

/// "No such file or directory": a description without locale or shared state.
const char *systemError(int number);

} // namespace attnrt

#endif // ATTN_RUNTIME_ERRORS_H
