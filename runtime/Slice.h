//===- Slice.h - text that belongs to somebody else -------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bytes in a file or a buffer that end at a size, not in a NUL.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_SLICE_H
#define ATTN_RUNTIME_SLICE_H

#include <stddef.h>
#include <string.h>

namespace attnrt {

struct Slice {
  const char *text = nullptr;
  size_t size = 0;

  Slice() = default;
  Slice(const char *literal) : text(literal), size(strlen(literal)) {}
  Slice(const char *text, size_t size) : text(text), size(size) {}
  bool empty() const { return size == 0; }
  bool operator==(Slice other) const {
    return size == other.size && (size == 0 || !memcmp(text, other.text, size));
  }
  bool operator!=(Slice other) const { return !(*this == other); }
  bool equals(const char *literal) const {
    return text && *this == Slice(literal);
  }
  /// memcmp order, shorter first.
  static int compare(const Slice &left, const Slice &right);
};

} // namespace attnrt

#endif // ATTN_RUNTIME_SLICE_H
