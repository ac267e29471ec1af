//===- TensorMap.h - a tensor map as the emulator reads it ------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The driver's 128 opaque bytes, in a form of our own: whoever stands in for
// cuTensorMapEncodeTiled writes it, the emulator's copies read it.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_GPU_EMULATOR_TENSORMAP_H
#define ATTNC_TEST_GPU_EMULATOR_TENSORMAP_H

#include <cstdint>

namespace attnc::emulator {

struct alignas(64) TensorMap {
  static constexpr uint32_t kMagic = 0x544d4150;

  uint32_t magic = kMagic;
  uint8_t rank = 0;
  uint8_t elementBytes = 0;
  uint8_t swizzle = 0; ///< bytes: 0, 32, 64, 128
  uint8_t unused = 0;
  unsigned char *base = nullptr;
  uint32_t extents[5] = {}; ///< innermost first
  uint32_t box[5] = {};
  uint64_t strides[4] = {}; ///< bytes, of axes 1...
};
static_assert(sizeof(TensorMap) == 128, "the driver's size");

} // namespace attnc::emulator

#endif // ATTNC_TEST_GPU_EMULATOR_TENSORMAP_H
