//===- ToyParts.h - what the small libraries for a GPU share ----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Libraries written by hand (DeviceToy, StateToy, WeightsToy) get their kernels
// and their weights files here; their tests open them and begin and end with a
// stub driver that has nothing to complain about.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_GPU_TOYPARTS_H
#define ATTNC_TEST_GPU_TOYPARTS_H

#include "attn/abi.h"
#include "stub/StubDriver.h"
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace toyparts {

/// The text of kernels/NAME.
std::string readKernels(const std::string &name);

struct Tensor {
  std::string name, dtype, shape; ///< shape: "7,1,16"
  std::vector<unsigned char> bytes;
};

/// A safetensors file in memory, as attnc writes it. All tensors but the last
/// have multiples of 64 bytes.
class WeightsInMemory {
public:
  WeightsInMemory(const std::string &layout, const std::string &content,
                  const std::vector<Tensor> &tensors);
  /// Options that name it; one thread.
  attn_options options() const;

private:
  void *data;
  size_t size;
};

/// A model and a session, closed at the end.
struct Opened {
  attn_model *model = nullptr;
  attn_session *session = nullptr;
  attn_status status;

  Opened(const attn_abi_library &library, const attn_options &options) {
    status = attnrt_open(&library, &options, &model);
    if (status == ATTN_OK)
      status = attnrt_session_open(model, &session);
  }
  ~Opened() { close(); }
  void close() {
    attnrt_session_close(session);
    attnrt_close(model);
    session = nullptr;
    model = nullptr;
  }
  std::string info() const {
    char text[4096];
    EXPECT_EQ(attnrt_info(model, text, sizeof(text), nullptr), ATTN_OK);
    return text;
  }
};

/// The stub driver has nothing to say after the test.
class OnStub : public testing::Test {
protected:
  void SetUp() override { stub_reset(); }
  void TearDown() override { EXPECT_STREQ(stub_report(), ""); }
};

/// Ends a child after fork(), without what the parent does at its end.
[[noreturn]] void endChild(int status);

} // namespace toyparts

#endif // ATTNC_TEST_GPU_TOYPARTS_H
