//===- AttentionTiles.h - what attention by AMX keeps in scratch -*- C++
//-*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The block that attention by tiles works on, and the memory that a worker
// needs for it. ChooseTiles asks for that memory and compiler/cpu uses it, both
// by these numbers.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_SCHEDULE_ATTENTIONTILES_H
#define ATTNC_COMPILER_SCHEDULE_ATTENTIONTILES_H

#include "dialects/attn/SizeExpr.h"
#include "llvm/Support/MathExtras.h"

namespace attnc {

struct AttentionTiles {
  /// Query rows and keys of a block of two by two tiles, and columns of values
  /// that are summed up at once.
  static constexpr int64_t kRows = 32, kKeys = 32, kColumns = 32;
  /// Words between panels of scores, so that those of a row do not fall into
  /// one set of the cache.
  static constexpr int64_t kPanelGap = 32;
  /// Of the configuration of tiles.
  static constexpr int64_t kConfigurationWords = 16;

  /// Bytes for so many keys: queries, scales, sums and the configuration; per
  /// key, words of pairs of a key, half of those of a value, and scores.
  static SizeExpr getScratchBytes(int64_t headSize, int64_t valueSize,
                                  const SizeExpr &keys) {
    constexpr int64_t kSide = 16;
    const int64_t head = llvm::alignTo(llvm::divideCeil(headSize, 2), kSide);
    const int64_t value = llvm::alignTo(valueSize, kSide);
    const int64_t once =
        kRows * head + kRows + kRows * kColumns + kConfigurationWords;
    const int64_t perKey = head + value / 2 + kRows + kPanelGap / kKeys;
    return SizeExpr(4) *
           (SizeExpr(perKey) * (keys + SizeExpr(kKeys - 1)) + SizeExpr(once));
  }
};

} // namespace attnc

#endif // ATTNC_COMPILER_SCHEDULE_ATTENTIONTILES_H
