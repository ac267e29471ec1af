//===- KernelLayouts.cpp - how weights lie in panels ----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// #kernel.panels: its text form, `<WIDTH>`, `<WIDTH, FORMAT>`,
// `<WIDTH, i4, group G>` or `<WIDTH, i4, group G, f32_affine>`, and the sizes
// that packing and code share; the panels of a precision, and the precision of
// what a file stores.
//
//===----------------------------------------------------------------------===//
#include "dialects/kernel/Kernel.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace attnc::kernel {

static constexpr int64_t kWordBytes = 4;

Attribute PanelsAttr::parse(AsmParser &parser, Type) {
  int64_t width = 0, group = 0;
  Format format = Format::f32;
  if (parser.parseLess() || parser.parseInteger(width))
    return {};
  if (succeeded(parser.parseOptionalComma())) {
    FailureOr<Format> parsed = FieldParser<Format>::parse(parser);
    if (failed(parsed))
      return {};
    format = *parsed;
  }
  bool hasScales = succeeded(parser.parseOptionalComma());
  if (hasScales && succeeded(parser.parseOptionalKeyword("group"))) {
    if (parser.parseInteger(group))
      return {};
    hasScales = succeeded(parser.parseOptionalComma());
  }
  Scales scales = Scales::f16;
  if (hasScales) {
    FailureOr<Scales> parsed = FieldParser<Scales>::parse(parser);
    if (failed(parsed))
      return {};
    scales = *parsed;
  }
  if (parser.parseGreater())
    return {};
  return get(parser.getContext(), width, format, group, scales);
}

void PanelsAttr::print(AsmPrinter &printer) const {
  printer << "<" << getWidth();
  if (getFormat() != Format::f32)
    printer << ", " << stringifyFormat(getFormat());
  if (getGroup() != 0)
    printer << ", group " << getGroup();
  if (getScales() != Scales::f16)
    printer << ", " << stringifyScales(getScales());
  printer << ">";
}

int64_t PanelsAttr::getPack() {
  switch (getFormat()) {
  case Format::f32:
    return 1;
  case Format::bf16:
    return 2;
  case Format::i8:
    return 4;
  case Format::i4:
    return 8;
  }
  llvm_unreachable("all formats are above");
}

int64_t PanelsAttr::getPaddedDepth(int64_t depth) {
  // A row of an AMX tile is 64 bytes of depth, or sixteen words.
  constexpr int64_t kTileWords = 16;
  switch (getFormat()) {
  case Format::f32:
    return depth;
  case Format::bf16:
  case Format::i8:
    return llvm::alignTo(depth,
                         getGroup() ? getGroup() : kTileWords * getPack());
  case Format::i4:
    return llvm::alignTo(depth, getGroup());
  }
  llvm_unreachable("all formats are above");
}

int64_t PanelsAttr::getScaleOffset(int64_t depth) {
  return getPaddedDepth(depth) / getPack() * getWidth() * kWordBytes;
}

int64_t PanelsAttr::getOffsetsOffset(int64_t depth) {
  return getScaleOffset(depth) +
         getPaddedDepth(depth) / getGroup() * getWidth() * getScaleBytes();
}

int64_t PanelsAttr::getPanelBytes(int64_t depth) {
  // Words of the next panel are loaded as whole lines.
  constexpr int64_t kLineBytes = 64;
  const int64_t words = getScaleOffset(depth);
  if (getGroup()) {
    const int64_t scales = getOffsetsOffset(depth) - words;
    return words + llvm::alignTo(isAffine() ? 2 * scales : scales, kLineBytes);
  }
  // Scales and sums.
  return getFormat() == Format::i8 ? words + 2 * getWidth() * kWordBytes
                                   : words;
}

PrecisionAttr PrecisionAttr::getStored(MLIRContext *context, StringRef stored,
                                       Format activations) {
  struct Groups {
    Format format;
    int64_t group;
    Scales scales;
  };
  if (stored == "bf16")
    return get(context, Format::bf16, Format::f32, /*group=*/0,
               /*stored=*/true);
  const Groups groups =
      llvm::StringSwitch<Groups>(stored)
          .Case("q8_0", {Format::i8, 32, Scales::f16})
          .Case("q4_0", {Format::i4, 32, Scales::f16})
          .Case("q4_1", {Format::i4, 32, Scales::f16_affine})
          .Case("q4_k", {Format::i4, 32, Scales::f32_affine})
          .Case("q6_k", {Format::i8, 16, Scales::f32})
          .Case("blocks", {Format::i8, 16, Scales::f32_affine});
  return get(context, groups.format, activations, groups.group,
             /*stored=*/true, groups.scales);
}

PanelsAttr PrecisionAttr::getPanels(int64_t width) {
  return PanelsAttr::get(getContext(), width, getWeights(), getGroup(),
                         getScales());
}

int64_t BlocksAttr::getElementBytes() {
  switch (getFormat()) {
  case Format::f32:
    return 4;
  case Format::bf16:
    return 2;
  case Format::i8:
    return 1;
  case Format::i4:
    break;
  }
  llvm_unreachable("verified: states are not kept as i4");
}

int64_t BlocksAttr::getRowElements(int64_t columns) {
  // Vectors of narrow elements are read whole: masks cost more there.
  constexpr int64_t kVector = 16;
  return getFormat() == Format::f32 || getTransposed()
             ? columns
             : llvm::alignTo(columns, kVector);
}

int64_t BlocksAttr::getHeadBytes(int64_t columns) {
  const int64_t scaleBytes = getFormat() == Format::i8 ? sizeof(float) : 0;
  return getPositions() *
         (getRowElements(columns) * getElementBytes() + scaleBytes);
}

} // namespace attnc::kernel
