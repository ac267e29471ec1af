//===- FuseElementEpilogue.cpp - maps move into what they finish
//-----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before:  %y = attn.linear %x, %w
//          %z = attn.map element(%y, %bias, %r) { gelu(%a + %b) + %c }
// After:   %z = attn.linear %x, %w element(%bias, %r) { gelu(%acc + %b) + %c }
//
// Producers: linear and output_projection, read element by element; map, read
// through any permutation of its dimensions, so that chains of maps become one.
// Declines producers that something else reads or that have a row epilogue,
// maps that read them at another index or have row epilogues themselves, and
// the parts of a qkv_projection, whose element region spans all three.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/optimize/Matching.h"
#include "compiler/optimize/Report.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_FUSEELEMENTEPILOGUE
#include "compiler/Passes.h.inc"

namespace {

struct FuseElementEpilogue
    : impl::FuseElementEpilogueBase<FuseElementEpilogue> {
  using FuseElementEpilogueBase::FuseElementEpilogueBase;

  void runOnOperation() override {
    SmallVector<attn::MapOp> sites;
    getOperation().walk([&](attn::MapOp op) { sites.push_back(op); });
    // In program order: a producer has taken in its own producers already.
    for (attn::MapOp map : sites) {
      while (absorbProducer(map))
        ;
      if (!fuseIntoProjection(map))
        reportProjections(map);
    }
  }

  /// Takes the arithmetic of one map that only `map` reads into it.
  bool absorbProducer(attn::MapOp map) {
    for (Value captured : map.getElementCaptures()) {
      auto producer = captured.getDefiningOp<attn::MapOp>();
      if (!producer || producer.getRowEpilogue() ||
          findOtherUser(captured, map) ||
          llvm::is_contained(map.getRowCaptures(), captured))
        continue;
      // Through a permutation every element is still computed once; a map that
      // leaves dimensions out looks elements up.
      SmallVector<AffineMap> accesses = getAccesses(map, captured);
      if (accesses.size() != 1 || !accesses[0].isPermutation() ||
          accesses[0].getNumResults() != producer.getType().getRank())
        continue;
      absorb(map, producer, accesses[0]);
      return true;
    }
    return false;
  }

  void absorb(attn::MapOp map, attn::MapOp producer, AffineMap access) {
    RegionEditor target(map, RegionKind::Element);
    Block &block = target.get().block();
    OpBuilder builder = OpBuilder::atBlockBegin(&block);
    auto index = [&](AffineExpr expr) {
      return makeIndex(builder, producer.getLoc(), expr);
    };
    Value copied = inlineMap(builder, target, producer, access, index);
    target.capture(producer, access).replaceAllUsesWith(copied);
    target.eraseUnused();
    reportApplied("fuse-element-epilogue", applied, map, "two maps are one");
    producer.erase();
  }

  bool fuseIntoProjection(attn::MapOp map) {
    for (Value captured : map.getElementCaptures()) {
      Operation *producer = captured.getDefiningOp();
      if (!isProjection(producer) || findObstacle(map, producer).culprit)
        continue;
      fuse(map, producer);
      return true;
    }
    return false;
  }

  static bool isProjection(Operation *op) {
    return isa_and_nonnull<attn::LinearOp, attn::OutputProjectionOp>(op);
  }

  struct Obstacle {
    Operation *culprit = nullptr;
    StringRef why;
  };

  /// Why `map` cannot move into the element region of `producer`.
  static Obstacle findObstacle(attn::MapOp map, Operation *producer) {
    if (isa<attn::QkvProjectionOp>(producer))
      return {producer, "the map sees one part of the projection"};
    Value result = producer->getResult(0);
    if (Operation *other = findOtherUser(result, map))
      return {other, "the projection has another use"};
    if (cast<attn::EpilogueOpInterface>(producer).getRowEpilogue())
      return {producer, "the projection has a row epilogue"};
    if (!readsElementwise(map, result) || map.getType() != result.getType())
      return {map, "the map reads the projection at another index"};
    if (map.getRowEpilogue())
      return {map, "the map has a row epilogue"};
    return {};
  }

  void fuse(attn::MapOp map, Operation *producer) {
    // Everything that the map reads must stand before the fused op, and only
    // the map reads the producer.
    producer->moveBefore(map);
    RegionEditor source(map, RegionKind::Element);
    RegionEditor target(producer, RegionKind::Element);
    Block &block = target.ensure();
    OpBuilder builder(block.getTerminator());
    Value accumulated = target.yielded();
    auto argument = [&](BlockArgument blockArgument) -> Value {
      RegionEditor::Captured captured = *source.lookThrough(blockArgument);
      if (captured.value == producer->getResult(0))
        return accumulated;
      return target.capture(captured.value, captured.map);
    };
    auto index = [&](int64_t dim) {
      return makeIndex(builder, map.getLoc(), builder.getAffineDimExpr(dim));
    };
    target.setYielded(
        ScalarCopier(builder, argument, index).copy(source.yielded()));
    target.eraseUnused();
    reportApplied("fuse-element-epilogue", applied, producer,
                  "the map finishes the elements where they are made");
    map.replaceAllUsesWith(producer->getResult(0));
    map.erase();
  }

  /// Says why a map that reads projections could join none.
  void reportProjections(attn::MapOp map) {
    SmallPtrSet<Operation *, 4> seen;
    for (Value captured : map.getElementCaptures()) {
      Operation *producer = captured.getDefiningOp();
      if (!isProjection(producer) &&
          !isa_and_nonnull<attn::QkvProjectionOp>(producer))
        continue;
      if (!seen.insert(producer).second)
        continue;
      Obstacle obstacle = findObstacle(map, producer);
      reportMissed("fuse-element-epilogue", missed, map, obstacle.culprit,
                   obstacle.why);
    }
  }
};

} // namespace
} // namespace attnc
