//===- BlockFormats.h - numbers in blocks with scales -----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The quantized element types of GGUF files: a row is cut into blocks, each
// with its own scale or scales. Definitions: ggml, ggml-common.h; results are
// those of its reference dequantization in f32, bit for bit.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_BLOCKFORMATS_H
#define ATTNC_COMPILER_IMPORT_BLOCKFORMATS_H

#include "compiler/import/Weights.h"

namespace attnc {

/// A block taken apart: element i is steps[i] * scales[g] + offsets[g], of its
/// group g = i / getBlockGroup(type), rounded once; the products alone are
/// exact wherever offsets are not -0.
struct BlockParts {
  static constexpr int kMostElements = 256, kMostGroups = 16;
  int8_t steps[kMostElements];
  float scales[kMostGroups], offsets[kMostGroups];
};

/// Elements that share a scale: 32, or 16 in Q6_K.
int64_t getBlockGroup(WeightType type);

/// `type` is one of those of more than one element.
void splitBlock(WeightType type, const uint8_t *from, BlockParts &parts);

/// Widens `blocks` blocks of `type`, one of those of more than one element.
void decodeBlocks(WeightType type, const uint8_t *from, float *to,
                  size_t blocks);

/// IEEE half precision to single; exact.
float widenHalf(uint16_t half);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_BLOCKFORMATS_H
