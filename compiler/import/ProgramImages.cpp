//===- ProgramImages.cpp - images as rows ---------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The patches of an image as rows, by look-ups at places that small tables
// hold; single rows of a sequence that are set, taken or compared.
//
//   attn.map element(%image, %top, %left, %channel, %down, %right) {
//     attn.lookup %image[%channel, %top + %down, %left + %right] }
//
//===----------------------------------------------------------------------===//
#include "compiler/import/ProgramBuilder.h"

using namespace mlir;
using namespace attnc::attn;

namespace attnc {

EntryInput EntryInput::pixels(int64_t channels, int64_t height, int64_t width) {
  EntryInput input;
  input.name = "pixel_values";
  input.shape = {SizeExpr::name("batch"), SizeExpr(channels), SizeExpr(height),
                 SizeExpr(width)};
  input.isNumber = true;
  return input;
}

Value ProgramBuilder::patches(StringRef name, Value image, int64_t patchHeight,
                              int64_t patchWidth, int64_t leadingRows) {
  SmallVector<SizeExpr> shape = getNamedShape(image.getType());
  const int64_t channels = shape[1].number();
  const int64_t down = shape[2].number() / patchHeight;
  const int64_t across = shape[3].number() / patchWidth;
  // By row: where its patch begins.
  SmallVector<int32_t> top(leadingRows, 0), left(leadingRows, 0);
  for (int64_t y = 0; y < down; ++y)
    for (int64_t x = 0; x < across; ++x) {
      top.push_back(y * patchHeight);
      left.push_back(x * patchWidth);
    }
  // By column: its place in a patch.
  SmallVector<int32_t> channel, row, column;
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t i = 0; i < patchHeight; ++i)
      for (int64_t j = 0; j < patchWidth; ++j) {
        channel.push_back(c);
        row.push_back(i);
        column.push_back(j);
      }
  auto access = [&](ArrayRef<unsigned> dims) {
    return AffineMap::getMultiDimMapWithTargets(3, dims, builder.getContext());
  };
  auto table = [&](StringRef part, ArrayRef<int32_t> numbers, unsigned dim) {
    return Capture{constant((name + part).str(), numbers), access({dim})};
  };
  Capture captures[] = {{image, access({0})},    table(".top", top, 1),
                        table(".left", left, 1), table(".channel", channel, 2),
                        table(".row", row, 2),   table(".column", column, 2)};
  RankedTensorType type =
      getNamedTensor({shape[0], SizeExpr(static_cast<int64_t>(top.size())),
                      SizeExpr(static_cast<int64_t>(channel.size()))},
                     builder.getF32Type());
  return map(
      name, type, captures,
      [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
        auto sum = [&](Value a, Value c) -> Value {
          return arith::AddIOp::create(b, loc, a, c);
        };
        Value found = LookupOp::create(
            b, loc, b.getF32Type(), x[0],
            ValueRange{x[3], sum(x[1], x[4]), sum(x[2], x[5])});
        if (!leadingRows)
          return found;
        Value index = IndexOp::create(b, loc, b.getI32Type(), 1);
        Value first =
            arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(leadingRows));
        Value isPatch = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge,
                                              index, first);
        Value zero = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(0));
        return arith::SelectOp::create(b, loc, isPatch, found, zero);
      });
}

Value ProgramBuilder::replaceRow(StringRef name, Value x, int64_t index,
                                 Value row) {
  auto type = cast<RankedTensorType>(x.getType());
  const unsigned rank = type.getRank();
  AffineMap whole =
      AffineMap::getMultiDimIdentityMap(rank, builder.getContext());
  AffineMap column =
      AffineMap::get(rank, 0, builder.getAffineDimExpr(rank - 1));
  return map(name, type, {{x, whole}, {row, column}},
             [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
               Value place = IndexOp::create(b, loc, b.getI32Type(), rank - 2);
               Value wanted = arith::ConstantOp::create(
                   b, loc, b.getI32IntegerAttr(static_cast<int32_t>(index)));
               Value isIt = arith::CmpIOp::create(
                   b, loc, arith::CmpIPredicate::eq, place, wanted);
               return arith::SelectOp::create(b, loc, isIt, x[1], x[0]);
             });
}

Value ProgramBuilder::addToRows(StringRef name, Value x, Value table) {
  auto type = cast<RankedTensorType>(x.getType());
  const unsigned rank = type.getRank();
  AffineMap whole =
      AffineMap::getMultiDimIdentityMap(rank, builder.getContext());
  // Leading dimensions of the table are 1.
  SmallVector<AffineExpr> place(
      cast<RankedTensorType>(table.getType()).getRank() - 2,
      builder.getAffineConstantExpr(0));
  place.push_back(builder.getAffineDimExpr(rank - 2));
  place.push_back(builder.getAffineDimExpr(rank - 1));
  AffineMap row = AffineMap::get(rank, 0, place, builder.getContext());
  return map(name, type, {{x, whole}, {table, row}},
             [](OpBuilder &b, Location loc, ValueRange x) -> Value {
               return arith::AddFOp::create(b, loc, x[0], x[1]);
             });
}

Value ProgramBuilder::row(StringRef name, Value x, int64_t index) {
  SmallVector<SizeExpr> shape = getNamedShape(x.getType());
  shape.erase(shape.end() - 2);
  const unsigned rank = shape.size();
  SmallVector<AffineExpr> place;
  for (unsigned dim = 0; dim + 1 < rank; ++dim)
    place.push_back(builder.getAffineDimExpr(dim));
  place.push_back(builder.getAffineConstantExpr(index));
  place.push_back(builder.getAffineDimExpr(rank - 1));
  return map(name, getNamedTensor(shape, builder.getF32Type()),
             {{x, AffineMap::get(rank, 0, place, builder.getContext())}},
             [](OpBuilder &, Location, ValueRange x) { return x[0]; });
}

Value ProgramBuilder::equals(StringRef name, Value ids, int64_t id,
                             Value mask) {
  auto type = cast<RankedTensorType>(ids.getType());
  AffineMap whole =
      AffineMap::getMultiDimIdentityMap(type.getRank(), builder.getContext());
  return map(
      name, type, {{ids, whole}, {mask, whole}},
      [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
        Value wanted = arith::ConstantOp::create(
            b, loc, b.getI32IntegerAttr(static_cast<int32_t>(id)));
        Value isIt = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                           x[0], wanted);
        Value found = arith::ExtUIOp::create(b, loc, b.getI32Type(), isIt);
        Value zero = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(0));
        Value kept =
            arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, x[1], zero);
        return arith::SelectOp::create(b, loc, kept, found, zero);
      });
}

} // namespace attnc
