//===- PackWeights.cpp - weights as generated code reads them -------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One column of the product, which is a row of the weight, at a time: its
// numbers become bf16, or integers and a scale, and go to their words.
// Quantizing rounds to the nearest step, ties to even; steps are searched for
// (ByteScale.h, FourBitScale.h). A column (group) of zeros has the scale 0. A
// number that is not finite makes its scale NaN or infinite, so that it shows
// in every result. Scales of groups are rounded to f16 first, and steps are
// those of what is kept. Of the two f16 beside a scale below 2^-14, which are
// far apart, the one that loses less is kept. A scale beyond 65504 is that
// where its steps reach all numbers, and else infinite: findLostGroup tells.
// Blocks of a model's file come as steps with scales, which go where they
// belong.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/PackWeights.h"
#include "compiler/package/ByteScale.h"
#include "compiler/package/FourBitScale.h"
#include "compiler/package/GuessLanes.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cmath>
#include <cstring>

using namespace llvm;
using attnc::kernel::Format;

namespace attnc {
namespace {

/// The upper half of the nearest f32 with 8 bits of mantissa; a NaN stays one.
uint16_t toBf16(float number) {
  const uint32_t bits = bit_cast<uint32_t>(number);
  if (std::isnan(number))
    return static_cast<uint16_t>(bits >> 16) | 0x40;
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// The nearest f16, ties to even; a NaN stays one.
uint16_t toHalf(float number) {
  constexpr uint32_t kInfinity = 0x7f800000, kLeastNormal = 0x38800000;
  const uint32_t all = bit_cast<uint32_t>(number);
  const uint32_t bits = all & 0x7fffffff, sign = all >> 16 & 0x8000;
  if (bits > kInfinity)
    return sign | 0x7e00;
  if (bits >= 0x477ff000) // rounds to 2^16 or more
    return sign | 0x7c00;
  if (bits < kLeastNormal) // whole multiples of 2^-24
    return sign | static_cast<uint16_t>(
                      std::nearbyint(bit_cast<float>(bits) * 0x1p24f));
  const uint32_t rounded = bits + 0xfff + (bits >> 13 & 1);
  return sign | (rounded - 0x38000000) >> 13;
}

float widenHalf(uint16_t half) {
  const uint32_t magnitude = uint32_t(half & 0x7fff) << 13;
  // Exponents are moved by a product, which makes small numbers normal; those
  // of what is not finite stay at the top.
  const uint32_t bits =
      magnitude >= 0x0f800000
          ? magnitude | 0x7f800000
          : bit_cast<uint32_t>(bit_cast<float>(magnitude) * 0x1p112f);
  return bit_cast<float>(bits | uint32_t(half & 0x8000) << 16);
}

/// Writes one panel.
class PanelWriter {
public:
  PanelWriter(kernel::PanelsAttr panels, int64_t depth, uint8_t *panel)
      : depth(depth), width(panels.getWidth()), pack(panels.getPack()),
        group(panels.getGroup()), format(panels.getFormat()),
        words(reinterpret_cast<uint32_t *>(panel)),
        scales(reinterpret_cast<float *>(panel + panels.getScaleOffset(depth))),
        sums(reinterpret_cast<int32_t *>(scales + width)),
        halves(reinterpret_cast<uint16_t *>(scales)) {}

  void write(ArrayRef<float> numbers, int64_t column) {
    switch (format) {
    case Format::f32:
      for (int64_t k = 0; k < depth; ++k)
        put(k, column, bit_cast<uint32_t>(numbers[k]));
      return;
    case Format::bf16:
      for (int64_t k = 0; k < depth; ++k)
        put(k, column, toBf16(numbers[k]));
      return;
    case Format::i8:
      if (group == 0)
        return writeBytes(numbers, column);
      break;
    case Format::i4:
      break;
    }
    for (int64_t k = 0; k < depth; k += group) {
      ArrayRef<float> members = numbers.slice(k, std::min(group, depth - k));
      writeGroup(members, findScale(members), k, column);
    }
  }

private:
  void put(int64_t k, int64_t column, uint32_t bits) {
    words[k / pack * width + column] |= bits << (32 / pack * (k % pack));
  }

  /// Puts the nearest whole steps from `least` to `most` in the place of
  /// numbers that begin at a word, and adds them up.
  int32_t putSteps(ArrayRef<float> numbers, int64_t first, int64_t column,
                   float scale, float least, float most) {
    // All are zero, or one is none.
    if (scale == 0 || !std::isfinite(scale))
      return 0;
    const uint32_t bits = 32 / pack, mask = (1u << bits) - 1;
    uint32_t *word = words + first / pack * width + column;
    int32_t sum = 0;
    for (size_t from = 0; from < numbers.size(); from += kGuessLanes) {
      const size_t count = std::min(kGuessLanes, numbers.size() - from);
      GuessLanes some = {};
      std::memcpy(&some, numbers.data() + from, count * sizeof(float));
      some = roundGuess(some / spreadGuess(scale), least, most);
      for (size_t i = 0; i < count; ++i) {
        const int32_t q = static_cast<int32_t>(some[i]);
        word[i / pack * width] |= (uint32_t(q) & mask) << (bits * (i % pack));
        sum += q;
      }
      word += kGuessLanes / pack * width;
    }
    return sum;
  }

  /// A column whole. Searching for its scale would win 5% of its error, of
  /// which rows of i8 hide most.
  void writeBytes(ArrayRef<float> numbers, int64_t column) {
    const float scale = getFullByteScale(numbers);
    scales[column] = scale;
    sums[column] = -putSteps(numbers, 0, column, scale, -127, 127);
  }

  /// Of a group.
  float findScale(ArrayRef<float> numbers) {
    return format == Format::i8 ? findByteScale(numbers)
                                : findFourBitScale(numbers);
  }
  float mostSteps() const { return format == Format::i8 ? 127 : 7; }

  float fewestSteps() const { return format == Format::i8 ? -127 : -8; }

  /// What whole steps of a scale lose.
  double findLoss(ArrayRef<float> numbers, float scale) const {
    double loss = 0;
    for (float number : numbers) {
      const float steps =
          scale == 0 ? 0
                     : std::clamp(number / scale, fewestSteps(), mostSteps());
      const double rest = number - double(std::nearbyint(steps)) * scale;
      loss += rest * rest;
    }
    return loss;
  }

  /// The f16 for a scale.
  uint16_t chooseHalf(ArrayRef<float> numbers, float exact) const {
    constexpr uint16_t kMagnitude = 0x7fff, kLeastNormal = 0x400;
    const uint16_t nearest = toHalf(exact);
    const float kept = widenHalf(nearest);
    if (kept == exact || (nearest & kMagnitude) >= kLeastNormal)
      return nearest;
    const bool isLess = std::fabs(kept) < std::fabs(exact);
    const uint16_t other = isLess ? nearest + 1 : nearest - 1;
    return findLoss(numbers, widenHalf(other)) < findLoss(numbers, kept)
               ? other
               : nearest;
  }

  /// The largest scale, if the fewest steps of it, or as many of the other
  /// sign, reach the largest number; else `exact`.
  float limitScale(ArrayRef<float> numbers, float exact) const {
    constexpr float kMost = 65504;
    if (!(std::fabs(exact) > kMost) || !std::isfinite(exact))
      return exact;
    const float largest = *llvm::max_element(
        numbers, [](float a, float b) { return std::fabs(a) < std::fabs(b); });
    return std::fabs(largest) <= -fewestSteps() * kMost
               ? -std::copysign(kMost, largest)
               : exact;
  }

  void writeGroup(ArrayRef<float> numbers, float exact, int64_t first,
                  int64_t column) {
    exact = limitScale(numbers, exact);
    const uint16_t half = chooseHalf(numbers, exact);
    const float scale = widenHalf(half);
    putSteps(numbers, first, column, scale, fewestSteps(), mostSteps());
    halves[first / group * width + column] = half;
  }

  int64_t depth, width, pack, group;
  Format format;
  uint32_t *words;
  float *scales;
  int32_t *sums;
  uint16_t *halves; ///< scales of groups
};

} // namespace

std::vector<uint8_t> packPanels(ArrayRef<float> weight, int64_t columns,
                                int64_t depth, kernel::PanelsAttr panels) {
  assert(panels.getScales() == kernel::Scales::f16 &&
         "others are a file's own");
  const int64_t width = panels.getWidth();
  const int64_t panelBytes = panels.getPanelBytes(depth);
  std::vector<uint8_t> packed(divideCeil(columns, width) * panelBytes);
  for (int64_t column = 0; column < columns; ++column)
    PanelWriter(panels, depth, packed.data() + column / width * panelBytes)
        .write(weight.slice(column * depth, depth), column % width);
  return packed;
}

std::vector<uint8_t> packBlocks(const StoredBlocks &blocks, int64_t columns,
                                int64_t depth, kernel::PanelsAttr panels) {
  const int64_t width = panels.getWidth(), pack = panels.getPack();
  const int64_t panelBytes = panels.getPanelBytes(depth);
  const int64_t groups = divideCeil(depth, panels.getGroup());
  const uint32_t bits = 32 / pack, mask = (1u << bits) - 1;
  std::vector<uint8_t> packed(divideCeil(columns, width) * panelBytes);
  for (int64_t column = 0; column < columns; ++column) {
    uint8_t *panel = packed.data() + column / width * panelBytes;
    const int64_t lane = column % width;
    auto *words = reinterpret_cast<uint32_t *>(panel);
    for (int64_t k = 0; k < depth; ++k)
      words[k / pack * width + lane] |=
          (uint32_t(blocks.steps[column * depth + k]) & mask)
          << (bits * (k % pack));
    auto put = [&](int64_t at, const std::vector<float> &numbers) {
      for (int64_t group = 0; group < groups; ++group) {
        const float number = numbers[column * groups + group];
        const int64_t place = group * width + lane;
        if (panels.hasHalves())
          reinterpret_cast<uint16_t *>(panel + at)[place] = toHalf(number);
        else
          reinterpret_cast<float *>(panel + at)[place] = number;
      }
    };
    put(panels.getScaleOffset(depth), blocks.scales);
    if (panels.isAffine())
      put(panels.getOffsetsOffset(depth), blocks.offsets);
  }
  return packed;
}

std::optional<LostGroup> findLostGroup(ArrayRef<float> weight, int64_t columns,
                                       int64_t depth, kernel::PanelsAttr panels,
                                       ArrayRef<uint8_t> packed) {
  constexpr uint16_t kMagnitude = 0x7fff, kInfinity = 0x7c00;
  const int64_t width = panels.getWidth(), group = panels.getGroup();
  const int64_t panelBytes = panels.getPanelBytes(depth);
  if (group == 0)
    return std::nullopt;
  for (int64_t column = 0; column < columns; ++column)
    for (int64_t first = 0; first < depth; first += group) {
      uint16_t half;
      std::memcpy(&half,
                  packed.data() + column / width * panelBytes +
                      panels.getScaleOffset(depth) +
                      sizeof(half) * (first / group * width + column % width),
                  sizeof(half));
      if ((half & kMagnitude) != kInfinity)
        continue;
      ArrayRef<float> numbers =
          weight.slice(column * depth + first, std::min(group, depth - first));
      float largest = 0;
      for (float number : numbers)
        largest = std::max(largest, std::fabs(number));
      if (llvm::all_of(numbers, [](float x) { return std::isfinite(x); }))
        return LostGroup{column, first, int64_t(numbers.size()), largest};
    }
  return std::nullopt;
}

} // namespace attnc
