//===- LowerGroups.cpp - warp groups of sm_90a ----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Barriers, copies by tensor maps, products of four warps, roles. One `wgmma`
// block of inline PTX is one product: fence, all steps of K, commit; its sums
// are tied operands. The wait ties the sums in flight, so that nobody moves a
// reader above it.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/ProgramLowering.h"

using namespace mlir;

namespace attnc::gpu {

LogicalResult ProgramLowering::lowerGroupOp(Operation &op) {
  return op.emitError("error[A0523]: no lowering for '") << op.getName() << "'";
}

} // namespace attnc::gpu
