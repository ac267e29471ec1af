//===- Constraints.h - checks that several verifiers share ----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shapes and captured regions. Every message says what was expected and what
// came.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_DIALECTS_ATTN_CONSTRAINTS_H
#define ATTNC_DIALECTS_ATTN_CONSTRAINTS_H

#include "dialects/attn/Attn.h"

namespace attnc::attn {

/// "[batch, 2 * seq, 8]"
std::string toString(llvm::ArrayRef<SizeExpr> shape);

/// Fails if a tensor is larger than a size may be, 2^40, in the dimensions that
/// are numbers: what passes count of it stays in 64 bits.
llvm::LogicalResult verifyElements(mlir::Operation *op,
                                   mlir::RankedTensorType tensor);

/// Fails unless `type` has the shape `expected`; `what` names the value and
/// `form` the rule: "the weight", "[N, K]".
llvm::LogicalResult expectShape(mlir::Operation *op, llvm::StringRef what,
                                llvm::StringRef form, mlir::Type type,
                                llvm::ArrayRef<SizeExpr> expected);

/// Fails unless `type` has `rank` dimensions (at least, if `orMore`).
llvm::LogicalResult expectRank(mlir::Operation *op, llvm::StringRef what,
                               llvm::StringRef form, mlir::Type type,
                               unsigned rank, bool orMore = false);

/// Fails unless dimension `dim` (from the end if negative) of `type` is a
/// number.
llvm::LogicalResult expectStatic(mlir::Operation *op, llvm::StringRef what,
                                 llvm::StringRef form, mlir::Type type,
                                 int64_t dim);

/// What an element, score or mask region must look like.
struct ScalarRegionRules {
  llvm::StringRef name; ///< "element region"
  /// Dimensions of the index space; those left empty may not index captures.
  llvm::SmallVector<std::optional<SizeExpr>> space;
  llvm::SmallVector<mlir::Type> leading; ///< types of the op's own arguments
  mlir::Type yielded;
};

/// Captures, maps, arguments, ops and terminator of a scalar region; a region
/// that is not there must have no captures.
llvm::LogicalResult verifyScalarRegion(mlir::Operation *op,
                                       const CapturedRegion &region,
                                       const ScalarRegionRules &rules);

/// The same for a row region on rows of the index space `space`.
llvm::LogicalResult verifyRowRegion(mlir::Operation *op,
                                    const CapturedRegion &region,
                                    llvm::ArrayRef<SizeExpr> space);

/// Score and mask region of an attention whose regions' index space is `space`:
/// [batch, head, q, kv].
llvm::LogicalResult
verifyAttentionRegions(mlir::Operation *op, const CapturedRegion &score,
                       const CapturedRegion &mask,
                       llvm::ArrayRef<std::optional<SizeExpr>> space);

/// Fails unless `queryHeads` is a multiple of `keyHeads`, which is not 0.
llvm::LogicalResult expectGroups(mlir::Operation *op, int64_t queryHeads,
                                 int64_t keyHeads);

/// Element and row region of an op whose regions' index space is `space`; the
/// element region's first argument is an accumulator if `accumulator`.
llvm::LogicalResult verifyEpilogues(EpilogueOpInterface op,
                                    llvm::ArrayRef<SizeExpr> space,
                                    mlir::Type element, bool accumulator);

/// The declaration of a size in the module around `op`, or null.
SizeOp lookupSize(mlir::Operation *op, llvm::StringRef name);

/// Fails unless every size that types inside of `root` (and bounds of
/// attention) name is declared, and derived or one of those `listed`, if these
/// are given.
llvm::LogicalResult verifyDeclaredSizes(mlir::Operation *root,
                                        mlir::ArrayAttr listed = {});

/// Fails unless an entry that appends to states does so to all alike, before
/// anything reads them.
llvm::LogicalResult verifyStates(EntryOp entry);

} // namespace attnc::attn

#endif // ATTNC_DIALECTS_ATTN_CONSTRAINTS_H
