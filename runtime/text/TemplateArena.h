//===- TemplateArena.h - small objects that die together --------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Trees of templates and values of a rendering point at each other; they live
// in chunks of counted memory that are given back all at once.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_TEMPLATEARENA_H
#define ATTN_RUNTIME_TEXT_TEMPLATEARENA_H

#include "Errors.h"
#include "Memory.h"
#include "Slice.h"

#include <new>
#include <stddef.h>
#include <stdint.h>

namespace attnrt {

class TemplateArena {
public:
  TemplateArena(Memory &memory, const char *what)
      : memory(memory), what(what) {}
  ~TemplateArena() { reset(); }
  TemplateArena(const TemplateArena &) = delete;
  TemplateArena &operator=(const TemplateArena &) = delete;

  /// NULL, with the last error set, if there is no memory.
  void *allocate(size_t bytes) {
    bytes = (bytes + 15) & ~size_t(15);
    if (!last || last->size - last->used < bytes) {
      size_t size = bytes > kChunk ? bytes : kChunk;
      if (size > kMost - held) {
        fail(ATTN_ERROR_OUT_OF_MEMORY, "%s needs more than %zu bytes", what,
             kMost);
        return nullptr;
      }
      void *block = memory.allocate(sizeof(Chunk) + size, what);
      if (!block)
        return nullptr;
      last = new (block) Chunk{last, size, 0};
      held += size;
    }
    char *at = reinterpret_cast<char *>(last + 1) + last->used;
    last->used += bytes;
    return at;
  }
  template <typename T> T *make(const T &value = T()) {
    void *place = allocate(sizeof(T));
    return place ? new (place) T(value) : nullptr;
  }
  char *copy(const char *text, size_t size) {
    char *place = static_cast<char *>(allocate(size ? size : 1));
    if (place && size)
      memcpy(place, text, size);
    return place;
  }
  /// Gives everything back.
  void reset() {
    while (last) {
      Chunk *before = last->before;
      memory.release(last, sizeof(Chunk) + last->size);
      last = before;
    }
    held = 0;
  }

private:
  static constexpr size_t kChunk = 4096;
  /// No template makes as much that ends by itself.
  static constexpr size_t kMost = size_t(64) << 20;
  struct alignas(16) Chunk {
    Chunk *before;
    size_t size, used;
  };
  Memory &memory;
  const char *what; // for messages
  Chunk *last = nullptr;
  size_t held = 0; ///< in chunks
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_TEMPLATEARENA_H
