//===- NarrowWeights.cpp - weights of 8 and 4 bits for the GPU ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The bits of the file in the order in which kernels read them (WarpStreamOps):
// rows of whole runs of 64 numbers, zeros behind the last. A run is four parts,
// one for each of the lanes that share a row; word j of part p has the numbers
// from (4 j + p) * 32 / bits on, the even ones in its lower half. Behind the
// rows stand the scales, row after row of groups, so that neighbouring columns
// of a product find theirs side by side.
//
//===----------------------------------------------------------------------===//
#include "cuda/NarrowWeights.h"

#include <string.h>

namespace attnrt {
namespace cuda {

static int64_t alignTo(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

static constexpr int64_t kRun = 64;

/// Exact.
static float widenHalf(uint16_t half) {
  uint32_t magnitude = static_cast<uint32_t>(half & 0x7fff) << 13, bits;
  float number;
  // Exponents are moved by a product, which makes small numbers normal; those
  // of what is not finite stay at the top.
  memcpy(&number, &magnitude, sizeof(number));
  number *= 0x1p112f;
  memcpy(&bits, &number, sizeof(bits));
  if (magnitude >= 0x0f800000)
    bits = magnitude | 0x7f800000;
  bits |= static_cast<uint32_t>(half & 0x8000) << 16;
  memcpy(&number, &bits, sizeof(number));
  return number;
}

float scaleAt(const attn_abi_panels &panels, const unsigned char *panel,
              int64_t group, int64_t place) {
  const unsigned char *scales = panel + panels.scales;
  if (panels.group) {
    uint16_t half;
    memcpy(&half, scales + 2 * (group * panels.width + place), sizeof(half));
    return widenHalf(half);
  }
  float scale;
  memcpy(&scale, scales + 4 * place, sizeof(scale));
  return scale;
}

NarrowLayout::NarrowLayout(const attn_abi_device_weight &weight) {
  const attn_abi_panels &panels = *weight.panels;
  int64_t padded = alignTo(weight.columns, kRun);
  rowBytes = padded * panels.bits / 8;
  scaleOffset = alignTo(weight.rows * rowBytes, 256);
  scaleStride = alignTo(weight.rows, 16);
  groups = panels.group ? (padded + panels.group - 1) / panels.group : 1;
  bytes = scaleOffset + groups * scaleStride * 4;
}

/// The word of four bytes with the numbers from `column` on, as panels hold
/// it; 0 behind the last.
static uint32_t panelWord(const attn_abi_device_weight &weight,
                          const unsigned char *source, int64_t row,
                          int64_t column) {
  const attn_abi_panels &panels = *weight.panels;
  int64_t pack = 32 / panels.bits;
  int64_t end = panels.scales / 4 / panels.width * pack; // with padding
  if (column >= end)
    return 0;
  uint32_t word;
  memcpy(&word,
         source + row / panels.width * panels.bytes +
             4 * (column / pack * panels.width + row % panels.width),
         sizeof(word));
  return word;
}

/// Even numbers to the lower half, odd ones to the upper.
static uint32_t parted(uint32_t word, int32_t bits) {
  uint32_t result = 0, mask = (1u << bits) - 1;
  for (int32_t k = 0; k < 32 / bits; ++k) {
    int32_t place = k / 2 + k % 2 * (16 / bits);
    result |= (word >> (bits * k) & mask) << (bits * place);
  }
  return result;
}

void NarrowLayout::writeRow(const attn_abi_device_weight &weight,
                            const unsigned char *source, int64_t row,
                            unsigned char *to) const {
  int32_t bits = weight.panels->bits;
  int64_t pack = 32 / bits, words = bits / 2; // of a part
  for (int64_t at = 0; at < rowBytes / 4; ++at) {
    int64_t within = at % (4 * words), part = within / words;
    int64_t word = at - within + 4 * (within % words) + part;
    uint32_t value = parted(panelWord(weight, source, row, word * pack), bits);
    memcpy(to + 4 * at, &value, sizeof(value));
  }
}

void NarrowLayout::writeScales(const attn_abi_device_weight &weight,
                               const unsigned char *source, int64_t group,
                               unsigned char *to) const {
  const attn_abi_panels &panels = *weight.panels;
  // Behind the file's groups there are numbers that are zeros.
  int64_t known = 1;
  if (panels.group)
    known = (weight.columns + panels.group - 1) / panels.group;
  for (int64_t row = 0; row < scaleStride; ++row) {
    float scale = 0;
    if (row < weight.rows && group < known)
      scale = scaleAt(panels, source + row / panels.width * panels.bytes, group,
                      row % panels.width);
    memcpy(to + 4 * row, &scale, sizeof(scale));
  }
}

} // namespace cuda
} // namespace attnrt
