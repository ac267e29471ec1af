//===- MaskBounds.h - loop bounds from affine masks ---------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a mask region says about key positions whatever its captures hold:
// `kv <= q`, `q - kv < 128` and their like, alone or joined by `arith.andi`,
// become bounds on kv that are linear in q. A back end visits only keys within
// them and still evaluates the whole region there, so that a condition that is
// not understood costs time and never correctness.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_SCHEDULE_MASKBOUNDS_H
#define ATTNC_COMPILER_SCHEDULE_MASKBOUNDS_H

#include "dialects/attn/Attn.h"

namespace attnc {

/// kv <= slope * q + offset, or kv >= slope * q + offset; slope is 0 or 1.
struct KeyBound {
  bool isUpper;
  int64_t slope, offset;
};

/// Every bound that the mask region implies; none without a region.
llvm::SmallVector<KeyBound> findKeyBounds(const attn::CapturedRegion &mask);

/// Whether the bounds say all that the mask does: keys within them need no
/// evaluation of the region. True without a region.
bool areBoundsExact(const attn::CapturedRegion &mask);

} // namespace attnc

#endif // ATTNC_COMPILER_SCHEDULE_MASKBOUNDS_H
