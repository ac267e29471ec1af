//===- AttnCanonicalize.cpp - folds and canonicalizations -----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Folds of single ops and the canonicalization patterns of `attn.map`.
//
//===----------------------------------------------------------------------===//
#include "dialects/attn/Attn.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;

namespace attnc::attn {
OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }
OpFoldResult SplitHeadsOp::fold(FoldAdaptor) { return {}; }
OpFoldResult MergeHeadsOp::fold(FoldAdaptor) { return {}; }
void MapOp::getCanonicalizationPatterns(RewritePatternSet &, MLIRContext *) {}

int64_t AttentionOp::getQueryHeads() {
  auto type = getQuery().getType();
  return type.getRank() == 2 ? 1 : type.getDimSize(type.getRank() - 2);
}
int64_t AttentionOp::getKeyHeads() {
  auto type = getKey().getType();
  return type.getRank() == 2 ? 1 : type.getDimSize(type.getRank() - 2);
}
int64_t AttentionOp::getHeadSize() {
  return getQuery().getType().getShape().back();
}
int64_t AttentionOp::getValueSize() {
  return getValue().getType().getShape().back();
}
} // namespace attnc::attn
