//===- FuseOutputProjection.cpp - projections read heads directly
//----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before:  %m = attn.merge_heads %o
//          %y = attn.linear %m, %w element(...) row(...)
// After:   %y = attn.output_projection %o, %w element(...) row(...)
//
// Other readers of the merged heads keep them. Declines, with a remark, heads
// that no projection reads.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/optimize/Report.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_FUSEOUTPUTPROJECTION
#include "compiler/Passes.h.inc"

namespace {
struct FuseOutputProjection
    : impl::FuseOutputProjectionBase<FuseOutputProjection> {
  using FuseOutputProjectionBase::FuseOutputProjectionBase;

  void runOnOperation() override {
    SmallVector<attn::MergeHeadsOp> sites;
    getOperation().walk([&](attn::MergeHeadsOp op) { sites.push_back(op); });
    for (attn::MergeHeadsOp merge : sites) {
      Operation *culprit = nullptr;
      bool fused = false;
      for (Operation *user : llvm::make_early_inc_range(merge->getUsers())) {
        auto linear = dyn_cast<attn::LinearOp>(user);
        // The merged heads may be a linear's residual rather than its input.
        if (linear && linear.getInput() == merge.getResult() &&
            llvm::count(linear->getOperands(), merge.getResult()) == 1) {
          rewrite(merge, linear);
          fused = true;
        } else {
          culprit = user;
        }
      }
      if (merge.use_empty() && fused)
        merge.erase();
      else if (culprit && !fused)
        reportMissed("fuse-output-projection", missed, merge, culprit,
                     "no projection reads the merged heads");
    }
  }

  void rewrite(attn::MergeHeadsOp merge, attn::LinearOp linear) {
    OpBuilder builder(linear);
    auto projection = attn::OutputProjectionOp::create(
        builder, linear.getLoc(), linear.getType(), merge.getInput(),
        linear.getWeight(), linear.getElementCaptures(),
        linear.getRowCaptures(), linear.getElementMapsAttr(),
        linear.getRowMapsAttr());
    projection.getElement().takeBody(linear.getElement());
    projection.getRow().takeBody(linear.getRow());
    linear.replaceAllUsesWith(projection.getResult());
    linear.erase();
    reportApplied("fuse-output-projection", applied, projection,
                  "the projection reads the heads");
  }
};
} // namespace
} // namespace attnc
