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
//   i4     the nibble likewise, times its group's scale; i8 too, if grouped
//
// A word holds several steps of depth; LLVM loads it once for all of them. The
// numbers are exact but for i4's product with its scale. With many tiles of
// rows a strip is widened once, into scratch, from where all of them read it:
// the same numbers, so that results have the same bits either way.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/EmitLinear.h"

using namespace mlir;

namespace attnc::cpu {

/// Bits [from, from + width) of every word as signed integers.
static Value extractSigned(KernelEmitter &e, Value words, int64_t from,
                           int64_t width) {
  constexpr int64_t kWordBits = 32;
  if (int64_t up = kWordBits - width - from)
    words = arith::ShLIOp::create(e.b, e.loc, words, e.splat(e.i32(up)));
  return arith::ShRSIOp::create(e.b, e.loc, words,
                                e.splat(e.i32(kWordBits - width)));
}

Value LinearEmitter::loadWeights(const Strip &strip, Value k, int64_t step,
                                 unsigned vector) {
  const int64_t column = int64_t(vector) * e.lanes;
  if (strip.widened)
    return e.loadVector(
        e.at(strip.widened,
             e.add(e.mul(e.sub(k, strip.depthFrom), e.i64(tileColumns)),
                   e.i64(step * tileColumns + column))));
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
    const int64_t bits = panels.getFormat() == kernel::Format::i8 ? 8 : 4;
    Value number = arith::SIToFPOp::create(
        e.b, e.loc, e.vectorType(), extractSigned(e, words, bits * part, bits));
    if (!panels.getGroup())
      return number; // the sum is scaled
    // An iteration lies in one group: both are multiples of a word.
    Value group = e.div(k, e.i64(panels.getGroup()));
    Value scale = e.loadVector(e.at(
        strip.scales, e.add(e.mul(group, e.i64(panelWidth)), e.i64(column))));
    return arith::MulFOp::create(e.b, e.loc, number, scale);
  }
  case kernel::Format::f32:
    break;
  }
  llvm_unreachable("f32 is above");
}

Value LinearEmitter::widenStrip(const Strip &strip) {
  const unsigned vectors = (strip.width + e.lanes - 1) / e.lanes;
  Value place = e.scratch();
  auto steps = [&](Value k, int64_t count) {
    Value out =
        e.at(place, e.mul(e.sub(k, strip.depthFrom), e.i64(tileColumns)));
    for (int64_t step = 0; step < count; ++step)
      for (unsigned v = 0; v < vectors; ++v)
        e.store(loadWeights(strip, k, step, v),
                e.at(out, e.i64(step * tileColumns + v * e.lanes)));
  };
  Value wholeTo =
      e.add(strip.depthFrom,
            e.mul(e.div(e.sub(strip.depthTo, strip.depthFrom), e.i64(unroll)),
                  e.i64(unroll)));
  e.loop(strip.depthFrom, wholeTo, unroll, [&](Value k) { steps(k, unroll); });
  if (depth % unroll != 0)
    e.ifThen(e.lessThan(wholeTo, strip.depthTo),
             [&] { steps(wholeTo, depth % unroll); });
  return place;
}

} // namespace attnc::cpu
