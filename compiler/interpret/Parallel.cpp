//===- Parallel.cpp - loops over threads ----------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Threads are started per loop: the reference is not called often enough for a
// pool to matter.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/Parallel.h"
#include <algorithm>
#include <thread>
#include <vector>

namespace attnc::interpret {

/// A thread costs some tens of microseconds to start.
static constexpr int64_t kWorkPerThread = 200000;

Parallel::Parallel(unsigned threads)
    : threads(threads ? threads
                      : std::max(1u, std::thread::hardware_concurrency())) {}

void Parallel::forRange(int64_t count, int64_t cost,
                        llvm::function_ref<void(int64_t, int64_t)> body) const {
  int64_t useful = 1 + count * std::max<int64_t>(cost, 1) / kWorkPerThread;
  int64_t parts = std::min<int64_t>({threads, count, useful});
  if (parts <= 1) {
    if (count > 0)
      body(0, count);
    return;
  }
  std::vector<std::thread> others;
  for (int64_t part = 1; part < parts; ++part)
    others.emplace_back(
        [=] { body(count * part / parts, count * (part + 1) / parts); });
  body(0, count / parts);
  for (std::thread &other : others)
    other.join();
}

} // namespace attnc::interpret
