//===- RowChains.h - phases that go on row by row ---------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Products on rows need of a row nothing but what was made of that row. Where
// one product follows another, and both share out rows in the same tiles, a
// worker that goes on at once finds its own rows, in its own cache; nobody
// waits for anybody. Such phases form a chain: CutPhases marks the dispatches
// (`by_row`), PlanArena lets no two of their tensors share memory, and the
// runtime runs a chain as one phase, in blocks of rows, when there are rows
// enough (attn_abi_phase).
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_SCHEDULE_ROWCHAINS_H
#define ATTNC_COMPILER_SCHEDULE_ROWCHAINS_H

#include "compiler/schedule/ProgramInfo.h"
#include <optional>

namespace attnc {

/// How a kernel shares out rows among workers.
struct RowShare {
  std::vector<std::string> rows; ///< sizes, whose product is their number
  int64_t tileRows;
  int64_t fewest;   ///< for a worker: with less it may be columns
  int64_t rowBytes; ///< of what is read and written, weights apart
  int64_t weightBytes;
};

/// Nothing for a kernel that is not a product of ours on rows, or whose rows
/// are counted otherwise than by at most two sizes.
std::optional<RowShare> getRowShare(kernel::FuncOp kernel);

/// Whether the kernel, a product on rows, needs of operand `index` for a row of
/// its result that row only.
bool readsByRow(kernel::FuncOp kernel, unsigned index);

/// For every phase of a program the first and the last one of its chain; itself
/// for the others. Needs `by_row`.
llvm::SmallVector<std::pair<int64_t, int64_t>>
getChains(kernel::ProgramOp program);

/// Of the chain that begins with phase `phase`; none if no chain does. Its
/// blocks have the `block_rows` of the phase's first dispatch, or as many rows
/// as the cost model says.
RowChain getRowChain(kernel::ProgramOp program, int64_t phase);

/// Names a chain by its kernels and the rows of their tiles: "chain-5f0c1b9a".
/// Chains of one name are alike.
std::string getChainSignature(kernel::ProgramOp program, int64_t phase);

/// Rows of a block between which the model cannot decide, its own first. Empty
/// where no chain begins.
llvm::SmallVector<int64_t> getBlockCandidates(kernel::ProgramOp program,
                                              int64_t phase);

/// Whether a chain begins with phase `phase` that blocks of `rows` rows may
/// cut: all that some machine's candidates may be.
bool fitsBlocks(kernel::ProgramOp program, int64_t phase, int64_t rows);

/// The first dispatch of a phase, which says how the chain goes.
kernel::DispatchOp getFirstDispatch(kernel::ProgramOp program, int64_t phase);

} // namespace attnc

#endif // ATTNC_COMPILER_SCHEDULE_ROWCHAINS_H
