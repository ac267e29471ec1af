//===- NarrowWeights.h - weights of 8 and 4 bits for the GPU ----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How q and scales of a weight lie in device memory; compiled kernels know the
// same numbers (NarrowWeights in compiler/gpu/ProductBuilder.h).
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_CUDA_NARROWWEIGHTS_H
#define ATTN_RUNTIME_CUDA_NARROWWEIGHTS_H

#include "attn/abi_device.h"

namespace attnrt {
namespace cuda {

/// The scale of a group (0 where there are none) of column `place` of `panel`.
float scaleAt(const attn_abi_panels &panels, const unsigned char *panel,
              int64_t group, int64_t place);

struct NarrowLayout {
  explicit NarrowLayout(const attn_abi_device_weight &weight);

  int64_t rowBytes;
  int64_t scaleOffset; ///< bytes of the rows, padded
  int64_t scaleStride; ///< scales of a group
  int64_t groups;
  int64_t bytes; ///< of all

  /// `source` is the tensor in the file; writes rowBytes.
  void writeRow(const attn_abi_device_weight &weight,
                const unsigned char *source, int64_t row,
                unsigned char *to) const;
  /// Writes the scales of a group, 4 * scaleStride bytes.
  void writeScales(const attn_abi_device_weight &weight,
                   const unsigned char *source, int64_t group,
                   unsigned char *to) const;
};

} // namespace cuda
} // namespace attnrt

#endif // ATTN_RUNTIME_CUDA_NARROWWEIGHTS_H
