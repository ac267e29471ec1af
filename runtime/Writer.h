//===- Writer.h - text into a bounded buffer --------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builds the text of `info`, of log lines and of lists in messages. What does
// not fit is counted and left out; the buffer always ends in NUL.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_WRITER_H
#define ATTN_RUNTIME_WRITER_H

#include <stddef.h>

namespace attnrt {

class Writer {
public:
  /// Writes at most `capacity` bytes, NUL included; 0 measures only.
  Writer(char *buffer, size_t capacity);

  void print(const char *format, ...) __attribute__((format(printf, 2, 3)));
  /// A JSON string with its quotes. What is no UTF-8 becomes U+FFFD.
  void quote(const char *text);
  /// Bytes of the whole text without the NUL, those left out included.
  size_t length() const { return written; }

private:
  void put(char byte);

  char *buffer;
  size_t capacity;
  size_t written = 0;
};

} // namespace attnrt

#endif // ATTN_RUNTIME_WRITER_H
