//===- ProgramAlibi.cpp - scores that fall with distance ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Press et al., "Train Short, Test Long", 2021: each head adds its slope times
// the key's position to the scores.
//
//   score(%slopes) { %s * SCALE + %slope * (kv - q) }       slopes
//   score(%table) { (%s + attn.lookup %table[kv]) * SCALE }  a table of
//   products
//
// Subtracting q changes no weight and keeps the products small. The table is
// for products that a model rounds to eight bits: 8 bits of a position times a
// slope depend on its exponent by a power of two alone, so that 128 products
// per head are all there are.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/ProgramBuilder.h"
#include <cmath>
#include <cstring>

using namespace mlir;
using namespace attnc::attn;

namespace attnc {

SmallVector<float> getAlibiSlopes(int64_t heads) {
  // As many as the largest power of two below, then every other one of the
  // next, as the paper has it.
  const int64_t power = int64_t(1) << llvm::Log2_64(heads);
  SmallVector<float> slopes;
  auto add = [&](int64_t count, int64_t of, int64_t step) {
    auto base = static_cast<float>(
        std::exp2(-std::exp2(3 - std::log2(static_cast<double>(of)))));
    for (int64_t i = 0; i < count; ++i)
      slopes.push_back(static_cast<float>(
          std::pow(static_cast<double>(base), 1 + i * step)));
  };
  add(power, power, 1);
  add(heads - power, 2 * power, 2);
  return slopes;
}

/// The nearest number of eight bits; ties to even.
static float roundToBf16(float number) {
  uint32_t bits = llvm::bit_cast<uint32_t>(number);
  bits += 0x7FFF + (bits >> 16 & 1);
  return llvm::bit_cast<float>(bits & 0xFFFF0000);
}

Value ProgramBuilder::constant(StringRef name, ArrayRef<float> elements,
                               ArrayRef<int64_t> shape) {
  auto type = RankedTensorType::get(shape, builder.getF32Type());
  return ConstantOp::create(
      builder, at(name), type,
      cast<ElementsAttr>(DenseElementsAttr::get(type, elements)));
}

Value ProgramBuilder::alibiSlopes(StringRef name, int64_t heads) {
  return constant(name, getAlibiSlopes(heads), {heads});
}

Value ProgramBuilder::roundedAlibi(StringRef name, int64_t heads,
                                   int64_t count) {
  constexpr int kBits = 7;                 // behind the leading one
  constexpr int64_t kNumbers = 1 << kBits; // 1.0 to 2.0, without its end
  SmallVector<float> products, factors;
  SmallVector<int32_t> numbers;
  for (float slope : getAlibiSlopes(heads))
    for (int64_t i = 0; i < kNumbers; ++i)
      products.push_back(
          roundToBf16(roundToBf16(slope) * static_cast<float>(kNumbers + i)));
  for (int64_t position = 0; position < count; ++position) {
    int exponent = 0;
    float mantissa =
        std::frexp(roundToBf16(static_cast<float>(position)), &exponent);
    factors.push_back(position ? std::ldexp(1.0f, exponent - kBits - 1) : 0);
    numbers.push_back(
        position
            ? static_cast<int32_t>(std::ldexp(mantissa, kBits + 1)) - kNumbers
            : 0);
  }
  MLIRContext *context = builder.getContext();
  auto along = [&](unsigned dim) {
    return AffineMap::get(2, 0, getAffineDimExpr(dim, context));
  };
  std::string prefix = name.str();
  Capture captures[] = {
      {constant(prefix + ".products", products, {heads, kNumbers}), along(0)},
      {constant(prefix + ".numbers", numbers), along(1)},
      {constant(prefix + ".factors", factors, {count}), along(1)}};
  return map(name, RankedTensorType::get({heads, count}, builder.getF32Type()),
             captures, [](OpBuilder &b, Location loc, ValueRange x) -> Value {
               Value product =
                   LookupOp::create(b, loc, b.getF32Type(), x[0], x[1]);
               return arith::MulFOp::create(b, loc, product, x[2]);
             });
}

void ProgramBuilder::fillScore(CachedAttentionOp op,
                               const CacheSettings &settings) {
  OpBuilder::InsertionGuard guard(builder);
  Location loc = op.getLoc();
  Type f32 = builder.getF32Type(), i32 = builder.getI32Type();
  SmallVector<Type> types = {f32, i32, i32, i32, i32};
  CapturedRegion region = op.getScoreRegion();
  for (auto [capture, map] : llvm::zip_equal(region.captures, region.maps))
    types.push_back(
        getCapturedType(cast<RankedTensorType>(capture.getType()), map));
  Block *block = builder.createBlock(&op.getScore(), {}, types,
                                     SmallVector<Location>(types.size(), loc));
  Value score = block->getArgument(0), query = block->getArgument(3),
        key = block->getArgument(4);
  auto number = [&](double value) -> Value {
    return arith::ConstantOp::create(
        builder, loc, builder.getF32FloatAttr(static_cast<float>(value)));
  };
  auto add = [&](Value x, Value y) {
    return arith::AddFOp::create(builder, loc, x, y);
  };
  auto multiply = [&](Value x, Value y) {
    return arith::MulFOp::create(builder, loc, x, y);
  };
  if (settings.products)
    score = add(
        score, LookupOp::create(builder, loc, f32, block->getArgument(5), key));
  score = multiply(score, number(settings.scale));
  if (settings.slopes) {
    Value distance = arith::SubIOp::create(builder, loc, key, query);
    distance = arith::SIToFPOp::create(builder, loc, f32, distance);
    score = add(score, multiply(block->getArgument(5), distance));
  }
  if (settings.softCap > 0) {
    Value share =
        arith::DivFOp::create(builder, loc, score, number(settings.softCap));
    share = math::TanhOp::create(builder, loc, share);
    score = multiply(share, number(settings.softCap));
  }
  YieldOp::create(builder, loc, score);
}

} // namespace attnc
