//===- AttnCanonicalize.cpp - folds and canonicalizations
//-------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Folds: a view of heads that undoes another; a map that copies its capture.
// Captured regions of every op: captures that nobody reads go, equal ones
// become one, splat constants move into the region, and a capture that only
// transposes or broadcasts another value is read through. A map that computes
// is left alone: fusing it is a decision, which FuseElementEpilogue makes.
//
//===----------------------------------------------------------------------===//
#include "dialects/attn/Attn.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attnc::attn {

//===----------------------------------------------------------------------===//
// Folds
//===----------------------------------------------------------------------===//

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

/// split_heads(merge_heads(x)) and the other way round, if the type is x's.
template <typename Inverse, typename Op> static OpFoldResult foldHeads(Op op) {
  auto inverse = op.getInput().template getDefiningOp<Inverse>();
  if (inverse && inverse.getInput().getType() == op.getType())
    return inverse.getInput();
  return {};
}

OpFoldResult SplitHeadsOp::fold(FoldAdaptor) {
  return foldHeads<MergeHeadsOp>(*this);
}
OpFoldResult MergeHeadsOp::fold(FoldAdaptor) {
  return foldHeads<SplitHeadsOp>(*this);
}

//===----------------------------------------------------------------------===//
// Captured regions
//===----------------------------------------------------------------------===//

namespace {

/// A captured region that can be changed: argument `leading + i` reads operand
/// i of `captures` at maps[i].
struct EditableRegion {
  CapturedRegion region;
  MutableOperandRange captures;
  StringAttr mapsName;
  bool isRow;

  BlockArgument argument(unsigned index) const {
    return region.block().getArgument(region.leading + index);
  }
  /// Whether the region sees a tensor of the capture (attn.lookup).
  bool isWhole(unsigned index) const {
    return isa<RankedTensorType>(argument(index).getType());
  }
  void setMaps(Operation *op, ArrayRef<AffineMap> maps) {
    if (maps.empty())
      op->removeAttr(mapsName);
    else
      op->setAttr(mapsName, Builder(op).getAffineMapArrayAttr(maps));
  }
  /// Removes a capture whose argument has no uses.
  void erase(Operation *op, unsigned index) {
    region.block().eraseArgument(region.leading + index);
    captures.erase(index);
    SmallVector<AffineMap> maps = region.maps;
    maps.erase(maps.begin() + index);
    setMaps(op, maps);
  }
};

} // namespace

template <typename Op>
static void addElement(Op op, SmallVectorImpl<EditableRegion> &regions) {
  regions.push_back({op.getElementEpilogue(), op.getElementCapturesMutable(),
                     op.getElementMapsAttrName(), /*isRow=*/false});
}
template <typename Op>
static void addRow(Op op, SmallVectorImpl<EditableRegion> &regions) {
  regions.push_back({op.getRowEpilogue(), op.getRowCapturesMutable(),
                     op.getRowMapsAttrName(), /*isRow=*/true});
}

static SmallVector<EditableRegion> getRegions(Operation *op) {
  SmallVector<EditableRegion> regions;
  TypeSwitch<Operation *>(op)
      .Case<MapOp, LinearOp, OutputProjectionOp>([&](auto epilogue) {
        addElement(epilogue, regions);
        addRow(epilogue, regions);
      })
      .Case([&](QkvProjectionOp qkv) { addElement(qkv, regions); })
      .Case([&](EmbeddingOp embedding) { addRow(embedding, regions); })
      .Case([&](AttentionOp attention) {
        regions.push_back({attention.getScoreRegion(),
                           attention.getScoreCapturesMutable(),
                           attention.getScoreMapsAttrName(), false});
        regions.push_back({attention.getMaskRegion(),
                           attention.getMaskCapturesMutable(),
                           attention.getMaskMapsAttrName(), false});
      });
  llvm::erase_if(regions, [](EditableRegion &editable) {
    return editable.region.empty();
  });
  return regions;
}

/// The element that a splat constant holds everywhere, or null.
static TypedAttr getSplatElement(Value value) {
  DenseElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) || !elements.isSplat())
    return {};
  return cast<TypedAttr>(elements.getSplatValue<Attribute>());
}

/// A map that only reads its one capture at other indices.
static MapOp getPureView(Value value) {
  auto map = value.getDefiningOp<MapOp>();
  if (!map || map.getElementCaptures().size() != 1 || map.getRowEpilogue())
    return {};
  CapturedRegion region = map.getElementEpilogue();
  return region.yielded() == region.block().getArgument(0) ? map : MapOp();
}

namespace {

template <typename Op> struct DropUnusedCaptures : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    for (EditableRegion &editable : getRegions(op))
      for (unsigned i = 0; i < editable.captures.size(); ++i)
        if (editable.argument(i).use_empty()) {
          rewriter.modifyOpInPlace(op, [&] { editable.erase(op, i); });
          return success();
        }
    return failure();
  }
};

template <typename Op> struct MergeEqualCaptures : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    for (EditableRegion &editable : getRegions(op)) {
      const CapturedRegion &region = editable.region;
      for (unsigned j = 1; j < region.captures.size(); ++j)
        for (unsigned i = 0; i < j; ++i)
          if (region.captures[i] == region.captures[j] &&
              region.maps[i] == region.maps[j]) {
            rewriter.replaceAllUsesWith(editable.argument(j),
                                        editable.argument(i));
            rewriter.modifyOpInPlace(op, [&] { editable.erase(op, j); });
            return success();
          }
    }
    return failure();
  }
};

/// Calls `change` for the captures of element regions, of which an element is
/// read at a time, until it has changed one.
template <typename Op, typename Change>
LogicalResult changeOneCapture(Op op, Change change) {
  for (EditableRegion &editable : getRegions(op))
    for (unsigned i = 0; !editable.isRow && i < editable.region.captures.size();
         ++i)
      if (!editable.isWhole(i) && change(editable, i))
        return success();
  return failure();
}

template <typename Op> struct InlineSplatCaptures : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    return changeOneCapture(op, [&](EditableRegion &editable, unsigned i) {
      TypedAttr element = getSplatElement(editable.region.captures[i]);
      if (!element)
        return false;
      rewriter.setInsertionPointToStart(&editable.region.block());
      Value constant =
          arith::ConstantOp::create(rewriter, op.getLoc(), element);
      rewriter.replaceAllUsesWith(editable.argument(i), constant);
      rewriter.modifyOpInPlace(op, [&] { editable.erase(op, i); });
      return true;
    });
  }
};

template <typename Op> struct ReadThroughViews : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    return changeOneCapture(op, [&](EditableRegion &editable, unsigned i) {
      MapOp view = getPureView(editable.region.captures[i]);
      if (!view)
        return false;
      SmallVector<AffineMap> maps = editable.region.maps;
      maps[i] = view.getElementEpilogue().maps[0].compose(maps[i]);
      rewriter.modifyOpInPlace(op, [&] {
        editable.captures.slice(i, 1).assign(view.getElementCaptures()[0]);
        editable.setMaps(op, maps);
      });
      return true;
    });
  }
};

/// A map that yields what it reads in place is what it reads. One from an
/// argument to a result stays: it is the copy between the two.
struct FoldCopies : OpRewritePattern<MapOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MapOp op,
                                PatternRewriter &rewriter) const override {
    if (!getPureView(op.getResult()))
      return failure();
    CapturedRegion region = op.getElementEpilogue();
    Value capture = region.captures[0];
    bool returned = llvm::any_of(op->getUsers(), [](Operation *user) {
      return user->hasTrait<OpTrait::IsTerminator>();
    });
    if (!region.maps[0].isIdentity() || capture.getType() != op.getType() ||
        (isa<BlockArgument>(capture) && returned))
      return failure();
    rewriter.replaceOp(op, capture);
    return success();
  }
};

} // namespace

template <typename Op>
static void addCapturePatterns(RewritePatternSet &patterns,
                               MLIRContext *context) {
  patterns.add<DropUnusedCaptures<Op>, MergeEqualCaptures<Op>,
               InlineSplatCaptures<Op>, ReadThroughViews<Op>>(context);
}

void MapOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                        MLIRContext *context) {
  addCapturePatterns<MapOp>(patterns, context);
  patterns.add<FoldCopies>(context);
}
void LinearOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  addCapturePatterns<LinearOp>(patterns, context);
}
void QkvProjectionOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                  MLIRContext *context) {
  addCapturePatterns<QkvProjectionOp>(patterns, context);
}
void OutputProjectionOp::getCanonicalizationPatterns(
    RewritePatternSet &patterns, MLIRContext *context) {
  addCapturePatterns<OutputProjectionOp>(patterns, context);
}
void EmbeddingOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  addCapturePatterns<EmbeddingOp>(patterns, context);
}
void AttentionOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  addCapturePatterns<AttentionOp>(patterns, context);
}

//===----------------------------------------------------------------------===//
// Accessors of attention
//===----------------------------------------------------------------------===//

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
