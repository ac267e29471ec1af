//===- DeviceTest.cpp - the runtime on a GPU that is not there ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Against the stub driver, which complains about every wrong use and about
// everything that is still held at the end.
//
//===----------------------------------------------------------------------===//
#include "DeviceToy.h"
#include <gmock/gmock.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

using namespace devicetoy;
using testing::HasSubstr;

namespace {

using Device = toyparts::OnStub;

attn_options optionsFor(const char *device) {
  attn_options result = options();
  result.device = device;
  return result;
}

TEST_F(Device, Calls) {
  Opened opened;
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  for (int64_t batch : {1, 33, 64, 2})
    for (int64_t seq : {1, 17}) {
      Call call(batch, seq);
      ASSERT_EQ(opened.call(call), ATTN_OK) << attnrt_last_error();
      EXPECT_TRUE(call.isRight()) << batch << " x " << seq;
    }
}

TEST_F(Device, ArgumentsLeftOut) {
  Opened opened;
  Call call(7, 9);
  ASSERT_EQ(opened.call(call, false, false), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(call.isRight(false, false));
}

TEST_F(Device, CallsSeenBeforeAreGraphs) {
  Opened opened;
  for (int round = 0; round < 4; ++round) {
    Call call(5, 8);
    ASSERT_EQ(opened.call(call), ATTN_OK) << attnrt_last_error();
    EXPECT_TRUE(call.isRight());
  }
  EXPECT_EQ(stub_calls("cuLaunchKernel"), 5u);
  EXPECT_EQ(stub_calls("cuGraphInstantiateWithFlags"), 1u);
  EXPECT_EQ(stub_calls("cuGraphLaunch"), 3u);
  // One that does not change the grid, but the sizes that kernels read.
  Call other(6, 8);
  ASSERT_EQ(opened.call(other), ATTN_OK);
  EXPECT_TRUE(other.isRight());
}

TEST_F(Device, GraphsAreBounded) {
  Opened opened;
  for (int round = 0; round < 3; ++round)
    for (int64_t batch = 1; batch <= 12; ++batch)
      for (int twice = 0; twice < 2; ++twice) {
        Call call(batch, 3);
        ASSERT_EQ(opened.call(call), ATTN_OK) << attnrt_last_error();
        EXPECT_TRUE(call.isRight());
      }
  uint64_t alive = stub_calls("cuGraphInstantiateWithFlags") -
                   stub_calls("cuGraphExecDestroy");
  EXPECT_GT(alive, 0u);
  EXPECT_LE(alive, 8u);
}

TEST_F(Device, DevicePointers) {
  Opened opened;
  Call call(9, 4);
  void *ids = stub_device_memory(4 * call.ids.size());
  void *out = stub_device_memory(4 * call.out.size());
  stub_write(ids, call.ids.data(), 4 * call.ids.size());
  for (int round = 0; round < 3; ++round) {
    void *arguments[] = {ids, call.mask.data(), out, call.total.data()};
    ASSERT_EQ(attnrt_call(opened.session, 0, call.sizes, arguments), ATTN_OK)
        << attnrt_last_error();
    stub_read(call.out.data(), out, 4 * call.out.size());
    EXPECT_TRUE(call.isRight());
  }
  stub_device_free(ids);
  stub_device_free(out);
}

TEST_F(Device, RefusesWrongDevicePointers) {
  Opened opened;
  Call call(9, 4);
  auto *memory = static_cast<char *>(stub_device_memory(4096));
  void *arguments[] = {memory + 4, nullptr, call.out.data(), nullptr};
  EXPECT_EQ(attnrt_call(opened.session, 0, call.sizes, arguments),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("divisible by 16"));
  arguments[0] = memory + 4096 - 16;
  EXPECT_EQ(attnrt_call(opened.session, 0, call.sizes, arguments),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(),
              HasSubstr("ids has 16 bytes on the GPU; expected 144"));
  stub_device_free(memory);
}

TEST_F(Device, RefusesBadArgumentsAsEverywhere) {
  Opened opened;
  Call call(2, 2);
  call.ids[3] = kTable;
  EXPECT_EQ(opened.call(call), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("ids[3] is 100"));
  EXPECT_EQ(stub_calls("cuLaunchKernel"), 0u);
  call.sizes[0] = kBatch + 1;
  EXPECT_EQ(opened.call(call), ATTN_ERROR_INVALID_ARGUMENT);
  call.sizes[0] = 2;
  EXPECT_EQ(attnrt_call(opened.session, 0, call.sizes, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
}

TEST_F(Device, TheCallersStream) {
  attn_options lent = options();
  lent.stream = stub_stream();
  {
    Opened opened(lent);
    Call call(9, 4);
    void *ids = stub_device_memory(4 * call.ids.size());
    void *out = stub_device_memory(4 * call.out.size());
    stub_write(ids, call.ids.data(), 4 * call.ids.size());
    void *arguments[] = {ids, nullptr, out, nullptr};
    for (int round = 0; round < 3; ++round) {
      std::fill(call.out.begin(), call.out.end(), -1.0f);
      stub_write(out, call.out.data(), 4 * call.out.size());
      ASSERT_EQ(attnrt_call(opened.session, 0, call.sizes, arguments), ATTN_OK)
          << attnrt_last_error();
      stub_read(call.out.data(), out, 4 * call.out.size());
      EXPECT_EQ(call.out[0], -1.0f) << "work is enqueued, not done";
      // Another call before the first is done: its sizes must not mix.
      Call other(2, 2);
      ASSERT_EQ(opened.call(other), ATTN_OK);
      EXPECT_TRUE(other.isRight());
      stub_read(call.out.data(), out, 4 * call.out.size());
      EXPECT_TRUE(call.isRight(false, false));
    }
    stub_device_free(ids);
    stub_device_free(out);
  }
  stub_stream_free(lent.stream);
}

TEST_F(Device, AStreamNeedsAGpu) {
  attn_options lent = options();
  lent.stream = stub_stream();
  attn_model *model = nullptr;
  EXPECT_EQ(attnrt_open(&both, &lent, &model), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("options.stream is for GPUs"));
  stub_stream_free(lent.stream);
}

TEST_F(Device, SessionBytesAreExact) {
  Opened opened;
  Call call(20, 30);
  uint64_t bytes = 0;
  ASSERT_EQ(attnrt_session_bytes(opened.model, 0, call.sizes, &bytes), ATTN_OK);
  // Sizes, ids, mask, out, total, arena: each rounded up to 256.
  uint64_t arena = 448 + 128 + 2432 + 128;
  EXPECT_EQ(bytes, 256 + 2560 + 2560 + 512 + 256 + (arena + 255) / 256 * 256);
}

TEST_F(Device, MemoryLimits) {
  attn_options limited = options();
  limited.max_bytes = 60000;
  Opened opened(limited);
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  Call small(2, 2), large(64, 64);
  EXPECT_EQ(opened.call(large), ATTN_ERROR_OUT_OF_MEMORY);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("max_bytes 60000"));
  ASSERT_EQ(opened.call(small), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(small.isRight());
}

TEST_F(Device, TooLittleMemoryOnTheGpu) {
  Opened opened;
  Call small(2, 2), large(64, 64);
  ASSERT_EQ(opened.call(small), ATTN_OK);
  stub_machine(-1, 0, 16384, 0);
  EXPECT_EQ(opened.call(large), ATTN_ERROR_OUT_OF_MEMORY);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("of the GPU's memory, of which"));
  ASSERT_EQ(opened.call(small), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(small.isRight());
}

TEST_F(Device, Info) {
  Opened opened(options(), both);
  EXPECT_THAT(opened.info(), HasSubstr("\"device\":\"cpu\""));
  Opened gpu(optionsFor("cuda:0"), both);
  ASSERT_EQ(gpu.status, ATTN_OK) << attnrt_last_error();
  EXPECT_THAT(gpu.info(), HasSubstr("\"variant\":\"sm_80\""));
  EXPECT_THAT(gpu.info(),
              HasSubstr("\"device\":\"cuda:0\",\"device_name\":\"Stub GPU\","
                        "\"chip\":\"sm_80\",\"kernels\":\"PTX sm_80\""));
  EXPECT_THAT(gpu.info(), HasSubstr("sm_90a needs a chip sm_90"));
}

TEST_F(Device, TheVariantForTheChip) {
  stub_machine(1, 90, 0, 0);
  Opened opened(optionsFor("cuda"), both);
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  EXPECT_THAT(opened.info(), HasSubstr("\"variant\":\"sm_90a\""));
  stub_machine(1, 100, 0, 0);
  Opened newer(optionsFor("cuda"), both);
  EXPECT_THAT(newer.info(), HasSubstr("\"variant\":\"sm_80\""));
}

TEST_F(Device, RefusedMachines) {
  struct {
    int devices, chip, version;
    const char *device, *error;
  } machines[] = {
      {0, 80, 12040, "cuda", "CUDA_ERROR_NO_DEVICE"},
      {1, 80, 12040, "cuda:1", "asks for GPU 1; the driver shows 1"},
      {1, 75, 12040, "cuda", "sm_80 needs a chip sm_80 or newer"},
      {1, 80, 11080, "cuda", "is for CUDA 11.8; expected 12.0 or newer"},
      {1, 80, 12040, "gpu", "expected \"cpu\", \"cuda\", \"cuda:N\" or"},
      {1, 80, 12040, "cuda:", "expected \"cpu\""},
      {1, 80, 12040, "cuda:x", "expected \"cpu\""},
      {1, 80, 12040, "cpu", "compiled for GPUs only"},
  };
  for (const auto &machine : machines) {
    stub_reset();
    stub_machine(machine.devices, machine.chip, 0, machine.version);
    attn_options wanted = optionsFor(machine.device);
    attn_model *model = nullptr;
    EXPECT_NE(attnrt_open(&gpuOnly, &wanted, &model), ATTN_OK);
    EXPECT_EQ(model, nullptr);
    EXPECT_THAT(attnrt_last_error(), HasSubstr(machine.error));
    EXPECT_STREQ(stub_report(), "") << machine.error;
  }
}

TEST_F(Device, AutoTakesTheProcessorWhereNoGpuWorks) {
  stub_machine(0, 0, 0, 0);
  Opened opened(optionsFor("auto"), both);
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  EXPECT_THAT(opened.info(),
              HasSubstr("no GPU: toy: starting NVIDIA's driver"));
  Call call(3, 3);
  ASSERT_EQ(opened.call(call), ATTN_OK);
  EXPECT_EQ(call.out[0], 0);
  stub_machine(1, 0, 0, 0);
  Opened gpu(optionsFor("auto"), both);
  ASSERT_EQ(gpu.call(call), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(call.isRight());
}

TEST_F(Device, VariantsByName) {
  attn_options named = options();
  named.variant = "sm_80";
  stub_machine(1, 90, 0, 0);
  Opened opened(named, both);
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  EXPECT_THAT(opened.info(), HasSubstr("\"variant\":\"sm_80\""));
  named.device = "cpu";
  attn_model *model = nullptr;
  EXPECT_EQ(attnrt_open(&both, &named, &model), ATTN_ERROR_INVALID_ARGUMENT);
  named.device = "cuda";
  named.variant = "x86-64";
  EXPECT_EQ(attnrt_open(&both, &named, &model), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("is not for a GPU"));
}

TEST_F(Device, ALostDeviceStaysLost) {
  Opened opened;
  Call call(4, 4);
  ASSERT_EQ(opened.call(call), ATTN_OK);
  stub_fail("cuStreamSynchronize", 0, 700);
  EXPECT_EQ(opened.call(call), ATTN_ERROR_DEVICE);
  EXPECT_THAT(
      attnrt_last_error(),
      HasSubstr("running the kernels: CUDA_ERROR_ILLEGAL_ADDRESS (700)"));
  uint64_t calls = stub_calls(nullptr);
  EXPECT_EQ(opened.call(call), ATTN_ERROR_DEVICE);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("lost in an earlier call"));
  EXPECT_EQ(stub_calls(nullptr), calls);
  attn_session *another = nullptr;
  EXPECT_EQ(attnrt_session_open(opened.model, &another), ATTN_ERROR_DEVICE);
  EXPECT_EQ(another, nullptr);
}

TEST_F(Device, AForkedChildIsRefused) {
  Opened opened;
  Call call(4, 4);
  ASSERT_EQ(opened.call(call), ATTN_OK);
  pid_t child = fork();
  if (child == 0) {
    bool refused = opened.call(call) == ATTN_ERROR_DEVICE &&
                   strstr(attnrt_last_error(), "after fork()");
    uint64_t calls = stub_calls(nullptr);
    attnrt_session_close(opened.session);
    attnrt_close(opened.model);
    toyparts::endChild(refused && stub_calls(nullptr) == calls ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ASSERT_EQ(opened.call(call), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(call.isRight());
}

/// Opens, calls four times with two sizes, closes; the status of the first
/// failure.
attn_status everything(bool &right, std::string &error) {
  attn_options wanted = options();
  attn_model *model = nullptr;
  attn_session *session = nullptr;
  attn_status status = attnrt_open(&gpuOnly, &wanted, &model);
  if (status == ATTN_OK)
    status = attnrt_session_open(model, &session);
  for (int64_t batch : {3, 3, 3, 50}) {
    Call call(batch, 6);
    if (status == ATTN_OK)
      status = attnrt_call(session, 0, call.sizes, call.arguments().data());
    right &= status != ATTN_OK || call.isRight();
  }
  error = status == ATTN_OK ? "" : attnrt_last_error();
  attnrt_session_close(session);
  attnrt_close(model);
  return status;
}

TEST_F(Device, EveryCallOfTheDriverMayFail) {
  bool right = true;
  std::string error;
  ASSERT_EQ(everything(right, error), ATTN_OK) << error;
  uint64_t calls = stub_calls(nullptr), clean = 0;
  ASSERT_GT(calls, 60u);
  for (int code : {999 - 1, 2})
    for (uint64_t nth = 0; nth < calls; ++nth) {
      stub_reset();
      stub_fail(nullptr, nth, code);
      right = true;
      attn_status status = everything(right, error);
      ASSERT_TRUE(stub_has_failed()) << nth;
      EXPECT_TRUE(right) << "call " << nth << " failed and results are wrong";
      // Only where things are given back may a failure go unreported.
      clean += status == ATTN_OK;
      if (status != ATTN_OK) {
        EXPECT_TRUE(status == ATTN_ERROR_DEVICE ||
                    status == ATTN_ERROR_OUT_OF_MEMORY)
            << nth << ": " << error;
        EXPECT_THAT(error, HasSubstr("toy")) << nth;
      }
      EXPECT_STREQ(stub_report(), "") << "call " << nth << ": " << error;
      stub_reset();
      status = everything(right, error);
      EXPECT_EQ(status, ATTN_OK) << "after call " << nth << ": " << error;
    }
  EXPECT_GT(clean, 0u);
}

} // namespace
