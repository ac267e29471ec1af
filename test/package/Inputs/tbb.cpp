//===- tbb.cpp - oneTBB's threads as an executor --------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One arena of four for all callers. A thread that waits there for its own
// tasks may run another caller's.
//
//===----------------------------------------------------------------------===//
#include "hosts.h"

#include <atomic>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

static std::atomic<long> seen;

void host_parallel_for(void *, int32_t count,
                       void (*task)(void *task_context, int32_t index),
                       void *task_context) {
  using oneapi::tbb::global_control;
  static global_control four(global_control::max_allowed_parallelism, 4);
  static oneapi::tbb::task_arena arena(4);
  arena.execute([&] {
    oneapi::tbb::parallel_for(int32_t(0), count, [&](int32_t i) {
      static thread_local bool counted = false;
      if (!counted)
        ++seen;
      counted = true;
      task(task_context, i);
    });
  });
}

long host_threads_seen() { return seen; }
const char *host_name() { return "oneTBB"; }
