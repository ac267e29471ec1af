//===- ProgramHeads.cpp - heads, masks and gates --------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What checkpoints hold as one matrix: the projections to query, key and value,
// and the two halves of a gated layer. Soft caps. Attention whose mask is
// causal or a window:
//
//   attn.attention mask(%kept) { %keep != 0 && q - kv <= w && kv - q <= w }
//
//===----------------------------------------------------------------------===//
#include "compiler/import/ProgramBuilder.h"

using namespace mlir;
using namespace attnc::attn;

namespace attnc {

ProjectedHeads ProgramBuilder::qkvProjection(StringRef name, Value rows,
                                             Value matrix, Value bias,
                                             int64_t heads) {
  Location loc = at(name);
  SmallVector<SizeExpr> shape = getNamedShape(rows.getType());
  const unsigned rank = shape.size();
  int64_t columns = cast<RankedTensorType>(matrix.getType()).getDimSize(0);
  shape.back() = SizeExpr(heads);
  shape.push_back(SizeExpr(columns / (3 * heads)));
  Type type = getNamedTensor(shape, builder.getF32Type());
  SmallVector<Value> captures;
  ArrayAttr maps;
  if (bias) {
    captures.push_back(bias);
    maps = builder.getAffineMapArrayAttr(
        AffineMap::get(rank, 0, builder.getAffineDimExpr(rank - 1)));
  }
  auto op = QkvProjectionOp::create(builder, loc, type, type, type, rows,
                                    matrix, captures, maps);
  if (bias) {
    OpBuilder::InsertionGuard guard(builder);
    Type f32 = builder.getF32Type();
    Block *block =
        builder.createBlock(&op.getElement(), {}, {f32, f32}, {loc, loc});
    YieldOp::create(builder, loc,
                    arith::AddFOp::create(builder, loc, block->getArgument(0),
                                          block->getArgument(1))
                        .getResult());
  }
  return {op.getQuery(), op.getKey(), op.getValue()};
}

Value ProgramBuilder::gate(StringRef name, Value x, Activation activation) {
  Value halves = splitHeads((name + ".halves").str(), x, 2);
  SmallVector<SizeExpr> shape = getNamedShape(halves.getType());
  shape.erase(shape.end() - 2);
  const unsigned rank = shape.size();
  auto half = [&](int64_t index) -> Capture {
    SmallVector<AffineExpr> place;
    for (unsigned dim = 0; dim + 1 < rank; ++dim)
      place.push_back(builder.getAffineDimExpr(dim));
    place.push_back(builder.getAffineConstantExpr(index));
    place.push_back(builder.getAffineDimExpr(rank - 1));
    return {halves, AffineMap::get(rank, 0, place, builder.getContext())};
  };
  return map(
      name, getNamedTensor(shape, builder.getF32Type()), {half(0), half(1)},
      [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
        return arith::MulFOp::create(b, loc, activation(b, loc, x[0]), x[1]);
      });
}

Value ProgramBuilder::softCap(StringRef name, Value x, double cap) {
  auto type = cast<RankedTensorType>(x.getType());
  return map(name, type, {{x, builder.getMultiDimIdentityMap(type.getRank())}},
             [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
               Value limit = arith::ConstantOp::create(
                   b, loc, b.getF32FloatAttr(static_cast<float>(cap)));
               Value share = arith::DivFOp::create(b, loc, x[0], limit);
               return arith::MulFOp::create(
                   b, loc, math::TanhOp::create(b, loc, share), limit);
             });
}

Value ProgramBuilder::maskedAttention(StringRef name,
                                      const ProjectedHeads &heads, Value mask,
                                      const KeyReach &reach) {
  Location loc = at(name);
  SmallVector<Value> captures;
  SmallVector<AffineMap> maps;
  if (mask) {
    captures.push_back(mask);
    maps.push_back(
        AffineMap::getMultiDimMapWithTargets(4, {0, 3}, builder.getContext()));
  }
  auto op = AttentionOp::create(
      builder, loc, heads.query.getType(), heads.query, heads.key, heads.value,
      /*offsets=*/Value(), ValueRange(), captures, ArrayAttr(),
      maps.empty() ? ArrayAttr() : builder.getAffineMapArrayAttr(maps),
      /*length_bound=*/StringAttr());
  if (!mask && !reach.causal && !reach.window)
    return op.getResult();

  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Type> types(mask ? 5 : 4, builder.getI32Type());
  SmallVector<Location> locations(types.size(), loc);
  Block *block = builder.createBlock(&op.getMask(), {}, types, locations);
  Value query = block->getArgument(2), key = block->getArgument(3);
  Value kept;
  auto keepIf = [&](arith::CmpIPredicate predicate, Value a, Value b) {
    Value condition = arith::CmpIOp::create(builder, loc, predicate, a, b);
    kept = kept ? Value(arith::AndIOp::create(builder, loc, kept, condition))
                : condition;
  };
  auto number = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(
        builder, loc, builder.getI32IntegerAttr(static_cast<int32_t>(value)));
  };
  if (mask)
    keepIf(arith::CmpIPredicate::ne, block->getArgument(4), number(0));
  if (reach.causal)
    keepIf(arith::CmpIPredicate::sge, query, key);
  if (reach.window) {
    Value window = number(*reach.window);
    auto distance = [&](Value from, Value to) -> Value {
      return arith::SubIOp::create(builder, loc, from, to);
    };
    keepIf(arith::CmpIPredicate::sle, distance(query, key), window);
    keepIf(arith::CmpIPredicate::sle, distance(key, query), window);
  }
  YieldOp::create(builder, loc, kept);
  return op.getResult();
}

} // namespace attnc
