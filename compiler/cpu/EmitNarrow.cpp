//===- EmitNarrow.cpp - products of narrow rows ---------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block of rows first goes to scratch in the format that is multiplied, which
// costs a few percent of the products; every activation has one reader, so that
// nothing is converted twice. Then, tile by tile as in EmitLinear.cpp:
//
//   i8, VNNI     vpdpbusd multiplies u8 by i8. Sums begin at the row's zero
//                times the panel's -(sum of the column's weights).
//   i8, others   vpmaddwd on i16: vpmaddubsw saturates. Rows are i16 without
//                their zero, each four as (0, 2, 1, 3), and a word of weights
//                splits by shifts into steps (0, 2) and (1, 3).
//   bf16         vdpbf16ps multiplies pairs and adds them to f32 sums.
//   tiles        EmitTiles.cpp, on rows of u8 or bf16 as they are.
//
// A row of i8 spends its steps on the numbers that it has, from the lowest to
// the highest, with 0 among them: u = round(x / scale + zero) from 0 to 255,
// ties to even, where scale = (highest - lowest) / 254 and zero = round(-lowest
// / scale). The 255th step is what both roundings may add up to; nothing needs
// a clamp. Lowest and highest are found on the bits as integers, so that a NaN
// becomes the scale and shows in every result of the row. Rows of a scale below
// 2^-107 count as zeros. Sums of integers are exact: all targets give the same
// bits up to the epilogues.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/ByteSteps.h"
#include "compiler/cpu/EmitLinear.h"

using namespace mlir;

namespace attnc::cpu {

//===-- rows --------------------------------------------------------------===//

void LinearEmitter::emitNarrowRows(Value blockFrom, Value blockTo) {
  Value scratch = e.scratch();
  Value scales = e.at(scratch, e.i64(narrow->scaleOffset / kWordBytes));
  Value zeros = e.at(scratch, e.i64(narrow->zeroOffset / kWordBytes));
  e.loop(blockFrom, blockTo, 1, [&](Value row) {
    Value inBlock = e.sub(row, blockFrom);
    Value input =
        e.at(e.pointerOf(op.getInput()), e.mul(row, e.i64(inputStride)));
    Value out =
        e.at(scratch, e.mul(inBlock, e.i64(narrow->rowBytes / kWordBytes)));
    if (narrow->isBf16())
      emitBf16(input, out);
    else
      emitBytes(input, out, e.at(scales, inBlock), e.at(zeros, inBlock));
  });
}

/// `body` for every vector of a row, masked at the end.
void LinearEmitter::overRow(
    llvm::function_ref<void(Value index, Value mask)> body) {
  const int64_t whole = depth / e.lanes * e.lanes;
  e.loop(e.i64(0), e.i64(whole), e.lanes,
         [&](Value index) { body(index, Value()); });
  if (whole < depth)
    body(e.i64(whole), e.tailMask(e.i64(depth - whole)));
}

/// The lowest and the highest number of a row, 0 among them. As integers, the
/// bits of positive numbers are the largest of signed ones, those of negative
/// numbers the largest of unsigned ones.
std::pair<Value, Value> LinearEmitter::emitRange(Value input) {
  auto wider = [&](ValueRange range, Value index,
                   Value mask) -> SmallVector<Value> {
    Value bits = e.loadVector(e.at(input, index), mask, e.b.getI32Type());
    return {arith::MaxUIOp::create(e.b, e.loc, range[0], bits),
            arith::MaxSIOp::create(e.b, e.loc, range[1], bits)};
  };
  const int64_t whole = depth / e.lanes * e.lanes;
  SmallVector<Value> zeros = {e.splat(e.i32(INT32_MIN)), e.splat(e.i32(0))};
  SmallVector<Value> range = e.loop(e.i64(0), e.i64(whole), e.lanes, zeros,
                                    [&](Value index, ValueRange carried) {
                                      return wider(carried, index, Value());
                                    });
  if (whole < depth)
    range = wider(range, e.i64(whole), e.tailMask(e.i64(depth - whole)));
  auto reduce = [&](Value vector, vector::CombiningKind kind) -> Value {
    Value bits = vector::ReductionOp::create(e.b, e.loc, kind, vector);
    return arith::BitcastOp::create(e.b, e.loc, e.b.getF32Type(), bits);
  };
  return {reduce(range[0], vector::CombiningKind::MAXUI),
          reduce(range[1], vector::CombiningKind::MAXSI)};
}

void LinearEmitter::emitBytes(Value input, Value out, Value scalePlace,
                              Value zeroPlace) {
  auto [lowest, highest] = emitRange(input);
  // Each by itself, so that their difference does not overflow.
  Value part = e.f32(1.0f / 254.0f);
  Value scale = arith::SubFOp::create(
      e.b, e.loc, arith::MulFOp::create(e.b, e.loc, highest, part),
      arith::MulFOp::create(e.b, e.loc, lowest, part));
  // False for a NaN, which then spreads.
  Value isZero = arith::CmpFOp::create(e.b, e.loc, arith::CmpFPredicate::OLT,
                                       scale, e.f32(0x1p-107f));
  Value inverse = arith::DivFOp::create(e.b, e.loc, e.f32(1.0f), scale);
  inverse = arith::SelectOp::create(e.b, e.loc, isZero, e.f32(0.0f), inverse);
  Value zero = e.fma(arith::NegFOp::create(e.b, e.loc, lowest), inverse,
                     e.f32(kRounder));
  e.store(scale, scalePlace);

  const bool bytes = narrow->product != NarrowRows::ShortsToWord;
  auto type =
      VectorType::get({int64_t(e.lanes)}, e.b.getIntegerType(bytes ? 8 : 16));
  Value factor = e.splat(inverse), addend = e.splat(zero);
  Value zeroBits = arith::BitcastOp::create(e.b, e.loc, e.b.getI32Type(), zero);
  if (bytes)
    e.store(arith::SubIOp::create(e.b, e.loc, zeroBits, e.i32(kRounderBits)),
            zeroPlace);
  overRow([&](Value index, Value mask) {
    Value x = e.loadVector(e.at(input, index), mask);
    Value bits = arith::BitcastOp::create(e.b, e.loc, e.indexVectorType(),
                                          e.fma(x, factor, addend));
    if (!bytes)
      bits = arith::SubIOp::create(e.b, e.loc, bits, e.splat(zeroBits));
    Value narrowed = arith::TruncIOp::create(e.b, e.loc, type, bits);
    if (!bytes) {
      SmallVector<int64_t> order;
      for (int64_t quad = 0; quad < int64_t(e.lanes); quad += 4)
        order.append({quad, quad + 2, quad + 1, quad + 3});
      narrowed =
          vector::ShuffleOp::create(e.b, e.loc, narrowed, narrowed, order);
    }
    e.store(narrowed,
            bytes ? e.atBytes(out, index)
                  : e.atBytes(out, e.mul(index, e.i64(2))),
            bytes ? 1 : 2);
  });
}

void LinearEmitter::emitBf16(Value input, Value out) {
  auto type = VectorType::get({int64_t(e.lanes)}, e.b.getBF16Type());
  overRow([&](Value index, Value mask) {
    Value x = e.loadVector(e.at(input, index), mask);
    e.store(arith::TruncFOp::create(e.b, e.loc, type, x),
            e.atBytes(out, e.mul(index, e.i64(2))), 2);
  });
  // Tiles multiply all of a padded row, where zero times NaN would be NaN.
  const int64_t written = llvm::alignTo(depth, e.lanes);
  Value zeros = e.splat(arith::ConstantOp::create(
      e.b, e.loc, e.b.getFloatAttr(e.b.getBF16Type(), 0.0)));
  for (int64_t k = written; k < narrow->rowBytes / 2; k += e.lanes)
    e.store(zeros, e.atBytes(out, e.i64(2 * k)), 2);
}

//===-- products ----------------------------------------------------------===//

void LinearEmitter::emitNarrowTile(const Strip &strip, Value row,
                                   Value rowInBlock, int64_t count) {
  const unsigned vectors = (strip.width + e.lanes - 1) / e.lanes;
  const int64_t words = (depth + pack - 1) / pack;
  Value scratch = e.scratch();
  Value rowsAt =
      e.at(scratch, e.mul(rowInBlock, e.i64(narrow->rowBytes / kWordBytes)));
  Value prefetch = tilePrefetch(strip, rowInBlock);
  prefetchOutput(row, strip, count);
  auto steps = [&](Value word, int64_t number, ValueRange carried) {
    SmallVector<Value> now(carried);
    if (number == kWords)
      emitPrefetch(strip, prefetch, e.div(word, e.i64(kWords)));
    for (int64_t step = 0; step < number; ++step)
      multiplyWord(rowsAt, strip.weight, e.add(word, e.i64(step)), vectors,
                   now);
    return now;
  };
  SmallVector<Value> sums = firstSums(strip, rowInBlock, count, vectors);
  const int64_t whole = words / kWords * kWords;
  sums = e.loop(e.i64(0), e.i64(whole), kWords, sums,
                [&](Value word, ValueRange carried) {
                  return steps(word, kWords, carried);
                });
  if (whole < words)
    sums = steps(e.i64(whole), words - whole, sums);

  const bool isBuffered = !op.getElementEpilogue().empty();
  Value out = isBuffered ? tileBuffer() : outputAt(row, strip.column);
  const int64_t outStride = isBuffered ? tileColumns : columns;
  Value scales =
      e.at(scratch, e.add(e.i64(narrow->scaleOffset / kWordBytes), rowInBlock));
  for (int64_t r = 0; r < count; ++r) {
    Value scale;
    if (narrow->product != NarrowRows::Bf16ToFloat)
      scale = e.splat(e.loadF32(e.at(scales, e.i64(r))));
    for (unsigned v = 0; v < vectors; ++v) {
      Value sum = sums[r * vectors + v];
      if (scale)
        sum = finishBytes(strip, sum, scale, v);
      e.storeVector(sum, e.at(out, e.i64(r * outStride + v * e.lanes)),
                    isBuffered ? Value() : columnMask(strip, v));
    }
  }
  emitElementEpilogue(strip, row, e.add(row, e.i64(count)),
                      isBuffered ? out : Value());
}

SmallVector<Value> LinearEmitter::firstSums(const Strip &strip,
                                            Value rowInBlock, int64_t count,
                                            unsigned vectors) {
  if (narrow->product == NarrowRows::Bf16ToFloat)
    return SmallVector<Value>(count * vectors, e.splat(e.f32(0)));
  if (narrow->product == NarrowRows::ShortsToWord)
    return SmallVector<Value>(count * vectors, e.splat(e.i32(0)));
  SmallVector<Value> sums;
  for (int64_t r = 0; r < count; ++r) {
    Value zero = rowZero(e.add(rowInBlock, e.i64(r)));
    for (unsigned v = 0; v < vectors; ++v)
      sums.push_back(ofZero(strip, zero, v));
  }
  return sums;
}

Value LinearEmitter::rowZero(Value rowInBlock) {
  Value place = e.at(e.scratch(),
                     e.add(e.i64(narrow->zeroOffset / kWordBytes), rowInBlock));
  return e.splat(e.loadI32(place));
}

Value LinearEmitter::ofZero(const Strip &strip, Value zero, unsigned vector) {
  Value place = e.at(strip.scales, e.i64(panelWidth + vector * e.lanes));
  Value weights = e.loadVector(place, {}, e.b.getI32Type());
  return arith::MulIOp::create(e.b, e.loc, zero, weights);
}

/// `name(sum, operands...)`, operands seen as vectors of `element`.
Value LinearEmitter::intrinsic(StringRef name, Value sum,
                               ArrayRef<Value> operands, Type element) {
  const int64_t bits = int64_t(e.lanes) * 32;
  auto type =
      VectorType::get({bits / element.getIntOrFloatBitWidth()}, element);
  SmallVector<Value> all;
  if (sum)
    all.push_back(sum);
  for (Value operand : operands)
    all.push_back(vector::BitCastOp::create(e.b, e.loc, type, operand));
  Type result = sum ? sum.getType() : e.indexVectorType();
  return LLVM::CallIntrinsicOp::create(e.b, e.loc, result,
                                       e.b.getStringAttr(name), all)
      .getResult(0);
}

void LinearEmitter::multiplyWord(Value rowsAt, Value weight, Value word,
                                 unsigned vectors,
                                 MutableArrayRef<Value> sums) {
  const int64_t rowWords = narrow->rowBytes / kWordBytes;
  const std::string width = std::to_string(e.lanes * 32);
  SmallVector<Value> w;
  for (unsigned v = 0; v < vectors; ++v)
    w.push_back(e.loadVector(
        e.at(weight, e.add(e.mul(word, e.i64(panelWidth)), e.i64(v * e.lanes))),
        {}, e.b.getI32Type()));
  auto rowWord = [&](int64_t r, Value at) {
    return e.splat(e.loadI32(e.at(rowsAt, e.add(at, e.i64(r * rowWords)))));
  };
  const int64_t count = sums.size() / vectors;
  if (narrow->product == NarrowRows::ShortsToWord)
    return multiplyShorts(rowWord, w, word, sums);
  const bool isBf16 = narrow->product == NarrowRows::Bf16ToFloat;
  const std::string name =
      (isBf16 ? "llvm.x86.avx512bf16.dpbf16ps." : "llvm.x86.avx512.vpdpbusd.") +
      width;
  Type element = isBf16 ? Type(e.b.getBF16Type()) : Type(e.b.getI8Type());
  for (int64_t r = 0; r < count; ++r) {
    Value x = rowWord(r, word);
    for (unsigned v = 0; v < vectors; ++v) {
      Value &sum = sums[r * vectors + v];
      sum = intrinsic(name, sum, {x, w[v]}, element);
    }
  }
}

void LinearEmitter::multiplyShorts(
    llvm::function_ref<Value(int64_t row, Value word)> rowWord,
    ArrayRef<Value> weights, Value word, MutableArrayRef<Value> sums) {
  Type i16 = e.b.getI16Type();
  auto type = VectorType::get({int64_t(e.lanes) * 2}, i16);
  Value eight = vector::BroadcastOp::create(
      e.b, e.loc, type,
      arith::ConstantOp::create(e.b, e.loc, e.b.getI16IntegerAttr(8)));
  SmallVector<Value> even, odd;
  for (Value w : weights) {
    Value shorts = vector::BitCastOp::create(e.b, e.loc, type, w);
    Value up = arith::ShLIOp::create(e.b, e.loc, shorts, eight);
    even.push_back(arith::ShRSIOp::create(e.b, e.loc, up, eight));
    odd.push_back(arith::ShRSIOp::create(e.b, e.loc, shorts, eight));
  }
  const StringRef name =
      e.lanes == 16 ? "llvm.x86.avx512.pmaddw.d.512" : "llvm.x86.avx2.pmadd.wd";
  const int64_t count = sums.size() / weights.size();
  for (int64_t r = 0; r < count; ++r) {
    Value first = e.mul(word, e.i64(2));
    Value x02 = rowWord(r, first), x13 = rowWord(r, e.add(first, e.i64(1)));
    for (unsigned v = 0; v < weights.size(); ++v) {
      Value &sum = sums[r * weights.size() + v];
      sum = arith::AddIOp::create(e.b, e.loc, sum,
                                  intrinsic(name, {}, {x02, even[v]}, i16));
      sum = arith::AddIOp::create(e.b, e.loc, sum,
                                  intrinsic(name, {}, {x13, odd[v]}, i16));
    }
  }
}

Value LinearEmitter::finishBytes(const Strip &strip, Value sum, Value scale,
                                 unsigned vector) {
  Value number = arith::SIToFPOp::create(e.b, e.loc, e.vectorType(), sum);
  Value column =
      e.loadVector(e.at(strip.scales, e.i64(int64_t(vector) * e.lanes)));
  Value scaled = arith::MulFOp::create(e.b, e.loc, number, column);
  return arith::MulFOp::create(e.b, e.loc, scaled, scale);
}

} // namespace attnc::cpu
