//===- BlockFormats.cpp - numbers in blocks with scales -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per format takes a block apart; one puts its numbers together.
// Scales are exact: a half times a whole number of 6 or 8 bits. So are products
// with steps where something is added to them, so that what the reference
// computes in its order, these give to the last bit, fused or not.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/BlockFormats.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/Endian.h"
#include <cmath>
#include <cstring>

namespace attnc {

float widenHalf(uint16_t half) {
  uint32_t sign = uint32_t(half & 0x8000) << 16;
  uint32_t exponent = (half >> 10) & 0x1f;
  uint32_t mantissa = half & 0x3ff;
  if (exponent == 0) { // zero and subnormal numbers: mantissa * 2^-24
    float value = std::ldexp(static_cast<float>(mantissa), -24);
    return sign ? -value : value;
  }
  bool isFinite = exponent != 0x1f;
  uint32_t bits = isFinite ? sign | (exponent + 112) << 23 | mantissa << 13
                           : sign | 0x7f800000 | mantissa << 13;
  return llvm::bit_cast<float>(bits);
}

static float readHalf(const uint8_t *from) {
  return widenHalf(llvm::support::endian::read16le(from));
}

/// Of formats without offsets: adding it leaves zeros their sign.
static constexpr float kNoOffset = -0.0f;

/// f16 scale, 32 bytes.
static void splitQ8_0(const uint8_t *from, BlockParts &parts) {
  parts.scales[0] = readHalf(from);
  parts.offsets[0] = kNoOffset;
  std::memcpy(parts.steps, from + 2, 32);
}

/// 16 bytes of two nibbles: elements i and i + 16.
static void splitNibbles(const uint8_t *from, int least, int8_t *steps) {
  for (int i = 0; i < 16; ++i) {
    steps[i] = static_cast<int8_t>((from[i] & 15) + least);
    steps[i + 16] = static_cast<int8_t>((from[i] >> 4) + least);
  }
}

/// f16 scale, nibbles; offset 8.
static void splitQ4_0(const uint8_t *from, BlockParts &parts) {
  parts.scales[0] = readHalf(from);
  parts.offsets[0] = kNoOffset;
  splitNibbles(from + 2, -8, parts.steps);
}

/// f16 scale, f16 minimum, nibbles.
static void splitQ4_1(const uint8_t *from, BlockParts &parts) {
  parts.scales[0] = readHalf(from);
  parts.offsets[0] = readHalf(from + 2);
  splitNibbles(from + 4, 0, parts.steps);
}

/// Scale and minimum of group `group` of eight, 6 bits each, of the 12 bytes of
/// a Q4_K block.
static std::pair<int, int> readScales(const uint8_t *packed, int group) {
  if (group < 4)
    return {packed[group] & 63, packed[group + 4] & 63};
  return {(packed[group + 4] & 15) | (packed[group - 4] >> 6) << 4,
          (packed[group + 4] >> 4) | (packed[group] >> 6) << 4};
}

/// f16 scale of the scales, f16 scale of the minima, 12 bytes of both, 128
/// bytes: each 32 hold a group of 32 in their low and one in their high
/// nibbles. Minima are taken off.
static void splitQ4_K(const uint8_t *from, BlockParts &parts) {
  const float scale = readHalf(from), least = readHalf(from + 2);
  for (int group = 0; group < 8; ++group) {
    auto [steps, minimum] = readScales(from + 4, group);
    parts.scales[group] = scale * static_cast<float>(steps);
    parts.offsets[group] = -(least * static_cast<float>(minimum));
    const uint8_t *nibbles = from + 16 + 32 * (group / 2);
    for (int i = 0; i < 32; ++i)
      parts.steps[32 * group + i] =
          static_cast<int8_t>(nibbles[i] >> 4 * (group % 2) & 15);
  }
}

/// 128 bytes of low nibbles, 64 bytes of upper pairs of bits, 16 signed scales,
/// f16 scale of the scales; offset 32.
static void splitQ6_K(const uint8_t *from, BlockParts &parts) {
  const float scale = readHalf(from + 208);
  for (int group = 0; group < 16; ++group) {
    parts.scales[group] =
        scale * static_cast<float>(static_cast<int8_t>(from[192 + group]));
    parts.offsets[group] = kNoOffset;
  }
  for (int half = 0; half < 2; ++half) {
    const uint8_t *nibbles = from + 64 * half, *pairs = from + 128 + 32 * half;
    for (int i = 0; i < 128; ++i) {
      const int quarter = i / 32, lane = i % 32;
      const uint8_t byte = nibbles[lane + 32 * (quarter % 2)];
      const int low = quarter < 2 ? byte & 15 : byte >> 4;
      const int high = pairs[lane] >> 2 * quarter & 3;
      parts.steps[128 * half + i] = static_cast<int8_t>((low | high << 4) - 32);
    }
  }
}

int64_t getBlockGroup(WeightType type) {
  return type == WeightType::Q6_K ? 16 : 32;
}

void splitBlock(WeightType type, const uint8_t *from, BlockParts &parts) {
  switch (type) {
  case WeightType::Q8_0:
    return splitQ8_0(from, parts);
  case WeightType::Q4_0:
    return splitQ4_0(from, parts);
  case WeightType::Q4_1:
    return splitQ4_1(from, parts);
  case WeightType::Q4_K:
    return splitQ4_K(from, parts);
  case WeightType::Q6_K:
    return splitQ6_K(from, parts);
  default:
    llvm_unreachable("elements that stand alone have no blocks");
  }
}

void decodeBlocks(WeightType type, const uint8_t *from, float *to,
                  size_t blocks) {
  const WeightBlock block = getBlock(type);
  const int64_t group = getBlockGroup(type);
  BlockParts parts;
  for (size_t i = 0; i < blocks; ++i) {
    splitBlock(type, from + i * block.bytes, parts);
    for (int64_t first = 0; first < block.elements; first += group)
      for (int64_t k = first; k < first + group; ++k)
        *to++ =
            static_cast<float>(parts.steps[k]) * parts.scales[first / group] +
            parts.offsets[first / group];
  }
}

} // namespace attnc
