//===- Memory.cpp - the caller's allocator, counted -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Counting comes before allocating, so that two sessions that grow at once
// cannot both pass the limit; a refused allocation takes its count back.
//
//===----------------------------------------------------------------------===//
#include "Memory.h"

#include "Errors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>

namespace attnrt {

// Blocks that hold a huge page start on one: an arena is touched from end to
// end in its first call, and 4 KiB faults would cost more than the call itself;
// keys and values are read at the speed of memory, a quarter faster from huge
// pages.
static constexpr size_t kHugePage = size_t(2) << 20;

static void *defaultAllocate(void *, size_t bytes, size_t alignment) {
  if (bytes >= kHugePage && alignment < kHugePage)
    alignment = kHugePage;
  void *pointer = nullptr;
  if (posix_memalign(&pointer, alignment, bytes) != 0)
    return nullptr;
  if (bytes >= kHugePage) // whole pages only: the tail may share its last one
    (void)madvise(pointer, bytes & ~(kHugePage - 1), MADV_HUGEPAGE);
  return pointer;
}

static void defaultRelease(void *, void *pointer, size_t) { free(pointer); }

Memory::Memory(const attn_allocator *given, uint64_t limit, uint64_t held)
    : allocator{nullptr, defaultAllocate, defaultRelease}, maximum(limit),
      taken(held) {
  if (given)
    allocator = *given;
}

bool Memory::reserve(uint64_t bytes, const char *what) {
  uint64_t before = taken.load(std::memory_order_relaxed), after;
  // Counted only once it is known to fit: what is refused here must not make
  // another thread's request look too large.
  do {
    bool overflows = __builtin_add_overflow(before, bytes, &after);
    if (overflows || (maximum && after > maximum)) {
      fail(ATTN_ERROR_OUT_OF_MEMORY,
           "%s: %" PRIu64 " bytes are needed, but %" PRIu64
           " of max_bytes %" PRIu64 " are taken",
           what, bytes, before, maximum);
      return false;
    }
  } while (
      !taken.compare_exchange_weak(before, after, std::memory_order_relaxed));
  return true;
}

void Memory::unreserve(uint64_t bytes) {
  taken.fetch_sub(bytes, std::memory_order_relaxed);
}

void *Memory::allocate(size_t bytes, const char *what, size_t alignment) {
  if (!reserve(bytes, what))
    return nullptr;
  void *pointer = allocator.allocate(allocator.context, bytes, alignment);
  if (!pointer) {
    taken.fetch_sub(bytes, std::memory_order_relaxed);
    fail(ATTN_ERROR_OUT_OF_MEMORY,
         "%s: %zu bytes are needed, and the allocator has none", what, bytes);
    return nullptr;
  }
  return pointer;
}

void Memory::release(void *pointer, size_t bytes) {
  if (!pointer)
    return;
  allocator.release(allocator.context, pointer, bytes);
  taken.fetch_sub(bytes, std::memory_order_relaxed);
}

} // namespace attnrt
