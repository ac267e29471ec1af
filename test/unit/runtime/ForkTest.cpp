//===- ForkTest.cpp - forking, and a system without threads ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A forked child has none of its parent's threads and makes its own, if it can.
//
//===----------------------------------------------------------------------===//
#include "Toybox.h"

#include <atomic>
#include <climits>
#include <cstring>
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace toy;
using testing::HasSubstr;

#ifndef TOY_UNDER_SANITIZER
// Stands before libc's, so that threads can be refused. Sanitizers stand there
// themselves.
static std::atomic<int> threadsLeft{INT_MAX};
static std::atomic<bool> refusesSmallStacks{false};

extern "C" int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                              void *(*start)(void *), void *argument) {
  if (threadsLeft != INT_MAX && threadsLeft-- <= 0)
    return EAGAIN;
  if (refusesSmallStacks && attr)
    return EINVAL;
  return reinterpret_cast<decltype(&pthread_create)>(
      dlsym(RTLD_NEXT, "pthread_create"))(thread, attr, start, argument);
}
#endif

namespace {

attn_options withThreads(int32_t threads) {
  attn_options options = rightOptions();
  options.threads = threads;
  return options;
}

Gate *gate = nullptr;
std::atomic<int> largestWorkers{0};

void waitAtGate(const attn_frame *, int32_t worker, int32_t) {
  if (worker == 0)
    gate->wait();
}

TEST(Fork, AForkedChildMakesItsOwn) {
  Opened opened(withThreads(3));
  Call before(5, 5);
  ASSERT_EQ(before.run(opened.session), ATTN_OK);
  // Forking while another call has the pool: the child's is free all the same.
  attn_session *second = nullptr;
  ASSERT_EQ(attnrt_session_open(opened.model, &second), ATTN_OK);
  Gate busy;
  gate = &busy;
  hook = waitAtGate;
  Call held(8, 64);
  std::thread first([&] { held.run(opened.session); });
  busy.awaitArrival();
  hook = nullptr;
  pid_t child = fork();
  if (child == 0) {
    hook = [](const attn_frame *, int32_t, int32_t workers) {
      largestWorkers = workers;
    };
    int code = 0;
    for (unsigned round = 0; round < 50; ++round) {
      Call call(8, 64, round);
      if (call.run(second) != ATTN_OK || !call.isRight() || largestWorkers != 3)
        code = 1;
    }
    if (!strstr(info(opened.model).c_str(), "\"threads_running\":3"))
      code = 2;
    attnrt_session_close(second);
    attnrt_close(opened.model);
    leave(code);
  }
  busy.open();
  first.join();
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(held.isRight());
  attnrt_session_close(second);
}

#ifndef TOY_UNDER_SANITIZER
TEST(Fork, ASystemThatHasNoMoreThreads) {
  threadsLeft = 3;
  attn_options options = withThreads(8);
  attn_model *model = nullptr;
  attn_status status = attnrt_open(&library, &options, &model);
  threadsLeft = INT_MAX;
  EXPECT_EQ(status, ATTN_ERROR_SYSTEM);
  EXPECT_THAT(attnrt_last_error(),
              HasSubstr("cannot start thread 5 of 8: Resource temporarily "
                        "unavailable"));
}

TEST(Fork, AProgramWhoseThreadsNeedMoreStack) {
  refusesSmallStacks = true;
  Opened opened(withThreads(3));
  refusesSmallStacks = false;
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  Call call(9, 9);
  EXPECT_EQ(call.run(opened.session), ATTN_OK);
  EXPECT_TRUE(call.isRight());
}

TEST(Fork, AForkedChildThatCallsNothingCloses) {
  Opened opened(withThreads(3));
  Call call(5, 5);
  ASSERT_EQ(call.run(opened.session), ATTN_OK);
  pid_t child = fork();
  if (child == 0) {
    attnrt_session_close(opened.session);
    attnrt_close(opened.model);
    leave(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(Fork, AForkedChildThatCannotHaveThreadsWorksAlone) {
  Opened opened(withThreads(4));
  Call call(9, 9);
  pid_t child = fork();
  if (child == 0) {
    threadsLeft = 1;
    if (call.run(opened.session) != ATTN_OK || !call.isRight())
      leave(1);
    // The pool stays the child's until it is closed.
    Call again(3, 3);
    if (again.run(opened.session) != ATTN_OK || !again.isRight())
      leave(3);
    leave(strstr(info(opened.model).c_str(), "\"threads_running\":2,") ? 0 : 2);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}
#endif

} // namespace
