//===- GuardedMemory.h - buffers between pages that fault -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Memory that ends where a page that may not be touched begins, as near as its
// alignment lets it, with another such page before it. Fresh memory holds NaNs.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_FUZZ_PROGRAMS_GUARDEDMEMORY_H
#define ATTNC_TEST_FUZZ_PROGRAMS_GUARDEDMEMORY_H

#include "attn/attn.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <utility>

namespace attnc::fuzz {

class GuardedMemory {
public:
  GuardedMemory() = default;
  GuardedMemory(size_t bytes, size_t alignment) : bytes(bytes) {
    body = (bytes + kPage - 1) / kPage * kPage;
    void *all = mmap(nullptr, body + 2 * kPage, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    first = static_cast<char *>(all) + kPage;
    if (all == MAP_FAILED ||
        (body && mprotect(first, body, PROT_READ | PROT_WRITE) != 0)) {
      perror("mmap");
      abort();
    }
    start = first + (body - bytes) / alignment * alignment;
    memset(first, 0xFF, body);
  }
  ~GuardedMemory() {
    if (first)
      munmap(first - kPage, body + 2 * kPage);
  }
  GuardedMemory(GuardedMemory &&other) noexcept { *this = std::move(other); }
  GuardedMemory &operator=(GuardedMemory &&other) noexcept {
    std::swap(first, other.first);
    std::swap(start, other.start);
    std::swap(body, other.body);
    std::swap(bytes, other.bytes);
    return *this;
  }

  void *data() const { return start; }
  size_t size() const { return bytes; }
  /// Every later write faults.
  void freeze() {
    if (body)
      mprotect(first, body, PROT_READ);
  }
  /// Lets go of the pages without unmapping them: `adopt` takes them back.
  void *leave() {
    first = nullptr;
    return start;
  }

private:
  static constexpr size_t kPage = 4096;
  char *first = nullptr, *start = nullptr;
  size_t body = 0, bytes = 0;
};

/// What a model and its sessions take, arena included.
inline const attn_allocator kGuardedAllocator = {
    nullptr,
    [](void *, size_t bytes, size_t alignment) -> void * {
      return GuardedMemory(bytes, alignment).leave();
    },
    [](void *, void *pointer, size_t bytes) {
      constexpr size_t page = 4096;
      char *end = static_cast<char *>(pointer) + bytes;
      // Less than one alignment, of at most a page, lies behind the memory.
      size_t last = (reinterpret_cast<size_t>(end) + page - 1) / page * page;
      size_t body = (bytes + page - 1) / page * page;
      munmap(reinterpret_cast<char *>(last - body) - page, body + 2 * page);
    }};

} // namespace attnc::fuzz

#endif // ATTNC_TEST_FUZZ_PROGRAMS_GUARDEDMEMORY_H
