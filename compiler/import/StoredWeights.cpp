//===- StoredWeights.cpp - weights kept as their file has them ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Looks at the sources of a weight and takes their blocks apart. Numbers of
// bf16 stand alone, and may be moved by any recipe. Declined: sources of which
// some are in blocks and some are not, those that an adapter changes, recipes
// that add to elements, and with blocks those that transpose, join columns or
// regroup rows; f16, which no layout of ours holds.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/StoredWeights.h"
#include "compiler/import/BlockFormats.h"
#include "llvm/ADT/SetVector.h"
#include <algorithm>

using namespace llvm;

namespace attnc {

static bool isInBlocks(WeightType type) { return getBlock(type).elements > 1; }

StringRef getStoredFormat(const WeightTable &table, attn::WeightOp weight) {
  auto type = cast<mlir::RankedTensorType>(weight.getType());
  if (type.getRank() != 2 || weight.getPlus())
    return "";
  SmallSetVector<WeightType, 2> types;
  for (auto name : weight.getSources().getAsRange<mlir::StringAttr>()) {
    const WeightEntry *source = table.find(name.getValue());
    if (!source || !table.isPlain(name.getValue()) || source->shape.size() != 2)
      return "";
    types.insert(source->type);
  }
  if (types.size() == 1 && types[0] == WeightType::BF16)
    return "bf16";
  if (!all_of(types, isInBlocks) || weight.getTranspose() ||
      weight.getGroups() || weight.getConcat().value_or(0) != 0)
    return "";
  if (types.size() > 1)
    return "blocks";
  switch (types[0]) {
  case WeightType::Q8_0:
    return "q8_0";
  case WeightType::Q4_0:
    return "q4_0";
  case WeightType::Q4_1:
    return "q4_1";
  case WeightType::Q4_K:
    return "q4_k";
  case WeightType::Q6_K:
    return "q6_k";
  default:
    llvm_unreachable("all types in blocks are above");
  }
}

void markStoredWeights(const WeightTable &table, mlir::ModuleOp module) {
  for (auto weight : module.getOps<attn::WeightOp>())
    if (StringRef format = getStoredFormat(table, weight); !format.empty())
      weight->setAttr(attn::AttnDialect::kStoredAttr,
                      mlir::StringAttr::get(module.getContext(), format));
}

StoredBlocks readStoredBlocks(const WeightTable &table, attn::WeightOp weight,
                              int64_t first, int64_t last, int64_t group) {
  StoredBlocks result;
  BlockParts parts;
  const int64_t columns =
      cast<mlir::RankedTensorType>(weight.getType()).getDimSize(1);
  result.steps.reserve((last - first) * columns);
  result.scales.reserve((last - first) * columns / group);
  result.offsets.reserve((last - first) * columns / group);
  int64_t before = 0; // rows of sources that were passed
  for (auto name : weight.getSources().getAsRange<mlir::StringAttr>()) {
    const WeightEntry *source = table.find(name.getValue());
    assert(source && isInBlocks(source->type) && "the caller has asked");
    const WeightBlock block = getBlock(source->type);
    const int64_t own = getBlockGroup(source->type);
    assert(own % group == 0 && "groups of files are divided, not joined");
    const int64_t rows = source->shape[0];
    const int64_t rowBytes = source->shape[1] / block.elements * block.bytes;
    const int64_t begin = std::clamp(first - before, int64_t(0), rows);
    const int64_t end = std::clamp(last - before, int64_t(0), rows);
    for (int64_t at = begin * rowBytes; at < end * rowBytes;
         at += block.bytes) {
      splitBlock(source->type, source->bytes.data() + at, parts);
      result.steps.insert(result.steps.end(), parts.steps,
                          parts.steps + block.elements);
      for (int64_t k = 0; k < block.elements; k += group) {
        result.scales.push_back(parts.scales[k / own]);
        result.offsets.push_back(parts.offsets[k / own]);
      }
    }
    before += rows;
  }
  assert(last <= before && "the weight has as many rows");
  return result;
}

} // namespace attnc
