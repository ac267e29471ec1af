//===- EmitGroups.cpp - rows of i8 beside weights in groups ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Weights of i4 or i8 in groups, times rows that are cut into the same groups,
// each of i8 with a scale of its own. Of a group
//
//   sum += f32(exact sum of products) * (weights' scale * row's scale)
//   sum += f32(sum of the row's steps) * (weights' offset * row's scale)
//
// in the order of groups, whatever the tile: bits depend on nothing else. The
// second where weights have offsets.
//
//   VNNI          vpdpbusd multiplies u8 by i8: weights become u8 by an
//                 exclusive or, which adds 8 (i4) or 128 (i8) to each. Sums
//                 begin at the -8 or -128 times the row's sum over the group
//                 that stands beside its scale. Nibbles beside offsets are u8.
//   others, i4    vpmaddubsw on the same numbers: 15 * 127 * 2 products in each
//                 of eight steps stay below 2^15, which are then added in
//                 pairs.
//   others, i8    vpmaddwd on i16, as in EmitNarrow.cpp.
//
// A word of nibbles gives steps (0, 2, 4, 6) and (1, 3, 5, 7) by a mask and a
// shift; rows stand in that order. Sums of many rows wait in a buffer in L1
// while the integers of a group have the registers.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/ByteSteps.h"
#include "compiler/cpu/EmitLinear.h"

using namespace mlir;

namespace attnc::cpu {

/// Steps of depth that are emitted without a loop, and after which i16 sums of
/// nibbles are full.
static constexpr int64_t kUnitSteps = 32;

//===-- rows --------------------------------------------------------------===//

void LinearEmitter::emitGroupedRows(Value blockFrom, Value blockTo) {
  const int64_t group = panels.getGroup(), whole = depth / group;
  const int64_t bytes = narrow->getElementBytes();
  Value scratch = e.scratch();
  e.loop(blockFrom, blockTo, 1, [&](Value row) {
    Value inBlock = e.sub(row, blockFrom);
    Value input =
        e.at(e.pointerOf(op.getInput()), e.mul(row, e.i64(inputStride)));
    Value out =
        e.at(scratch, e.mul(inBlock, e.i64(narrow->rowBytes / kWordBytes)));
    auto emit = [&](Value index, int64_t count) {
      Value from = e.mul(index, e.i64(group));
      emitRowGroup(e.at(input, from), e.atBytes(out, e.mul(from, e.i64(bytes))),
                   rowFactors(inBlock, 0, index), count);
    };
    e.loop(e.i64(0), e.i64(whole), 1, [&](Value index) { emit(index, group); });
    if (whole * group < depth)
      emit(e.i64(whole), depth - whole * group);
  });
}

/// The scale of a group of a row, and, one word further, what its sums begin
/// at, or, beside offsets, the sum of its steps.
Value LinearEmitter::rowFactors(Value rowInBlock, int64_t row, Value group) {
  Value index =
      e.add(e.mul(e.add(rowInBlock, e.i64(row)), e.i64(narrow->groups)), group);
  return e.at(e.scratch(), e.add(e.i64(narrow->scaleOffset / kWordBytes),
                                 e.mul(index, e.i64(2))));
}

void LinearEmitter::emitRowGroup(Value input, Value out, Value factors,
                                 int64_t count) {
  const ByteSteps steps = findByteSteps(e, input, count);
  e.store(steps.scale, factors);
  Value factor = e.splat(steps.inverse), rounder = e.splat(e.f32(kRounder));
  Value bias = e.splat(e.i32(kRounderBits));
  Value sum = foldVectors(e, count, e.splat(e.i32(0)),
                          [&](Value sum, Value index, Value mask) -> Value {
                            Value x = e.loadVector(e.at(input, index), mask);
                            Value q = arith::BitcastOp::create(
                                e.b, e.loc, e.indexVectorType(),
                                e.fma(x, factor, rounder));
                            q = arith::SubIOp::create(e.b, e.loc, q, bias);
                            storeSteps(q, out, index);
                            return arith::AddIOp::create(e.b, e.loc, sum, q);
                          });
  sum =
      vector::ReductionOp::create(e.b, e.loc, vector::CombiningKind::ADD, sum);
  // Beside offsets the sum itself is needed, too.
  e.store(panels.isAffine() ? sum
                            : arith::MulIOp::create(e.b, e.loc, sum,
                                                    e.i32(-addedToWeights())),
          e.at(factors, e.i64(1)));
}

/// What makes weights u8.
int32_t LinearEmitter::addedToWeights() {
  if (panels.getFormat() == kernel::Format::i8)
    return 128;
  return panels.isAffine() ? 0 : 8;
}

/// Stores a vector of whole numbers in the order in which words of weights
/// split.
void LinearEmitter::storeSteps(Value q, Value out, Value index) {
  const int64_t bytes = narrow->getElementBytes();
  auto type = VectorType::get({int64_t(e.lanes)},
                              e.b.getIntegerType(unsigned(8 * bytes)));
  Value narrowed = arith::TruncIOp::create(e.b, e.loc, type, q);
  SmallVector<int64_t> order;
  if (panels.getFormat() == kernel::Format::i4)
    order = {0, 2, 4, 6, 1, 3, 5, 7};
  else if (narrow->product == NarrowRows::GroupsOfShorts)
    order = {0, 2, 1, 3};
  if (!order.empty()) {
    const size_t period = order.size();
    while (order.size() < e.lanes)
      order.push_back(order[order.size() - period] + int64_t(period));
    narrowed = vector::ShuffleOp::create(e.b, e.loc, narrowed, narrowed, order);
  }
  e.store(narrowed, e.atBytes(out, e.mul(index, e.i64(bytes))),
          unsigned(bytes));
}

//===-- products ----------------------------------------------------------===//

void LinearEmitter::emitGroupedTile(const Strip &strip, Value row,
                                    Value rowInBlock, int64_t count) {
  const unsigned vectors = (strip.width + e.lanes - 1) / e.lanes;
  const int64_t number = count * vectors;
  const int64_t group = panels.getGroup(), whole = depth / group;
  // Two sums of every element, some weights, and what they are made by.
  constexpr int64_t kOthers = 4;
  const bool isCarried = 2 * number + 2 * int64_t(vectors) + kOthers <=
                         int64_t(e.target.vectorRegisters);
  const bool isBuffered = !isCarried || !op.getElementEpilogue().empty();
  Value out = isBuffered ? tileBuffer() : outputAt(row, strip.column);
  const int64_t outStride = isBuffered ? tileColumns : columns;
  auto place = [&](int64_t index) {
    return e.at(out, e.i64(index / vectors * outStride +
                           index % vectors * int64_t(e.lanes)));
  };
  auto mask = [&](int64_t index) {
    return isBuffered ? Value() : columnMask(strip, index % vectors);
  };
  Value prefetch = tilePrefetch(strip, rowInBlock);
  prefetchOutput(row, strip, count);
  SmallVector<Value> sums(number, e.splat(e.f32(0)));
  auto store = [&] {
    for (int64_t i = 0; i < number; ++i)
      e.storeVector(sums[i], place(i), mask(i));
  };
  if (!isCarried)
    store();
  auto step = [&](Value index, int64_t steps, ValueRange carried) {
    if (steps == group)
      emitPrefetch(strip, prefetch, index);
    SmallVector<Value> now(carried);
    if (!isCarried)
      for (int64_t i = 0; i < number; ++i)
        now.push_back(e.loadVector(place(i)));
    addGroup(strip, rowInBlock, index, steps, vectors, now);
    if (!isCarried)
      for (int64_t i = 0; i < number; ++i)
        e.storeVector(now[i], place(i));
    return now;
  };
  if (isCarried)
    sums = e.loop(e.i64(0), e.i64(whole), 1, sums,
                  [&](Value index, ValueRange carried) {
                    return step(index, group, carried);
                  });
  else
    e.loop(e.i64(0), e.i64(whole), 1,
           [&](Value index) { step(index, group, {}); });
  if (const int64_t rest = depth - whole * group)
    sums =
        step(e.i64(whole), rest, isCarried ? ValueRange(sums) : ValueRange());
  if (isCarried)
    store();
  emitElementEpilogue(strip, row, e.add(row, e.i64(count)),
                      isBuffered ? out : Value());
}

void LinearEmitter::addGroup(const Strip &strip, Value rowInBlock, Value index,
                             int64_t steps, unsigned vectors,
                             MutableArrayRef<Value> sums) {
  const int64_t count = sums.size() / vectors;
  SmallVector<Value> factors, words;
  for (int64_t r = 0; r < count; ++r) {
    factors.push_back(rowFactors(rowInBlock, r, index));
    words.append(vectors, e.splat(firstOfGroup(factors.back())));
  }
  Value rowsAt = e.at(e.scratch(),
                      e.mul(rowInBlock, e.i64(narrow->rowBytes / kWordBytes)));
  Value from = e.mul(index, e.i64(panels.getGroup() / pack));
  const int64_t unit = kUnitSteps / pack, all = llvm::divideCeil(steps, pack);
  const int64_t looped = all > unit ? all / unit * unit : 0;
  if (looped)
    words = e.loop(e.i64(0), e.i64(looped), unit, words,
                   [&](Value word, ValueRange carried) {
                     SmallVector<Value> now(carried);
                     multiplyUnit(strip, rowsAt, e.add(from, word), unit,
                                  vectors, now);
                     return now;
                   });
  if (looped < all)
    multiplyUnit(strip, rowsAt, e.add(from, e.i64(looped)), all - looped,
                 vectors, words);
  SmallVector<Value> scales, offsets;
  for (unsigned v = 0; v < vectors; ++v)
    scales.push_back(loadGroupScales(strip, index, v));
  for (unsigned v = 0; v < vectors && panels.isAffine(); ++v)
    offsets.push_back(loadGroupOffsets(strip, index, v));
  for (int64_t r = 0; r < count; ++r) {
    Value scale = e.splat(e.loadF32(factors[r]));
    for (unsigned v = 0; v < vectors; ++v) {
      Value exact = arith::SIToFPOp::create(e.b, e.loc, e.vectorType(),
                                            words[r * vectors + v]);
      Value both = arith::MulFOp::create(e.b, e.loc, scales[v], scale);
      sums[r * vectors + v] = e.fma(exact, both, sums[r * vectors + v]);
    }
    if (offsets.empty())
      continue;
    Value steps = e.splat(arith::SIToFPOp::create(
        e.b, e.loc, e.b.getF32Type(), e.loadI32(e.at(factors[r], e.i64(1)))));
    for (unsigned v = 0; v < vectors; ++v) {
      Value both = arith::MulFOp::create(e.b, e.loc, offsets[v], scale);
      sums[r * vectors + v] = e.fma(steps, both, sums[r * vectors + v]);
    }
  }
}

/// Where the integers of a group begin: at what was added to the weights times
/// the row's steps, taken off.
Value LinearEmitter::firstOfGroup(Value factors) {
  if (narrow->product == NarrowRows::GroupsOfShorts || addedToWeights() == 0)
    return e.i32(0);
  Value beside = e.loadI32(e.at(factors, e.i64(1)));
  return panels.isAffine() ? arith::MulIOp::create(e.b, e.loc, beside,
                                                   e.i32(-addedToWeights()))
                                 .getResult()
                           : beside;
}

/// Adds what `count` words of every column give, from word `first` on; at most
/// kUnitSteps steps of depth.
void LinearEmitter::multiplyUnit(const Strip &strip, Value rowsAt, Value first,
                                 int64_t count, unsigned vectors,
                                 MutableArrayRef<Value> sums) {
  const int64_t rowWords = narrow->rowBytes / kWordBytes;
  auto rowWord = [&](int64_t r, Value at) {
    return e.splat(e.loadI32(e.at(rowsAt, e.add(at, e.i64(r * rowWords)))));
  };
  const bool isNibble = panels.getFormat() == kernel::Format::i4;
  const int64_t parts = isNibble ? 2 : 1;
  SmallVector<Value> pairs(sums.size()); // of i16, by vpmaddubsw
  for (int64_t step = 0; step < count; ++step) {
    Value word = e.add(first, e.i64(step));
    SmallVector<Value> w;
    for (unsigned v = 0; v < vectors; ++v)
      w.push_back(
          e.loadVector(e.at(strip.weight, e.add(e.mul(word, e.i64(panelWidth)),
                                                e.i64(int64_t(v) * e.lanes))),
                       {}, e.b.getI32Type()));
    if (narrow->product == NarrowRows::GroupsOfShorts) {
      multiplyShorts(rowWord, w, word, sums);
      continue;
    }
    for (int64_t part = 0; part < parts; ++part) {
      SmallVector<Value> positive;
      for (Value words : w)
        positive.push_back(makePositive(words, part));
      Value at = e.add(e.mul(word, e.i64(parts)), e.i64(part));
      for (size_t i = 0; i < sums.size(); i += vectors) {
        Value x = rowWord(i / vectors, at);
        for (unsigned v = 0; v < vectors; ++v)
          multiplyPositive(positive[v], x, sums[i + v], pairs[i + v]);
      }
    }
  }
  if (narrow->product == NarrowRows::GroupsOfNibbles)
    for (auto [sum, pair] : llvm::zip(sums, pairs))
      sum = addPairs(sum, pair);
}

/// The bytes of every word, or nibbles of part `part` of it, as u8.
Value LinearEmitter::makePositive(Value words, int64_t part) {
  constexpr int32_t kSigns = int32_t(0x80808080);
  constexpr int32_t kNibbles = 0x0f0f0f0f, kNibbleSigns = 0x08080808;
  if (panels.getFormat() == kernel::Format::i8)
    return arith::XOrIOp::create(e.b, e.loc, words, e.splat(e.i32(kSigns)));
  if (part != 0)
    words = arith::ShRUIOp::create(e.b, e.loc, words, e.splat(e.i32(4)));
  words = arith::AndIOp::create(e.b, e.loc, words, e.splat(e.i32(kNibbles)));
  if (panels.isAffine())
    return words;
  return arith::XOrIOp::create(e.b, e.loc, words, e.splat(e.i32(kNibbleSigns)));
}

void LinearEmitter::multiplyPositive(Value weights, Value x, Value &sum,
                                     Value &pair) {
  const std::string bits = std::to_string(e.lanes * 32);
  if (narrow->product == NarrowRows::GroupsOfBytes) {
    sum = intrinsic("llvm.x86.avx512.vpdpbusd." + bits, sum, {weights, x},
                    e.b.getI8Type());
    return;
  }
  auto bytes = VectorType::get({int64_t(e.lanes) * 4}, e.b.getI8Type());
  auto type = VectorType::get({int64_t(e.lanes) * 2}, e.b.getI16Type());
  Value products =
      LLVM::CallIntrinsicOp::create(
          e.b, e.loc, type,
          e.b.getStringAttr(e.lanes == 16 ? "llvm.x86.avx512.pmaddubs.w.512"
                                          : "llvm.x86.avx2.pmadd.ub.sw"),
          ValueRange{vector::BitCastOp::create(e.b, e.loc, bytes, weights),
                     vector::BitCastOp::create(e.b, e.loc, bytes, x)})
          .getResult(0);
  pair = pair ? arith::AddIOp::create(e.b, e.loc, pair, products).getResult()
              : products;
}

/// sum + both i16 of every word.
Value LinearEmitter::addPairs(Value sum, Value pairs) {
  Type i16 = e.b.getI16Type();
  Value ones = vector::BroadcastOp::create(
      e.b, e.loc, pairs.getType(),
      arith::ConstantOp::create(e.b, e.loc, e.b.getI16IntegerAttr(1)));
  Value both = intrinsic(e.lanes == 16 ? "llvm.x86.avx512.pmaddw.d.512"
                                       : "llvm.x86.avx2.pmadd.wd",
                         {}, {pairs, ones}, i16);
  return arith::AddIOp::create(e.b, e.loc, sum, both);
}

} // namespace attnc::cpu
