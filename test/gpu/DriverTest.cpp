//===- DriverTest.cpp - drivers that are missing, old or broken -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is found when a model is opened: no driver, one without a function, one
// that takes no image, kernels that are not there; and which of these let a
// processor stand in.
//
//===----------------------------------------------------------------------===//
#include "cuda/Driver.h"
#include "Device.h"
#include "DeviceToy.h"
#include "DriverLookup.h"
#include <gmock/gmock.h>

using testing::HasSubstr;

namespace {

using devicetoy::Changed;
using devicetoy::Opened;
using driverlookup::HiddenDriver;
using driverlookup::Substitute;
using Drivers = toyparts::OnStub;

attn_options optionsFor(const char *device) {
  attn_options result = devicetoy::options();
  result.device = device;
  return result;
}

TEST_F(Drivers, AreNotThere) {
  HiddenDriver hidden;
  Opened opened(optionsFor("cuda"), devicetoy::both);
  EXPECT_EQ(opened.status, ATTN_ERROR_DEVICE);
  EXPECT_THAT(attnrt_last_error(),
              HasSubstr("toy: no NVIDIA driver: libcuda-is-not-there.so.1: "
                        "cannot open shared object file"));
  EXPECT_THAT(attnrt_last_error(), HasSubstr("options.device \"cpu\""));
  EXPECT_EQ(opened.model, nullptr);
}

TEST_F(Drivers, OnlyAutoTakesTheProcessorInstead) {
  HiddenDriver hidden;
  {
    Opened opened(optionsFor("auto"), devicetoy::both);
    ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
    EXPECT_THAT(opened.info(), HasSubstr("no GPU: toy: no NVIDIA driver"));
    EXPECT_THAT(opened.info(), HasSubstr("\"device\":\"cpu\""));
  }
  for (const char *device : {"cuda", "cuda:0"}) {
    Opened opened(optionsFor(device), devicetoy::both);
    EXPECT_EQ(opened.status, ATTN_ERROR_DEVICE) << device;
  }
  Opened alone(optionsFor("auto"), devicetoy::gpuOnly);
  EXPECT_EQ(alone.status, ATTN_ERROR_DEVICE);
}

TEST_F(Drivers, OrWhereTheGpuIsTooOldOrTooSmall) {
  stub_machine(1, 75, 0, 0);
  Opened old(optionsFor("auto"), devicetoy::both);
  EXPECT_THAT(old.info(), HasSubstr("sm_80 needs a chip sm_80 or newer"));
  Opened refused(optionsFor("cuda"), devicetoy::both);
  EXPECT_EQ(refused.status, ATTN_ERROR_DEVICE);
  stub_machine(1, 80, 512, 0);
  Opened small(optionsFor("auto"), devicetoy::both);
  EXPECT_THAT(small.info(), HasSubstr("CUDA_ERROR_OUT_OF_MEMORY"));
}

TEST_F(Drivers, AStreamIsNoUseToAProcessor) {
  stub_machine(1, 75, 0, 0);
  attn_options lent = optionsFor("auto");
  lent.stream = stub_stream();
  {
    Opened opened(lent, devicetoy::both);
    EXPECT_EQ(opened.status, ATTN_ERROR_DEVICE);
    EXPECT_THAT(attnrt_last_error(), HasSubstr("needs a chip sm_80"));
  }
  stub_stream_free(lent.stream);
}

TEST_F(Drivers, LackAFunction) {
#define ATTN_TEST_NAME(field, symbol, parameters) #symbol,
  for (const char *name : {ATTN_CUDA_FUNCTIONS(ATTN_TEST_NAME)}) {
    Substitute none(name, nullptr);
    Opened opened;
    EXPECT_EQ(opened.status, ATTN_ERROR_DEVICE);
    EXPECT_THAT(attnrt_last_error(),
                HasSubstr(std::string("NVIDIA's driver has no ") + name +
                          "; install driver 525 (CUDA 12.0) or newer"));
  }
#undef ATTN_TEST_NAME
}

int countNone(int *count) {
  *count = 0;
  return 0;
}

TEST_F(Drivers, ShowNoDevice) {
  // As with CUDA_VISIBLE_DEVICES empty, on drivers that start without any.
  Substitute none("cuDeviceGetCount", reinterpret_cast<void *>(countNone));
  Opened opened;
  EXPECT_EQ(opened.status, ATTN_ERROR_DEVICE);
  EXPECT_THAT(attnrt_last_error(),
              HasSubstr("asks for GPU 0; the driver shows 0"));
}

TEST_F(Drivers, DoNotStart) {
  stub_fail("cuDriverGetVersion", 0, 998);
  Opened opened;
  EXPECT_EQ(opened.status, ATTN_ERROR_DEVICE);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("asking for the driver's version: "
                                             "CUDA_ERROR_OF_THE_STUB (998)"));
}

//===-- images ------------------------------------------------------------===//

attn_status statusOf(Changed &toy) {
  return Opened(devicetoy::options(), toy.prepare()).status;
}

TEST_F(Drivers, TakeTheFirstImageThatFits) {
  Changed toy;
  // Cubins of another generation and of a later chip, and PTX of a later one,
  // are not tried: the broken one of this chip is, and then its PTX.
  for (int32_t chip : {70, 86, 90})
    toy.images.insert(toy.images.begin(), {toy.images[0].data, 1, chip, 0});
  toy.images.insert(toy.images.begin(),
                    {toy.images.back().data, 1, 90, ATTN_IMAGE_PTX});
  EXPECT_EQ(statusOf(toy), ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(stub_calls("cuModuleLoadDataEx"), 2u);
}

TEST_F(Drivers, LookNoFurtherThanTheFirstThatLoads) {
  Changed toy;
  std::swap(toy.images[0], toy.images[1]);
  // The stub driver takes the same text for machine code.
  toy.images[0].flags = 0;
  Opened opened(devicetoy::options(), toy.prepare());
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(stub_calls("cuModuleLoadDataEx"), 1u);
  EXPECT_THAT(opened.info(), HasSubstr("\"kernels\":\"cubin sm_80\""));
}

TEST_F(Drivers, AreNotAskedForVariantsOfOthers) {
  attn_abi_driver other = attnrt_cuda;
  attn_abi_device foreign = *devicetoy::both.variants[1].device;
  foreign.driver = &other;
  attn_abi_variant variants[] = {devicetoy::both.variants[0],
                                 {"foreign", 0, nullptr, &foreign},
                                 devicetoy::both.variants[1]};
  attn_abi_library library = devicetoy::both;
  library.variants = variants;
  Opened opened(optionsFor("cuda"), library);
  EXPECT_THAT(opened.info(), HasSubstr("\"variant\":\"sm_80\""));
}

TEST_F(Drivers, TakeNoImage) {
  Changed toy;
  toy.images.pop_back();
  EXPECT_EQ(statusOf(toy), ATTN_ERROR_DEVICE);
  EXPECT_THAT(attnrt_last_error(),
              HasSubstr("toy: loading the kernels: CUDA_ERROR_INVALID_PTX"));
  // What the driver has to say about it.
  EXPECT_THAT(attnrt_last_error(), HasSubstr("expected top-level entity"));
  toy.images.clear();
  EXPECT_EQ(statusOf(toy), ATTN_ERROR_DEVICE);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("loading the kernels"));
}

TEST_F(Drivers, FailWhateverTheImage) {
  // Only an image that is to blame lets the next one be tried.
  for (int code : {200, 209, 218, 222}) {
    stub_reset();
    stub_fail("cuModuleLoadDataEx", 1, code);
    EXPECT_EQ(Opened().status, ATTN_ERROR_DEVICE) << code;
    EXPECT_EQ(stub_calls("cuModuleLoadDataEx"), 2u) << code;
  }
  for (int code : {2, 999}) {
    stub_reset();
    stub_fail("cuModuleLoadDataEx", 0, code);
    EXPECT_NE(Opened().status, ATTN_OK) << code;
    EXPECT_EQ(stub_calls("cuModuleLoadDataEx"), 1u) << code;
  }
}

TEST_F(Drivers, MissAKernel) {
  Changed toy;
  toy.kernels[3].name = "nowhere";
  EXPECT_EQ(statusOf(toy), ATTN_ERROR_DEVICE);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("toy: nowhere: "));
}

TEST_F(Drivers, GiveABlockLittleSharedMemory) {
  Changed toy;
  toy.kernels[1].shared_bytes = 164 * 1024;
  EXPECT_EQ(statusOf(toy), ATTN_ERROR_DEVICE);
  EXPECT_THAT(attnrt_last_error(),
              HasSubstr("sm_80 needs 167936 bytes of shared memory per block, "
                        "the GPU has 166912"));
  toy.kernels[1].shared_bytes = 60 * 1024;
  stub_fail("cuFuncSetAttribute", 0, 998);
  EXPECT_EQ(statusOf(toy), ATTN_ERROR_DEVICE);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("toy: copy: "));
}

} // namespace
