//===- ProgramRotary.cpp - rotary positions -------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tables of cos and sin, made once per call, and the rotations that read them:
//
//   %cos = attn.map element(%positions, %high, %low) {
//     a = p * high, b = p * low; cos a * cos b - sin a * sin b }
//   %q = attn.rope %heads, %cos, %sin
//
// A frequency is the sum of two numbers, the first of which has so few bits
// that its product with any position is exact: f32 alone would round the angle
// of position 8000 by 2e-4.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/ProgramBuilder.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace mlir;
using namespace attnc::attn;

namespace attnc {

SmallVector<float> getRotaryFrequencies(double theta, int64_t size) {
  // Step by step in f32, as `transformers` computes them.
  SmallVector<float> frequencies;
  for (int64_t i = 0; i + 1 < size; i += 2) {
    float exponent = static_cast<float>(i) / static_cast<float>(size);
    float power = static_cast<float>(
        std::pow(static_cast<double>(static_cast<float>(theta)),
                 static_cast<double>(exponent)));
    frequencies.push_back(1.0f / power);
  }
  return frequencies;
}

/// `number` with its lowest bits cleared, `bits` of 24 left.
static float keepBits(float number, int bits) {
  int exponent = 0;
  float mantissa = std::frexp(number, &exponent);
  return std::ldexp(std::trunc(std::ldexp(mantissa, bits)), exponent - bits);
}

RotaryTables ProgramBuilder::rotaryTables(StringRef name, Value positions,
                                          int64_t count,
                                          ArrayRef<float> frequencies,
                                          double scale) {
  // Positions below 2^n leave 24 - n bits to the other factor.
  const int bits = 24 - std::max(1u, llvm::Log2_64_Ceil(count));
  assert(bits > 0 && "more positions than f32 counts");
  SmallVector<float> high, low;
  for (float frequency : frequencies) {
    high.push_back(keepBits(frequency, bits));
    low.push_back(frequency - high.back());
  }
  SmallVector<SizeExpr> shape = getNamedShape(positions.getType());
  const unsigned rank = shape.size();
  shape.push_back(SizeExpr(static_cast<int64_t>(frequencies.size())));
  auto type = RankedTensorType::get({static_cast<int64_t>(high.size())},
                                    builder.getF32Type());
  auto vector = [&](StringRef part, ArrayRef<float> numbers) -> Value {
    return ConstantOp::create(
        builder, at((name + part).str()), type,
        cast<ElementsAttr>(DenseElementsAttr::get(type, numbers)));
  };
  AffineMap row =
      AffineMap::getMultiDimIdentityMap(rank + 1, builder.getContext())
          .getMajorSubMap(rank);
  AffineMap column =
      AffineMap::get(rank + 1, 0, builder.getAffineDimExpr(rank));
  Capture captures[] = {{positions, row},
                        {vector(".high", high), column},
                        {vector(".low", low), column}};
  auto table = [&](StringRef part, bool isSine) -> Value {
    return map((name + part).str(), getNamedTensor(shape, builder.getF32Type()),
               captures,
               [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
                 auto mul = [&](Value a, Value c) -> Value {
                   return arith::MulFOp::create(b, loc, a, c);
                 };
                 Value position =
                     arith::SIToFPOp::create(b, loc, b.getF32Type(), x[0]);
                 Value exact = mul(position, x[1]), rest = mul(position, x[2]);
                 Value cosA = math::CosOp::create(b, loc, exact);
                 Value sinA = math::SinOp::create(b, loc, exact);
                 Value cosB = math::CosOp::create(b, loc, rest);
                 Value sinB = math::SinOp::create(b, loc, rest);
                 Value result =
                     isSine
                         ? Value(arith::AddFOp::create(b, loc, mul(sinA, cosB),
                                                       mul(cosA, sinB)))
                         : Value(arith::SubFOp::create(b, loc, mul(cosA, cosB),
                                                       mul(sinA, sinB)));
                 if (scale == 1)
                   return result;
                 Value factor = arith::ConstantOp::create(
                     b, loc, b.getF32FloatAttr(static_cast<float>(scale)));
                 return mul(result, factor);
               });
  };
  return {table(".cos", false), table(".sin", true)};
}

Value ProgramBuilder::rope(StringRef name, Value heads,
                           const RotaryTables &tables, bool interleaved) {
  return RopeOp::create(builder, at(name), heads.getType(), heads, tables.cos,
                        tables.sin, interleaved);
}

} // namespace attnc
