//===- EmitRope.cpp - rotary positions ------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.rope`: rows are split over the workers; of a row the vectors of angles
// come first, so that one load of cos and sin serves every head. Pairs that
// stand in two halves are two vectors of a head; interleaved ones are two
// neighbouring vectors, taken apart and put together by shuffles.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/Emitter.h"

using namespace mlir;

namespace attnc::cpu {

namespace {
class RopeEmitter {
public:
  RopeEmitter(KernelEmitter &emitter, attn::RopeOp op);
  void emit();

private:
  struct Pair {
    Value x, y;
  };

  /// Angles [first, first + count) of every head of the row, at most a vector.
  void rotateColumns(int64_t first, int64_t count);
  Pair rotate(Pair pair, Value cos, Value sin);
  void rotateHalves(Value from, Value to, Value cos, Value sin, Value mask);
  void rotateInterleaved(Value from, Value to, Value cos, Value sin,
                         int64_t count);
  void copyRest(Value from, Value to);
  void forEachHead(llvm::function_ref<void(Value from, Value to)> body);
  /// The mask of `count` lanes; null for all of them.
  Value maskOf(int64_t count) {
    return count >= e.lanes ? Value() : e.tailMask(e.i64(count));
  }
  Value shuffle(Value a, Value c, llvm::function_ref<int64_t(int64_t)> lane);

  KernelEmitter &e;
  OpBuilder &b;
  Location loc;
  attn::RopeOp op;
  int64_t heads, size, angles;
  // Of the row being emitted.
  Value input, result, cosRow, sinRow;
};
} // namespace

RopeEmitter::RopeEmitter(KernelEmitter &emitter, attn::RopeOp op)
    : e(emitter), b(emitter.b), loc(emitter.loc), op(op),
      angles(op.getAngles()) {
  ArrayRef<int64_t> shape = op.getType().getShape();
  size = shape.back();
  heads = shape[shape.size() - 2];
}

void RopeEmitter::emit() {
  const unsigned rank = op.getType().getRank();
  auto [from, to] = e.workerRange(e.rowCount(op.getResult(), 2));
  e.loop(from, to, 1, [&](Value row) {
    // Heads of one projection to several parts have gaps between rows.
    input = e.at(e.pointerOf(op.getInput()),
                 e.mul(row, e.strideOf(op.getInput(), rank - 3)));
    result = e.at(e.pointerOf(op.getResult()), e.mul(row, e.i64(heads * size)));
    cosRow = e.at(e.pointerOf(op.getCos()), e.mul(row, e.i64(angles)));
    sinRow = e.at(e.pointerOf(op.getSin()), e.mul(row, e.i64(angles)));
    for (int64_t first = 0; first < angles; first += e.lanes)
      rotateColumns(first, std::min<int64_t>(e.lanes, angles - first));
    if (2 * angles < size)
      forEachHead([&](Value from, Value to) { copyRest(from, to); });
  });
}

void RopeEmitter::forEachHead(
    llvm::function_ref<void(Value from, Value to)> body) {
  e.loop(e.i64(0), e.i64(heads), 1, [&](Value head) {
    Value offset = e.mul(head, e.i64(size));
    body(e.at(input, offset), e.at(result, offset));
  });
}

void RopeEmitter::rotateColumns(int64_t first, int64_t count) {
  Value mask = maskOf(count);
  Value cos = e.loadVector(e.at(cosRow, e.i64(first)), mask);
  Value sin = e.loadVector(e.at(sinRow, e.i64(first)), mask);
  const int64_t step = op.getInterleaved() ? 2 : 1;
  forEachHead([&](Value from, Value to) {
    from = e.at(from, e.i64(first * step));
    to = e.at(to, e.i64(first * step));
    if (op.getInterleaved())
      rotateInterleaved(from, to, cos, sin, count);
    else
      rotateHalves(from, to, cos, sin, mask);
  });
}

RopeEmitter::Pair RopeEmitter::rotate(Pair pair, Value cos, Value sin) {
  Value minus =
      arith::NegFOp::create(b, loc, arith::MulFOp::create(b, loc, pair.y, sin));
  Value plus = arith::MulFOp::create(b, loc, pair.x, sin);
  return {e.fma(pair.x, cos, minus), e.fma(pair.y, cos, plus)};
}

void RopeEmitter::rotateHalves(Value from, Value to, Value cos, Value sin,
                               Value mask) {
  Value half = e.i64(angles);
  Pair turned =
      rotate({e.loadVector(from, mask), e.loadVector(e.at(from, half), mask)},
             cos, sin);
  e.storeVector(turned.x, to, mask);
  e.storeVector(turned.y, e.at(to, half), mask);
}

Value RopeEmitter::shuffle(Value a, Value c,
                           llvm::function_ref<int64_t(int64_t)> lane) {
  SmallVector<int64_t> lanes;
  for (int64_t i = 0; i < e.lanes; ++i)
    lanes.push_back(lane(i));
  return vector::ShuffleOp::create(b, loc, a, c, lanes);
}

void RopeEmitter::rotateInterleaved(Value from, Value to, Value cos, Value sin,
                                    int64_t count) {
  const int64_t lanes = e.lanes;
  // 2 * count elements, in one vector or two.
  Value lowMask = maskOf(2 * count), highMask = maskOf(2 * count - lanes);
  const bool hasHigh = 2 * count > lanes;
  Value next = e.i64(lanes);
  Value low = e.loadVector(from, lowMask);
  Value high = hasHigh ? e.loadVector(e.at(from, next), highMask) : low;
  Pair turned =
      rotate({shuffle(low, high, [](int64_t i) { return 2 * i; }),
              shuffle(low, high, [](int64_t i) { return 2 * i + 1; })},
             cos, sin);
  // Lane i of x is lane i of the shuffle's operands, that of y lane lanes + i.
  auto together = [&](int64_t start) {
    return shuffle(turned.x, turned.y, [&](int64_t i) {
      return start + i / 2 + (i % 2 ? lanes : 0);
    });
  };
  e.storeVector(together(0), to, lowMask);
  if (hasHigh)
    e.storeVector(together(lanes / 2), e.at(to, next), highMask);
}

void RopeEmitter::copyRest(Value from, Value to) {
  for (int64_t first = 2 * angles; first < size; first += e.lanes) {
    Value mask = maskOf(size - first), place = e.i64(first);
    e.storeVector(e.loadVector(e.at(from, place), mask), e.at(to, place), mask);
  }
}

LogicalResult KernelEmitter::emitRope(attn::RopeOp op) {
  RopeEmitter(*this, op).emit();
  return success();
}

} // namespace attnc::cpu
