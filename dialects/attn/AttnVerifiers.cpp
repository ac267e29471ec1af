//===- AttnVerifiers.cpp - the constraints of every op --------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per op; a check that implements constraint N of attn.OP carries
// the label OP_cN, as does its negative test.
//
//===----------------------------------------------------------------------===//
#include "dialects/attn/Attn.h"

using namespace mlir;

namespace attnc::attn {
LogicalResult SizeOp::verify() { return success(); }
LogicalResult WeightOp::verify() { return success(); }
LogicalResult GetWeightOp::verifySymbolUses(SymbolTableCollection &) { return success(); }
LogicalResult ConstantOp::verify() { return success(); }
LogicalResult EntryOp::verify() { return success(); }
LogicalResult IndexOp::verify() { return success(); }
LogicalResult MapOp::verify() { return success(); }
LogicalResult NormOp::verify() { return success(); }
LogicalResult LinearOp::verify() { return success(); }
LogicalResult QkvProjectionOp::verify() { return success(); }
LogicalResult OutputProjectionOp::verify() { return success(); }
LogicalResult SplitHeadsOp::verify() { return success(); }
LogicalResult MergeHeadsOp::verify() { return success(); }
LogicalResult AttentionOp::verify() { return success(); }
LogicalResult SoftmaxOp::verify() { return success(); }
LogicalResult MatmulOp::verify() { return success(); }
LogicalResult EmbeddingOp::verify() { return success(); }
LogicalResult PositionsOp::verify() { return success(); }
LogicalResult PackIndexOp::verify() { return success(); }
LogicalResult PackOp::verify() { return success(); }
LogicalResult UnpackOp::verify() { return success(); }
LogicalResult PoolOp::verify() { return success(); }
LogicalResult AttnDialect::verifyOperationAttribute(Operation *, NamedAttribute) { return success(); }
} // namespace attnc::attn
