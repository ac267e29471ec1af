//===- StateVerifiers.cpp - constraints of states
//--------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Ops that declare, read and append to what a session remembers. A check that
// implements constraint N of attn.OP carries the label OP_cN. What holds across
// the ops of an entry is checked there: all states of a module must have equal
// lengths after every call, and a call's new rows must be known from its
// inputs.
//
//===----------------------------------------------------------------------===//
#include "dialects/attn/Constraints.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace attnc::attn {

LogicalResult StateOp::verify() {
  // state_c1
  RankedTensorType row = getType().getRow();
  if (row.getRank() != 2 || !row.hasStaticShape() || row.getEncoding() ||
      !row.getElementType().isF32())
    return emitOpError() << "expects rows [Hk, D] of f32, both numbers; got "
                         << row;
  if (failed(verifyElements(*this, row)))
    return failure();
  if (getType().getWindow() < 0)
    return emitOpError() << "expects a window that is not negative, got "
                         << getType().getWindow();
  // state_c2
  int64_t positions = static_cast<int64_t>(getPositions());
  constexpr int64_t kMost = int64_t(1) << 30;
  if (positions < 1 || positions > kMost)
    return emitOpError() << "expects 1 to 2^30 positions, got " << positions;
  return success();
}

LogicalResult StateOp::verifySymbolUses(SymbolTableCollection &) {
  // state_c2
  auto module = (*this)->getParentOfType<ModuleOp>();
  StateOp first = *module.getOps<StateOp>().begin();
  if (first.getPositions() != getPositions())
    return emitOpError() << "expects as many positions as @"
                         << first.getSymName() << ", "
                         << int64_t(first.getPositions()) << ", got "
                         << int64_t(getPositions());
  return success();
}

LogicalResult GetStateOp::verifySymbolUses(SymbolTableCollection &symbols) {
  // get_state_c1
  auto state = symbols.lookupNearestSymbolFrom<StateOp>(*this, getStateAttr());
  if (!state)
    return emitOpError() << "expects @" << getState()
                         << " to be an attn.state of the module";
  if (state.getType() != getType())
    return emitOpError() << "expects the type of @" << getState() << ", "
                         << state.getType() << ", got " << getType();
  return success();
}

LogicalResult PastOp::verify() {
  // past_c1
  return expectRank(*this, "the result", "[B]", getType(), 1);
}

/// offsets [B + 1], past [B].
static LogicalResult verifySequences(Operation *op, Value offsets, Value past) {
  if (failed(expectRank(op, "past", "[B]", past.getType(), 1)) ||
      failed(expectRank(op, "the offsets", "[B + 1]", offsets.getType(), 1)))
    return failure();
  SizeExpr batch = getNamedShape(past.getType())[0];
  return expectShape(op, "the offsets", "[B + 1]", offsets.getType(),
                     {batch + SizeExpr(1)});
}

LogicalResult PackedPositionsOp::verify() {
  // packed_positions_c1
  if (failed(verifySequences(*this, getOffsets(), getPast())))
    return failure();
  return expectRank(*this, "the result", "[T]", getType(), 1);
}

LogicalResult AppendOp::verify() {
  // append_c1
  if (failed(expectRank(*this, "the rows", "[T, Hk, D]", getRows().getType(),
                        3)) ||
      failed(expectRank(*this, "the offsets", "[B + 1]", getOffsets().getType(),
                        1)))
    return failure();
  SmallVector<SizeExpr> rows = getNamedShape(getRows().getType());
  SmallVector<SizeExpr> row = getNamedShape(getState().getType().getRow());
  return expectShape(*this, "the rows", "[T, Hk, D]", getRows().getType(),
                     {rows[0], row[0], row[1]});
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

int64_t CachedAttentionOp::getQueryHeads() {
  return getQuery().getType().getDimSize(1);
}
int64_t CachedAttentionOp::getKeyHeads() {
  return getKey().getType().getRow().getDimSize(0);
}
int64_t CachedAttentionOp::getHeadSize() {
  return getQuery().getType().getDimSize(2);
}
int64_t CachedAttentionOp::getValueSize() {
  return getValue().getType().getRow().getDimSize(1);
}
int64_t CachedAttentionOp::getWindow() {
  return getKey().getType().getWindow();
}

static LogicalResult verifyCachedShapes(CachedAttentionOp op) {
  Type query = op.getQuery().getType();
  if (failed(expectRank(op, "the query", "[T, Hq, D]", query, 3)) ||
      failed(expectStatic(op, "the query", "[T, Hq, D]", query, 1)) ||
      failed(expectStatic(op, "the query", "[T, Hq, D]", query, 2)) ||
      failed(verifySequences(op, op.getOffsets(), op.getPast())))
    return failure();
  StateType key = op.getKey().getType(), value = op.getValue().getType();
  SmallVector<SizeExpr> rows = getNamedShape(query);
  SizeExpr heads(key.getRow().getDimSize(0));
  if (failed(expectShape(op, "the key's rows", "[Hk, D]", key.getRow(),
                         {heads, rows[2]})) ||
      failed(expectShape(op, "the value's rows", "[Hk, Dv]", value.getRow(),
                         {heads, SizeExpr(op.getValueSize())})) ||
      failed(expectShape(op, "the result", "[T, Hq, Dv]", op.getType(),
                         {rows[0], rows[1], SizeExpr(op.getValueSize())})))
    return failure();
  if (key.getWindow() != value.getWindow())
    return op.emitOpError() << "expects states of one window, got "
                            << key.getWindow() << " and " << value.getWindow();
  return success();
}

LogicalResult CachedAttentionOp::verify() {
  // cached_attention_c1
  if (failed(verifyCachedShapes(*this)))
    return failure();
  // cached_attention_c2
  if (failed(expectGroups(*this, getQueryHeads(), getKeyHeads())))
    return failure();
  // cached_attention_c3, cached_attention_c4, cached_attention_c5
  // No name of a size looks like this: q and kv index nothing.
  SizeExpr position = SizeExpr::name("(position)");
  return verifyAttentionRegions(*this, getScoreRegion(), getMaskRegion(),
                                {getNamedShape(getPast().getType())[0],
                                 SizeExpr(getQueryHeads()), position,
                                 position});
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

static StringRef stateName(Value state) {
  auto get = state.getDefiningOp<GetStateOp>();
  return get ? get.getState() : StringRef();
}

/// The new rows of an entry are what a mask that it is given keeps.
static LogicalResult verifyAppendedRows(EntryOp entry, AppendOp append) {
  // append_c2
  auto index = append.getOffsets().getDefiningOp<PackIndexOp>();
  auto mask = index ? dyn_cast<BlockArgument>(index.getMask()) : Value();
  if (mask && cast<BlockArgument>(mask).getOwner()->getParentOp() == entry)
    return success();
  return append.emitOpError()
         << "expects offsets of an attn.pack_index of an input, so that the "
            "session knows beforehand by how much it grows";
}

/// Keys and values lie differently in memory.
static LogicalResult verifyRoles(CachedAttentionOp attention) {
  // cached_attention_c7
  StringRef key = stateName(attention.getKey());
  StringRef value = stateName(attention.getValue());
  WalkResult result =
      attention->getParentOfType<ModuleOp>().walk([&](CachedAttentionOp other) {
        bool mixed = stateName(other.getValue()) == key ||
                     stateName(other.getKey()) == value;
        return mixed ? WalkResult::interrupt() : WalkResult::advance();
      });
  if (!result.wasInterrupted())
    return success();
  return attention.emitOpError()
         << "expects @" << key << " to be read as keys only and @" << value
         << " as values only";
}

LogicalResult verifyStates(EntryOp entry) {
  llvm::SmallDenseMap<StringRef, AppendOp> appended;
  Value offsets;
  for (Operation &op : entry.getBody().front()) {
    if (auto append = dyn_cast<AppendOp>(op)) {
      // append_c2
      if (failed(verifyAppendedRows(entry, append)))
        return failure();
      if (!appended.insert({stateName(append.getState()), append}).second)
        return append.emitOpError()
               << "expects one append to @" << stateName(append.getState())
               << ", but another stands before it";
      if (!offsets)
        offsets = append.getOffsets();
      if (offsets != append.getOffsets())
        return append.emitOpError("expects the offsets of the entry's first "
                                  "append");
    }
    auto attention = dyn_cast<CachedAttentionOp>(op);
    if (!attention)
      continue;
    // cached_attention_c6
    for (Value state : {attention.getKey(), attention.getValue()})
      if (!appended.contains(stateName(state)))
        return attention.emitOpError() << "expects an attn.append to @"
                                       << stateName(state) << " before it";
    if (attention.getOffsets() != offsets)
      return attention.emitOpError("expects the offsets of the appends");
    if (failed(verifyRoles(attention)))
      return failure();
  }
  if (appended.empty())
    return success();
  // append_c2
  for (StateOp state : entry->getParentOfType<ModuleOp>().getOps<StateOp>())
    if (!appended.contains(state.getSymName()))
      return entry.emitOpError()
             << "appends to some states, but not to @" << state.getSymName()
             << "; all states grow together";
  return success();
}

} // namespace attnc::attn
