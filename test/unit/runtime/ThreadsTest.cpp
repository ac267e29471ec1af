//===- ThreadsTest.cpp - pools, executors and cancelling ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The same bits whoever runs the parts: any number of threads, a busy pool, an
// executor that runs them backwards.
//
//===----------------------------------------------------------------------===//
#include "Toybox.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <sys/resource.h>
#include <thread>

using namespace toy;
using testing::HasSubstr;

namespace {

attn_options withThreads(int32_t threads) {
  attn_options options = rightOptions();
  options.threads = threads;
  return options;
}

Gate *gate = nullptr;
std::atomic<int> largestWorkers{0};
std::atomic<std::thread::id> mainThread;

void waitAtGate(const attn_frame *, int32_t worker, int32_t) {
  if (worker == 0)
    gate->wait();
}

TEST(Threads, AnyNumberGivesTheSame) {
  for (int32_t threads : {1, 2, 3, 4, 7, 16}) {
    Opened opened(withThreads(threads));
    ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
    for (unsigned round = 0; round < 200; ++round) {
      Call call(1 + round % kBatch, 1 + round % kSeq, round);
      ASSERT_EQ(call.run(opened.session), ATTN_OK) << attnrt_last_error();
      ASSERT_TRUE(call.isRight()) << threads << " threads, round " << round;
    }
  }
}

std::set<std::string> threadNames() {
  std::set<std::string> names;
  for (const auto &task :
       std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "comm");
    std::string name;
    if (std::getline(file, name))
      names.insert(name);
  }
  return names;
}

TEST(Threads, ThreadsHaveNames) {
  Opened opened(withThreads(3));
  // A thread names itself once it runs.
  std::set<std::string> names = threadNames();
  for (int tries = 0; tries < 1000; ++tries) {
    if (names.count("toy/1") && names.count("toy/2"))
      return;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    names = threadNames();
  }
  ADD_FAILURE() << testing::PrintToString(names);
}

TEST(Threads, FourSessionsInFourThreads) {
  for (int32_t threads : {1, 4}) {
    Opened opened(withThreads(threads));
    std::vector<std::thread> users;
    std::atomic<int> wrong{0};
    for (unsigned user = 0; user < 4; ++user)
      users.emplace_back([&, user] {
        attn_session *session = nullptr;
        if (attnrt_session_open(opened.model, &session) != ATTN_OK)
          ++wrong;
        for (unsigned round = 0; round < 100; ++round) {
          Call call(1 + round % kBatch, 1 + (round * 7) % kSeq, user + round);
          if (call.run(session) != ATTN_OK || !call.isRight())
            ++wrong;
          // Errors of one thread are no other's.
          call.sizes[0] = 100 + user;
          call.run(session);
          if (!strstr(attnrt_last_error(),
                      ("batch is " + std::to_string(100 + user)).c_str()))
            ++wrong;
        }
        attnrt_session_close(session);
      });
    for (std::thread &user : users)
      user.join();
    EXPECT_EQ(wrong, 0);
  }
}

TEST(Threads, ACallThatFindsThePoolBusyRunsOnItsOwnThread) {
  Opened opened(withThreads(3));
  attn_session *second = nullptr;
  ASSERT_EQ(attnrt_session_open(opened.model, &second), ATTN_OK);
  Gate busy;
  gate = &busy;
  hook = waitAtGate;
  Call held(8, 64), other(8, 64);
  std::thread first([&] { held.run(opened.session); });
  busy.awaitArrival();
  // Parts of the first call may still come: only this thread's count.
  largestWorkers = 0;
  mainThread = std::this_thread::get_id();
  hook = [](const attn_frame *, int32_t, int32_t workers) {
    if (std::this_thread::get_id() == mainThread)
      largestWorkers = std::max(largestWorkers.load(), workers);
  };
  EXPECT_EQ(other.run(second), ATTN_OK);
  hook = nullptr;
  busy.open();
  first.join();
  EXPECT_EQ(largestWorkers, 1);
  EXPECT_TRUE(held.isRight() && other.isRight());
  EXPECT_EQ(held.out, other.out);
  attnrt_session_close(second);
}

TEST(Threads, ASessionRefusesTwoCallsAtOnce) {
  Opened opened(withThreads(1));
  Gate busy;
  gate = &busy;
  hook = waitAtGate;
  Call held(2, 2), other(2, 2);
  std::thread first([&] { held.run(opened.session); });
  busy.awaitArrival();
  EXPECT_EQ(other.run(opened.session), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("one session per thread"));
  busy.open();
  first.join();
  hook = nullptr;
  EXPECT_TRUE(held.isRight());
}

TEST(Threads, CancelStopsBeforeTheNextPhase) {
  for (int32_t threads : {1, 3}) {
    Opened opened(withThreads(threads));
    Call call(4, 4);
    // Between calls it means nothing.
    EXPECT_EQ(attnrt_cancel(opened.session), ATTN_OK);
    EXPECT_EQ(call.run(opened.session), ATTN_OK);
    Gate held;
    gate = &held;
    hook = waitAtGate;
    attn_status status = ATTN_OK;
    std::string message;
    Call stopped(4, 4);
    std::thread caller([&] {
      status = stopped.run(opened.session);
      message = attnrt_last_error();
    });
    held.awaitArrival();
    EXPECT_EQ(attnrt_cancel(opened.session), ATTN_OK);
    held.open();
    caller.join();
    hook = nullptr;
    EXPECT_EQ(status, ATTN_ERROR_CANCELLED);
    EXPECT_THAT(message, HasSubstr("before phase 3 of 3"));
    EXPECT_EQ(stopped.out[0], -1);
    EXPECT_EQ(call.run(opened.session), ATTN_OK);
    EXPECT_TRUE(call.isRight());
  }
}

std::atomic<int> phasesSeen{0};
int32_t skipped = -1;

void backwards(void *, int32_t count, void (*task)(void *, int32_t),
               void *context) {
  ++phasesSeen;
  for (int32_t i = count; i-- > 0;)
    if (i != skipped)
      task(context, i);
}

TEST(Threads, ExecutorRunsPartsInAnyOrder) {
  for (int32_t width : {1, 2, 5, 64}) {
    attn_executor executor = {nullptr, width, backwards};
    attn_options options = withThreads(0);
    options.executor = &executor;
    Opened opened(options);
    ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
    EXPECT_THAT(info(opened.model), HasSubstr("\"executor\":true"));
    Call call(7, 13);
    phasesSeen = 0;
    EXPECT_EQ(call.run(opened.session), ATTN_OK);
    EXPECT_TRUE(call.isRight());
    EXPECT_EQ(phasesSeen, 2); // the serial phase is the caller's own
  }
}

TEST(Threads, ExecutorOnThreads) {
  attn_executor executor = {
      nullptr, 3,
      [](void *, int32_t count, void (*task)(void *, int32_t), void *context) {
        std::vector<std::thread> threads;
        for (int32_t i = 0; i < count; ++i)
          threads.emplace_back(task, context, i);
        for (std::thread &thread : threads)
          thread.join();
      }};
  attn_options options = withThreads(0);
  options.executor = &executor;
  Opened opened(options);
  Call call(7, 13);
  EXPECT_EQ(call.run(opened.session), ATTN_OK);
  EXPECT_TRUE(call.isRight());
}

TEST(Threads, ExecutorThatForgetsAPartIsFound) {
  attn_executor executor = {nullptr, 3, backwards};
  attn_options options = withThreads(0);
  options.executor = &executor;
  Opened opened(options);
  Call call(7, 13);
  skipped = 1;
  EXPECT_EQ(call.run(opened.session), ATTN_ERROR_SYSTEM);
  skipped = -1;
  EXPECT_THAT(attnrt_last_error(), HasSubstr("ran 2 of 3 tasks"));
  EXPECT_EQ(call.run(opened.session), ATTN_OK);
  EXPECT_TRUE(call.isRight());
}

TEST(Threads, ExecutorThatAddsPartsIsFound) {
  attn_executor executor = {
      nullptr, 3,
      [](void *, int32_t count, void (*task)(void *, int32_t), void *context) {
        for (int32_t i = -1; i <= count; ++i)
          task(context, i);
      }};
  attn_options options = withThreads(0);
  options.executor = &executor;
  Opened opened(options);
  Call call(7, 13);
  EXPECT_EQ(call.run(opened.session), ATTN_ERROR_SYSTEM);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("ran 5 of 3 tasks"));
}

TEST(Threads, ExecutorThatRunsOtherPartsIsFound) {
  // As many tasks as were asked for, but not those.
  const auto shifted = [](void *, int32_t count, void (*task)(void *, int32_t),
                          void *context) {
    for (int32_t i = 1; i <= count; ++i)
      task(context, i);
  };
  const auto repeated = [](void *, int32_t count, void (*task)(void *, int32_t),
                           void *context) {
    for (int32_t i = 0; i < count; ++i)
      task(context, i / 2 * 2);
  };
  for (auto run : {+shifted, +repeated}) {
    attn_executor executor = {nullptr, 70, run};
    attn_options options = withThreads(0);
    options.executor = &executor;
    Opened opened(options);
    Call call(7, 13);
    EXPECT_EQ(call.run(opened.session), ATTN_ERROR_SYSTEM);
    EXPECT_THAT(attnrt_last_error(),
                HasSubstr(run == +shifted ? "ran 69 of 70 tasks"
                                          : "ran 35 of 70 tasks"));
  }
}

TEST(Threads, AThousandOpensAndCloses) {
  for (int round = 0; round < 1000; ++round) {
    Opened opened(withThreads(1 + round % 4));
    ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
    if (round % 10)
      continue;
    Call call(2, 9, round);
    ASSERT_EQ(call.run(opened.session), ATTN_OK);
    ASSERT_TRUE(call.isRight());
  }
}

double processorSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
         1e-6 * (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

TEST(Threads, IdleCostsNothing) {
  Opened opened(withThreads(4));
  Call call(8, 64);
  ASSERT_EQ(call.run(opened.session), ATTN_OK);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  double before = processorSeconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(processorSeconds() - before, 0.03);
}

} // namespace
