//===- ProgramDistances.cpp - attention that sees distances ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention whose score region looks up what the distance of query and key
// adds, and the products and windows that architectures with distances need:
//
//   attn.attention score(%padding, %buckets, %of_query) {
//     %n = q - kv + OFFSET
//     %row = attn.lookup %buckets[%n]
//     %x = attn.lookup %of_query[%row]
//     (%score + %x) * SCALE + %padding }
//
//===----------------------------------------------------------------------===//
#include "compiler/import/ProgramBuilder.h"
#include "dialects/attn/ProjectedWeight.h"

using namespace mlir;
using namespace attnc::attn;

namespace attnc {

static RankedTensorType getType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

Value ProgramBuilder::constant(StringRef name, ArrayRef<int32_t> elements) {
  auto type = RankedTensorType::get({static_cast<int64_t>(elements.size())},
                                    builder.getI32Type());
  return ConstantOp::create(
      builder, at(name), type,
      cast<ElementsAttr>(DenseElementsAttr::get(type, elements)));
}

Value ProgramBuilder::transpose(StringRef name, Value x,
                                ArrayRef<unsigned> dims) {
  // Dimension i of the result is dimension dims[i] of x.
  SmallVector<SizeExpr> from = getNamedShape(x.getType()), to;
  SmallVector<AffineExpr> place(from.size());
  for (auto [index, dim] : llvm::enumerate(dims)) {
    to.push_back(from[dim]);
    place[dim] = builder.getAffineDimExpr(index);
  }
  AffineMap access =
      AffineMap::get(dims.size(), 0, place, builder.getContext());
  return map(name, getNamedTensor(to, getType(x).getElementType()),
             {{x, access}},
             [](OpBuilder &, Location, ValueRange x) { return x[0]; });
}

Value ProgramBuilder::projectedWeight(StringRef name,
                                      ArrayRef<StringRef> sources,
                                      ArrayRef<int64_t> shape,
                                      std::optional<double> epsilon) {
  auto type = RankedTensorType::get(shape, builder.getF32Type());
  if (!symbols.lookup(name)) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(firstEntry);
    auto weight = WeightOp::create(
        builder, at(name), name, builder.getStrArrayAttr(sources),
        /*concat=*/IntegerAttr(), /*transpose=*/false,
        /*groups=*/DenseI64ArrayAttr(), /*plus=*/FloatAttr(),
        /*digest=*/StringAttr(), type);
    weight->setAttr(kProjectedAttr,
                    epsilon ? Attribute(builder.getF64FloatAttr(*epsilon))
                            : Attribute(builder.getUnitAttr()));
    declare(weight);
  }
  return getWeight(name, name, type);
}

Value ProgramBuilder::headLinear(StringRef name, Value heads, Value matrices) {
  SmallVector<SizeExpr> shape = getNamedShape(heads.getType());
  shape.back() = getType(matrices).getShape().back();
  return HeadLinearOp::create(builder, at(name),
                              getNamedTensor(shape, builder.getF32Type()),
                              heads, matrices);
}

Value ProgramBuilder::windows(StringRef name, Value x, int64_t size) {
  SmallVector<SizeExpr> shape = getNamedShape(x.getType());
  Type i32 = builder.getI32Type();
  // A look-up beyond the sequence reads its end; where that is not the place
  // that was asked for, the window has a zero.
  Value positions =
      PositionsOp::create(builder, at((name + ".positions").str()),
                          getNamedTensor({shape[0], shape[1]}, i32));
  shape.push_back(SizeExpr(size));
  AffineMap batch = AffineMap::get(4, 0, builder.getAffineDimExpr(0));
  Value result = map(
      name, getNamedTensor(shape, builder.getF32Type()),
      {{x, batch}, {positions, batch}},
      [&](OpBuilder &b, Location loc, ValueRange sources) -> Value {
        auto index = [&](int64_t dim) -> Value {
          return IndexOp::create(b, loc, i32, dim);
        };
        Value before = arith::ConstantOp::create(
            b, loc, b.getI32IntegerAttr(static_cast<int32_t>((size - 1) / 2)));
        Value place = arith::AddIOp::create(b, loc, index(1), index(3));
        place = arith::SubIOp::create(b, loc, place, before);
        Value found = LookupOp::create(b, loc, i32, sources[1], place);
        Value inside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                             found, place);
        Value element = LookupOp::create(b, loc, b.getF32Type(), sources[0],
                                         ValueRange{place, index(2)});
        Value zero = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(0));
        return arith::SelectOp::create(b, loc, inside, element, zero);
      });
  return mergeHeads((name + ".merge").str(), result);
}

namespace {
/// A score region while it is written.
class ScoreBuilder {
public:
  ScoreBuilder(OpBuilder &b, Location loc, AttentionOp op) : b(b), loc(loc) {
    SmallVector<Type> types(5, b.getI32Type());
    types[0] = b.getF32Type();
    CapturedRegion region = op.getScoreRegion();
    for (auto [capture, map] : llvm::zip_equal(region.captures, region.maps))
      types.push_back(getCapturedType(getType(capture), map));
    SmallVector<Location> locations(types.size(), loc);
    block = b.createBlock(&op.getScore(), {}, types, locations);
  }

  Value argument(unsigned index) const { return block->getArgument(index); }
  Value add(Value x, Value y) const {
    return x.getType().isInteger() ? Value(arith::AddIOp::create(b, loc, x, y))
                                   : Value(arith::AddFOp::create(b, loc, x, y));
  }
  Value look(Value table, ValueRange indices) const {
    return LookupOp::create(b, loc, getType(table).getElementType(), table,
                            indices);
  }
  /// q - kv + offset.
  Value distance(int64_t offset) const {
    Value number = arith::ConstantOp::create(
        b, loc, b.getI32IntegerAttr(static_cast<int32_t>(offset)));
    return add(arith::SubIOp::create(b, loc, argument(3), argument(4)), number);
  }

private:
  OpBuilder &b;
  Location loc;
  Block *block;
};
} // namespace

Value ProgramBuilder::attention(StringRef name, Value query, Value key,
                                Value value, Value padding,
                                const DistanceScores &distances) {
  Location loc = at(name);
  auto access = [&](ArrayRef<unsigned> dims) {
    return AffineMap::getMultiDimMapWithTargets(4, dims, builder.getContext());
  };
  SmallVector<Value> captures;
  SmallVector<AffineMap> maps;
  // Of (b, h, q, kv); returns the argument's number, or 0.
  auto capture = [&](Value captured, ArrayRef<unsigned> dims) -> unsigned {
    if (!captured)
      return 0;
    captures.push_back(captured);
    maps.push_back(access(dims));
    return captures.size() + 4;
  };
  unsigned mask = capture(padding, {0, 3});
  unsigned buckets = capture(distances.buckets, {});
  unsigned ofQuery = capture(distances.ofQuery, {0, 2, 1});
  unsigned ofKey = capture(distances.ofKey, {0, 3, 1});
  unsigned ofHead = capture(distances.ofHead, {});
  SmallVector<SizeExpr> shape = getNamedShape(query.getType());
  shape.back() = getType(value).getShape().back();
  auto op = AttentionOp::create(
      builder, loc, getNamedTensor(shape, builder.getF32Type()), query, key,
      value, /*offsets=*/Value(), captures, ValueRange(),
      builder.getAffineMapArrayAttr(maps), ArrayAttr(),
      /*length_bound=*/StringAttr());
  OpBuilder::InsertionGuard guard(builder);
  ScoreBuilder region(builder, loc, op);
  Value score = region.argument(0), row;
  if (ofQuery || ofKey || ofHead)
    row = region.distance(distances.offset);
  if (buckets)
    row = region.look(region.argument(buckets), row);
  for (unsigned table : {ofQuery, ofKey})
    if (table)
      score = region.add(score, region.look(region.argument(table), row));
  if (distances.scale != 1) {
    Value factor = arith::ConstantOp::create(
        builder, loc,
        builder.getF32FloatAttr(static_cast<float>(distances.scale)));
    score = arith::MulFOp::create(builder, loc, score, factor);
  }
  if (ofHead)
    score = region.add(
        score, region.look(region.argument(ofHead), {row, region.argument(2)}));
  YieldOp::create(builder, loc, region.add(score, region.argument(mask)));
  return op.getResult();
}

} // namespace attnc
