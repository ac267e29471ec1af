//===- StateLayout.h - how states lie in memory -------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The states of a library in blocks, the same for every variant, so that a
// session's state can be saved under one and loaded under another. States of
// one window form a group: they share tables, and a block of the group holds
// the rows of all of them for some positions.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_SCHEDULE_STATELAYOUT_H
#define ATTNC_COMPILER_SCHEDULE_STATELAYOUT_H

#include "dialects/kernel/Kernel.h"
#include "mlir/IR/BuiltinOps.h"

namespace attnc {

/// Positions of a block: whole vectors on every target, and little to copy
/// where a shared block is written to.
constexpr int64_t kStateBlock = 64;

/// Positions that attention takes at once: their scores stay in L1.
constexpr int64_t kCachedAttentionChunk = 512;

/// Chunks of a worker whose results wait for each other, at most.
constexpr int64_t kCachedAttentionUnits = 32;

/// States that share tables.
struct StateGroup {
  int64_t window = 0; ///< 0: all rows stay
  int64_t blockBytes = 0;
};

struct StatePlace {
  attn::StateOp state;
  size_t group;
  int64_t offset; ///< bytes, in a block of the group
};

struct StateLayout {
  std::vector<StateGroup> groups;
  std::vector<StatePlace> places; ///< in the order of declaration

  size_t indexOf(llvm::StringRef state) const;
};

StateLayout getStateLayout(mlir::ModuleOp module);

/// The input whose elements other than 0 are a program's new rows: [batch,
/// seq]. Nothing for a program that does not append.
std::optional<unsigned> getGrowthInput(kernel::ProgramOp program);

/// How the rows of `state` lie: transposed where entries read them as keys.
kernel::BlocksAttr getBlocks(attn::StateOp state);

/// Bytes that one worker needs for `attn.cached_attention`.
int64_t getCachedAttentionScratch(attn::CachedAttentionOp op);

} // namespace attnc

#endif // ATTNC_COMPILER_SCHEDULE_STATELAYOUT_H
