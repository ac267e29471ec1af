//===- Buffer.h - a growing array in counted memory -------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An array of plain values that grows by doubling and takes its bytes from a
// Memory. Growing can fail: calls that may grow return false, and then Memory
// has already set the last error.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_BUFFER_H
#define ATTN_RUNTIME_TEXT_BUFFER_H

#include "Memory.h"

#include <string.h>
#include <type_traits>

namespace attnrt {

template <typename T> class Buffer {
  static_assert(std::is_trivially_copyable<T>::value, "moved by memcpy");

public:
  Buffer(Memory &memory, const char *what) : source(memory), what(what) {}
  ~Buffer() { source.release(items, capacity * sizeof(T)); }
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;

  /// Makes room for `more` values behind those there are.
  bool reserve(size_t more) {
    if (capacity - count >= more)
      return true;
    size_t limit = SIZE_MAX / sizeof(T) / 2;
    if (count > limit || more > limit - count)
      more = limit - count; // a size that no allocator has
    size_t wanted = count + more;
    size_t larger = capacity > limit / 2 ? limit : capacity * 2;
    if (larger < wanted)
      larger = wanted;
    if (larger < 16)
      larger = 16;
    void *fresh = source.allocate(larger * sizeof(T), what);
    if (!fresh)
      return false;
    if (count)
      memcpy(fresh, items, count * sizeof(T));
    source.release(items, capacity * sizeof(T));
    items = static_cast<T *>(fresh);
    capacity = larger;
    return true;
  }

  bool push(T value) {
    if (count == capacity && !reserve(1))
      return false;
    items[count++] = value;
    return true;
  }

  bool append(const T *values, size_t more) {
    if (!reserve(more))
      return false;
    if (more)
      memcpy(items + count, values, more * sizeof(T));
    count += more;
    return true;
  }

  /// Sets the number of values, without setting new ones.
  bool resize(size_t wanted) {
    if (wanted > count && !reserve(wanted - count))
      return false;
    count = wanted;
    return true;
  }

  Memory &memory() const { return source; }
  void clear() { count = 0; }
  size_t size() const { return count; }
  bool empty() const { return count == 0; }
  T *data() { return items; }
  const T *data() const { return items; }
  T *begin() { return items; }
  T *end() { return items + count; }
  const T *begin() const { return items; }
  const T *end() const { return items + count; }
  T &operator[](size_t i) { return items[i]; }
  const T &operator[](size_t i) const { return items[i]; }

private:
  Memory &source;
  const char *what; // for messages: "the vocabulary"
  T *items = nullptr;
  size_t count = 0;
  size_t capacity = 0;
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_BUFFER_H
