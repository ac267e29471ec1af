//===- SoftmaxBuilder.cpp - the online softmax of attention kernels -------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rows of scores in registers, which come a few keys at a time (Milakov and
// Gimelshein, 2018), and which keys there are to visit.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/SoftmaxBuilder.h"
#include "mlir/IR/Matchers.h"
#include <limits>

using namespace mlir;

namespace attnc::gpu {

static constexpr float kLog2E = 1.44269504f;
static constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// The factor of a score region that only multiplies the score by a positive
/// number.
static std::optional<float> matchScale(const attn::CapturedRegion &score) {
  if (!score)
    return 1.0f;
  auto product = score.yielded().getDefiningOp<arith::MulFOp>();
  if (!product)
    return std::nullopt;
  Value argument = score.block().getArgument(0);
  FloatAttr factor;
  bool matches = (product.getLhs() == argument &&
                  matchPattern(product.getRhs(), m_Constant(&factor))) ||
                 (product.getRhs() == argument &&
                  matchPattern(product.getLhs(), m_Constant(&factor)));
  if (!matches || !(factor.getValueAsDouble() > 0))
    return std::nullopt;
  return static_cast<float>(factor.getValueAsDouble());
}

SoftmaxBuilder::SoftmaxBuilder(ProgramBuilder &e,
                               const attn::CapturedRegion &score,
                               const attn::CapturedRegion &mask)
    : e(e), b(e.b), score(score), mask(mask), bounds(findKeyBounds(mask)),
      boundsSayAll(areBoundsExact(mask)) {
  std::optional<float> factor = matchScale(score);
  scoreIsScale = factor.has_value();
  scoreScale = factor.value_or(1.0f) * kLog2E;
}

warp::FragmentType SoftmaxBuilder::fragment(warp::Role role, int64_t rows,
                                            int64_t columns) {
  Type element =
      role == warp::Role::acc ? Type(b.getF32Type()) : e.operandType();
  return warp::FragmentType::get(b.getContext(), role, rows, columns, element);
}

/// Sums of 256 columns take half of a thread's registers; with the parts of f32
/// operands beside them, ptxas spills. Two blocks multiply the same scores.
int64_t SoftmaxBuilder::countValueParts(int64_t valueSize) {
  constexpr int64_t kMostColumns = 128, kParts = 2, kChunk = 16;
  const bool isTight = e.operands == Operands::F32 && valueSize > kMostColumns;
  return isTight && valueSize % (kParts * kChunk) == 0 ? kParts : 1;
}

//===-- keys --------------------------------------------------------------===//

SoftmaxBuilder::Span SoftmaxBuilder::findSpan(const Reach &reach,
                                              int64_t step) {
  Value zero = e.i32(0), one = e.i32(1), keys = e.i32(step);
  Value begin = reach.begin, end = reach.end;         // some row sees these
  Value fullBegin = reach.begin, fullEnd = reach.end; // every row sees these
  auto limitAt = [&](const KeyBound &bound, Value query) {
    Value limit = e.i32(bound.offset);
    return bound.slope ? e.add(query, limit) : limit;
  };
  for (const KeyBound &bound : bounds) {
    Value first = limitAt(bound, reach.firstRow);
    Value last = limitAt(bound, reach.lastRow);
    if (bound.isUpper) {
      end = e.minimum(end, e.add(last, one));
      fullEnd = e.minimum(fullEnd, e.add(first, one));
    } else {
      begin = e.maximum(begin, first);
      fullBegin = e.maximum(fullBegin, last);
    }
  }
  auto down = [&](Value x) {
    return e.mul(e.div(e.maximum(x, zero), keys), keys);
  };
  auto up = [&](Value x) { return down(e.add(x, e.i32(step - 1))); };
  Span span;
  span.begin = down(begin);
  span.end = e.maximum(end, span.begin);
  Value wholeEnd = up(span.end);
  if (!boundsSayAll) {
    span.fullBegin = span.fullEnd = span.begin;
    return span;
  }
  span.fullBegin = e.minimum(e.maximum(up(fullBegin), span.begin), wholeEnd);
  span.fullEnd = e.maximum(e.minimum(down(fullEnd), wholeEnd), span.fullBegin);
  return span;
}

bool SoftmaxBuilder::hasLowerBound() const {
  return llvm::any_of(bounds, [](const KeyBound &x) { return !x.isUpper; });
}

//===-- rows --------------------------------------------------------------===//

Value SoftmaxBuilder::mapRows(ValueRange inputs, unsigned results,
                              function_ref<Values(ValueRange)> body,
                              Values *all) {
  SmallVector<Type> types(results, inputs.front().getType());
  Value zero = e.i32(0);
  auto map = warp::MapOp::create(b, e.loc, types, inputs, zero, zero);
  OpBuilder::InsertionGuard guard(b);
  SmallVector<Type> arguments(inputs.size(), b.getF32Type());
  arguments.push_back(b.getI32Type());
  Block *block = b.createBlock(&map.getBody(), {}, arguments,
                               SmallVector<Location>(arguments.size(), e.loc));
  warp::YieldOp::create(b, e.loc, body(block->getArguments().drop_back()));
  if (all)
    all->assign(map.getResults().begin(), map.getResults().end());
  return map.getResult(0);
}

/// acc * rows, element by element.
Value SoftmaxBuilder::scale(Value acc, Value rows) {
  Value zero = e.i32(0);
  auto map = warp::MapOp::create(b, e.loc, acc.getType(), ValueRange{acc, rows},
                                 zero, zero);
  OpBuilder::InsertionGuard guard(b);
  Block *block = b.createBlock(
      &map.getBody(), {},
      {b.getF32Type(), b.getF32Type(), b.getI32Type(), b.getI32Type()},
      {e.loc, e.loc, e.loc, e.loc});
  Value product = e.mulF(block->getArgument(0), block->getArgument(1));
  warp::YieldOp::create(b, e.loc, product);
  return map.getResult(0);
}

/// New maxima, the factor that the sums so far need, and the weights.
SmallVector<Value> SoftmaxBuilder::softmax(Value scores, Value maxima) {
  auto rowsType = cast<warp::RowsType>(maxima.getType());
  Value highest = warp::ReduceOp::create(b, e.loc, rowsType, warp::Combine::max,
                                         true, scores);
  Value factor = e.f32(scoreScale);
  Values rows;
  mapRows(
      {maxima, highest}, 3,
      [&](ValueRange x) -> Values {
        Value next = e.maxF(x[0], x[1]);
        Value none = arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::OEQ,
                                           next, e.f32(-kInfinity));
        // Minus what the exponents are counted from.
        Value base = e.mulF(e.select(none, e.f32(0), next), e.f32(-scoreScale));
        return {next, e.exp2(e.fma(x[0], factor, base)), base};
      },
      &rows);
  Value zero = e.i32(0);
  auto map = warp::MapOp::create(b, e.loc, scores.getType(),
                                 ValueRange{scores, rows[2]}, zero, zero);
  {
    OpBuilder::InsertionGuard guard(b);
    Block *block = b.createBlock(
        &map.getBody(), {},
        {b.getF32Type(), b.getF32Type(), b.getI32Type(), b.getI32Type()},
        {e.loc, e.loc, e.loc, e.loc});
    Value exponent =
        e.fma(block->getArgument(0), factor, block->getArgument(1));
    warp::YieldOp::create(b, e.loc, e.exp2(exponent));
  }
  return {rows[0], rows[1], map.getResult(0)};
}

Value SoftmaxBuilder::invert(Value totals) {
  totals = warp::ReduceOp::create(b, e.loc, totals.getType(),
                                  warp::Combine::add, true, totals);
  return mapRows({totals}, 1, [&](ValueRange x) -> Values {
    Value empty = arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::OEQ,
                                        x[0], e.f32(0));
    return {e.select(empty, e.f32(0), e.divF(e.f32(1), x[0]))};
  });
}

Value SoftmaxBuilder::pairUp(Value maxima, Value totals) {
  constexpr int64_t kColumns = 8; // of the smallest accumulator
  Type number = b.getF32Type();
  Value zero = e.i32(0);
  auto pair =
      fragment(warp::Role::acc,
               cast<warp::RowsType>(maxima.getType()).getRows(), kColumns);
  totals = warp::ReduceOp::create(b, e.loc, totals.getType(),
                                  warp::Combine::add, true, totals);
  auto map = warp::MapOp::create(b, e.loc, pair, ValueRange{maxima, totals},
                                 zero, zero);
  OpBuilder::InsertionGuard guard(b);
  Block *block = b.createBlock(&map.getBody(), {},
                               {number, number, b.getI32Type(), b.getI32Type()},
                               {e.loc, e.loc, e.loc, e.loc});
  Value isFirst = e.equal(block->getArgument(3), zero);
  warp::YieldOp::create(
      b, e.loc,
      e.select(isFirst, block->getArgument(0), block->getArgument(1)));
  return map.getResult(0);
}

} // namespace attnc::gpu
