//===- EmitWeights.cpp - weights of any format as f32 ---------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One vector of weights, a lane per column, widened in registers:
//
//   bf16   the half of the word, shifted to the upper end
//   i8     the byte, shifted up and back down, converted
//   i4     the nibble likewise, times its group's scale, and with a group's
//          offset added; i8 too, if grouped. Where a vector has sixteen lanes
//          it is a table of the sixteen numbers and the nibble is the index: a
//          shift and a look-up
//
// A word holds several steps of depth; LLVM loads it once for all of them. The
// numbers are exact but for what a group's scale and offset make of them, which
// is rounded once. Where that pays,
// the first tile of rows writes what it widens to scratch, between its
// multiply-adds, and the others read it: the same numbers, so that results have
// the same bits either way.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/EmitLinear.h"

using namespace mlir;

namespace attnc::cpu {

/// Bits [from, from + width) of every word as integers.
static Value extract(KernelEmitter &e, Value words, int64_t from, int64_t width,
                     bool isSigned) {
  constexpr int64_t kWordBits = 32;
  if (int64_t up = kWordBits - width - from)
    words = arith::ShLIOp::create(e.b, e.loc, words, e.splat(e.i32(up)));
  Value down = e.splat(e.i32(kWordBits - width));
  if (isSigned)
    return arith::ShRSIOp::create(e.b, e.loc, words, down);
  return arith::ShRUIOp::create(e.b, e.loc, words, down);
}

/// Nibble number `part` of every word as f32: signed, or beside offsets not.
Value LinearEmitter::lookUpNibbles(Value words, int64_t part) {
  constexpr int64_t kNibbleBits = 4, kNumbers = 16;
  assert(e.lanes == kNumbers && "the index is four bits of a lane");
  const int64_t positive = panels.isAffine() ? kNumbers : kNumbers / 2;
  SmallVector<float> numbers;
  for (int64_t i = 0; i < kNumbers; ++i)
    numbers.push_back(float(i < positive ? i : i - kNumbers));
  Value table = arith::ConstantOp::create(
      e.b, e.loc, DenseElementsAttr::get(e.vectorType(), ArrayRef(numbers)));
  // The instruction ignores the bits above.
  if (part != 0)
    words = arith::ShRUIOp::create(e.b, e.loc, words,
                                   e.splat(e.i32(kNibbleBits * part)));
  return LLVM::CallIntrinsicOp::create(
             e.b, e.loc, e.vectorType(),
             e.b.getStringAttr("llvm.x86.avx512.permvar.sf.512"),
             ValueRange{table, words})
      .getResult(0);
}

Value LinearEmitter::widenedPlace(const Strip &strip, Value k, int64_t step,
                                  unsigned vector) {
  Value row = e.mul(e.sub(k, strip.depthFrom), e.i64(tileColumns));
  return e.at(strip.widened,
              e.add(row, e.i64(step * tileColumns + vector * e.lanes)));
}

Value LinearEmitter::loadWeights(const Strip &strip, Value k, int64_t step,
                                 unsigned vector) {
  const int64_t column = int64_t(vector) * e.lanes;
  if (strip.widened && !strip.isFirst)
    return e.loadVector(widenedPlace(strip, k, step, vector));
  Value word = e.add(e.mul(e.div(k, e.i64(pack)), e.i64(panelWidth)),
                     e.i64(step / pack * panelWidth + column));
  Value place = e.at(strip.weight, word);
  if (panels.getFormat() == kernel::Format::f32)
    return e.loadVector(place);
  Value words = e.loadVector(place, {}, e.b.getI32Type());
  const int64_t part = step % pack;
  switch (panels.getFormat()) {
  case kernel::Format::bf16: {
    constexpr int32_t kUpperHalf = -0x10000;
    Value bits =
        part == 0 ? arith::ShLIOp::create(e.b, e.loc, words, e.splat(e.i32(16)))
                        .getResult()
                  : arith::AndIOp::create(e.b, e.loc, words,
                                          e.splat(e.i32(kUpperHalf)))
                        .getResult();
    return arith::BitcastOp::create(e.b, e.loc, e.vectorType(), bits);
  }
  case kernel::Format::i8:
  case kernel::Format::i4: {
    const bool isNibble = panels.getFormat() == kernel::Format::i4;
    const int64_t bits = isNibble ? 4 : 8;
    const bool isSigned = !isNibble || !panels.isAffine();
    Value number = isNibble && e.lanes == 16
                       ? lookUpNibbles(words, part)
                       : arith::SIToFPOp::create(
                             e.b, e.loc, e.vectorType(),
                             extract(e, words, bits * part, bits, isSigned));
    if (!panels.getGroup())
      return number; // the sum is scaled
    // An iteration lies in one group: both are multiples of a word.
    Value group = e.div(k, e.i64(panels.getGroup()));
    Value scales = loadGroupScales(strip, group, vector);
    if (panels.isAffine())
      return e.fma(number, scales, loadGroupOffsets(strip, group, vector));
    return arith::MulFOp::create(e.b, e.loc, number, scales);
  }
  case kernel::Format::f32:
    break;
  }
  llvm_unreachable("f32 is above");
}

Value LinearEmitter::loadGroupScales(const Strip &strip, Value group,
                                     unsigned vector) {
  return loadOfGroup(strip.scales, group, vector);
}

Value LinearEmitter::loadGroupOffsets(const Strip &strip, Value group,
                                      unsigned vector) {
  const int64_t behind =
      panels.getOffsetsOffset(depth) - panels.getScaleOffset(depth);
  return loadOfGroup(e.atBytes(strip.scales, e.i64(behind)), group, vector);
}

/// From numbers [group][width] that begin at `numbers` for the strip.
Value LinearEmitter::loadOfGroup(Value numbers, Value group, unsigned vector) {
  Value place =
      e.add(e.mul(group, e.i64(panelWidth)), e.i64(int64_t(vector) * e.lanes));
  Value from = e.atBytes(numbers, e.mul(place, e.i64(panels.getScaleBytes())));
  if (!panels.hasHalves())
    return e.loadVector(from);
  Value halves = e.loadVector(from, {}, e.b.getF16Type());
  return arith::ExtFOp::create(e.b, e.loc, e.vectorType(), halves);
}

void LinearEmitter::emitWideningStrip(const Strip &strip, Value blockFrom,
                                      Value blockTo) {
  Strip first = strip, others = strip;
  first.widened = others.widened = e.scratch();
  first.isFirst = true;
  Value span = e.sub(blockTo, blockFrom);
  Value full = e.mul(e.div(span, e.i64(tileRows)), e.i64(tileRows));
  Value fullTo = e.add(blockFrom, full);
  auto fullTiles = [&](const Strip &of, Value from) {
    e.loop(from, fullTo, tileRows, [&](Value row) {
      emitTile(of, row, e.sub(row, blockFrom), tileRows);
    });
  };
  auto widen = [&] {
    emitTile(first, blockFrom, e.i64(0), tileRows);
    fullTiles(others, e.add(blockFrom, e.i64(tileRows)));
  };
  // Multiplying by scales takes turns from the sums: a second tile is enough to
  // keep the product. Shifts and conversions do not, for a few more.
  Value hasFull = e.lessThan(blockFrom, fullTo);
  if (panels.getGroup())
    e.ifThen(hasFull, widen);
  else
    e.ifThenElse(
        e.lessThan(span, e.i64(e.model.getTilesToWiden() * tileRows)),
        [&] { fullTiles(strip, blockFrom); }, widen);
  Value rest = e.sub(span, full);
  for (int64_t count = 1; count < tileRows; ++count) {
    Value isCount = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::eq,
                                          rest, e.i64(count));
    e.ifThen(isCount, [&] {
      auto last = [&](const Strip &of) { emitTile(of, fullTo, full, count); };
      if (panels.getGroup())
        e.ifThenElse(hasFull, [&] { last(others); }, [&] { last(strip); });
      else
        last(strip);
    });
  }
}

} // namespace attnc::cpu
