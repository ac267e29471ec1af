//===- Memory.h - the caller's allocator, counted ---------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every byte that a model and its sessions take goes through one Memory: it
// calls the caller's allocator (or malloc's), counts what is held and refuses
// what would exceed options.max_bytes. Thread-safe.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_MEMORY_H
#define ATTN_RUNTIME_MEMORY_H

#include "attn/attn.h"

#include <atomic>

namespace attnrt {

class Memory {
public:
  /// `allocator` NULL: malloc and free. `limit` 0: none. `held`: bytes that
  /// count as taken from the start.
  Memory(const attn_allocator *allocator, uint64_t limit, uint64_t held = 0);

  /// Takes `bytes` > 0. Returns NULL with the last error set (it names `what`,
  /// the bytes and the limit, if that was it) when there is none; the status is
  /// then ATTN_ERROR_OUT_OF_MEMORY.
  void *allocate(size_t bytes, const char *what, size_t alignment = 64);

  /// Gives back what allocate returned, with the same `bytes`. NULL is allowed.
  void release(void *pointer, size_t bytes);

  /// Counts `bytes` that come from elsewhere, a GPU's memory, against the
  /// limit. False as allocate() returns NULL.
  bool reserve(uint64_t bytes, const char *what);
  void unreserve(uint64_t bytes);

  /// Bytes held now.
  uint64_t used() const { return taken.load(std::memory_order_relaxed); }
  uint64_t limit() const { return maximum; }
  /// The allocator itself, for what must outlive this object.
  const attn_allocator &source() const { return allocator; }

private:
  attn_allocator allocator;
  uint64_t maximum; // 0: no limit
  std::atomic<uint64_t> taken;
};

} // namespace attnrt

#endif // ATTN_RUNTIME_MEMORY_H
