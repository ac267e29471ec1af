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
// in every result. Groups that come with their scales hold whole steps of them:
// dividing gives these back.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/PackWeights.h"
#include "compiler/package/ByteScale.h"
#include "compiler/package/FourBitScale.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/MathExtras.h"
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

/// Writes one panel.
class PanelWriter {
public:
  PanelWriter(kernel::PanelsAttr panels, int64_t depth, uint8_t *panel)
      : depth(depth), width(panels.getWidth()), pack(panels.getPack()),
        group(panels.getGroup()), format(panels.getFormat()),
        words(reinterpret_cast<uint32_t *>(panel)),
        scales(reinterpret_cast<float *>(panel + panels.getScaleOffset(depth))),
        sums(reinterpret_cast<int32_t *>(scales + width)) {}

  /// `given` is empty, or the scales of the column's groups.
  void write(ArrayRef<float> numbers, int64_t column, ArrayRef<float> given) {
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
      if (given.empty())
        writeGroup(members, findScale(members), k, column,
                   format == Format::i8 ? 127 : 8);
      else
        writeGroup(members, given[k / group], k, column, mostSteps() + 1);
    }
  }

private:
  void put(int64_t k, int64_t column, uint32_t bits) {
    words[k / pack * width + column] |= bits << (32 / pack * (k % pack));
  }

  /// The nearest number of steps; 0 where there is none.
  static int32_t quantize(float number, float scale, int32_t least,
                          int32_t most) {
    const double steps = std::nearbyint(double(number) / scale);
    if (std::isnan(steps))
      return 0;
    return static_cast<int32_t>(std::clamp<double>(steps, least, most));
  }

  /// A column whole. Searching for its scale would win 5% of its error, of
  /// which rows of i8 hide most.
  void writeBytes(ArrayRef<float> numbers, int64_t column) {
    const float scale = getFullByteScale(numbers);
    int32_t sum = 0;
    for (int64_t k = 0; k < depth; ++k) {
      const int32_t q = quantize(numbers[k], scale, -127, 127);
      put(k, column, q & 0xff);
      sum += q;
    }
    scales[column] = scale;
    sums[column] = -128 * sum;
  }

  /// Of a group.
  float findScale(ArrayRef<float> numbers) {
    return format == Format::i8 ? findByteScale(numbers)
                                : findFourBitScale(numbers);
  }
  int32_t mostSteps() const { return format == Format::i8 ? 127 : 7; }

  /// From -`below` steps on.
  void writeGroup(ArrayRef<float> numbers, float scale, int64_t first,
                  int64_t column, int32_t below) {
    const int32_t bits = format == Format::i8 ? 0xff : 0xf;
    for (int64_t i = 0; i < int64_t(numbers.size()); ++i)
      put(first + i, column,
          quantize(numbers[i], scale, -below, mostSteps()) & bits);
    scales[first / group * width + column] = scale;
  }

  int64_t depth, width, pack, group;
  Format format;
  uint32_t *words;
  float *scales;
  int32_t *sums;
};

} // namespace

std::vector<uint8_t> packPanels(ArrayRef<float> weight, int64_t columns,
                                int64_t depth, kernel::PanelsAttr panels,
                                ArrayRef<float> scales) {
  const int64_t width = panels.getWidth();
  const int64_t panelBytes = panels.getPanelBytes(depth);
  const int64_t groups = scales.size() / columns;
  std::vector<uint8_t> packed(divideCeil(columns, width) * panelBytes);
  for (int64_t column = 0; column < columns; ++column)
    PanelWriter(panels, depth, packed.data() + column / width * panelBytes)
        .write(weight.slice(column * depth, depth), column % width,
               scales.slice(column * groups, groups));
  return packed;
}

} // namespace attnc
