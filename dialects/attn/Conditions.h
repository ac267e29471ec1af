//===- Conditions.h - what must hold where a condition does -----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A mask region yields a conjunction: what reads its parts begins here.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_DIALECTS_ATTN_CONDITIONS_H
#define ATTNC_DIALECTS_ATTN_CONDITIONS_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/SmallVector.h"

namespace attnc::attn {

/// The conditions that all must hold where `condition` does, each once, however
/// often conjunctions share it; none of them is a conjunction itself.
inline llvm::SmallVector<mlir::Value> collectConditions(mlir::Value condition) {
  llvm::SmallVector<mlir::Value> open = {condition}, conditions;
  llvm::SmallPtrSet<mlir::Value, 8> seen;
  while (!open.empty()) {
    mlir::Value next = open.pop_back_val();
    if (!seen.insert(next).second)
      continue;
    if (auto both = next.getDefiningOp<mlir::arith::AndIOp>())
      open.append({both.getRhs(), both.getLhs()});
    else
      conditions.push_back(next);
  }
  return conditions;
}

} // namespace attnc::attn

#endif // ATTNC_DIALECTS_ATTN_CONDITIONS_H
