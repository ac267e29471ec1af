//===- PoolTest.cpp - the pool by itself ----------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every part of every phase runs once, whether threads spin, sleep or come too
// late.
//
//===----------------------------------------------------------------------===//
#include "Pool.h"
#include "Memory.h"
#include "Placement.h"

#include <atomic>
#include <chrono>
#include <gtest/gtest.h>
#include <random>
#include <signal.h>
#include <thread>
#include <ucontext.h>
#include <vector>
#include <x86intrin.h>

using namespace attnrt;

namespace {

struct Work {
  std::vector<int64_t> runs; ///< per part; plain, for ThreadSanitizer to watch
  int64_t spin = 0;
};

void runPart(void *context, int32_t part) {
  Work &work = *static_cast<Work *>(context);
  ++work.runs[part];
  for (int64_t i = 0; i < work.spin; ++i)
    __asm__ volatile("pause");
}

void stress(int32_t width, int phases, int pauseEvery, int64_t spin) {
  Memory memory(nullptr, 0);
  {
    Pool pool;
    ASSERT_EQ(pool.start(memory, width, "stress"), ATTN_OK);
    EXPECT_EQ(pool.running(), width - 1);
    Work work;
    work.runs.assign(width, 0);
    work.spin = spin;
    std::mt19937 random(width);
    ASSERT_TRUE(pool.acquire());
    std::vector<int64_t> expected(width, 0);
    for (int phase = 0; phase < phases; ++phase) {
      // Some phases have fewer parts than there are threads.
      const int32_t count =
          random() % 3 ? width : 1 + static_cast<int32_t>(random() % width);
      pool.run(runPart, &work, count);
      for (int32_t part = 0; part < count; ++part)
        ++expected[part];
      // Around the time that threads spin, so that some are just falling
      // asleep when the next phase comes.
      if (pauseEvery && phase % pauseEvery == 0)
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 400));
    }
    pool.release();
    EXPECT_EQ(work.runs, expected);
    pool.stop(memory);
  }
  EXPECT_EQ(memory.used(), 0u);
}

TEST(Pool, ShortPhasesInARow) { stress(2, 20000, 0, 0); }
TEST(Pool, LongerPhases) { stress(2, 2000, 0, 500); }
TEST(Pool, FallingAsleep) { stress(2, 1000, 1, 20); }
TEST(Pool, MoreThreadsThanProcessors) {
  stress(4 * static_cast<int32_t>(std::thread::hardware_concurrency()), 500, 7,
         50);
}
TEST(Pool, OneThread) { stress(1, 10, 0, 0); }

TEST(Pool, StopsAtOnceAfterTheStart) {
  for (int round = 0; round < 200; ++round)
    stress(3, round % 3, 0, 0);
}

/// Holds the calling thread on `processor` for its lifetime.
class Pinned {
public:
  explicit Pinned(int32_t processor) : before(ProcessorSet::ofThread()) {
    ProcessorSet one = before;
    for (int32_t other = 0; other < 1024; ++other)
      if (other != processor)
        one.remove(other);
    EXPECT_TRUE(one.confineThread());
  }
  ~Pinned() { EXPECT_TRUE(before.confineThread()); }

private:
  ProcessorSet before;
};

struct Places {
  std::atomic<int32_t> caller{-1};
  std::thread::id callerThread;
  std::atomic<int32_t> elsewhere{0}, together{0};
};

/// Some milliseconds of work, longer than a scheduler's tick; a worker's part
/// says at its beginning where it is.
void runPlaced(void *context, int32_t) {
  Places &places = *static_cast<Places *>(context);
  const int32_t here = currentProcessor();
  if (std::this_thread::get_id() == places.callerThread)
    places.caller = here;
  else if (here == places.caller)
    ++places.together;
  else
    ++places.elsewhere;
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(6);
  while (std::chrono::steady_clock::now() < end)
    __asm__ volatile("pause");
}

// The caller comes back on the processor where its thread sleeps: schedulers
// wake the thread there while another one is idle.
TEST(Pool, AWokenThreadLeavesTheCallersProcessor) {
  const int32_t processors = ProcessorSet::ofThread().count();
  if (processors < 2)
    GTEST_SKIP() << "needs two processors";
  Memory memory(nullptr, 0);
  Pool pool;
  ASSERT_EQ(pool.start(memory, 2, "places"), ATTN_OK);
  Places places;
  places.callerThread = std::this_thread::get_id();
  const int32_t home = currentProcessor();
  for (int round = 0; round < 60; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    const Pinned pinned(home);
    places.caller = home;
    ASSERT_TRUE(pool.acquire());
    pool.run(runPlaced, &places, 2);
    pool.release();
  }
  pool.stop(memory);
  // On a busy machine the scheduler may bring it back.
  EXPECT_LT(10 * places.together, places.elsewhere);
}

/// Makes a thread trap behind each of its next instructions, and there wait.
class Stepping {
public:
  Stepping() {
    struct sigaction action = {};
    action.sa_sigaction = step;
    action.sa_flags = SA_SIGINFO;
    EXPECT_EQ(sigaction(SIGTRAP, &action, &before), 0);
  }
  ~Stepping() { EXPECT_EQ(sigaction(SIGTRAP, &before, nullptr), 0); }

  // Enough to look for the next part; threads that end block the signal, but
  // not so soon.
  static constexpr int kSteps = 60;
  static std::atomic<int> left;

  static void begin() {
    left = kSteps;
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | kTrap);
  }

private:
  static constexpr uint64_t kTrap = 0x100;

  static void step(int, siginfo_t *, void *context) {
    if (--left <= 0)
      static_cast<ucontext_t *>(context)->uc_mcontext.gregs[REG_EFL] &= ~kTrap;
    for (int i = 0; i < 500; ++i)
      __asm__ volatile("pause");
  }

  struct sigaction before;
};

std::atomic<int> Stepping::left{0};

struct Steps {
  std::atomic<bool> isStepped{false};
  int until = Stepping::kSteps; ///< so many are left, the caller waits
};

void runStepped(void *context, int32_t part) {
  Steps &steps = *static_cast<Steps *>(context);
  if (part == 1) {
    if (!steps.isStepped.exchange(true))
      Stepping::begin();
    return;
  }
  while (!steps.isStepped)
    std::this_thread::yield();
  for (int i = 0; i < 100000 && Stepping::left > steps.until; ++i)
    __asm__ volatile("pause");
}

// A thread that has seen a part, which the caller then does himself, may find
// the pool ending where the part was.
TEST(Pool, StopsWhileAThreadLooksForItsPart) {
  const Stepping stepping;
  for (int round = 0; round < 150; ++round) {
    Memory memory(nullptr, 0);
    Pool pool;
    ASSERT_EQ(pool.start(memory, 2, "steps"), ATTN_OK);
    Stepping::left = Stepping::kSteps;
    Steps steps;
    ASSERT_TRUE(pool.acquire());
    pool.run(runStepped, &steps, 2); // which the thread does
    steps.until = 10 + round % 25;   // around where it sees the part
    pool.run(runStepped, &steps, 2);
    pool.release();
    pool.stop(memory);
  }
}

TEST(Pool, HasOneOwnerAtATime) {
  Memory memory(nullptr, 0);
  Pool pool;
  ASSERT_EQ(pool.start(memory, 2, "owner"), ATTN_OK);
  EXPECT_TRUE(pool.acquire());
  EXPECT_FALSE(pool.acquire());
  pool.release();
  EXPECT_TRUE(pool.acquire());
  pool.release();
  pool.stop(memory);
}

} // namespace
