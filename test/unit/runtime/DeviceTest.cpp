//===- DeviceTest.cpp - which device a model opens on ---------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The toy with a variant for a GPU and a driver of the test's own, which is
// there or not, and keeps account of what it was asked.
//
//===----------------------------------------------------------------------===//
#include "Toybox.h"

#include "Device.h"
#include "Errors.h"
#include "Model.h"
#include "Session.h"
#include "attn/abi_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace toy;
using testing::HasSubstr;

namespace {

// How the driver behaves: which of its functions fail.
bool isAbsent, failsLate, failsSession;
uint64_t bytesOfCalls;
int openDevices, openSessions;

attn_status openFake(attn_model &model, const attn_options &, int32_t ordinal) {
  if (isAbsent || ordinal > 1)
    return attnrt::fail(ATTN_ERROR_UNAVAILABLE, "there is no device %d",
                        ordinal);
  model.device = reinterpret_cast<attnrt::Device *>(64);
  model.choice.variant = &model.library.variants[0];
  ++openDevices;
  return failsLate ? attnrt::fail(ATTN_ERROR_SYSTEM, "the driver is too old")
                   : ATTN_OK;
}
void closeFake(attn_model &model) {
  openDevices -= model.device != nullptr;
  model.device = nullptr;
}
attn_status openFakeSession(attn_session &session) {
  session.device = reinterpret_cast<attnrt::DeviceSession *>(64);
  ++openSessions;
  return failsSession ? attnrt::fail(ATTN_ERROR_SYSTEM, "no memory up there")
                      : ATTN_OK;
}
void closeFakeSession(attn_session &session) {
  openSessions -= session.device != nullptr;
  session.device = nullptr;
}
uint64_t bytesOfFakeCall(const attn_model &, int32_t, const int64_t *,
                         uint64_t) {
  return bytesOfCalls;
}
attn_status callFake(attn_session &, int32_t, const attnrt::Layout &,
                     void *const *) {
  return ATTN_OK;
}
void describeFake(const attn_model &, attnrt::Writer &json) {
  json.print("\"device\":\"fake\",");
}

// The libraries of this test keep no states, so nobody asks for blocks.
const attn_abi_driver driver = {
    "cuda",          openFake, closeFake,    openFakeSession, closeFakeSession,
    bytesOfFakeCall, callFake, describeFake, nullptr,         nullptr,
    nullptr,         nullptr,  nullptr,      nullptr};

class DeviceTest : public testing::Test {
protected:
  DeviceTest() : both(library), alone(library) {
    isAbsent = failsLate = failsSession = false;
    bytesOfCalls = 4096;
    openDevices = openSessions = 0;
    device.driver = &driver;
    variants[0] = variants[1] = library.variants[library.variant_count - 1];
    variants[0].name = "sm_80";
    variants[0].device = &device;
    both.variants = alone.variants = variants;
    both.variant_count = 2;
    alone.variant_count = 1;
  }
  ~DeviceTest() override {
    EXPECT_EQ(openDevices, 0);
    EXPECT_EQ(openSessions, 0);
  }

  attn_status open(const attn_abi_library &from, const char *name,
                   const char *variant = nullptr, void *stream = nullptr) {
    attn_options options = rightOptions();
    options.device = name;
    options.variant = variant;
    options.stream = stream;
    Opened opened(options, from);
    said = opened.status == ATTN_OK ? info(opened.model) : attnrt_last_error();
    return opened.status;
  }

  attn_abi_device device = {};
  attn_abi_variant variants[2];
  attn_abi_library both, alone; // with a variant for processors, without one
  std::string said;
};

TEST_F(DeviceTest, NamesOfDevices) {
  for (const char *name : {"", "gpu", "cuda:", "cuda:x", "cuda:1x", "cuda:/",
                           "cuda:999999", "cuda:-1", "CPU"}) {
    EXPECT_EQ(open(both, name), ATTN_ERROR_INVALID_ARGUMENT) << name;
    EXPECT_THAT(said, HasSubstr("expected \"cpu\", \"cuda\", \"cuda:N\" or"));
  }
  for (const char *name : {"cuda", "cuda:0", "cuda:1", "auto"}) {
    EXPECT_EQ(open(both, name), ATTN_OK) << said;
    EXPECT_THAT(said, HasSubstr("\"device\":\"fake\"")) << name;
  }
  EXPECT_EQ(open(both, "cuda:2"), ATTN_ERROR_UNAVAILABLE);
  EXPECT_THAT(said, HasSubstr("there is no device 2"));
}

TEST_F(DeviceTest, TheProcessorUnlessAskedOtherwise) {
  for (const char *name : {static_cast<const char *>(nullptr), "cpu"}) {
    EXPECT_EQ(open(both, name), ATTN_OK) << said;
    EXPECT_THAT(said, HasSubstr("\"device\":\"cpu\""));
  }
  EXPECT_EQ(open(library, "auto"), ATTN_OK) << said;
  EXPECT_THAT(said, HasSubstr("\"device\":\"cpu\""));
  EXPECT_EQ(open(alone, nullptr), ATTN_OK) << said;
  EXPECT_THAT(said, HasSubstr("\"device\":\"fake\""));
  EXPECT_EQ(open(both, nullptr, "sm_80"), ATTN_OK) << said;
  EXPECT_THAT(said, HasSubstr("\"device\":\"fake\""));
}

TEST_F(DeviceTest, WhatDoesNotGoTogether) {
  int stream = 0;
  EXPECT_EQ(open(library, "cuda"), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(said, HasSubstr("compiled for processors only"));
  EXPECT_EQ(open(alone, "cpu"), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(said, HasSubstr("compiled for GPUs only"));
  EXPECT_EQ(open(both, "cpu", "sm_80"), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(said, HasSubstr("variant sm_80 is for a GPU"));
  EXPECT_EQ(open(both, "cuda", "x86-64"), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(said, HasSubstr("variant x86-64 is not for a GPU, but "
                              "options.device is \"cuda\""));
  EXPECT_EQ(open(alone, nullptr, "x86-64"), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(said, HasSubstr("variant x86-64 is not for a GPU"));
  for (const char *name : {static_cast<const char *>(nullptr), "cpu"}) {
    EXPECT_EQ(open(both, name, nullptr, &stream), ATTN_ERROR_INVALID_ARGUMENT);
    EXPECT_THAT(said, HasSubstr("stream is for GPUs; options.device is \"cpu"));
  }
}

TEST_F(DeviceTest, WithoutADevice) {
  for (bool late : {false, true}) {
    isAbsent = !late;
    failsLate = late;
    EXPECT_EQ(open(both, "auto"), ATTN_OK) << said;
    EXPECT_THAT(said, HasSubstr(late ? "no GPU: the driver is too old"
                                     : "no GPU: there is no device 0"));
    EXPECT_THAT(said, HasSubstr("\"device\":\"cpu\""));
    EXPECT_NE(open(both, "cuda"), ATTN_OK);
    EXPECT_NE(open(alone, "auto"), ATTN_OK);
  }
  // Nor a processor that could stand in for it.
  isAbsent = true;
  variants[1].cpu_features = uint64_t(1) << 63;
  EXPECT_EQ(open(both, "auto"), ATTN_ERROR_UNSUPPORTED_CPU);
  EXPECT_THAT(said, HasSubstr("feature 63"));
}

/// A variant that is named is the one that runs, or none does.
TEST_F(DeviceTest, NamedVariantsOnAnyDevice) {
  EXPECT_EQ(open(both, "auto", "x86-64"), ATTN_OK) << said;
  EXPECT_THAT(said, HasSubstr("\"device\":\"cpu\""));
  EXPECT_THAT(said, HasSubstr("named by options.variant"));
  EXPECT_EQ(open(both, "auto", "sm_80"), ATTN_OK) << said;
  EXPECT_THAT(said, HasSubstr("\"device\":\"fake\""));
  EXPECT_EQ(open(both, "auto", "sm_75"), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(said, HasSubstr("\"sm_75\"; this library has: sm_80, x86-64"));
  EXPECT_EQ(open(alone, "auto", "x86-64"), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(said, HasSubstr("variant x86-64 is not for a GPU"));
  isAbsent = true;
  EXPECT_EQ(open(both, "auto", "sm_80"), ATTN_ERROR_UNAVAILABLE);
  EXPECT_THAT(said, HasSubstr("there is no device 0"));
}

TEST_F(DeviceTest, TheFirstProcessorIsTheBestThatThereIs) {
  EXPECT_EQ(open(both, "cpu"), ATTN_OK) << said;
  EXPECT_THAT(said, HasSubstr("\"the best that this library holds\""));
}

/// What phases take is measured where phases run.
TEST_F(DeviceTest, NothingIsTakenToTraceADevice) {
  TemporaryFolder folder;
  setenv("ATTN_PROFILE", (folder / "trace.json").c_str(), 1);
  // As the compiler writes a device's schedules.
  attn_abi_schedule schedules[2] = {library.variants[0].schedules[Scale],
                                    library.variants[0].schedules[Embed]};
  for (attn_abi_schedule &schedule : schedules) {
    schedule.phases = nullptr;
    schedule.phase_count = 0;
  }
  variants[0].schedules = schedules;
  Counter counter;
  attn_options options = rightOptions();
  options.device = "cuda";
  options.allocator = &counter.allocator;
  {
    Opened opened(options, both);
    EXPECT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
    EXPECT_EQ(Call(2, 3).run(opened.session), ATTN_OK);
  }
  unsetenv("ATTN_PROFILE");
  EXPECT_FALSE(counter.isBroken()); // asked for 0 bytes
}

TEST_F(DeviceTest, SessionsAndCalls) {
  failsSession = true;
  EXPECT_EQ(open(both, "cuda"), ATTN_ERROR_SYSTEM);
  EXPECT_THAT(said, HasSubstr("no memory up there"));
  failsSession = false;
  attn_options options = rightOptions();
  options.device = "cuda";
  Opened opened(options, both);
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  Call call(2, 3);
  EXPECT_EQ(call.run(opened.session), ATTN_OK) << attnrt_last_error();
  uint64_t bytes = 0;
  EXPECT_EQ(attnrt_session_bytes(opened.model, Scale, call.sizes, &bytes),
            ATTN_OK);
  EXPECT_EQ(bytes, 4096u);
  bytesOfCalls = 0;
  EXPECT_EQ(call.run(opened.session), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("2^63 bytes"));
}

} // namespace
