//===- MemoryTest.cpp - allocations, counted and refused ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Nothing is taken but through the allocator, nothing is kept, nothing is taken
// in a second call of the same size, and any one allocation may fail.
//
//===----------------------------------------------------------------------===//
#include "Memory.h"
#include "Toybox.h"

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

using namespace toy;
using testing::HasSubstr;

namespace {

attn_options countedOptions(const Counter &counter) {
  attn_options options = rightOptions();
  options.allocator = &counter.allocator;
  options.threads = 2;
  return options;
}

uint64_t arenaBytes(const attn_model *model, int64_t batch, int64_t seq) {
  int64_t sizes[] = {batch, seq};
  uint64_t bytes = 0;
  EXPECT_EQ(attnrt_session_bytes(model, Scale, sizes, &bytes), ATTN_OK)
      << attnrt_last_error();
  return bytes;
}

TEST(Memory, SessionBytesAreExact) {
  for (int64_t batch : {int64_t(1), int64_t(3), kBatch})
    for (int64_t seq : {int64_t(1), int64_t(17), kSeq}) {
      Counter counter;
      Opened opened(countedOptions(counter));
      uint64_t expected = arenaBytes(opened.model, batch, seq);
      uint64_t byName = 0;
      int64_t sizes[] = {batch, seq};
      EXPECT_EQ(attnrt_session_bytes_by_name(opened.model, "scale", sizes, 2,
                                             &byName),
                ATTN_OK);
      EXPECT_EQ(byName, expected);
      int64_t before = counter.bytes, calls = counter.calls;
      Call call(batch, seq);
      EXPECT_EQ(call.run(opened.session), ATTN_OK);
      EXPECT_EQ(counter.calls, calls + 1);
      EXPECT_EQ(counter.bytes - before, static_cast<int64_t>(expected));
    }
}

TEST(Memory, SessionBytesRefuses) {
  Opened opened(rightOptions());
  int64_t sizes[] = {1, 0};
  uint64_t bytes = 77;
  EXPECT_EQ(attnrt_session_bytes(opened.model, Scale, sizes, &bytes),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("seq is 0"));
  sizes[1] = 1;
  EXPECT_EQ(attnrt_session_bytes(nullptr, Scale, sizes, &bytes),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(attnrt_session_bytes(opened.model, 9, sizes, &bytes),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(attnrt_session_bytes(opened.model, Scale, nullptr, &bytes),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(attnrt_session_bytes(opened.model, Scale, sizes, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(attnrt_session_bytes_by_name(opened.model, "x", sizes, 2, &bytes),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(bytes, 77u);
}

TEST(Memory, NoAllocationInACallOfASizeSeenBefore) {
  Counter counter;
  Opened opened(countedOptions(counter));
  Call large(5, 40), small(2, 3);
  EXPECT_EQ(large.run(opened.session), ATTN_OK);
  int64_t calls = counter.calls;
  for (int round = 0; round < 10; ++round) {
    EXPECT_EQ(large.run(opened.session), ATTN_OK);
    EXPECT_EQ(small.run(opened.session), ATTN_OK);
  }
  EXPECT_EQ(counter.calls, calls);
  EXPECT_TRUE(large.isRight() && small.isRight());
}

TEST(Memory, NothingIsLeftAndNothingIsReleasedWrongly) {
  Counter counter;
  {
    Opened opened(countedOptions(counter));
    Call call(2, 3);
    EXPECT_EQ(call.run(opened.session), ATTN_OK);
    Call larger(8, 64);
    EXPECT_EQ(larger.run(opened.session), ATTN_OK);
  }
  EXPECT_EQ(counter.live, 0);
  EXPECT_EQ(counter.bytes, 0);
  EXPECT_FALSE(counter.isBroken());
}

TEST(Memory, EveryAllocationMayFail) {
  int64_t failures = 0;
  bool sawAll = false;
  for (int64_t failAt = 0; !sawAll; ++failAt) {
    ASSERT_LT(failAt, 100);
    Counter counter;
    counter.failAt = failAt;
    {
      Opened opened(countedOptions(counter));
      if (opened.status != ATTN_OK) {
        ++failures;
        EXPECT_EQ(opened.status, ATTN_ERROR_OUT_OF_MEMORY);
        EXPECT_THAT(attnrt_last_error(), HasSubstr("bytes"));
      } else {
        Call small(1, 1), large(8, 64);
        attn_status first = small.run(opened.session);
        attn_status second = large.run(opened.session);
        for (attn_status status : {first, second})
          if (status != ATTN_OK) {
            ++failures;
            EXPECT_EQ(status, ATTN_ERROR_OUT_OF_MEMORY);
          }
        // The session stays usable.
        EXPECT_EQ(small.run(opened.session), ATTN_OK) << attnrt_last_error();
        EXPECT_EQ(large.run(opened.session), ATTN_OK) << attnrt_last_error();
        EXPECT_TRUE(small.isRight() && large.isRight());
        sawAll = counter.calls <= failAt;
      }
    }
    EXPECT_EQ(counter.live, 0);
    EXPECT_FALSE(counter.isBroken());
  }
  EXPECT_GE(failures, 5); // model, table, addresses, pool, session
}

TEST(Memory, AnArenaThatDoesNotGrowIsKept) {
  Counter counter;
  Opened opened(countedOptions(counter));
  Call small(1, 1), large(8, 64);
  EXPECT_EQ(small.run(opened.session), ATTN_OK);
  // Both attempts at the larger one fail; the small one is taken back.
  struct Limited {
    static void *allocate(void *context, size_t bytes, size_t alignment) {
      return bytes > 4000 ? nullptr
                          : static_cast<Counter *>(context)->allocator.allocate(
                                context, bytes, alignment);
    }
  };
  attn_allocator limited = counter.allocator;
  limited.allocate = Limited::allocate;
  attn_options options = rightOptions();
  options.allocator = &limited;
  Opened tight(options);
  ASSERT_EQ(tight.status, ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(small.run(tight.session), ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(large.run(tight.session), ATTN_ERROR_OUT_OF_MEMORY);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("arena needs"));
  int64_t calls = counter.calls;
  EXPECT_EQ(small.run(tight.session), ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(counter.calls, calls);
}

TEST(Memory, MaxBytes) {
  Counter counter;
  attn_options options = countedOptions(counter);
  int64_t needed = 0;
  {
    Opened opened(options);
    Call call(8, 64);
    ASSERT_EQ(call.run(opened.session), ATTN_OK);
    needed = counter.bytes;
  }
  options.max_bytes = static_cast<uint64_t>(needed);
  {
    // Growing from a small arena to one that just fits works as well.
    Opened exact(options);
    ASSERT_EQ(exact.status, ATTN_OK) << attnrt_last_error();
    Call small(4, 64), call(8, 64);
    EXPECT_EQ(small.run(exact.session), ATTN_OK) << attnrt_last_error();
    EXPECT_EQ(call.run(exact.session), ATTN_OK) << attnrt_last_error();
    EXPECT_TRUE(call.isRight());
    EXPECT_EQ(counter.bytes, needed);
    attn_session *second = nullptr;
    EXPECT_EQ(attnrt_session_open(exact.model, &second),
              ATTN_ERROR_OUT_OF_MEMORY);
    EXPECT_THAT(attnrt_last_error(), HasSubstr("of max_bytes"));
  }
  options.max_bytes = static_cast<uint64_t>(needed - 1);
  {
    Opened tight(options);
    ASSERT_EQ(tight.status, ATTN_OK) << attnrt_last_error();
    Call call(8, 64), small(1, 1);
    EXPECT_EQ(call.run(tight.session), ATTN_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(small.run(tight.session), ATTN_OK) << attnrt_last_error();
    EXPECT_TRUE(small.isRight());
  }
  options.max_bytes = 16;
  EXPECT_EQ(Opened(options).status, ATTN_ERROR_OUT_OF_MEMORY);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("max_bytes 16"));
  EXPECT_EQ(counter.live, 0);
}

/// What is refused to one thread is not taken from another.
TEST(Memory, RefusalsAreNobodyElses) {
  attnrt::Memory memory(nullptr, 1000);
  std::atomic<bool> isOver{false};
  std::thread greedy([&] {
    while (!isOver)
      EXPECT_FALSE(memory.reserve(2000, "too much"));
  });
  int refused = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (!refused && std::chrono::steady_clock::now() < end)
    for (int i = 0; i < 1000; ++i) {
      if (memory.reserve(10, "little"))
        memory.unreserve(10);
      else
        ++refused;
    }
  isOver = true;
  greedy.join();
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(memory.used(), 0u);
  EXPECT_FALSE(memory.reserve(UINT64_MAX, "everything"));
  EXPECT_TRUE(memory.reserve(1000, "all there is"));
  EXPECT_FALSE(memory.reserve(UINT64_MAX, "what would overflow"));
}

TEST(Memory, ClosingTheModelFirstIsHarmless) {
  Counter counter;
  attn_options options = countedOptions(counter);
  attn_model *model = nullptr;
  attn_session *session = nullptr;
  ASSERT_EQ(attnrt_open(&library, &options, &model), ATTN_OK);
  ASSERT_EQ(attnrt_session_open(model, &session), ATTN_OK);
  attnrt_close(model);
  Call call(2, 2);
  EXPECT_EQ(call.run(session), ATTN_OK);
  EXPECT_TRUE(call.isRight());
  attnrt_session_close(session);
  EXPECT_EQ(counter.live, 0);
}

} // namespace
