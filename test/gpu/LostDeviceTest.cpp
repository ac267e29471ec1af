//===- LostDeviceTest.cpp - the GPU goes while it is in use ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An error that ends the context comes at every single call of the driver.
// Whatever is asked of the session and the model from then on says so without
// asking the driver again, and closing them gives back every byte. The same of
// a child after fork(), which has no GPU either.
//
//===----------------------------------------------------------------------===//
#include "DeviceToy.h"
#include "StateToy.h"
#include <cstdlib>
#include <functional>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

using testing::HasSubstr;

namespace {

using toyparts::Opened;

/// An allocator that knows what is held.
struct Counting {
  int64_t held = 0;
  attn_allocator allocator = {this, take, give};

  static void *take(void *context, size_t bytes, size_t alignment) {
    ++static_cast<Counting *>(context)->held;
    return aligned_alloc(alignment,
                         (bytes + alignment - 1) / alignment * alignment);
  }
  static void give(void *context, void *memory, size_t) {
    --static_cast<Counting *>(context)->held;
    free(memory);
  }
};

attn_status step(attn_session *session, int32_t rows) {
  int32_t mask[] = {1, 1, 1, 1};
  float out = 0;
  int64_t sizes[] = {1, rows};
  void *arguments[] = {mask, &out};
  return attnrt_call(session, 0, sizes, arguments);
}

/// Everything that a session with states is for.
using Action = std::function<attn_status(attn_session *)>;
struct Named {
  const char *name;
  Action run;
  /// Whether it needs the GPU, whatever came before: nothing is to be saved of
  /// a sequence that is empty.
  bool needsDevice;
};

std::vector<Named> actions(std::string &saved) {
  return {
      {"call", [](attn_session *s) { return step(s, 3); }, true},
      {"again", [](attn_session *s) { return step(s, 1); }, true},
      {"fork", [](attn_session *s) { return attnrt_session_fork(s, 0, 1); },
       false},
      {"call after the fork", [](attn_session *s) { return step(s, 1); }, true},
      {"save",
       [&saved](attn_session *s) {
         size_t needed = 0;
         saved.resize(4096);
         attn_status status =
             attnrt_session_save(s, 0, saved.data(), saved.size(), &needed);
         saved.resize(status == ATTN_OK ? needed : 0);
         return status;
       },
       false},
      {"load",
       [&saved](attn_session *s) {
         return attnrt_session_load(s, 2, saved.data(), saved.size());
       },
       false},
      {"reserve",
       [](attn_session *s) { return attnrt_session_reserve(s, 4, 10); }, true},
      {"truncate",
       [](attn_session *s) { return attnrt_session_truncate(s, 0, 1); }, false},
      {"reset", [](attn_session *s) { return attnrt_session_reset(s); }, false},
  };
}

class LostDevices : public toyparts::OnStub {};

/// Runs all of it with a driver that is lost at call `nth`; whether it was.
bool loseAt(uint64_t nth, int code) {
  SCOPED_TRACE("call " + std::to_string(nth) + " fails with " +
               std::to_string(code));
  Counting counting;
  stub_reset();
  if (nth != UINT64_MAX)
    stub_fail(nullptr, nth, code);
  attn_options options = statetoy::options();
  options.allocator = &counting.allocator;
  {
    Opened opened(statetoy::library, options);
    std::string saved;
    bool isLost = opened.status != ATTN_OK;
    if (opened.session)
      for (const Named &action : actions(saved)) {
        uint64_t calls = stub_calls(nullptr);
        attn_status status = action.run(opened.session);
        if (!isLost) {
          isLost = stub_has_failed();
          EXPECT_TRUE(isLost || status == ATTN_OK) << action.name;
          continue;
        }
        // The call that was lost may have been one whose error is nobody's.
        bool isKnown = status == ATTN_OK || status == ATTN_ERROR_DEVICE ||
                       status == ATTN_ERROR_INVALID_ARGUMENT;
        EXPECT_TRUE(isKnown) << action.name << ": " << attnrt_last_error();
        if (status == ATTN_ERROR_DEVICE)
          EXPECT_THAT(attnrt_last_error(), HasSubstr("remember: "));
        if (action.needsDevice)
          EXPECT_EQ(status, ATTN_ERROR_DEVICE) << action.name;
        EXPECT_LT(stub_calls(nullptr) - calls, 60u) << action.name;
      }
    if (opened.session && isLost) {
      EXPECT_EQ(step(opened.session, 1), ATTN_ERROR_DEVICE);
      uint64_t calls = stub_calls(nullptr);
      EXPECT_EQ(step(opened.session, 1), ATTN_ERROR_DEVICE);
      EXPECT_THAT(attnrt_last_error(), HasSubstr("lost in an earlier call"));
      attn_session *other = nullptr;
      EXPECT_EQ(attnrt_session_open(opened.model, &other), ATTN_ERROR_DEVICE);
      EXPECT_THAT(attnrt_last_error(), HasSubstr("lost in an earlier call"));
      EXPECT_EQ(stub_calls(nullptr), calls);
      EXPECT_THAT(opened.info(), HasSubstr("\"device\":\"cuda:0\""));
    }
  }
  EXPECT_EQ(counting.held, 0);
  EXPECT_STREQ(stub_report(), "");
  return stub_has_failed();
}

TEST_F(LostDevices, AtEveryCallOfTheDriver) {
  loseAt(UINT64_MAX, 0);
  uint64_t calls = stub_calls(nullptr), lost = 0;
  ASSERT_GT(calls, 80u);
  for (int code : {700, 719})
    for (uint64_t nth = 0; nth < calls; ++nth)
      lost += loseAt(nth, code);
  // Of all calls the last ones belong to the end of everything.
  EXPECT_EQ(lost, 2 * calls);
}

TEST_F(LostDevices, AreLostToEverySession) {
  devicetoy::Opened one;
  attn_session *other = nullptr;
  ASSERT_EQ(attnrt_session_open(one.model, &other), ATTN_OK);
  devicetoy::Call call(4, 4);
  ASSERT_EQ(one.call(call), ATTN_OK);
  stub_fail("cuStreamSynchronize", 0, 719);
  EXPECT_EQ(one.call(call), ATTN_ERROR_DEVICE);
  EXPECT_EQ(attnrt_call(other, 0, call.sizes, call.arguments().data()),
            ATTN_ERROR_DEVICE);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("CUDA_ERROR_LAUNCH_FAILED"));
  attnrt_session_close(other);
}

TEST_F(LostDevices, AreNotReplacedByAProcessor) {
  attn_options any = devicetoy::options();
  any.device = "auto";
  devicetoy::Opened opened(any, devicetoy::both);
  devicetoy::Call call(4, 4);
  ASSERT_EQ(opened.call(call), ATTN_OK);
  stub_fail("cuGraphLaunch", 0, 700);
  std::fill(call.out.begin(), call.out.end(), 5.0f);
  ASSERT_EQ(opened.call(call), ATTN_ERROR_DEVICE);
  EXPECT_EQ(opened.call(call), ATTN_ERROR_DEVICE);
  EXPECT_EQ(call.out[0], 5.0f) << "outputs are as the caller left them";
}

TEST_F(LostDevices, AChildAfterForkHasNone) {
  Opened opened(statetoy::library, statetoy::options());
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  ASSERT_EQ(step(opened.session, 3), ATTN_OK);
  pid_t child = fork();
  if (child == 0) {
    uint64_t calls = stub_calls(nullptr);
    int wrong = 0;
    std::string saved;
    auto fails = [&](attn_status status) {
      wrong += status != ATTN_ERROR_DEVICE ||
               !strstr(attnrt_last_error(), "after fork()");
    };
    for (const Named &action : actions(saved))
      if (action.needsDevice || action.name == std::string("save"))
        fails(action.run(opened.session));
    attn_session *other = nullptr;
    fails(attnrt_session_open(opened.model, &other));
    opened.close();
    wrong += stub_calls(nullptr) != calls;
    toyparts::endChild(wrong);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(step(opened.session, 3), ATTN_OK) << attnrt_last_error();
}

} // namespace
