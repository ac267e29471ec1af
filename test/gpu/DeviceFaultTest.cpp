//===- DeviceFaultTest.cpp - what fails on the way to a GPU ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Beside the driver's failures one by one (DeviceTest): errors that end a
// context, memory of other GPUs and of both sides, an allocator that fails and
// limits of every size. Nothing may be held afterwards.
//
//===----------------------------------------------------------------------===//
#include "DeviceToy.h"
#include "StateToy.h"
#include <cstdlib>
#include <gmock/gmock.h>
#include <string>

using testing::AnyOf;
using testing::HasSubstr;

namespace {

using devicetoy::Opened;
using DeviceFaults = toyparts::OnStub;

TEST_F(DeviceFaults, ErrorsThatEndAContext) {
  for (int code : {4, 46, 214, 220, 700, 702, 709, 710, 714, 715, 716, 717, 718,
                   719, 999}) {
    stub_reset();
    {
      Opened opened;
      devicetoy::Call call(4, 4);
      ASSERT_EQ(opened.call(call), ATTN_OK) << attnrt_last_error();
      stub_fail("cuStreamSynchronize", 0, code);
      EXPECT_EQ(opened.call(call), ATTN_ERROR_DEVICE) << code;
      uint64_t calls = stub_calls(nullptr);
      EXPECT_EQ(opened.call(call), ATTN_ERROR_DEVICE) << code;
      EXPECT_THAT(attnrt_last_error(), HasSubstr("lost in an earlier call"));
      EXPECT_EQ(stub_calls(nullptr), calls) << code;
    }
    EXPECT_STREQ(stub_report(), "") << code;
  }
}

TEST_F(DeviceFaults, OthersDoNot) {
  Opened opened;
  devicetoy::Call call(4, 4);
  ASSERT_EQ(opened.call(call), ATTN_OK);
  stub_fail("cuStreamSynchronize", 0, 701); // out of registers
  EXPECT_EQ(opened.call(call), ATTN_ERROR_DEVICE);
  stub_reset_failure();
  ASSERT_EQ(opened.call(call), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(call.isRight());
}

TEST_F(DeviceFaults, ErrorsWithoutAName) {
  stub_fail("cuDeviceGetCount", 0, 12345);
  Opened opened;
  EXPECT_EQ(opened.status, ATTN_ERROR_DEVICE);
  EXPECT_THAT(attnrt_last_error(),
              HasSubstr("counting GPUs: CUDA_ERROR_UNKNOWN (12345): the driver "
                        "has no text for it"));
}

TEST_F(DeviceFaults, AProcessWhoseParentUsedTheDriver) {
  stub_fail("cuInit", 0, 3);
  Opened opened;
  EXPECT_EQ(opened.status, ATTN_ERROR_DEVICE);
  EXPECT_THAT(attnrt_last_error(),
              HasSubstr("a process forked after its parent used CUDA"));
}

/// Arguments on the device.
class OnDevice : public DeviceFaults {
protected:
  void SetUp() override {
    DeviceFaults::SetUp();
    ids = stub_device_memory(4 * given.ids.size());
    stub_write(ids, given.ids.data(), 4 * given.ids.size());
  }
  void TearDown() override {
    stub_device_free(ids);
    DeviceFaults::TearDown();
  }
  attn_status call(Opened &opened) {
    void *arguments[] = {ids, given.mask.data(), given.out.data(),
                         given.total.data()};
    return attnrt_call(opened.session, 0, given.sizes, arguments);
  }

  devicetoy::Call given{9, 4};
  void *ids = nullptr;
};

TEST_F(OnDevice, MemoryOfAnotherGpuIsRefused) {
  Opened opened;
  stub_describe_memory(ids, /*type=*/2, /*managed=*/0, /*ordinal=*/1);
  EXPECT_EQ(call(opened), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(),
              HasSubstr("ids lies in the memory of cuda:1; expected cuda:0 or "
                        "the host"));
}

TEST_F(OnDevice, ManagedMemoryIsOfEveryGpu) {
  Opened opened;
  for (int type : {1, 2}) {
    stub_describe_memory(ids, type, /*managed=*/1, /*ordinal=*/1);
    ASSERT_EQ(call(opened), ATTN_OK) << attnrt_last_error();
    EXPECT_TRUE(given.isRight());
  }
}

TEST_F(OnDevice, PinnedMemoryIsTheHosts) {
  Opened opened;
  devicetoy::Call host(9, 4);
  stub_describe_memory(host.ids.data(), /*type=*/1, /*managed=*/0,
                       /*ordinal=*/0);
  ASSERT_EQ(opened.call(host), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(host.isRight());
}

TEST_F(OnDevice, EveryQuestionAboutAPointerMayFail) {
  Opened opened;
  ASSERT_EQ(call(opened), ATTN_OK);
  for (uint64_t nth = 0; nth < 5; ++nth) {
    stub_fail("cuPointerGetAttribute", nth, 998);
    EXPECT_EQ(call(opened), ATTN_ERROR_DEVICE) << nth;
    EXPECT_THAT(attnrt_last_error(), HasSubstr("ids: ")) << nth;
    ASSERT_EQ(call(opened), ATTN_OK) << attnrt_last_error();
    EXPECT_TRUE(given.isRight());
  }
}

/// All that a library with states and one without do; the first failure.
attn_status everything(attn_options calls, attn_options states) {
  attn_status status;
  {
    Opened opened(calls);
    status = opened.status;
    for (int64_t batch : {2, 2, 2, 40}) {
      devicetoy::Call call(batch, 6);
      if (status == ATTN_OK)
        status = opened.call(call);
      EXPECT_TRUE(status != ATTN_OK || call.isRight());
    }
  }
  if (status != ATTN_OK)
    return status;
  attn_model *model = nullptr;
  attn_session *session = nullptr;
  status = attnrt_open(&statetoy::library, &states, &model);
  if (status == ATTN_OK)
    status = attnrt_session_open(model, &session);
  int32_t mask[] = {1, 2, 3, 4, 5};
  float out = 0;
  int64_t sizes[] = {1, 5};
  void *arguments[] = {mask, &out};
  if (status == ATTN_OK)
    status = attnrt_call(session, 0, sizes, arguments);
  char bytes[4096];
  size_t needed = 0;
  if (status == ATTN_OK)
    status = attnrt_session_save(session, 0, bytes, sizeof(bytes), &needed);
  if (status == ATTN_OK)
    status = attnrt_session_load(session, 1, bytes, needed);
  attnrt_session_close(session);
  attnrt_close(model);
  return status;
}

TEST_F(DeviceFaults, LimitsOfEverySize) {
  uint64_t enough = 0;
  for (uint64_t most = 256; !enough && most < 1000000; most += 384) {
    attn_options calls = devicetoy::options(), states = statetoy::options();
    calls.max_bytes = states.max_bytes = most;
    attn_status status = everything(calls, states);
    EXPECT_THAT(status, AnyOf(ATTN_OK, ATTN_ERROR_OUT_OF_MEMORY)) << most;
    EXPECT_STREQ(stub_report(), "") << most;
    enough = status == ATTN_OK ? most : 0;
  }
  EXPECT_GT(enough, 10000u);
}

struct Failing {
  int64_t left, held = 0;
};

void *allocateOrFail(void *context, size_t bytes, size_t alignment) {
  auto &failing = *static_cast<Failing *>(context);
  if (failing.left-- == 0)
    return nullptr;
  ++failing.held;
  return aligned_alloc(alignment,
                       (bytes + alignment - 1) / alignment * alignment);
}

void release(void *context, void *memory, size_t) {
  --static_cast<Failing *>(context)->held;
  free(memory);
}

TEST_F(DeviceFaults, EveryAllocationMayFail) {
  int64_t nth = 0;
  for (attn_status status = ATTN_ERROR_OUT_OF_MEMORY; status != ATTN_OK;
       ++nth) {
    ASSERT_LT(nth, 1000);
    Failing failing{nth};
    attn_allocator allocator = {&failing, allocateOrFail, release};
    attn_options calls = devicetoy::options(), states = statetoy::options();
    calls.allocator = states.allocator = &allocator;
    status = everything(calls, states);
    EXPECT_THAT(status, AnyOf(ATTN_OK, ATTN_ERROR_OUT_OF_MEMORY)) << nth;
    EXPECT_EQ(failing.held, 0) << nth;
    EXPECT_STREQ(stub_report(), "") << nth;
    status = failing.left < 0 ? ATTN_ERROR_OUT_OF_MEMORY : status;
  }
  EXPECT_GT(nth, 8);
}

} // namespace
