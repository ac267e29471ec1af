//===- PaddedProgram.h - what of an entry is padded rows -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads an entry whose batches are padded to [batch, seq, ..] under one mask,
// and decides whether the rows that the mask drops can be left out: every op
// must treat rows one by one, or be told where sequences begin and end.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_OPTIMIZE_PADDEDPROGRAM_H
#define ATTNC_COMPILER_OPTIMIZE_PADDEDPROGRAM_H

#include "compiler/optimize/RegionEditor.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SetVector.h"
#include <string>

namespace attnc {

/// How a region reads a captured value whose leading dimensions are (b, s).
enum class RowAccess {
  None,  ///< independent of b and s
  Row,   ///< the row of the element itself: first two results are d0, d1
  Other, ///< another row, or part of the pair
};
RowAccess getRowAccess(mlir::AffineMap map);
/// The dimension of (b, h, q, kv), query or key, by whose row a capture of a
/// score region is read: its map's results begin with b and that one.
std::optional<unsigned> getScoreRow(mlir::AffineMap map);

class PaddedProgram {
public:
  explicit PaddedProgram(attn::EntryOp entry) : entry(entry) {}

  /// Finds the mask; false without a remark if the entry has none.
  bool findMask();
  /// True if every op between the inputs and the guarded outputs can work on
  /// packed rows; otherwise `culprit` and `why` say what cannot.
  bool isPackable();

  mlir::Value getMask() const { return mask; }
  SizeExpr getBatch() const { return batch; }
  SizeExpr getSeq() const { return seq; }
  /// Ops to rewrite, in program order; the entry's return comes last.
  llvm::ArrayRef<mlir::Operation *> getOps() const { return ops.getArrayRef(); }
  /// True if the value has one row per (b, s) and is made by getOps(), or is
  /// an input of theirs.
  bool isPadded(mlir::Value value) const { return padded.contains(value); }

  /// What the mask region asks for besides a key that the mask keeps; nothing
  /// if it does not ask for that.
  std::optional<llvm::SmallVector<mlir::Value>>
  matchMaskRegion(attn::AttentionOp attention) const;

  /// What `op` yields where the mask keeps the row, if it yields zero
  /// elsewhere; null if it is no such guard.
  mlir::Value matchGuard(mlir::Operation *op) const;

  mlir::Operation *culprit = nullptr;
  std::string why;

private:
  bool fail(mlir::Operation *op, const llvm::Twine &reason);
  bool takeMask(mlir::Value candidate, mlir::Operation *op);
  bool hasRows(mlir::Value value, int64_t minimumRank = 2) const;
  bool isLive(mlir::Operation *op) const { return live.contains(op); }
  void findLiveOps();

  bool check(mlir::Operation *op);
  bool checkInput(mlir::Operation *op, mlir::Value input, int64_t minimumRank);
  bool checkFixed(mlir::Operation *op, mlir::ValueRange values);
  bool checkEpilogues(attn::EpilogueOpInterface op);
  bool checkRegion(mlir::Operation *op, const attn::CapturedRegion &region);
  bool checkAttention(attn::AttentionOp attention);
  bool checkMaskRegion(attn::AttentionOp attention);
  bool checkPool(attn::PoolOp pool);
  /// Whether a mask made in the entry is zero wherever the padding's is.
  bool isWithinMask(mlir::Value other) const;
  bool checkReturn(attn::ReturnOp op);

  attn::EntryOp entry;
  mlir::Value mask;
  SizeExpr batch, seq;
  llvm::DenseSet<mlir::Operation *> live;
  llvm::DenseSet<mlir::Value> padded;
  llvm::SetVector<mlir::Operation *> ops;
};

} // namespace attnc

#endif // ATTNC_COMPILER_OPTIMIZE_PADDEDPROGRAM_H
