//===- Pool.h - the threads that a model owns -------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A fork-join pool: run() cuts one phase into `width` parts, the calling thread
// taking part 0. Waiting threads spin briefly, then sleep in a futex, so that a
// pool at rest costs nothing.
//
// One call at a time owns the pool (acquire, release). A call that finds it
// taken does not wait: it runs on its own thread.
//
// Part w has a thread of its own, but a part whose thread has not come yet is
// taken over by the caller once its own is done. A thread that must first be
// woken, or that could not be started after a fork, never holds a phase up.
//
// A woken thread that finds itself on the caller's processor, or on another
// worker's, moves to a free one before it takes its part: the two would take
// turns there, each spinning through its turn, while a processor idles.
//
// Fork: threads do not survive it. The lock word carries the process id; the
// first call in a child sees that it is another's, and starts new threads.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_POOL_H
#define ATTN_RUNTIME_POOL_H

#include "attn/attn.h"

#include <atomic>
#include <pthread.h>

namespace attnrt {

class Memory;

/// Runs part `part` of the work behind `context`.
using PartFunction = void (*)(void *context, int32_t part);

class Pool {
public:
  Pool() = default;

  /// Starts `width` - 1 threads named "NAME/1"... ; `width` 1 starts none. If
  /// it fails, stop() must still be called.
  attn_status start(Memory &memory, int32_t width, const char *name);

  /// Ends and joins the threads. Nobody may own the pool.
  void stop(Memory &memory);

  /// Takes the pool; false if another call has it. Never waits.
  bool acquire();
  void release();

  /// Runs function(context, part) for every part in [0, count), in parallel;
  /// returns when all are done. `count` is at most the width; with 1 nobody is
  /// woken. Only for the owner.
  void run(PartFunction function, void *context, int32_t count);

  int32_t width() const { return parts; }
  /// Threads that run now, the caller not counted.
  int32_t running() const { return started.load(std::memory_order_relaxed); }

private:
  /// What the caller hands to a thread lies on one line, which the thread spins
  /// on: it makes one way between the processors per phase.
  struct alignas(64) Worker {
    std::atomic<uint32_t> ticket{1}; ///< futex word: phase << 1 | taken
    std::atomic<bool> sleeps{false};
    PartFunction function = nullptr; ///< written while the ticket is taken
    void *context = nullptr;
    // The thread's own.
    alignas(64) std::atomic<int32_t> processor{-1}; ///< -1 while asleep
    int32_t part = 0;
    Pool *pool = nullptr;
    pthread_t thread = {};
  };

  attn_status startThreads();
  bool startThread(Worker &worker, int &error);
  static void *enter(void *worker);
  void work(Worker &worker);
  bool isTaken() const;
  void hand(int32_t count, PartFunction function, void *context);
  void awaitTicket(Worker &worker);
  void awaitParts();
  bool claim(Worker &worker);
  void finishPart();
  bool isOccupied(const Worker &worker, int32_t processor) const;
  void settle(Worker &worker);

  static constexpr size_t kNameCapacity = 16; // the kernel's limit

  Worker *workers = nullptr; ///< [parts]; workers[0] is the caller's, unused
  int32_t parts = 1;
  int32_t spinTicks = 0;
  uint32_t phase = 0; ///< run() calls; the owner's
  std::atomic<int32_t> started{0};
  std::atomic<bool> stopping{false};
  std::atomic<int32_t> callerProcessor{-1}; ///< when the phase began
  char name[kNameCapacity] = "";
  std::atomic<uint64_t> lock{0}; ///< process id << 1 | taken

  // The other futex word: the caller spins on it, alone.
  alignas(64) std::atomic<uint32_t> pending{0};
  std::atomic<bool> callerSleeps{false};
};

} // namespace attnrt

#endif // ATTN_RUNTIME_POOL_H
