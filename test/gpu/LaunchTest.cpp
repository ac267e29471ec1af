//===- LaunchTest.cpp - what a call asks of the driver --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Grids, tensor maps, graphs and memory of calls at their edges: nothing to
// launch, too much to launch, tensors of nothing, a call that is cancelled
// while the driver works, graphs that cannot give way.
//
//===----------------------------------------------------------------------===//
#include "DeviceToy.h"
#include "DriverLookup.h"
#include "StateToy.h"
#include "cuda/Driver.h"
#include <gmock/gmock.h>

namespace cuda = attnrt::cuda;
using devicetoy::Call;
using devicetoy::Changed;
using devicetoy::Opened;
using driverlookup::Substitute;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

using Launches = toyparts::OnStub;

//===-- grids -------------------------------------------------------------===//

TEST_F(Launches, OfMoreBlocksThanADriverTakes) {
  for (int32_t axis : {0, 1, 2}) {
    Changed toy;
    int64_t words[] = {ATTN_OPERATION_NUMBER,
                       axis == 0 ? int64_t(1) << 31 : 65536};
    toy.launches[0][0].grid[axis] = {words, 2};
    Opened opened(devicetoy::options(), toy.prepare());
    ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
    Call call(2, 3);
    EXPECT_EQ(opened.call(call), ATTN_ERROR_INVALID_ARGUMENT);
    EXPECT_THAT(attnrt_last_error(), HasSubstr("for count; a GPU takes"));
  }
}

TEST_F(Launches, OfNothingAreLeftOut) {
  int64_t none[] = {ATTN_OPERATION_NUMBER, 0};
  for (int32_t axis : {0, 1, 2}) {
    Changed toy;
    toy.launches[0][0].grid[axis] = {none, 2}; // nobody counts the mask
    toy.phases.push_back({"empty", nullptr, 0});
    toy.launches.emplace_back();
    std::swap(toy.phases[3], toy.phases[2]);
    std::swap(toy.launches[3], toy.launches[2]);
    Opened opened(devicetoy::options(), toy.prepare());
    for (int round = 0; round < 3; ++round) {
      Call call(2, 3);
      ASSERT_EQ(opened.call(call, false), ATTN_OK) << attnrt_last_error();
      EXPECT_TRUE(call.isRight(false)) << round;
    }
    EXPECT_EQ(stub_calls("cuGraphAddKernelNode"), uint64_t(4 * (axis + 1)));
  }
  Changed toy;
  toy.launches[0][1].grid[0] = {none, 2}; // whose map nobody needs
  Opened opened(devicetoy::options(), toy.prepare());
  Call call(2, 3);
  uint64_t before = stub_calls("cuTensorMapEncodeTiled");
  ASSERT_EQ(opened.call(call), ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(stub_calls("cuTensorMapEncodeTiled"), before);
}

TEST_F(Launches, OfEveryOperation) {
  // max(min(5, 3) - min(2, 7), 0 - 9) = 1, as a grid; one block is enough.
  int64_t words[] = {ATTN_OPERATION_NUMBER,
                     5,
                     ATTN_OPERATION_NUMBER,
                     3,
                     ATTN_OPERATION_MINIMUM,
                     ATTN_OPERATION_NUMBER,
                     2,
                     ATTN_OPERATION_NUMBER,
                     7,
                     ATTN_OPERATION_MINIMUM,
                     ATTN_OPERATION_SUBTRACT,
                     ATTN_OPERATION_NUMBER,
                     0,
                     ATTN_OPERATION_NUMBER,
                     9,
                     ATTN_OPERATION_SUBTRACT,
                     ATTN_OPERATION_MAXIMUM};
  Changed toy;
  toy.launches[1][0].grid[0] = {words, int32_t(std::size(words))};
  Opened opened(devicetoy::options(), toy.prepare());
  Call call(20, 3);
  ASSERT_EQ(opened.call(call), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(call.isRight());
}

TEST_F(Launches, OfAnEmptyBatch) {
  Changed toy;
  toy.sizes[0].minimum = 0;
  Opened opened(devicetoy::options(), toy.prepare());
  Call call(0, 3);
  int32_t id = 0, mask = 0;
  float out = 7, total = 7;
  void *arguments[] = {&id, &mask, &out, &total};
  ASSERT_EQ(attnrt_call(opened.session, 0, call.sizes, arguments), ATTN_OK)
      << attnrt_last_error();
  EXPECT_EQ(out, 7);
  arguments[1] = nullptr;
  ASSERT_EQ(attnrt_call(opened.session, 0, call.sizes, arguments), ATTN_OK);
}

//===-- tensor maps -------------------------------------------------------===//

struct Encoded {
  int type, swizzle;
  cuda::Address base;
  std::vector<unsigned long long> extents, strides;
};
std::vector<Encoded> encoded;

using Encode = cuda::Result (*)(cuda::TensorMap *, int, unsigned, void *,
                                const unsigned long long *,
                                const unsigned long long *, const unsigned *,
                                const unsigned *, int, int, int, int);

/// Writes down what is asked for, and gives what the toy's kernel needs.
cuda::Result writeDown(cuda::TensorMap *map, int type, unsigned rank,
                       void *base, const unsigned long long *extents,
                       const unsigned long long *strides, const unsigned *,
                       const unsigned *ones, int interleave, int swizzle,
                       int promotion, int fill) {
  encoded.push_back({type,
                     swizzle,
                     reinterpret_cast<cuda::Address>(base),
                     {extents, extents + rank},
                     {strides, strides + rank - 1}});
  static const auto real =
      reinterpret_cast<Encode>(driverlookup::find("cuTensorMapEncodeTiled"));
  unsigned long long number = 16;
  unsigned box = 112;
  return real(map, cuda::kF32, 1, base, &number, nullptr, &box, ones,
              interleave, 0, promotion, fill);
}

TEST_F(Launches, WithMapsOfEveryType) {
  Substitute encode("cuTensorMapEncodeTiled",
                    reinterpret_cast<void *>(writeDown));
  struct {
    attn_dtype dtype;
    int32_t swizzle;
    int type, mode;
  } forms[] = {{ATTN_F32, 0, cuda::kF32, 0},    {ATTN_F16, 32, cuda::kF16, 1},
               {ATTN_BF16, 64, cuda::kBF16, 2}, {ATTN_I32, 128, cuda::kI32, 3},
               {ATTN_U8, 0, cuda::kU8, 0},      {ATTN_I8, 0, cuda::kU8, 0}};
  int64_t batch[] = {ATTN_OPERATION_SIZE, 0}, seq[] = {ATTN_OPERATION_SIZE, 1},
          row[] = {ATTN_OPERATION_SIZE, 1, ATTN_OPERATION_NUMBER, 16,
                   ATTN_OPERATION_MULTIPLY};
  attn_abi_expression extents[] = {{seq, 2}, {batch, 2}},
                      strides[] = {{row, 5}};
  int32_t box[] = {16, 7};
  for (const auto &form : forms) {
    Changed toy;
    attn_abi_parameter parameters[] = {toy.launches[0][1].parameters[0],
                                       toy.launches[0][1].parameters[1]};
    attn_abi_tensor_map map = *parameters[0].map;
    map.dtype = form.dtype;
    map.swizzle = form.swizzle;
    map.rank = 2;
    map.extents = extents;
    map.strides = strides;
    map.box = box;
    parameters[0].map = &map;
    toy.launches[0][1].parameters = parameters;
    Opened opened(devicetoy::options(), toy.prepare());
    encoded.clear();
    Call call(5, 3);
    ASSERT_EQ(opened.call(call), ATTN_OK) << attnrt_last_error();
    ASSERT_EQ(encoded.size(), 1u);
    EXPECT_EQ(encoded[0].type, form.type);
    EXPECT_EQ(encoded[0].swizzle, form.mode);
    EXPECT_THAT(encoded[0].extents, ElementsAre(3u, 5u));
    EXPECT_THAT(encoded[0].strides, ElementsAre(48u));
  }
}

TEST_F(Launches, ThatADriverRefusesAMapFor) {
  Opened opened;
  Call call(2, 3);
  stub_fail("cuTensorMapEncodeTiled", 0, 1);
  EXPECT_EQ(opened.call(call), ATTN_ERROR_DEVICE);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("toy: copy: "));
  ASSERT_EQ(opened.call(call), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(call.isRight());
}

//===-- graphs, memory ----------------------------------------------------===//

TEST_F(Launches, WhoseGraphsCannotGiveWay) {
  Opened opened;
  // Two calls of each size make a graph of it, until all places are taken.
  for (int64_t batch = 1; batch <= 8; ++batch)
    for (int twice = 0; twice < 2; ++twice) {
      Call call(batch, 3);
      ASSERT_EQ(opened.call(call), ATTN_OK) << attnrt_last_error();
    }
  Call call(9, 3);
  stub_fail("cuStreamSynchronize", 0, 998);
  EXPECT_EQ(opened.call(call), ATTN_ERROR_DEVICE);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("waiting for earlier calls"));
  ASSERT_EQ(opened.call(call), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(call.isRight());
}

TEST_F(Launches, OfSizesBeyondAllMemory) {
  Changed toy;
  toy.sizes[0].maximum = toy.sizes[1].maximum = INT64_MAX;
  static const auto smallPlan = [](int64_t *, int32_t, int64_t *offsets,
                                   int64_t *scratchOffset,
                                   int64_t *scratchStride) -> int64_t {
    for (int32_t i = 0; i < 4; ++i)
      offsets[i] = 0;
    *scratchOffset = *scratchStride = 0;
    return 64;
  };
  toy.schedule.plan = smallPlan;
  Opened opened(devicetoy::options(), toy.prepare());
  uint64_t bytes = 0;
  // One argument, two together, all with what is around them.
  const int64_t sizes[][2] = {{int64_t(1) << 40, int64_t(1) << 40},
                              {int64_t(1) << 30, int64_t(1) << 30},
                              {1, (int64_t(1) << 60) - 64}};
  for (const auto &each : sizes) {
    EXPECT_EQ(attnrt_session_bytes(opened.model, 0, each, &bytes),
              ATTN_ERROR_INVALID_ARGUMENT);
    EXPECT_THAT(attnrt_last_error(), HasSubstr("more than 2^63 bytes"));
  }
}

TEST_F(Launches, ThatFindNoMemoryAndNoAnswer) {
  // The driver cannot even say how much there is.
  Opened opened;
  Call call(2, 3);
  stub_machine(-1, 0, 1, 0);
  stub_fail("cuMemGetInfo_v2", 0, 998);
  EXPECT_EQ(opened.call(call), ATTN_ERROR_OUT_OF_MEMORY);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("CUDA_ERROR_OUT_OF_MEMORY (2)"));
  stub_fail("cuMemGetInfo_v2", 0, 998);
  toyparts::Opened states(statetoy::library, statetoy::options());
  EXPECT_EQ(states.status, ATTN_ERROR_OUT_OF_MEMORY);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("the session's sequences: CUDA"));
}

//===-- cancelling --------------------------------------------------------===//

attn_session *toCancel = nullptr;

cuda::Result cancelWhileAsked(void *value, int attribute,
                              cuda::Address pointer) {
  attnrt_cancel(toCancel);
  using Ask = cuda::Result (*)(void *, int, cuda::Address);
  return reinterpret_cast<Ask>(driverlookup::find("cuPointerGetAttribute"))(
      value, attribute, pointer);
}

cuda::Result cancelWhileWaiting(cuda::Stream stream) {
  if (toCancel)
    attnrt_cancel(toCancel);
  using Wait = cuda::Result (*)(cuda::Stream);
  return reinterpret_cast<Wait>(driverlookup::find("cuStreamSynchronize"))(
      stream);
}

TEST_F(Launches, AreNotMadeForACallThatIsCancelled) {
  Substitute ask("cuPointerGetAttribute",
                 reinterpret_cast<void *>(cancelWhileAsked));
  Opened opened;
  toCancel = opened.session;
  Call call(2, 3);
  EXPECT_EQ(opened.call(call), ATTN_ERROR_CANCELLED);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("toy: the call was cancelled"));
  EXPECT_EQ(stub_calls("cuLaunchKernel"), 0u);
}

TEST_F(Launches, OfACancelledCallLeaveOutputsAlone) {
  Substitute wait("cuStreamSynchronize",
                  reinterpret_cast<void *>(cancelWhileWaiting));
  Opened opened;
  toCancel = opened.session;
  Call call(2, 3);
  std::fill(call.out.begin(), call.out.end(), 5.0f);
  EXPECT_EQ(opened.call(call), ATTN_ERROR_CANCELLED);
  EXPECT_EQ(call.out[0], 5.0f);
  toCancel = nullptr;
  ASSERT_EQ(opened.call(call), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(call.isRight());
}

} // namespace
