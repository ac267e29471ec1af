//===- Writer.cpp - text into a bounded buffer ----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// print() formats straight into what is left of the buffer, quote() escapes
// what RFC 8259 wants escaped.
//
//===----------------------------------------------------------------------===//
#include "Writer.h"

#include <stdarg.h>
#include <stdio.h>

namespace attnrt {

Writer::Writer(char *buffer, size_t capacity)
    : buffer(buffer), capacity(capacity) {
  if (capacity)
    buffer[0] = '\0';
}

void Writer::print(const char *format, ...) {
  bool room = written < capacity;
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(room ? buffer + written : nullptr,
                         room ? capacity - written : 0, format, arguments);
  va_end(arguments);
  if (length > 0)
    written += static_cast<size_t>(length);
}

void Writer::put(char byte) {
  if (written + 1 < capacity) {
    buffer[written] = byte;
    buffer[written + 1] = '\0';
  }
  ++written;
}

void Writer::quote(const char *text) {
  put('"');
  for (; *text; ++text) {
    unsigned char byte = static_cast<unsigned char>(*text);
    if (byte == '"' || byte == '\\') {
      put('\\');
      put(*text);
    } else if (byte < 0x20 || byte == 0x7f) {
      print("\\u%04x", byte);
    } else {
      put(*text);
    }
  }
  put('"');
}

} // namespace attnrt
