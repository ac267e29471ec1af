//===- Matching.h - questions that several rewrites ask --------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Who uses a value, what number a scalar is, and what a map does to a tensor.
// Nothing here changes the IR.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_OPTIMIZE_MATCHING_H
#define ATTNC_COMPILER_OPTIMIZE_MATCHING_H

#include "compiler/optimize/RegionEditor.h"

namespace attnc {

/// A user of `value` other than `user`; null if there is none.
mlir::Operation *findOtherUser(mlir::Value value, mlir::Operation *user);

/// The number that a scalar of a region always is: an `arith.constant`, or a
/// capture of an `attn.constant` whose elements are all equal.
std::optional<double> matchNumber(const RegionEditor &region,
                                  mlir::Value scalar);

/// -inf or a number that no score outweighs: -1e30 or less.
bool isMaskedOut(const RegionEditor &region, mlir::Value scalar);

/// The maps through which `map` reads `value`.
llvm::SmallVector<mlir::AffineMap> getAccesses(attn::MapOp map,
                                               mlir::Value value);

/// True if `map` reads `value`, of its own shape, element by element.
bool readsElementwise(attn::MapOp map, mlir::Value value);

/// True for a map that only moves elements: one capture, yielded as it is.
bool isReindexing(attn::MapOp map);

/// `value` read through `access`, or `value` itself if that changes nothing.
/// The result's shape follows; dimensions that `access` does not use are 1.
mlir::Value makeReindexing(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Value value, mlir::AffineMap access);

} // namespace attnc

#endif // ATTNC_COMPILER_OPTIMIZE_MATCHING_H
