//===- ProjectedWeight.h - products of weights alone ------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An attn.weight with `attn.projected` is computed once, when the library is
// packaged: its sources are rows [R, K], a matrix [H * D, K] and a bias
// [H * D]; where the attribute is a number, scale and shift [K] of a layer norm
// with that epsilon follow, which goes before. The weight [H, D, R] is what a
// projection of the rows gives each head, turned.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_DIALECTS_ATTN_PROJECTEDWEIGHT_H
#define ATTNC_DIALECTS_ATTN_PROJECTEDWEIGHT_H

#include "dialects/attn/Attn.h"

namespace attnc::attn {

/// A unit attribute, or a 64-bit number: the norm's epsilon.
inline constexpr llvm::StringLiteral kProjectedAttr = "attn.projected";

inline bool isProjected(WeightOp weight) {
  return weight->hasAttr(kProjectedAttr);
}

/// The epsilon of the norm before the projection, if there is one.
inline std::optional<double> getProjectionEpsilon(WeightOp weight) {
  auto epsilon = weight->getAttrOfType<mlir::FloatAttr>(kProjectedAttr);
  return epsilon ? std::optional(epsilon.getValueAsDouble()) : std::nullopt;
}

} // namespace attnc::attn

#endif // ATTNC_DIALECTS_ATTN_PROJECTEDWEIGHT_H
