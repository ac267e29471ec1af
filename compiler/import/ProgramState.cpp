//===- ProgramState.cpp - packed rows and what sessions keep
//----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The words in which decoders are written: rows are packed from the beginning,
// because a state takes no padding, and count their positions from what their
// sequence has already.
//
//   %rows, %offsets = attn.pack_index %mask      %past = attn.past
//   attn.append %key, %offsets to %keys          (and values)
//   %o = attn.cached_attention %query, %keys, %values ... mask { kv <= q }
//
//===----------------------------------------------------------------------===//
#include "compiler/import/ProgramBuilder.h"

using namespace mlir;
using namespace attnc::attn;

namespace attnc {

static constexpr llvm::StringLiteral kTokens = "tokens";

PackedRows ProgramBuilder::packRows(Value mask) {
  Type i32 = builder.getI32Type();
  SmallVector<SizeExpr> padded = getNamedShape(mask.getType());
  SizeExpr tokens = SizeExpr::name(kTokens);
  if (!module.lookupSymbol(kTokens)) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(firstEntry);
    SizeOp::create(builder, at(kTokens), kTokens, IntegerAttr(), IntegerAttr(),
                   builder.getStringAttr(getProduct(padded).str()));
  }
  Type rowsType = getNamedTensor(tokens, i32);
  auto index =
      PackIndexOp::create(builder, at("rows"), rowsType,
                          getNamedTensor(padded[0] + SizeExpr(1), i32), mask);
  Value past =
      PastOp::create(builder, at("past"), getNamedTensor(padded[0], i32));
  Value positions = PackedPositionsOp::create(
      builder, at("positions"), rowsType, index.getOffsets(), past);
  return {index.getRows(), index.getOffsets(), past, positions};
}

Value ProgramBuilder::pack(StringRef name, Value x, const PackedRows &rows) {
  SmallVector<SizeExpr> shape = getNamedShape(rows.rows.getType());
  llvm::append_range(shape, ArrayRef(getNamedShape(x.getType())).drop_front(2));
  Type element = cast<RankedTensorType>(x.getType()).getElementType();
  return PackOp::create(builder, at(name), getNamedTensor(shape, element), x,
                        rows.rows);
}

Value ProgramBuilder::unpack(StringRef name, Value x, Value mask,
                             const PackedRows &rows) {
  SmallVector<SizeExpr> shape = getNamedShape(mask.getType());
  llvm::append_range(shape, ArrayRef(getNamedShape(x.getType())).drop_front());
  return UnpackOp::create(builder, at(name),
                          getNamedTensor(shape, builder.getF32Type()), x,
                          rows.rows);
}

Value ProgramBuilder::lastRows(StringRef name, Value x,
                               const PackedRows &rows) {
  SmallVector<SizeExpr> shape = {getNamedShape(rows.past.getType())[0],
                                 getNamedShape(x.getType()).back()};
  return PoolOp::create(builder, at(name),
                        getNamedTensor(shape, builder.getF32Type()), x,
                        /*mask=*/Value(), rows.offsets, PoolKind::last);
}

Value ProgramBuilder::weight(StringRef name, StringRef symbol,
                             ArrayRef<std::string> sources,
                             ArrayRef<int64_t> shape,
                             const WeightRecipe &recipe) {
  auto type = RankedTensorType::get(shape, builder.getF32Type());
  if (!symbols.lookup(symbol)) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(firstEntry);
    SmallVector<StringRef> names(sources.begin(), sources.end());
    // What is joined are rows; before a transposition they are columns.
    auto joined = sources.size() > 1
                      ? builder.getI64IntegerAttr(recipe.transpose ? 1 : 0)
                      : IntegerAttr();
    auto groups = recipe.groups.empty()
                      ? DenseI64ArrayAttr()
                      : builder.getDenseI64ArrayAttr(recipe.groups);
    auto plus = recipe.plus == 0
                    ? FloatAttr()
                    : builder.getF32FloatAttr(static_cast<float>(recipe.plus));
    auto weight = WeightOp::create(
        builder, at(name), symbol, builder.getStrArrayAttr(names), joined,
        recipe.transpose, groups, plus, /*digest=*/StringAttr(), type);
    declare(weight);
  }
  return getWeight(name, symbol, type);
}

Value ProgramBuilder::rmsNorm(StringRef name, Value x, Value weight,
                              double epsilon) {
  return NormOp::create(builder, at(name), x.getType(), x, weight, Value(),
                        NormKind::rms, llvm::APFloat(epsilon));
}

Value ProgramBuilder::multiply(StringRef name, Value a, Value b) {
  auto type = cast<RankedTensorType>(a.getType());
  AffineMap same = builder.getMultiDimIdentityMap(type.getRank());
  return map(name, type, {{a, same}, {b, same}},
             [](OpBuilder &b, Location loc, ValueRange x) -> Value {
               return arith::MulFOp::create(b, loc, x[0], x[1]);
             });
}

ProjectedHeads ProgramBuilder::qkvHeads(StringRef name, Value rows,
                                        Value matrix, Value bias,
                                        const HeadSizes &sizes) {
  Location loc = at(name);
  const unsigned rank = cast<RankedTensorType>(rows.getType()).getRank();
  auto type = [&](int64_t heads) {
    SmallVector<SizeExpr> shape = getNamedShape(rows.getType());
    shape.back() = SizeExpr(heads);
    shape.push_back(SizeExpr(sizes.size));
    return getNamedTensor(shape, builder.getF32Type());
  };
  SmallVector<Value> captures;
  ArrayAttr maps;
  if (bias) {
    captures.push_back(bias);
    maps = builder.getAffineMapArrayAttr(
        AffineMap::get(rank, 0, builder.getAffineDimExpr(rank - 1)));
  }
  auto op = QkvProjectionOp::create(builder, loc, type(sizes.heads),
                                    type(sizes.keyHeads), type(sizes.keyHeads),
                                    rows, matrix, captures, maps);
  if (bias) {
    OpBuilder::InsertionGuard guard(builder);
    Type f32 = builder.getF32Type();
    Block *block =
        builder.createBlock(&op.getElement(), {}, {f32, f32}, {loc, loc});
    Value sum = arith::AddFOp::create(builder, loc, block->getArgument(0),
                                      block->getArgument(1));
    YieldOp::create(builder, loc, sum);
  }
  return {op.getQuery(), op.getKey(), op.getValue()};
}

//===----------------------------------------------------------------------===//
// States
//===----------------------------------------------------------------------===//

Value ProgramBuilder::appendToState(StringRef name, StringRef symbol,
                                    Value heads, const PackedRows &rows,
                                    const CacheSettings &settings) {
  auto type = cast<RankedTensorType>(heads.getType());
  auto state = StateType::get(
      builder.getContext(),
      RankedTensorType::get({type.getDimSize(1), type.getDimSize(2)},
                            builder.getF32Type()),
      settings.window);
  if (!symbols.lookup(symbol)) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(firstEntry);
    symbols.insert(StateOp::create(builder, at(name), symbol,
                                   settings.positions, StateFormat::f32,
                                   state));
  }
  Value handle =
      GetStateOp::create(builder, at(name), state,
                         FlatSymbolRefAttr::get(builder.getContext(), symbol));
  AppendOp::create(builder, at(name), heads, rows.offsets, handle);
  return handle;
}

Value ProgramBuilder::cachedAttention(StringRef name,
                                      const ProjectedHeads &heads,
                                      const PackedRows &rows,
                                      const CacheSettings &settings) {
  std::string prefix = name.str();
  Value key = appendToState(prefix + ".append_key", prefix + ".key", heads.key,
                            rows, settings);
  Value value = appendToState(prefix + ".append_value", prefix + ".value",
                              heads.value, rows, settings);
  Location loc = at(name);
  SmallVector<Value> captures;
  ArrayAttr maps;
  if (Value captured =
          settings.products ? settings.products : settings.slopes) {
    captures.push_back(captured);
    maps = builder.getAffineMapArrayAttr(
        AffineMap::get(4, 0, builder.getAffineDimExpr(1))); // by head
  }
  auto op = CachedAttentionOp::create(
      builder, loc, heads.query.getType(), heads.query, key, value,
      rows.offsets, rows.past, captures, ValueRange(), maps, ArrayAttr());
  fillScore(op, settings);
  OpBuilder::InsertionGuard guard(builder);
  Type i32 = builder.getI32Type();
  Block *block = builder.createBlock(&op.getMask(), {}, {i32, i32, i32, i32},
                                     SmallVector<Location>(4, loc));
  Value seen =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge,
                            block->getArgument(2), block->getArgument(3));
  YieldOp::create(builder, loc, seen);
  return op.getResult();
}

} // namespace attnc
