//===- UnpackPanels.cpp - weights as a library has them -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One number at a time: its bits in a word of its panel, times its scale. The
// product of at most 8 and 24 bits is exact in double precision.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/UnpackPanels.h"
#include "dialects/attn/EntryStorage.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;
using attnc::kernel::Format;

namespace attnc {

namespace {
class PanelReader {
public:
  PanelReader(kernel::PanelsAttr panels, int64_t depth, const uint8_t *panel)
      : panels(panels), width(panels.getWidth()), pack(panels.getPack()),
        group(panels.getGroup()),
        words(reinterpret_cast<const uint32_t *>(panel)),
        scales(panel + panels.getScaleOffset(depth)),
        offsets(group ? panel + panels.getOffsetsOffset(depth) : nullptr) {}

  double read(int64_t k, int64_t column) const {
    const uint32_t bits =
        words[k / pack * width + column] >> (32 / pack * (k % pack));
    const bool isAffine = panels.isAffine();
    switch (panels.getFormat()) {
    case Format::f32:
      return bit_cast<float>(bits);
    case Format::bf16:
      return bit_cast<float>(bits << 16);
    case Format::i8:
      return scale(SignExtend32<8>(bits & 0xff), k, column);
    case Format::i4:
      return scale(isAffine ? int32_t(bits & 0xf) : SignExtend32<4>(bits & 0xf),
                   k, column);
    }
    llvm_unreachable("one of the formats");
  }

private:
  double scale(int32_t steps, int64_t k, int64_t column) const {
    if (group == 0)
      return steps * double(reinterpret_cast<const float *>(scales)[column]);
    double number = steps * readOfGroup(scales, k, column);
    if (panels.isAffine())
      number += readOfGroup(offsets, k, column);
    return float(number); // as code has it; exact with scales of f16 alone
  }

  double readOfGroup(const uint8_t *from, int64_t k, int64_t column) const {
    const int64_t place = k / group * width + column;
    if (!panels.hasHalves())
      return reinterpret_cast<const float *>(from)[place];
    const uint16_t half = reinterpret_cast<const uint16_t *>(from)[place];
    return attn::fromStorage(half, APFloat::IEEEhalf());
  }

  mutable kernel::PanelsAttr panels;
  int64_t width, pack, group;
  const uint32_t *words;
  const uint8_t *scales, *offsets;
};
} // namespace

std::vector<double> unpackPanels(ArrayRef<uint8_t> packed, int64_t columns,
                                 int64_t depth, kernel::PanelsAttr panels) {
  const int64_t width = panels.getWidth();
  const int64_t panelBytes = panels.getPanelBytes(depth);
  assert(int64_t(packed.size()) == divideCeil(columns, width) * panelBytes);
  std::vector<double> numbers(columns * depth);
  for (int64_t column = 0; column < columns; ++column) {
    PanelReader reader(panels, depth,
                       packed.data() + column / width * panelBytes);
    for (int64_t k = 0; k < depth; ++k)
      numbers[column * depth + k] = reader.read(k, column % width);
  }
  return numbers;
}

} // namespace attnc
