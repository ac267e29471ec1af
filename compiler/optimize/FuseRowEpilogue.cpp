//===- FuseRowEpilogue.cpp - norms move into what produces their rows
//------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before:  %y = attn.linear %x, %w element(...) {...}
//          %n = attn.norm layer %y weight(%g) bias(%b)
// After:   %n = attn.linear %x, %w element(...) {...} row(%g, %b) { norm }
//
// Producers: linear, output_projection, embedding, map. Declines rows that
// something else reads too, producers that already have a row region, and
// those that cannot have one.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/optimize/Matching.h"
#include "compiler/optimize/Report.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_FUSEROWEPILOGUE
#include "compiler/Passes.h.inc"

namespace {
struct FuseRowEpilogue : impl::FuseRowEpilogueBase<FuseRowEpilogue> {
  using FuseRowEpilogueBase::FuseRowEpilogueBase;

  void runOnOperation() override {
    SmallVector<attn::NormOp> sites;
    getOperation().walk([&](attn::NormOp op) {
      // A norm in a row region is where it should be.
      if (isa<attn::EntryOp>(op->getParentOp()))
        sites.push_back(op);
    });
    for (attn::NormOp norm : sites)
      fuse(norm);
  }

  void fuse(attn::NormOp norm) {
    Operation *producer = norm.getInput().getDefiningOp();
    auto miss = [&](Operation *culprit, const Twine &why) {
      reportMissed("fuse-row-epilogue", missed, norm, culprit, why);
    };
    if (!isa_and_nonnull<attn::LinearOp, attn::OutputProjectionOp,
                         attn::EmbeddingOp, attn::MapOp>(producer))
      return miss(producer, "the producer has no row region");
    if (Operation *other = findOtherUser(norm.getInput(), norm))
      return miss(other, "the rows have another use");
    RegionEditor row(producer, RegionKind::Row);
    if (row.get())
      return miss(producer, "the producer has a row epilogue already");
    if (llvm::count(norm->getOperands(), norm.getInput()) != 1)
      return miss(norm, "the norm's weights depend on its rows");
    if (norm.getType().isDynamicDim(norm.getType().getRank() - 1))
      return miss(norm, "the length of the rows is not fixed");

    // Everything that the norm reads must stand before the fused op.
    producer->moveBefore(norm);
    Block &block = row.ensure();
    AffineMap wholeRow =
        AffineMap::get(norm.getType().getRank() - 1, 0, norm.getContext());
    IRMapping mapping;
    mapping.map(norm.getInput(), block.getArgument(0));
    for (Value weight : {norm.getWeight(), norm.getBias()})
      if (weight)
        mapping.map(weight, row.capture(weight, wholeRow));
    OpBuilder builder(block.getTerminator());
    Operation *inner = builder.clone(*norm, mapping);
    inner->getResult(0).setType(
        cast<RankedTensorType>(block.getArgument(0).getType()));
    row.setYielded(inner->getResult(0));
    reportApplied("fuse-row-epilogue", applied, producer,
                  "the norm sees the rows where they are made");
    norm.replaceAllUsesWith(norm.getInput());
    norm.erase();
  }
};
} // namespace
} // namespace attnc
