//===- ErrorsTest.cpp - last errors of many threads -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Messages lie in a table with a place per thread: more threads than places,
// one after the other and at once.
//
//===----------------------------------------------------------------------===//
#include "Errors.h"

#include <condition_variable>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace attnrt;

namespace {

constexpr int kPlaces = 256; // Errors.cpp

std::string failWith(int number) {
  EXPECT_EQ(fail(ATTN_ERROR_IO, "thread %d's own", number), ATTN_ERROR_IO);
  return lastError();
}

TEST(Errors, AThreadThatIsGoneLeavesItsPlace) {
  fail(ATTN_ERROR_IO, "the main thread's");
  for (int i = 0; i < 3 * kPlaces; ++i)
    std::thread([i] {
      EXPECT_EQ(failWith(i), "thread " + std::to_string(i) + "'s own");
    }).join();
  EXPECT_STREQ(lastError(), "the main thread's");
}

TEST(Errors, LongTextsEndInDots) {
  std::string text(2 * kErrorCapacity, 'a');
  fail(ATTN_ERROR_IO, "%s", text.c_str());
  std::string got = lastError();
  EXPECT_EQ(got.size(), kErrorCapacity - 1);
  EXPECT_EQ(got, text.substr(0, kErrorCapacity - 4) + "...");
}

TEST(Errors, ControlCharactersAreShownAsMarks) {
  fail(ATTN_ERROR_IO, "a%cb%cc%cd", '\n', 0x7f, '\x1b');
  EXPECT_STREQ(lastError(), "a?b?c?d");
}

TEST(Errors, NumbersOfTheSystem) {
  EXPECT_STREQ(systemError(2), "No such file or directory");
  EXPECT_STREQ(systemError(123456), "unknown error");
}

TEST(Errors, ManyThreadsKeepTheirOwn) {
  std::mutex mutex;
  std::condition_variable changed;
  int reached = 0, threads = kPlaces + 40;
  bool checked = false;
  std::vector<std::string> texts(threads), again(threads);
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i)
    running.emplace_back([&, i] {
      std::string own = failWith(i);
      std::unique_lock<std::mutex> lock(mutex);
      texts[i] = own;
      ++reached;
      changed.notify_all();
      changed.wait(lock, [&] { return checked; });
      again[i] = lastError();
    });
  {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return reached == threads; });
    checked = true;
    changed.notify_all();
  }
  for (std::thread &thread : running)
    thread.join();
  int without = 0;
  for (int i = 0; i < threads; ++i) {
    if (texts[i] == "thread " + std::to_string(i) + "'s own") {
      EXPECT_EQ(again[i], texts[i]);
      continue;
    }
    EXPECT_THAT(texts[i], testing::StartsWith("no text: 256 other threads"));
    ++without;
  }
  EXPECT_GE(without, 40); // the main thread may have a place
  EXPECT_LE(without, 42);
}

} // namespace
