//===- Memory.cpp - what a thread may touch -------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Global memory is what addMemory() was told; shared memory a window of fixed
// place, of which a block may touch what its launch asked for. Bytes of shared
// memory that a thread has written are remembered until its fence.proxy.async,
// because tensor copies and wgmma would not see them before.
//
//===----------------------------------------------------------------------===//
#include "Block.h"
#include <mutex>
#include <sys/mman.h>

namespace attnc::emulator {
namespace {

struct Ranges {
  std::mutex mutex;
  std::map<uintptr_t, size_t> sizes;
  uintptr_t lastBegin = 0, lastEnd = 0; ///< found most recently

  bool holds(uintptr_t begin, size_t bytes) {
    if (begin >= lastBegin && begin + bytes <= lastEnd)
      return true;
    auto after = sizes.upper_bound(begin);
    if (after == sizes.begin())
      return false;
    --after;
    if (begin + bytes > after->first + after->second)
      return false;
    lastBegin = after->first;
    lastEnd = after->first + after->second;
    return true;
  }
};

Ranges &ranges() {
  static Ranges instance;
  return instance;
}

} // namespace

void addMemory(const void *begin, size_t bytes) {
  std::lock_guard<std::mutex> lock(ranges().mutex);
  ranges().sizes[reinterpret_cast<uintptr_t>(begin)] = bytes;
}

void removeMemory(const void *begin) {
  std::lock_guard<std::mutex> lock(ranges().mutex);
  ranges().sizes.erase(reinterpret_cast<uintptr_t>(begin));
  ranges().lastBegin = ranges().lastEnd = 0;
}

bool holdsMemory(const void *begin, size_t bytes) {
  std::lock_guard<std::mutex> lock(ranges().mutex);
  return ranges().holds(reinterpret_cast<uintptr_t>(begin), bytes);
}

unsigned char *sharedWindow() {
  static unsigned char *window = [] {
    size_t bytes = 2 * kSharedWindow; // one of them is aligned
    void *low = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (low == MAP_FAILED)
      return static_cast<unsigned char *>(nullptr);
    uintptr_t at = reinterpret_cast<uintptr_t>(low);
    at = (at + kSharedWindow - 1) & ~uintptr_t(kSharedWindow - 1);
    return reinterpret_cast<unsigned char *>(at);
  }();
  return window;
}

bool Block::inShared(uint64_t address, uint64_t bytes) const {
  uint64_t begin = reinterpret_cast<uint64_t>(sharedWindow());
  return address >= begin && address + bytes <= begin + sharedBytes;
}

void Block::access(uint64_t address, uint64_t bytes, int kind,
                   uint64_t alignment) {
  ++counts.accesses;
  preempt(256);
  const char *verb = kind == Write ? "writes" : "reads";
  if (alignment > 1 && address % alignment)
    fail("it %s %llu bytes at %#llx, which is no multiple of %llu", verb,
         (unsigned long long)bytes, (unsigned long long)address,
         (unsigned long long)alignment);
  if (inShared(address, bytes)) {
    if (kind == Write)
      written(address, bytes);
    return;
  }
  if (ranges().holds(address, bytes))
    return;
  const Fiber &fiber = fibers[thread];
  uint64_t stack = reinterpret_cast<uint64_t>(fiber.stack);
  if (address >= stack && address + bytes <= stack + 256 * 1024)
    return; // the thread's own local memory
  uint64_t begin = reinterpret_cast<uint64_t>(sharedWindow());
  if (address + bytes > begin && address < begin + kSharedWindow)
    fail("it %s %llu bytes at offset %llu of shared memory, which has %zu",
         verb, (unsigned long long)bytes, (unsigned long long)(address - begin),
         sharedBytes);
  for (auto &[start, size] : ranges().sizes)
    if (address + bytes > start && address < start + size + 65536)
      fail("it %s %llu bytes at offset %llu of a buffer of %zu bytes", verb,
           (unsigned long long)bytes, (unsigned long long)(address - start),
           size);
  fail("it %s %llu bytes at %#llx, outside all memory", verb,
       (unsigned long long)bytes, (unsigned long long)address);
}

void Block::written(uint64_t address, uint64_t bytes) {
  uint32_t offset = address & (kSharedWindow - 1);
  for (uint64_t i = 0; i < bytes; ++i)
    dirtyBy[offset + i] = thread + 1;
  std::vector<std::pair<uint32_t, uint32_t>> &dirty = states[thread].dirty;
  if (!dirty.empty() && dirty.back().first + dirty.back().second == offset)
    dirty.back().second += bytes;
  else
    dirty.push_back({offset, static_cast<uint32_t>(bytes)});
  // Rewritten places would else pile up in kernels that never fence.
  if (dirty.size() > 4096)
    dirty.erase(dirty.begin(), dirty.begin() + 2048);
}

void Block::writtenByProxy(uint64_t address, uint64_t bytes) {
  uint32_t offset = address & (kSharedWindow - 1);
  std::fill_n(dirtyBy.begin() + offset, bytes, 0);
}

void Block::fenceProxy() {
  ThreadState &state = states[thread];
  for (auto [offset, bytes] : state.dirty)
    for (uint32_t i = 0; i < bytes; ++i)
      if (dirtyBy[offset + i] == thread + 1)
        dirtyBy[offset + i] = 0;
  state.dirty.clear();
}

void Block::checkProxy(uint64_t address, uint64_t bytes, const char *reader) {
  if (!inShared(address, bytes))
    fail("%s reads %llu bytes at offset %llu of shared memory, which has %zu",
         reader, (unsigned long long)bytes,
         (unsigned long long)(address & (kSharedWindow - 1)), sharedBytes);
  uint32_t offset = address & (kSharedWindow - 1);
  for (uint64_t i = 0; i < bytes; ++i)
    if (dirtyBy[offset + i])
      fail("%s reads shared memory that thread %u wrote without a "
           "fence.proxy.async",
           reader, dirtyBy[offset + i] - 1);
}

} // namespace attnc::emulator
