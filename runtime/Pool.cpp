//===- Pool.cpp - the threads that a model owns ---------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every thread has a futex word, its `ticket`: the caller opens it to hand out
// a part, and whoever takes the part, the thread or the caller himself, sets
// its lowest bit. `pending` counts the parts not done: the caller waits for
// zero. Who is about to sleep announces it first and then sleeps only if the
// word has not moved; who moves the word looks for sleepers afterwards. Both
// sides are sequentially consistent, so no wake-up is lost and none is made for
// nobody.
//
//===----------------------------------------------------------------------===//
#include "Pool.h"

#include "Errors.h"
#include "Memory.h"
#include "Placement.h"
#include "ThreadCount.h"

#include <errno.h>
#include <linux/futex.h>
#include <new>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

namespace attnrt {

// About 0.1 to 0.3 ms of time-stamp ticks: longer than the gaps between calls
// in a loop, short against 100 ms.
static constexpr int32_t kSpinTicks = 500000;

// Within a call, some 3 ms: longer than most phases. Who sleeps there loses its
// processor to any other thread that spins, and with it all of the next phase.
static constexpr int32_t kCallSpins = 20;

// Phases keep their data in the arena; this is room for spills and call frames.
static constexpr size_t kStackBytes = size_t(512) << 10;

static void futexWait(std::atomic<uint32_t> &word, uint32_t expected) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}

static void futexWake(std::atomic<uint32_t> &word, int count) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

static constexpr uint32_t kTaken = 1; // of a ticket

/// Spins until the ticket is open, at most `ticks`; true if it is.
static bool spin(const std::atomic<uint32_t> &ticket, int32_t ticks) {
  if (ticks == 0)
    return !(ticket.load(std::memory_order_acquire) & kTaken);
  uint64_t start = __rdtsc();
  do {
    for (int i = 0; i < 16; ++i) {
      if (!(ticket.load(std::memory_order_acquire) & kTaken))
        return true;
      _mm_pause();
    }
  } while (__rdtsc() - start < static_cast<uint64_t>(ticks));
  return false;
}

static uint64_t lockWord(bool taken) {
  return static_cast<uint64_t>(getpid()) << 1 | (taken ? 1 : 0);
}

attn_status Pool::start(Memory &memory, int32_t width, const char *poolName) {
  parts = width;
  lock.store(lockWord(false), std::memory_order_relaxed);
  if (width == 1)
    return ATTN_OK;
  snprintf(name, sizeof(name), "%s", poolName);
  // More threads than processors take turns; spinning would spend the others'.
  spinTicks = width <= affinityProcessors() ? kSpinTicks : 0;
  void *block = memory.allocate(sizeof(Worker) * width, "the thread pool");
  if (!block)
    return ATTN_ERROR_OUT_OF_MEMORY;
  workers = static_cast<Worker *>(block);
  for (int32_t part = 0; part < width; ++part) {
    new (&workers[part]) Worker;
    workers[part].part = part;
    workers[part].pool = this;
  }
  return startThreads();
}

attn_status Pool::startThreads() {
  // Signals are for the program's own threads, except those that a fault or a
  // profiler directs at one.
  sigset_t blocked, before;
  sigfillset(&blocked);
  const int direct[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                        SIGTRAP, SIGABRT, SIGSYS, SIGPROF};
  for (int number : direct)
    sigdelset(&blocked, number);
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  int error = 0;
  int32_t part = 1;
  while (part < parts && startThread(workers[part], error))
    ++part;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  started.store(part - 1, std::memory_order_relaxed);
  if (part == parts)
    return ATTN_OK;
  return fail(ATTN_ERROR_SYSTEM,
              "cannot start thread %d of %d: %s; ask for fewer in "
              "options.threads",
              part + 1, parts, systemError(error));
}

bool Pool::startThread(Worker &worker, int &error) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  error = pthread_create(&worker.thread, &attributes, enter, &worker);
  pthread_attr_destroy(&attributes);
  // A program with much thread-local data needs more than our stack.
  if (error == EINVAL)
    error = pthread_create(&worker.thread, nullptr, enter, &worker);
  return error == 0;
}

void Pool::stop(Memory &memory) {
  if (!workers)
    return;
  // In a forked child the threads are the parent's: nothing to join.
  bool ours = lock.load(std::memory_order_relaxed) >> 1 == lockWord(false) >> 1;
  if (ours && running() > 0) {
    stopping.store(true, std::memory_order_relaxed);
    ++phase;
    hand(running(), nullptr, nullptr);
    for (int32_t part = 1; part <= running(); ++part)
      pthread_join(workers[part].thread, nullptr);
  }
  memory.release(workers, sizeof(Worker) * parts);
  workers = nullptr;
}

bool Pool::acquire() {
  uint64_t free = lockWord(false);
  uint64_t seen = lock.load(std::memory_order_relaxed);
  if (seen == (free | 1))
    return false;
  if (!lock.compare_exchange_strong(seen, free | 1, std::memory_order_acquire))
    return false; // another call was faster
  if (seen == free)
    return true;
  // The word was another process's: this is a forked child's first call. What
  // cannot be started is done by the caller, with the same results.
  stopping.store(false, std::memory_order_relaxed);
  pending.store(0, std::memory_order_relaxed);
  callerSleeps.store(false, std::memory_order_relaxed);
  for (int32_t part = 0; part < parts; ++part) {
    workers[part].ticket.store(kTaken, std::memory_order_relaxed);
    workers[part].sleeps.store(false, std::memory_order_relaxed);
    workers[part].processor.store(-1, std::memory_order_relaxed);
  }
  (void)startThreads();
  return true;
}

void Pool::release() {
  lock.fetch_and(~uint64_t(1), std::memory_order_release);
}

bool Pool::isTaken() const { return lock.load(std::memory_order_relaxed) & 1; }

/// Opens the tickets of `count` threads for this phase, and wakes those asleep.
void Pool::hand(int32_t count, PartFunction function, void *context) {
  // Stores that nobody waits for go out side by side; one fence for all of
  // them.
  for (int32_t part = 1; part <= count; ++part) {
    Worker &worker = workers[part];
    worker.function = function;
    worker.context = context;
    worker.ticket.store(phase << 1, std::memory_order_release);
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (int32_t part = 1; part <= count; ++part)
    if (workers[part].sleeps.load(std::memory_order_relaxed))
      futexWake(workers[part].ticket, 1);
}

bool Pool::claim(Worker &worker) {
  // Looking comes first: an exchange takes the line away even where it fails.
  uint32_t open = worker.ticket.load(std::memory_order_relaxed);
  return !(open & kTaken) &&
         worker.ticket.compare_exchange_strong(open, open | kTaken,
                                               std::memory_order_acq_rel);
}

void Pool::finishPart() {
  if (pending.fetch_sub(1) == 1 && callerSleeps.load())
    futexWake(pending, 1);
}

void Pool::run(PartFunction function, void *context, int32_t count) {
  if (count == 1) {
    function(context, 0);
    return;
  }
  ++phase;
  pending.store(count - 1, std::memory_order_relaxed);
  callerProcessor.store(currentProcessor(), std::memory_order_relaxed);
  hand(count - 1, function, context);
  function(context, 0);
  for (int32_t part = 1; part < count; ++part)
    if (claim(workers[part])) {
      function(context, part);
      pending.fetch_sub(1, std::memory_order_acq_rel);
    }
  awaitParts();
}

void Pool::awaitParts() {
  // Every part is claimed: those left are being worked on.
  uint64_t start = __rdtsc();
  uint32_t left;
  while (pending.load(std::memory_order_acquire) != 0) {
    if (__rdtsc() - start < static_cast<uint64_t>(spinTicks) * kCallSpins) {
      _mm_pause();
      continue;
    }
    callerSleeps.store(true);
    while ((left = pending.load()) != 0)
      futexWait(pending, left);
    callerSleeps.store(false, std::memory_order_relaxed);
    return;
  }
}

void Pool::awaitTicket(Worker &worker) {
  bool isOpen = spin(worker.ticket, spinTicks);
  for (int32_t spins = 1; !isOpen && spins < kCallSpins && isTaken(); ++spins)
    isOpen = spin(worker.ticket, spinTicks);
  if (isOpen)
    return;
  worker.processor.store(-1, std::memory_order_relaxed);
  worker.sleeps.store(true);
  uint32_t ticket;
  while ((ticket = worker.ticket.load()) & kTaken)
    futexWait(worker.ticket, ticket);
  worker.sleeps.store(false, std::memory_order_relaxed);
  settle(worker);
}

bool Pool::isOccupied(const Worker &worker, int32_t processor) const {
  if (callerProcessor.load(std::memory_order_relaxed) == processor)
    return true;
  for (int32_t part = 1; part < parts; ++part)
    if (part != worker.part &&
        workers[part].processor.load(std::memory_order_relaxed) == processor)
      return true;
  return false;
}

/// Moves a thread that has just been woken away from processors that others of
/// this pool work on. Schedulers often wake a thread where its waker runs:
/// Linux looks for an idle processor among few, or none, where the group that
/// shares a cache is small and was busy. With spinTicks 0 there are too few
/// processors.
void Pool::settle(Worker &worker) {
  if (spinTicks == 0)
    return;
  int32_t here = currentProcessor();
  if (isOccupied(worker, here)) {
    const ProcessorSet allowed = ProcessorSet::ofThread();
    ProcessorSet open = allowed;
    open.remove(callerProcessor.load(std::memory_order_relaxed));
    for (int32_t part = 1; part < parts; ++part)
      if (part != worker.part)
        open.remove(workers[part].processor.load(std::memory_order_relaxed));
    // To be confined moves the thread at once; it stays when it is free again.
    // Processors that its control group gets later are not among its own.
    if (open.count() > 0 && open.confineThread()) {
      here = currentProcessor();
      (void)allowed.confineThread();
    }
  }
  worker.processor.store(here, std::memory_order_relaxed);
}

void *Pool::enter(void *argument) {
  Worker &worker = *static_cast<Worker *>(argument);
  worker.pool->work(worker);
  return nullptr;
}

void Pool::work(Worker &worker) {
  char threadName[kNameCapacity + 12];
  int length = snprintf(threadName, sizeof(threadName), "/%d", worker.part);
  snprintf(threadName, sizeof(threadName), "%.*s/%d",
           static_cast<int>(kNameCapacity - 1) - length, name, worker.part);
  pthread_setname_np(pthread_self(), threadName);
  // A thread that starts late misses phases; their parts were taken by the
  // caller.
  for (;;) {
    awaitTicket(worker);
    if (!claim(worker))
      continue;
    // Only what is claimed tells: the ticket may be a later one than was seen.
    if (stopping.load(std::memory_order_relaxed))
      return;
    worker.function(worker.context, worker.part);
    finishPart();
  }
}

} // namespace attnrt
