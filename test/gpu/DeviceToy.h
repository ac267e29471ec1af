//===- DeviceToy.h - a library for a GPU, written by hand -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One entry, `scale`, whose kernels are kernels/toy.ll:
//   out[b][k] = bf16(scale[k]) * sum over kept s of table[ids[b][s]] + 0.5
//   total[b] = that sum + the number of kept positions of the batch
// `mask` is an optional input, `total` an optional output; the table comes in
// panels of 16 from the weights file, and travels by a tensor map.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_GPU_DEVICETOY_H
#define ATTNC_TEST_GPU_DEVICETOY_H

#include "ToyParts.h"

namespace devicetoy {

constexpr int64_t kBatch = 64, kSeq = 64, kTable = 100, kWidth = 5;

/// Libraries: for sm_80 alone; for sm_90a, sm_80 and the processor (which
/// writes zeros).
extern const attn_abi_library gpuOnly, both;

/// Options with the right weights in memory.
attn_options options();

/// One call, with its truth.
struct Call {
  int64_t sizes[2]; ///< batch, seq
  std::vector<int32_t> ids, mask;
  std::vector<float> out, total;

  Call(int64_t batch, int64_t seq);
  /// Inputs, then outputs, all of the host.
  std::vector<void *> arguments(bool withMask = true, bool withTotal = true);
  /// Whether the outputs are what they should be.
  bool isRight(bool withMask = true, bool withTotal = true) const;
};

/// The toy, open.
struct Opened : toyparts::Opened {
  explicit Opened(const attn_options &wanted = devicetoy::options(),
                  const attn_abi_library &library = gpuOnly)
      : toyparts::Opened(library, wanted) {}
  attn_status call(Call &call, bool withMask = true, bool withTotal = true) {
    return attnrt_call(session, 0, call.sizes,
                       call.arguments(withMask, withTotal).data());
  }
};

/// The toy with tables that a test may change.
struct Changed {
  std::vector<attn_abi_image> images;
  std::vector<attn_abi_kernel> kernels;
  std::vector<attn_abi_size> sizes;
  std::vector<std::vector<attn_abi_launch>> launches; ///< by phase
  std::vector<attn_abi_device_phase> phases;
  attn_abi_schedule schedule;

  Changed();
  Changed(const Changed &) = delete;
  /// The library, once everything is changed.
  const attn_abi_library &prepare();

private:
  attn_abi_device_schedule deviceSchedule;
  attn_abi_device device;
  attn_abi_variant variant;
  attn_abi_library library;
};

} // namespace devicetoy

#endif // ATTNC_TEST_GPU_DEVICETOY_H
