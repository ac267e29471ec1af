//===- FuseEmbedding.cpp - sums of embeddings become one
//-------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before:  %a = attn.embedding(%ids), (%words)
//          %b = attn.embedding(%positions), (%table)
//          %e = attn.map element(%a, %b) { %x + %y }
// After:   %e = attn.embedding(%ids, %positions), (%words, %table)
//
// The additions keep their order, so that rounding does. Declines sums that are
// not a chain from left to right, embeddings that something else reads, with a
// row region, or read at another index, and sums with anything else in them.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/optimize/Matching.h"
#include "compiler/optimize/Report.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_FUSEEMBEDDING
#include "compiler/Passes.h.inc"

namespace {

/// Lists what a chain of additions adds, in the order in which it does; a sum
/// may be either operand, since addition commutes. False if it is no chain.
bool collectSummands(Value value, SmallVectorImpl<Value> &summands) {
  auto sum = value.getDefiningOp<arith::AddFOp>();
  if (!sum) {
    summands.push_back(value);
    return isa<BlockArgument>(value);
  }
  Value first = sum.getLhs(), second = sum.getRhs();
  if (second.getDefiningOp<arith::AddFOp>())
    std::swap(first, second);
  return collectSummands(first, summands) &&
         collectSummands(second, summands) && isa<BlockArgument>(second);
}

struct FuseEmbedding : impl::FuseEmbeddingBase<FuseEmbedding> {
  using FuseEmbeddingBase::FuseEmbeddingBase;

  void runOnOperation() override {
    SmallVector<attn::MapOp> sites;
    getOperation().walk([&](attn::MapOp map) {
      auto isEmbedding = [](Value value) {
        return isa_and_nonnull<attn::EmbeddingOp>(value.getDefiningOp());
      };
      if (llvm::any_of(map.getElementCaptures(), isEmbedding))
        sites.push_back(map);
    });
    for (attn::MapOp map : sites)
      fuse(map);
  }

  void miss(attn::MapOp map, Operation *culprit, const Twine &why) {
    reportMissed("fuse-embedding", missed, map, culprit, why);
  }

  /// Finds the embeddings in the order of addition; empty if declined.
  SmallVector<attn::EmbeddingOp> match(attn::MapOp map) {
    RegionEditor region(map, RegionKind::Element);
    SmallVector<Value> summands;
    if (!collectSummands(region.yielded(), summands)) {
      miss(map, map, "the map is not a sum from left to right");
      return {};
    }
    // Of the first two either may be a sum already.
    auto countTables = [&](Value summand) -> size_t {
      auto embedding =
          region.lookThrough(summand)->value.getDefiningOp<attn::EmbeddingOp>();
      return embedding ? embedding.getTables().size() : 0;
    };
    if (summands.size() > 1 && countTables(summands[0]) == 1 &&
        countTables(summands[1]) > 1)
      std::swap(summands[0], summands[1]);
    SmallVector<attn::EmbeddingOp> embeddings;
    for (Value summand : summands) {
      RegionEditor::Captured captured = *region.lookThrough(summand);
      auto embedding = captured.value.getDefiningOp<attn::EmbeddingOp>();
      Operation *producer = captured.value.getDefiningOp();
      StringRef why;
      if (!embedding)
        why = "a summand is not an embedding";
      else if (!captured.map.isIdentity() ||
               embedding.getType() != map.getType())
        why = "an embedding is read at another index";
      else if (embedding.getRowEpilogue())
        why = "an embedding has a row epilogue";
      else if (llvm::is_contained(embeddings, embedding))
        why = "an embedding is added twice";
      else if (llvm::is_contained(map.getRowCaptures(), captured.value))
        why = "the row region reads an embedding, too";
      else if (Operation *other = findOtherUser(captured.value, map)) {
        why = "an embedding has another use";
        producer = other;
      } else if (embedding.getTables().size() > 1 && !embeddings.empty())
        why = "the additions would change their order";
      if (!why.empty()) {
        miss(map, producer ? producer : map.getOperation(), why);
        return {};
      }
      embeddings.push_back(embedding);
    }
    return embeddings;
  }

  void fuse(attn::MapOp map) {
    SmallVector<attn::EmbeddingOp> embeddings = match(map);
    if (embeddings.empty())
      return;
    SmallVector<Value> ids, tables;
    SmallVector<Location> locs = {map.getLoc()};
    for (attn::EmbeddingOp embedding : embeddings) {
      llvm::append_range(ids, embedding.getIds());
      llvm::append_range(tables, embedding.getTables());
      locs.push_back(embedding.getLoc());
    }
    OpBuilder builder(map);
    auto sum = attn::EmbeddingOp::create(
        builder, builder.getFusedLoc(locs), map.getType(), ids, tables,
        map.getRowCaptures(), map.getRowMapsAttr());
    sum.getRow().takeBody(map.getRow());
    map.replaceAllUsesWith(sum.getResult());
    map.erase();
    for (attn::EmbeddingOp embedding : embeddings)
      embedding.erase();
    reportApplied("fuse-embedding", applied, sum,
                  "the sum of " + Twine(tables.size()) +
                      " embeddings is one op");
  }
};

} // namespace
} // namespace attnc
