//===- NarrowProducts.cpp - numbers as narrow formats keep them -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// bf16 rounds to 8 bits, ties to even. i8 rounds to steps of the largest
// magnitude / 127, in rows of products to 254 between the lowest number and the
// highest, i4 to steps of the number of largest magnitude / -8, from -8
// to 7 of them; a compiler may find a better step for a group of i4. Numbers
// that are not finite stay as they are.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/NarrowProducts.h"
#include <algorithm>
#include <cmath>

namespace attnc::interpret {

/// A whole number beside `number`: the nearest one, or one that is drawn.
static double toWhole(double number, Draw draw, int64_t index) {
  if (!draw.noise)
    return std::nearbyint(number);
  return std::floor(number + (draw.noise->at(draw.first + index) + 1) / 2);
}

static double roundToBf16(double number, Draw draw, int64_t index) {
  constexpr int kBits = 8;
  int exponent = 0;
  std::frexp(number, &exponent);
  const double step = std::ldexp(1.0, exponent - kBits);
  return toWhole(number / step, draw, index) * step;
}

/// Rounds to whole steps of `step`, of which there are from `least` to `most`.
static void roundToSteps(double *numbers, int64_t count, double step,
                         double least, double most, Draw draw) {
  if (!std::isfinite(step) || step == 0)
    return;
  for (int64_t i = 0; i < count; ++i)
    if (std::isfinite(numbers[i]))
      numbers[i] =
          std::clamp(toWhole(numbers[i] / step, draw, i), least, most) * step;
}

void roundTo(llvm::StringRef format, double *numbers, int64_t count,
             Draw draw) {
  if (format == "f32")
    return;
  if (format == "bf16") {
    for (int64_t i = 0; i < count; ++i)
      if (numbers[i] != 0 && std::isfinite(numbers[i]))
        numbers[i] = roundToBf16(numbers[i], draw, i);
    return;
  }
  double largest = 0;
  for (int64_t i = 0; i < count; ++i)
    if (std::fabs(numbers[i]) > std::fabs(largest))
      largest = numbers[i];
  if (format == "i8")
    roundToSteps(numbers, count, std::fabs(largest) / 127, -127, 127, draw);
  else
    roundToSteps(numbers, count, largest / -8, -8, 7, draw);
}

void roundKept(llvm::StringRef format, double *numbers, int64_t count,
               Draw draw) {
  // False for a NaN, which stays.
  if (format == "i8" && std::all_of(numbers, numbers + count, [](double x) {
        return std::fabs(x) < 0x1p-100;
      }))
    std::fill_n(numbers, count, 0.0);
  else
    roundTo(format, numbers, count, draw);
}

void roundRow(llvm::StringRef format, double *numbers, int64_t count,
              Draw draw) {
  if (format != "i8")
    return roundTo(format, numbers, count, draw);
  double lowest = 0, highest = 0;
  for (int64_t i = 0; i < count; ++i) {
    lowest = std::min(lowest, numbers[i]);
    highest = std::max(highest, numbers[i]);
  }
  // 254 steps leave room for both roundings of the last one.
  const double step = highest / 254 - lowest / 254;
  if (!std::isfinite(step) || step == 0)
    return;
  const bool isZero = step < 0x1p-107;
  const double zero = std::nearbyint(-lowest / step);
  for (int64_t i = 0; i < count; ++i)
    if (std::isfinite(numbers[i]) && isZero) {
      numbers[i] = 0;
    } else if (std::isfinite(numbers[i])) {
      const double whole = toWhole(numbers[i] / step + zero, draw, i);
      numbers[i] = (std::clamp(whole, 0.0, 255.0) - zero) * step;
    }
}

void roundColumn(const NarrowFormats &formats, double *numbers, int64_t depth,
                 Draw draw) {
  const int64_t group = formats.group ? formats.group : depth;
  for (int64_t k = 0; k < depth; k += group)
    roundTo(formats.weights, numbers + k, std::min(group, depth - k),
            {draw.noise, draw.first + k});
}

} // namespace attnc::interpret
