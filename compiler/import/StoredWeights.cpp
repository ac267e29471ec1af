//===- StoredWeights.cpp - weights kept as their file has them ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Looks at the sources of a weight and reads the scales off their blocks: Q8_0
// and Q4_0 begin a block with its scale, a half. Numbers of bf16 stand alone,
// and may be moved by any recipe. Declined: sources of several types, those
// that an adapter changes, recipes that add to elements, and with blocks those
// that transpose, join columns or regroup rows; f16, which no layout of ours
// holds.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/StoredWeights.h"
#include "compiler/import/BlockFormats.h"
#include "llvm/Support/Endian.h"

using namespace llvm;

namespace attnc {

StringRef getStoredFormat(const WeightTable &table, attn::WeightOp weight) {
  auto type = cast<mlir::RankedTensorType>(weight.getType());
  if (type.getRank() != 2 || weight.getPlus())
    return "";
  std::optional<WeightType> common;
  for (auto name : weight.getSources().getAsRange<mlir::StringAttr>()) {
    const WeightEntry *source = table.find(name.getValue());
    if (!source || !table.isPlain(name.getValue()) ||
        source->shape.size() != 2 ||
        source->type != common.value_or(source->type))
      return "";
    common = source->type;
  }
  if (common == WeightType::BF16)
    return "bf16";
  if (weight.getTranspose() || weight.getGroups() ||
      weight.getConcat().value_or(0) != 0)
    return "";
  if (common == WeightType::Q8_0)
    return "i8";
  return common == WeightType::Q4_0 ? "i4" : "";
}

void markStoredWeights(const WeightTable &table, mlir::ModuleOp module) {
  for (auto weight : module.getOps<attn::WeightOp>())
    if (StringRef format = getStoredFormat(table, weight); !format.empty())
      weight->setAttr(attn::AttnDialect::kStoredAttr,
                      mlir::StringAttr::get(module.getContext(), format));
}

std::vector<float> readStoredScales(const WeightTable &table,
                                    attn::WeightOp weight) {
  assert(!getStoredFormat(table, weight).empty() && "the caller has asked");
  std::vector<float> scales;
  for (auto name : weight.getSources().getAsRange<mlir::StringAttr>()) {
    const WeightEntry *source = table.find(name.getValue());
    WeightBlock block = getBlock(source->type);
    assert(block.elements == kStoredGroup && "one scale for each group");
    for (size_t at = 0; at < source->bytes.size(); at += block.bytes)
      scales.push_back(
          widenHalf(support::endian::read16le(source->bytes.data() + at)));
  }
  return scales;
}

} // namespace attnc
