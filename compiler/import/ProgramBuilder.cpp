//===- ProgramBuilder.cpp - builds an attn module -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Entries grow op by op; their result types are known when they end. A weight
// is declared once per module, before the first entry, and checked against its
// tensor there and then.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/ProgramBuilder.h"
#include "compiler/import/Diagnostics.h"
#include <limits>

using namespace mlir;
using namespace attnc::attn;

namespace attnc {

/// A checkpoint of another model lacks nearly every tensor; that many errors
/// are enough to see it.
static constexpr unsigned kMaxWeightErrors = 8;

ProgramBuilder::ProgramBuilder(ModuleOp module, const WeightTable &weights)
    : module(module), weights(weights), builder(module.getContext()),
      symbols(module) {
  builder.setInsertionPointToEnd(module.getBody());
}

Location ProgramBuilder::at(StringRef name) {
  return NameLoc::get(builder.getStringAttr(name));
}

//===----------------------------------------------------------------------===//
// Program
//===----------------------------------------------------------------------===//

void ProgramBuilder::declareSize(StringRef name, int64_t minimum,
                                 int64_t maximum) {
  SizeOp::create(builder, at(name), name, builder.getI64IntegerAttr(minimum),
                 builder.getI64IntegerAttr(maximum), StringAttr());
}

void ProgramBuilder::beginEntry(StringRef name, ArrayRef<EntryInput> inputs) {
  SmallVector<Type> types;
  SmallVector<Attribute> attributes;
  SmallVector<Location> locations;
  SmallVector<Attribute> sizes;
  for (const EntryInput &input : inputs) {
    Type element = input.isNumber ? Type(builder.getF32Type())
                                  : Type(builder.getI32Type());
    types.push_back(getNamedTensor(input.shape, element));
    locations.push_back(at(input.name));
    SmallVector<NamedAttribute> described = {
        {AttnDialect::kNameAttr, builder.getStringAttr(input.name)}};
    if (!input.isNumber)
      described.push_back(
          {AttnDialect::kRangeAttr,
           builder.getDenseI64ArrayAttr({input.minimum, input.maximum})});
    if (input.otherwise)
      described.push_back({AttnDialect::kDefaultAttr,
                           builder.getI32IntegerAttr(*input.otherwise)});
    attributes.push_back(builder.getDictionaryAttr(described));
    for (const SizeExpr &dim : input.shape)
      for (const std::string &size : dim.names())
        if (!llvm::is_contained(sizes, builder.getStringAttr(size)))
          sizes.push_back(builder.getStringAttr(size));
  }
  builder.setInsertionPointToEnd(module.getBody());
  entry = EntryOp::create(builder, at(name), builder.getStringAttr(name),
                          TypeAttr::get(builder.getFunctionType(types, {})),
                          builder.getArrayAttr(sizes),
                          builder.getArrayAttr(attributes),
                          builder.getArrayAttr({}));
  if (!firstEntry)
    firstEntry = entry;
  Block *body = builder.createBlock(&entry.getBody(), {}, types, locations);
  builder.setInsertionPointToEnd(body);
}

Value ProgramBuilder::getInput(StringRef name) const {
  attn::EntryOp open = entry;
  for (unsigned index = 0; index < open.getArgumentTypes().size(); ++index)
    if (open.getArgName(index) == name)
      return open.getBody().getArgument(index);
  llvm_unreachable("the entry was begun with this input");
}

void ProgramBuilder::endEntry(ArrayRef<EntryOutput> outputs) {
  SmallVector<Value> values;
  SmallVector<Type> types;
  SmallVector<Attribute> attributes;
  for (const EntryOutput &output : outputs) {
    values.push_back(output.value);
    types.push_back(output.value.getType());
    attributes.push_back(builder.getDictionaryAttr(builder.getNamedAttr(
        AttnDialect::kNameAttr, builder.getStringAttr(output.name))));
  }
  ReturnOp::create(builder, entry.getLoc(), values);
  entry.setFunctionTypeAttr(
      TypeAttr::get(builder.getFunctionType(entry.getArgumentTypes(), types)));
  entry.setResAttrsAttr(builder.getArrayAttr(attributes));
  entry = {};
}

void ProgramBuilder::declare(WeightOp weight) {
  symbols.insert(weight);
  for (StringRef source : weight.getSources().getAsValueRange<StringAttr>())
    used.insert(source);
  llvm::Error error = weights.check(weight);
  if (!error)
    return;
  if (++badWeights <= kMaxWeightErrors)
    (void)reportError(builder.getContext(), std::move(error));
  else
    llvm::consumeError(std::move(error));
}

Value ProgramBuilder::getWeight(StringRef name, StringRef symbol, Type type) {
  return GetWeightOp::create(
      builder, at(name), type,
      FlatSymbolRefAttr::get(builder.getContext(), symbol));
}

Value ProgramBuilder::weight(StringRef name, StringRef symbol, StringRef source,
                             ArrayRef<int64_t> shape) {
  return weight(name, symbol, {source.str()}, shape, WeightRecipe());
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

static RankedTensorType getType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// The named shape of `value` with its last dimension replaced.
static RankedTensorType withLastDim(Value value, int64_t size) {
  SmallVector<SizeExpr> shape = getNamedShape(value.getType());
  shape.back() = SizeExpr(size);
  return getNamedTensor(shape, getType(value).getElementType());
}

Value ProgramBuilder::map(StringRef name, RankedTensorType type,
                          ArrayRef<Capture> captures, Body body) {
  Location loc = at(name);
  SmallVector<Value> values;
  SmallVector<AffineMap> maps;
  SmallVector<Type> scalars;
  for (const Capture &capture : captures) {
    values.push_back(capture.value);
    maps.push_back(capture.map);
    scalars.push_back(getCapturedType(getType(capture.value), capture.map));
  }
  auto op = MapOp::create(builder, loc, type, values, ValueRange(),
                          builder.getAffineMapArrayAttr(maps), ArrayAttr());
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Location> locations(scalars.size(), loc);
  Block *block = builder.createBlock(&op.getElement(), {}, scalars, locations);
  Value result = body(builder, loc, block->getArguments());
  YieldOp::create(builder, loc, result);
  return op.getResult();
}

Value ProgramBuilder::embedding(StringRef name, Value ids, Value table) {
  SmallVector<SizeExpr> shape = getNamedShape(ids.getType());
  shape.push_back(getType(table).getDimSize(1));
  return EmbeddingOp::create(builder, at(name),
                             getNamedTensor(shape, builder.getF32Type()), ids,
                             table, ValueRange(), ArrayAttr())
      .getResult();
}

Value ProgramBuilder::positionsLike(StringRef name, Value ids) {
  return PositionsOp::create(builder, at(name), ids.getType());
}

Value ProgramBuilder::tokenPositions(StringRef name, Value ids,
                                     int64_t padding) {
  return TokenPositionsOp::create(builder, at(name), ids.getType(), ids,
                                  padding);
}

Value ProgramBuilder::linear(StringRef name, Value rows, Value matrix) {
  return LinearOp::create(builder, at(name),
                          withLastDim(rows, getType(matrix).getDimSize(0)),
                          rows, matrix, ValueRange(), ValueRange(), ArrayAttr(),
                          ArrayAttr())
      .getResult();
}

/// The map of a capture that has the result's own index.
static AffineMap identityMap(Value value) {
  return AffineMap::getMultiDimIdentityMap(getType(value).getRank(),
                                           value.getContext());
}

Value ProgramBuilder::addBias(StringRef name, Value rows, Value bias) {
  unsigned rank = getType(rows).getRank();
  AffineMap column =
      AffineMap::get(rank, 0, builder.getAffineDimExpr(rank - 1));
  return map(name, getType(rows), {{rows, identityMap(rows)}, {bias, column}},
             [](OpBuilder &b, Location loc, ValueRange x) -> Value {
               return arith::AddFOp::create(b, loc, x[0], x[1]);
             });
}

Value ProgramBuilder::add(StringRef name, Value a, Value b) {
  return map(name, getType(a), {{a, identityMap(a)}, {b, identityMap(b)}},
             [](OpBuilder &b, Location loc, ValueRange x) -> Value {
               return arith::AddFOp::create(b, loc, x[0], x[1]);
             });
}

Value ProgramBuilder::scale(StringRef name, Value x, double factor) {
  return map(name, getType(x), {{x, identityMap(x)}},
             [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
               Value constant = arith::ConstantOp::create(
                   b, loc, b.getF32FloatAttr(static_cast<float>(factor)));
               return arith::MulFOp::create(b, loc, x[0], constant);
             });
}

Value ProgramBuilder::activate(StringRef name, Value x, Activation activation) {
  return map(name, getType(x), {{x, identityMap(x)}},
             [&](OpBuilder &b, Location loc, ValueRange x) {
               return activation(b, loc, x[0]);
             });
}

Value ProgramBuilder::layerNorm(StringRef name, Value x, Value weight,
                                Value bias, double epsilon) {
  return NormOp::create(builder, at(name), x.getType(), x, weight, bias,
                        NormKind::layer, llvm::APFloat(epsilon));
}

Value ProgramBuilder::l2Norm(StringRef name, Value x, double epsilon) {
  return NormOp::create(builder, at(name), x.getType(), x, Value(), Value(),
                        NormKind::l2, llvm::APFloat(epsilon));
}

Value ProgramBuilder::splitHeads(StringRef name, Value x, int64_t heads) {
  SmallVector<SizeExpr> shape = getNamedShape(x.getType());
  int64_t columns = shape.pop_back_val().number();
  shape.append({SizeExpr(heads), SizeExpr(columns / heads)});
  return SplitHeadsOp::create(builder, at(name),
                              getNamedTensor(shape, builder.getF32Type()), x);
}

Value ProgramBuilder::mergeHeads(StringRef name, Value x) {
  SmallVector<SizeExpr> shape = getNamedShape(x.getType());
  SizeExpr size = shape.pop_back_val();
  shape.back() = shape.back() * size;
  return MergeHeadsOp::create(builder, at(name),
                              getNamedTensor(shape, builder.getF32Type()), x);
}

/// mask != 0 in an element region.
static Value isKept(OpBuilder &builder, Location loc, Value mask) {
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(0));
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, mask,
                               zero);
}

static Value makeF32(OpBuilder &builder, Location loc, float number) {
  return arith::ConstantOp::create(builder, loc,
                                   builder.getF32FloatAttr(number));
}

Value ProgramBuilder::additivePadding(StringRef name, Value mask) {
  RankedTensorType type =
      getNamedTensor(getNamedShape(mask.getType()), builder.getF32Type());
  return map(name, type, {{mask, identityMap(mask)}},
             [](OpBuilder &b, Location loc, ValueRange x) -> Value {
               Value kept = isKept(b, loc, x[0]);
               Value zero = makeF32(b, loc, 0.0f);
               Value removed =
                   makeF32(b, loc, -std::numeric_limits<float>::infinity());
               return arith::SelectOp::create(b, loc, kept, zero, removed);
             });
}

Value ProgramBuilder::zeroPadding(StringRef name, Value x, Value mask) {
  unsigned rank = getType(x).getRank();
  AffineMap position = AffineMap::getMultiDimIdentityMap(rank, x.getContext())
                           .getMajorSubMap(getType(mask).getRank());
  return map(name, getType(x), {{x, identityMap(x)}, {mask, position}},
             [](OpBuilder &b, Location loc, ValueRange x) -> Value {
               Value kept = isKept(b, loc, x[1]);
               Value zero = makeF32(b, loc, 0.0f);
               return arith::SelectOp::create(b, loc, kept, x[0], zero);
             });
}

Value ProgramBuilder::column(StringRef name, Value x, int64_t index) {
  SmallVector<SizeExpr> shape = getNamedShape(x.getType());
  shape.pop_back();
  SmallVector<AffineExpr> place;
  for (unsigned dim = 0; dim < shape.size(); ++dim)
    place.push_back(builder.getAffineDimExpr(dim));
  place.push_back(builder.getAffineConstantExpr(index));
  AffineMap map = AffineMap::get(shape.size(), 0, place, builder.getContext());
  return this->map(name, getNamedTensor(shape, builder.getF32Type()),
                   {{x, map}},
                   [](OpBuilder &, Location, ValueRange x) { return x[0]; });
}

Value ProgramBuilder::pool(StringRef name, PoolKind kind, Value x, Value mask) {
  SmallVector<SizeExpr> shape = getNamedShape(x.getType());
  shape.erase(shape.begin() + 1);
  return PoolOp::create(builder, at(name),
                        getNamedTensor(shape, builder.getF32Type()), x, mask,
                        /*offsets=*/Value(), kind);
}

} // namespace attnc
