//===- PackTokens.cpp - padded batches become packed rows
//------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before:  %e = attn.embedding(%ids), (%words)              [batch, seq, N]
//          %o = attn.attention %q, %k, %v mask(%m) { %m[b, kv] != 0 }
//          %g = attn.map element(%o, %m) { select(%m != 0, %x, 0) }
// After:   %rows, %offsets = attn.pack_index %m
//          %i = attn.pack %ids, %rows
//          %e = attn.embedding(%i), (%words)                [tokens, N]
//          %o = attn.attention %q, %k, %v offsets(%offsets)
//          %g = attn.unpack %o, %rows
//
// Scores may read captures by query or key, [batch, seq, ..], which become
// [tokens, ..], and positions, which become a capture of those in the padded
// sequence; so do the positions of masks, causal ones and windows among them.
// The whole entry or nothing: PaddedProgram says what makes it decline. A guard
// in an element region goes; its output is unpacked instead.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/optimize/Matching.h"
#include "compiler/optimize/PaddedProgram.h"
#include "compiler/optimize/Report.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_PACKTOKENS
#include "compiler/Passes.h.inc"

namespace {

/// The map of a capture when the first two dimensions, b and s, became one.
AffineMap packMap(AffineMap map) {
  MLIRContext *context = map.getContext();
  bool ofRow = getRowAccess(map) == RowAccess::Row;
  // d1 stands for the row; it is the first dimension of the new space.
  SmallVector<AffineExpr> dims = {getAffineConstantExpr(0, context)};
  for (unsigned dim = 1; dim < map.getNumDims(); ++dim)
    dims.push_back(getAffineDimExpr(dim - 1, context));
  SmallVector<AffineExpr> results;
  for (AffineExpr expr : map.getResults().drop_front(ofRow ? 1 : 0))
    results.push_back(expr.replaceDims(dims));
  return AffineMap::get(map.getNumDims() - 1, 0, results, context);
}

/// Rewrites one entry onto packed rows.
class Packer {
public:
  Packer(PaddedProgram &program, StringRef tokens)
      : program(program), tokens(SizeExpr::name(tokens)),
        builder(program.getMask().getContext()) {}

  attn::PackIndexOp pack() {
    Value mask = program.getMask();
    builder.setInsertionPointToStart(mask.getParentBlock());
    Type i32 = builder.getI32Type();
    index = attn::PackIndexOp::create(
        builder, mask.getLoc(), attn::getNamedTensor({tokens}, i32),
        attn::getNamedTensor({program.getBatch() + SizeExpr(1)}, i32), mask);
    for (Operation *op : program.getOps()) {
      builder.setInsertionPoint(op);
      if (auto result = dyn_cast<attn::ReturnOp>(op))
        unpackOutputs(result);
      else
        rewrite(op);
    }
    for (Operation *op : llvm::reverse(program.getOps()))
      if (!isa<attn::ReturnOp>(op))
        op->erase();
    return index;
  }

private:
  RankedTensorType getPackedType(Type padded) {
    SmallVector<SizeExpr> shape = attn::getNamedShape(padded);
    shape.erase(shape.begin());
    shape[0] = tokens;
    return attn::getNamedTensor(
        shape, cast<RankedTensorType>(padded).getElementType());
  }

  /// The packed form of a value with a row per position.
  Value getPacked(Value value) {
    Value &result = packed[value];
    if (!result)
      result = attn::PackOp::create(builder, value.getLoc(),
                                    getPackedType(value.getType()), value,
                                    index.getRows());
    return result;
  }

  void rewrite(Operation *op) {
    Operation *copy = builder.clone(*op);
    TypeSwitch<Operation *>(copy)
        .Case<attn::MapOp>([&](auto) {})
        .Case<attn::AttentionOp>(
            [&](attn::AttentionOp attention) { packAttention(attention); })
        .Case<attn::PoolOp>([&](attn::PoolOp pool) { packPool(pool); })
        .Case<attn::EmbeddingOp>([&](attn::EmbeddingOp embedding) {
          MutableOperandRange ids = embedding.getIdsMutable();
          for (unsigned i = 0; i < ids.size(); ++i)
            packOperand(ids[i]);
        })
        .Case<attn::RopeOp>([&](attn::RopeOp rope) {
          for (OpOperand &operand : rope->getOpOperands())
            packOperand(operand);
        })
        // Input first, then weights.
        .Default([&](Operation *rows) { packOperand(rows->getOpOperand(0)); });
    if (isa<attn::PoolOp>(copy)) {
      op->replaceAllUsesWith(copy->getResults());
      return;
    }
    if (isa<attn::EpilogueOpInterface>(copy))
      packRegions(op, copy);
    for (Value result : copy->getResults())
      result.setType(getPackedType(result.getType()));
    for (auto [before, after] :
         llvm::zip_equal(op->getResults(), copy->getResults()))
      packed[before] = after;
    if (auto map = dyn_cast<attn::MapOp>(copy))
      dropCopy(op, map);
  }

  void packOperand(OpOperand &operand) {
    // getPacked may create an op: it belongs before the copy.
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(operand.getOwner());
    operand.set(getPacked(operand.get()));
  }

  /// A pool of some of the rows alone sees the padded form again: offsets
  /// delimit whole sequences.
  void packPool(attn::PoolOp pool) {
    if (pool.getMask() == program.getMask()) {
      packOperand(pool.getInputMutable());
      pool.getMaskMutable().clear();
      pool.getOffsetsMutable().assign(index.getOffsets());
      return;
    }
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(pool);
    for (OpOperand &operand : pool->getOpOperands())
      operand.set(getUnpacked(operand.get()));
  }

  /// The padded form of a packed value, with zeros at masked positions.
  Value getUnpacked(Value padded) {
    Value rows = getPacked(padded);
    Value &result = unpacked[rows];
    if (!result)
      result = attn::UnpackOp::create(builder, padded.getLoc(),
                                      padded.getType(), rows, index.getRows());
    return result;
  }

  void packAttention(attn::AttentionOp attention) {
    packOperand(attention.getQueryMutable());
    packOperand(attention.getKeyMutable());
    packOperand(attention.getValueMutable());
    packMask(attention);
    attention.getOffsetsMutable().assign(index.getOffsets());
    attention.setLengthBound(program.getSeq().str());
    packScore(attention);
  }

  /// The padding mask goes; what else the region asks for is asked of positions
  /// in the padded sequence. Where rows count as these do, or are never farther
  /// apart, their own numbers are compared too: they make loop bounds.
  void packMask(attn::AttentionOp attention) {
    RegionEditor editor(attention, RegionKind::Mask);
    std::optional<SmallVector<Value>> others =
        program.matchMaskRegion(attention);
    assert(others && "checked before");
    if (others->empty())
      return editor.clear();
    OpBuilder inside(editor.get().block().getTerminator());
    Value kept;
    auto keepIf = [&](Value condition) {
      kept = kept ? Value(arith::AndIOp::create(inside, attention.getLoc(),
                                                kept, condition))
                  : condition;
    };
    for (Value condition : *others) {
      RowCondition kind = classify(editor, condition);
      if (kind != RowCondition::Other)
        keepIf(condition);
      if (kind != RowCondition::Order)
        keepIf(atPositions(editor, inside, condition));
    }
    editor.setYielded(kept);
    editor.eraseUnused();
  }

  /// A condition of a mask region, of packed rows instead of positions.
  enum class RowCondition {
    Order,  ///< the same: rows keep their order
    Window, ///< implied: rows stand no farther apart than positions do
    Other
  };
  static RowCondition classify(const RegionEditor &editor, Value condition) {
    auto compare = condition.getDefiningOp<arith::CmpIOp>();
    if (!compare)
      return RowCondition::Other;
    Block &block = editor.get().block();
    Value query = block.getArgument(2), key = block.getArgument(3);
    auto isPair = [&](Value a, Value b) {
      return (a == query && b == key) || (a == key && b == query);
    };
    if (isPair(compare.getLhs(), compare.getRhs()))
      return RowCondition::Order;
    auto distance = compare.getLhs().getDefiningOp<arith::SubIOp>();
    APInt bound;
    if (compare.getPredicate() == arith::CmpIPredicate::sle && distance &&
        isPair(distance.getLhs(), distance.getRhs()) &&
        matchPattern(compare.getRhs(), m_ConstantInt(&bound)) &&
        !bound.isNegative())
      return RowCondition::Window;
    return RowCondition::Other;
  }

  /// `condition` with the positions of query and key in the padded sequence.
  Value atPositions(RegionEditor &editor, OpBuilder &inside, Value condition) {
    auto argument = [&](BlockArgument given) -> Value {
      unsigned dim = given.getArgNumber();
      if (dim != 2 && dim != 3)
        return given;
      return editor.capture(
          getPositions(),
          AffineMap::getMultiDimMapWithTargets(4, {dim}, builder.getContext()));
    };
    auto index = [](int64_t) -> Value {
      llvm_unreachable("mask regions have no attn.index");
    };
    return ScalarCopier(inside, argument, index).copy(condition);
  }

  /// Captures by query and key are read at rows; positions are those in the
  /// padded sequence, which the mask may have holes in.
  void packScore(attn::AttentionOp attention) {
    RegionEditor editor(attention, RegionKind::Score);
    attn::CapturedRegion region = editor.get();
    if (!region)
      return;
    for (unsigned i = 0; i < region.maps.size(); ++i) {
      if (!getScoreRow(region.maps[i]))
        continue;
      packOperand(
          attention->getOpOperand(region.captures.getBeginOperandIndex() + i));
      region.maps[i] = region.maps[i].dropResult(0);
    }
    editor.setMaps(region.maps);
    for (unsigned dim : {2, 3}) {
      BlockArgument position = region.block().getArgument(1 + dim);
      if (position.use_empty())
        continue;
      AffineMap ofRow = AffineMap::getMultiDimMapWithTargets(
          4, {dim}, attention.getContext());
      Value captured = editor.capture(getPositions(), ofRow);
      position.replaceAllUsesWith(captured);
    }
  }

  /// The position of every row in its padded sequence, [tokens].
  Value getPositions() {
    if (!positions) {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointAfter(index);
      Value padded = attn::PositionsOp::create(builder, index.getLoc(),
                                               program.getMask().getType());
      positions = attn::PackOp::create(builder, index.getLoc(),
                                       getPackedType(padded.getType()), padded,
                                       index.getRows());
    }
    return positions;
  }

  /// Captures, maps and indices of the element and row regions.
  void packRegions(Operation *op, Operation *copy) {
    if (program.matchGuard(copy)) {
      RegionEditor element(copy, RegionKind::Element);
      element.setYielded(program.matchGuard(copy));
      element.eraseUnused();
    }
    for (RegionKind kind : {RegionKind::Element, RegionKind::Row}) {
      RegionEditor editor(copy, kind);
      attn::CapturedRegion region = editor.get();
      if (!region)
        continue;
      for (unsigned i = 0; i < region.maps.size(); ++i) {
        OpOperand &operand =
            copy->getOpOperand(region.captures.getBeginOperandIndex() + i);
        if (getRowAccess(region.maps[i]) == RowAccess::Row)
          packOperand(operand);
        region.maps[i] = packMap(region.maps[i]);
      }
      editor.setMaps(region.maps);
      for (attn::IndexOp position : region.block().getOps<attn::IndexOp>())
        position.setDim(position.getDim() - 1);
    }
  }

  /// A guard alone leaves nothing to compute.
  void dropCopy(Operation *op, attn::MapOp map) {
    if (!isReindexing(map) || !map.getElementEpilogue().maps[0].isIdentity() ||
        map.getElementCaptures().front().getType() != map.getType())
      return;
    packed[op->getResult(0)] = map.getElementCaptures().front();
    map.erase();
  }

  void unpackOutputs(attn::ReturnOp result) {
    for (OpOperand &operand : result->getOpOperands()) {
      Value value = operand.get();
      if (!program.isPadded(value) || !packed.contains(value) ||
          !value.getDefiningOp() ||
          isa<attn::PositionsOp, attn::TokenPositionsOp>(value.getDefiningOp()))
        continue; // an input goes back as it came
      operand.set(getUnpacked(value));
    }
  }

  PaddedProgram &program;
  SizeExpr tokens;
  OpBuilder builder;
  attn::PackIndexOp index;
  Value positions; ///< made when first needed
  DenseMap<Value, Value> packed;
  DenseMap<Value, Value> unpacked; ///< by the packed form
};

struct PackTokens : impl::PackTokensBase<PackTokens> {
  using PackTokensBase::PackTokensBase;

  void runOnOperation() override {
    for (auto entry : getOperation().getOps<attn::EntryOp>()) {
      PaddedProgram program(entry);
      if (!program.findMask())
        continue;
      if (!program.isPackable()) {
        reportMissed("pack-tokens", missed, entry, program.culprit,
                     program.why);
        continue;
      }
      // Ops that no output needs were not looked at; they would keep padded
      // rows.
      IRRewriter rewriter(&getContext());
      (void)runRegionDCE(rewriter, entry.getBody());
      std::string tokens =
          findOrMakeSize((program.getBatch() * program.getSeq()).str());
      attn::PackIndexOp index = Packer(program, tokens).pack();
      reportApplied("pack-tokens", applied, index,
                    "masked positions take no rows");
    }
  }

  /// The name of a derived size of this bound.
  std::string findOrMakeSize(StringRef bound) {
    attn::SizeOp last;
    for (auto size : getOperation().getOps<attn::SizeOp>()) {
      if (size.getDerived() == bound)
        return size.getSymName().str();
      last = size;
    }
    OpBuilder builder(&getContext());
    auto made = attn::SizeOp::create(
        builder, getOperation().getLoc(), builder.getStringAttr("tokens"),
        IntegerAttr(), IntegerAttr(), builder.getStringAttr(bound));
    // Inserting it renames it if the name is taken.
    Block *body = getOperation().getBody();
    SymbolTable(getOperation())
        .insert(made, last ? std::next(last->getIterator()) : body->begin());
    return made.getSymName().str();
  }
};

} // namespace
} // namespace attnc
