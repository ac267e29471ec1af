//===- RelativeBound.cpp - how far an output may be off -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Counts the products of an entry. What the numbers mean is derived in
// Verify.h.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/RelativeBound.h"
#include <cmath>

using namespace mlir;

namespace attnc::interpret {

/// The errors e of Verify.h.
static double getFormatError(llvm::StringRef format) {
  if (format == "bf16")
    return 0x1p-9 / std::sqrt(3);
  if (format == "i8")
    return 4 / (127 * std::sqrt(12));
  return format == "i4" ? 2.2 / (8 * std::sqrt(12)) : 0;
}

/// 4 E of Verify.h, for an entry with so many products with weights, products
/// of attention, and products with what a cache keeps.
static double getNarrowBound(const NarrowFormats &formats, double products,
                             double attended, double cached) {
  const double rows = getFormatError(formats.activations);
  const double sides = std::sqrt(2) * getFormatError(formats.attention);
  return 4 * std::hypot(std::hypot(std::sqrt(products) *
                                       getFormatError(formats.weights),
                                   std::sqrt(products) * rows),
                        std::sqrt(attended) * sides,
                        std::sqrt(cached) * getFormatError(formats.cache));
}

double getRelativeBound(attn::EntryOp entry, const NarrowFormats &formats) {
  double depth = 1, products = 0, projections = 0, attended = 0, cached = 0;
  auto add = [&](int64_t contraction, int64_t count) {
    depth = std::max(depth, double(std::max<int64_t>(contraction, 1)));
    products += count;
  };
  entry.walk([&](Operation *op) {
    if (auto linear = dyn_cast<attn::LinearOp>(op))
      add(linear.getWeight().getType().getDimSize(1), 1);
    else if (auto qkv = dyn_cast<attn::QkvProjectionOp>(op))
      add(qkv.getWeight().getType().getDimSize(1), 1);
    else if (auto output = dyn_cast<attn::OutputProjectionOp>(op))
      add(output.getWeight().getType().getDimSize(1), 1);
    else if (auto matmul = dyn_cast<attn::MatmulOp>(op)) {
      add(matmul.getLhs().getType().getShape().back(), 1);
      attended += 1; // it may have become a part of an attention
    } else if (auto linear = dyn_cast<attn::HeadLinearOp>(op))
      add(linear.getWeight().getType().getDimSize(1), 1);
    else if (auto attention = dyn_cast<attn::AttentionOp>(op)) {
      add(attention.getHeadSize(), 2);
      attended += 2;
    } else if (auto attention = dyn_cast<attn::CachedAttentionOp>(op)) {
      add(attention.getHeadSize(), 2);
      cached += 2;
    }
  });
  entry.walk([&](Operation *op) {
    projections +=
        isa<attn::LinearOp, attn::QkvProjectionOp, attn::OutputProjectionOp>(
            op);
  });
  return Noise::kUnitRoundoff * (8 + std::sqrt(depth * products)) +
         getNarrowBound(formats, projections, attended, cached);
}

} // namespace attnc::interpret
