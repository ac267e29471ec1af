//===- Writer.cpp - text into a bounded buffer ----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// print() formats straight into what is left of the buffer, quote() escapes
// what RFC 8259 wants escaped: names and paths are the caller's bytes.
//
//===----------------------------------------------------------------------===//
#include "Writer.h"

#include "text/Utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
  size_t length = 0;
  for (size_t left = strlen(text); left; text += length, left -= length) {
    unsigned char byte = static_cast<unsigned char>(*text);
    if (!scanCharacter(text, left, length)) {
      print("\\ufffd");
    } else if (byte == '"' || byte == '\\') {
      put('\\');
      put(*text);
    } else if (byte < 0x20 || byte == 0x7f) {
      print("\\u%04x", byte);
    } else {
      for (size_t i = 0; i < length; ++i)
        put(text[i]);
    }
  }
  put('"');
}

} // namespace attnrt
