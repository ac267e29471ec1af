//===- BlockFormats.cpp - numbers in blocks with scales -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per format. The order of multiplications is the reference's, so
// that the numbers are the same to the last bit; contraction to fused
// operations would change them.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/BlockFormats.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/Endian.h"
#include <cmath>

#pragma STDC FP_CONTRACT OFF

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

/// f16 scale, 32 bytes.
static void decodeQ8_0(const uint8_t *from, float *to) {
  float scale = readHalf(from);
  for (int i = 0; i < 32; ++i)
    to[i] = static_cast<int8_t>(from[2 + i]) * scale;
}

/// f16 scale, 16 bytes of two nibbles: elements i and i + 16; offset 8.
static void decodeQ4_0(const uint8_t *from, float *to) {
  float scale = readHalf(from);
  for (int i = 0; i < 16; ++i) {
    int low = from[2 + i] & 15, high = from[2 + i] >> 4;
    to[i] = static_cast<float>(low - 8) * scale;
    to[i + 16] = static_cast<float>(high - 8) * scale;
  }
}

/// f16 scale, f16 minimum, nibbles as in Q4_0.
static void decodeQ4_1(const uint8_t *from, float *to) {
  float scale = readHalf(from), least = readHalf(from + 2);
  for (int i = 0; i < 16; ++i) {
    to[i] = static_cast<float>(from[4 + i] & 15) * scale + least;
    to[i + 16] = static_cast<float>(from[4 + i] >> 4) * scale + least;
  }
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
/// nibbles.
static void decodeQ4_K(const uint8_t *from, float *to) {
  float scale = readHalf(from), least = readHalf(from + 2);
  for (int pair = 0; pair < 4; ++pair) {
    const uint8_t *nibbles = from + 16 + 32 * pair;
    auto [scaleLow, leastLow] = readScales(from + 4, 2 * pair);
    auto [scaleHigh, leastHigh] = readScales(from + 4, 2 * pair + 1);
    float low = scale * scaleLow, lowLeast = least * leastLow;
    float high = scale * scaleHigh, highLeast = least * leastHigh;
    for (int i = 0; i < 32; ++i) {
      to[64 * pair + i] = low * (nibbles[i] & 15) - lowLeast;
      to[64 * pair + 32 + i] = high * (nibbles[i] >> 4) - highLeast;
    }
  }
}

/// 128 bytes of low nibbles, 64 bytes of upper pairs of bits, 16 signed scales,
/// f16 scale of the scales; offset 32.
static void decodeQ6_K(const uint8_t *from, float *to) {
  float scale = readHalf(from + 208);
  for (int half = 0; half < 2; ++half) {
    const uint8_t *nibbles = from + 64 * half, *pairs = from + 128 + 32 * half;
    const uint8_t *scales = from + 192 + 8 * half;
    for (int i = 0; i < 128; ++i) {
      int quarter = i / 32, lane = i % 32;
      uint8_t byte = nibbles[lane + 32 * (quarter % 2)];
      int low = quarter < 2 ? byte & 15 : byte >> 4;
      int value = (low | (pairs[lane] >> 2 * quarter & 3) << 4) - 32;
      float step = scale * static_cast<int8_t>(scales[i / 16]);
      to[128 * half + i] = step * value;
    }
  }
}

void decodeBlocks(WeightType type, const uint8_t *from, float *to,
                  size_t blocks) {
  void (*decode)(const uint8_t *, float *) = nullptr;
  switch (type) {
  case WeightType::Q8_0:
    decode = decodeQ8_0;
    break;
  case WeightType::Q4_0:
    decode = decodeQ4_0;
    break;
  case WeightType::Q4_1:
    decode = decodeQ4_1;
    break;
  case WeightType::Q4_K:
    decode = decodeQ4_K;
    break;
  case WeightType::Q6_K:
    decode = decodeQ6_K;
    break;
  default:
    llvm_unreachable("elements that stand alone have no blocks");
  }
  WeightBlock block = getBlock(type);
  for (size_t i = 0; i < blocks; ++i)
    decode(from + i * block.bytes, to + i * block.elements);
}

} // namespace attnc
