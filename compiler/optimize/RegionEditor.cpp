//===- RegionEditor.cpp - captured regions, changed in place
//---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one place that keeps operands, indexing maps and region arguments in
// step: argument `leading + i` reads operand i of the captures at maps[i].
//
//===----------------------------------------------------------------------===//
#include "compiler/optimize/RegionEditor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attnc {

attn::CapturedRegion RegionEditor::get() const {
  if (auto attention = dyn_cast<attn::AttentionOp>(op))
    return kind == RegionKind::Score ? attention.getScoreRegion()
                                     : attention.getMaskRegion();
  auto epilogue = cast<attn::EpilogueOpInterface>(op);
  return kind == RegionKind::Element ? epilogue.getElementEpilogue()
                                     : epilogue.getRowEpilogue();
}

MutableOperandRange RegionEditor::captures() const {
  return TypeSwitch<Operation *, MutableOperandRange>(op)
      .Case<attn::MapOp, attn::LinearOp, attn::OutputProjectionOp>(
          [&](auto epilogue) {
            return kind == RegionKind::Element
                       ? epilogue.getElementCapturesMutable()
                       : epilogue.getRowCapturesMutable();
          })
      .Case([&](attn::QkvProjectionOp qkv) {
        return qkv.getElementCapturesMutable();
      })
      .Case([&](attn::EmbeddingOp embedding) {
        return embedding.getRowCapturesMutable();
      })
      .Case([&](attn::AttentionOp attention) {
        return kind == RegionKind::Score ? attention.getScoreCapturesMutable()
                                         : attention.getMaskCapturesMutable();
      });
}

void RegionEditor::setMaps(ArrayRef<AffineMap> maps) {
  // No captures is no attribute, as the parser reads it.
  ArrayAttr attr =
      maps.empty() ? ArrayAttr() : Builder(op).getAffineMapArrayAttr(maps);
  TypeSwitch<Operation *>(op)
      .Case<attn::MapOp, attn::LinearOp, attn::OutputProjectionOp>(
          [&](auto epilogue) {
            if (kind == RegionKind::Element)
              epilogue.setElementMapsAttr(attr);
            else
              epilogue.setRowMapsAttr(attr);
          })
      .Case([&](attn::QkvProjectionOp qkv) { qkv.setElementMapsAttr(attr); })
      .Case(
          [&](attn::EmbeddingOp embedding) { embedding.setRowMapsAttr(attr); })
      .Case([&](attn::AttentionOp attention) {
        if (kind == RegionKind::Score)
          attention.setScoreMapsAttr(attr);
        else
          attention.setMaskMapsAttr(attr);
      });
}

void RegionEditor::makeBlock(Region &region) {
  Location loc = op->getLoc();
  OpBuilder builder(op->getContext());
  Block *block = builder.createBlock(&region);
  Type number = builder.getF32Type();
  if (kind == RegionKind::Row)
    number = RankedTensorType::get(
        {cast<RankedTensorType>(op->getResult(0).getType()).getShape().back()},
        number);
  if (kind != RegionKind::Mask)
    block->addArgument(number, loc);
  if (kind == RegionKind::Score || kind == RegionKind::Mask)
    for (unsigned dim = 0; dim < 4; ++dim)
      block->addArgument(builder.getI32Type(), loc);
  Value result;
  if (kind == RegionKind::Mask)
    result = arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true));
  else
    result = block->getArgument(0);
  attn::YieldOp::create(builder, loc, result);
}

Block &RegionEditor::ensure() {
  attn::CapturedRegion region = get();
  if (region.empty()) {
    assert(region.region && !isa<attn::MapOp>(op) && "an op without a region");
    makeBlock(*region.region);
  }
  return region.block();
}

Value RegionEditor::capture(Value value, AffineMap map) {
  Block &block = ensure();
  attn::CapturedRegion region = get();
  for (auto [index, captured] : llvm::enumerate(region.captures))
    if (captured == value && region.maps[index] == map)
      return block.getArgument(region.leading + index);

  auto tensor = cast<RankedTensorType>(value.getType());
  Type type = attn::getCapturedType(tensor, map);
  if (kind == RegionKind::Row && !isa<RankedTensorType>(type))
    type = RankedTensorType::get({}, type); // rows capture tensors only
  SmallVector<AffineMap> maps = region.maps;
  maps.push_back(map);
  captures().append(value);
  setMaps(maps);
  return block.addArgument(type, value.getLoc());
}

std::optional<RegionEditor::Captured>
RegionEditor::lookThrough(Value value) const {
  auto argument = dyn_cast<BlockArgument>(value);
  attn::CapturedRegion region = get();
  if (!argument || argument.getArgNumber() < region.leading)
    return std::nullopt;
  unsigned index = argument.getArgNumber() - region.leading;
  return Captured{region.captures[index], region.maps[index]};
}

void RegionEditor::setYielded(Value value) {
  get().block().getTerminator()->setOperand(0, value);
}

void RegionEditor::eraseUnused() {
  attn::CapturedRegion region = get();
  if (region.empty())
    return;
  Block &block = region.block();
  for (Operation &scalar : llvm::make_early_inc_range(llvm::reverse(block)))
    if (!scalar.hasTrait<OpTrait::IsTerminator>() && scalar.use_empty())
      scalar.erase();
  SmallVector<AffineMap> maps = region.maps;
  for (unsigned index = maps.size(); index-- > 0;) {
    if (!block.getArgument(region.leading + index).use_empty())
      continue;
    block.eraseArgument(region.leading + index);
    captures().erase(index);
    maps.erase(maps.begin() + index);
  }
  setMaps(maps);
}

void RegionEditor::clear() {
  get().region->getBlocks().clear();
  captures().clear();
  setMaps({});
}

Value ScalarCopier::copy(Value value) {
  if (Value done = copies.lookupOrNull(value))
    return done;
  Value result;
  if (auto blockArgument = dyn_cast<BlockArgument>(value)) {
    result = argument(blockArgument);
  } else if (auto indexOp = value.getDefiningOp<attn::IndexOp>()) {
    result = index(indexOp.getDim());
  } else {
    Operation *scalar = value.getDefiningOp();
    for (Value operand : scalar->getOperands())
      copies.map(operand, copy(operand));
    result = builder.clone(*scalar, copies)
                 ->getResult(cast<OpResult>(value).getResultNumber());
  }
  copies.map(value, result);
  return result;
}

Value makeIndex(OpBuilder &builder, Location loc, AffineExpr access) {
  if (auto constant = dyn_cast<AffineConstantExpr>(access))
    return arith::ConstantOp::create(
        builder, loc, builder.getI32IntegerAttr(constant.getValue()));
  return attn::IndexOp::create(builder, loc, builder.getI32Type(),
                               cast<AffineDimExpr>(access).getPosition());
}

Value inlineMap(OpBuilder &builder, RegionEditor &target, attn::MapOp map,
                AffineMap access, function_ref<Value(AffineExpr)> index) {
  RegionEditor source(map, RegionKind::Element);
  auto argument = [&](BlockArgument blockArgument) {
    RegionEditor::Captured captured = *source.lookThrough(blockArgument);
    return target.capture(captured.value, captured.map.compose(access));
  };
  return ScalarCopier(builder, argument,
                      [&](int64_t dim) { return index(access.getResult(dim)); })
      .copy(source.yielded());
}

} // namespace attnc
