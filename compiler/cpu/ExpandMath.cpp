//===- ExpandMath.cpp - exp, erf, tanh, cos as polynomials ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `math.exp`, `exp2`, `tanh`, `erf`, `cos`, `sin` and `rsqrt` on f32 and
// vectors of f32 become arith ops and fused multiply-adds (mul and add in a
// function whose `kernel.target` has none), so that nothing calls libm; `absf`
// and `sqrt` stay, which every target has instructions for. Other element types
// stay as well. Errors in ulp stay below (test/unit/cpu/ExpandMathTest.cpp):
//
//           with FMA  without
//   exp       1.0       1.5     0 where the result is below 2^-125.5
//   exp2      1.0       1.5     0 where the result is below 2^-125.5
//   exp afn   2^-13.6 of it     x at most 88; below 2^-125.5 as exp
//   erf afn   3e-5 in all
//   tanh      1.5       1.5
//   erf       1.5       1.75    exactly -1 or 1 where erf rounds to it
//   cos, sin  1.25      1.25    NaN where |x| > 2^28: neighbouring arguments
//                               are more than a period apart there
//   rsqrt     1.5       1.5
//
// NaN gives NaN; infinities give the limits. Coefficients, highest degree
// first, come from fit-polynomials.py; those of erf afn are in ShortErf.h.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/ShortErf.h"
#include "compiler/Target.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>
#include <limits>

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_EXPANDMATH
#include "compiler/Passes.h.inc"

// kExp: 2 exp(r), |r| <= ln(2) / 2; error 3.1e-09
static constexpr float kExp[] = {
    0.00276292209f, 0.0167374201f, 0.083336778f, 0.333330423f,
    0.999999881f,   2.0f,          2.0f};
// kExpRough: 2 exp(r), |r| <= ln(2) / 2; error 7.5e-05
static constexpr float kExpRough[] = {0.331336588f, 1.00992656f, 2.0003283f,
                                      1.99985611f};
// kExp2: 2 exp2(r), |r| <= 1/2; error 2e-09
static constexpr float kExp2[] = {
    0.00030706721f, 0.002679775f, 0.0192368738f, 0.111006647f,
    0.480452955f,   1.38629436f,  2.0f};
// kTanh: (tanh(x) / x - 1) / s, s = x^2, x <= 0.625; error 4.4e-09
static constexpr float kTanh[] = {-0.00570497848f, 0.0206390787f,
                                  -0.0537397116f, 0.133314416f, -0.333332807f};
static constexpr float kTanhSplit = 0.625f;
// kErfSmall: erf(x) / x - 1, s = x^2, x <= kErfSplit; error 1.6e-08
static constexpr float kErfSmall[] = {-0.000599085062f, 0.00499317935f,
                                      -0.026766615f,    0.112818159f,
                                      -0.376124948f,    0.128379151f};
static constexpr float kErfSplit = 0.921875f;
static constexpr float kErfTop = 4.0f;
// kErfLarge: log2(1 - erf(x)) / x, x >= kErfSplit; error 2.9e-09
static constexpr float kErfLarge[] = {0.00030797231f, -0.00463220058f,
                                      0.0330044329f,  -0.151832134f,
                                      -0.917168796f,  -1.62809598f};
// kErfExp2: exp2(r), |r| <= 1/2; error 9.1e-08
static constexpr float kErfExp2[] = {0.00132647238f, 0.00967151299f,
                                     0.0555073358f,  0.240222424f,
                                     0.693147004f,   1.0f};

// kSin: (sin(r) / r - 1) / s, s = r^2, |r| <= pi / 4; error 3.8e-09
static constexpr float kSin[] = {-0.00019515217f, 0.0083321603f, -0.166666552f};
// kCos: (cos(r) - 1 + s / 2) / s^2, s = r^2, |r| <= pi / 4; error 1.2e-10
static constexpr float kCos[] = {2.44330804e-05f, -0.00138873153f,
                                 0.0416666456f};
static constexpr float kLargestAngle = 0x1p28f;
// pi / 2 in two parts of double precision; the first has 25 bits, so that its
// products with integers below 2^28 are exact.
static constexpr double kHalfPiHigh = 1.57079631090164184570;
static constexpr double kHalfPiLow = 1.58932547735281966916e-8;
// Adding 1.5 * 2^52 rounds a double to an integer.
static constexpr double kRoundDouble = 6755399441055744.0;

// Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits;
// the number added to it is the exponent's bias, less one where the polynomial
// is twice the function.
static constexpr float kRound = 12582912.0f;
static constexpr float kBias = 127.0f;
static constexpr int32_t kMantissaBits = 23;

static constexpr float kLog2E = 1.44269504f;
// ln(2) in two parts; the first has so few bits that its products are exact.
static constexpr float kLn2High = 0.693359375f;
static constexpr float kLn2Low = -2.12194440e-4f;

namespace {
/// Builds the expansion of one op, at its type.
class Expansion {
public:
  Expansion(Operation *op, bool hasFma)
      : b(op), loc(op->getLoc()), type(op->getResult(0).getType()),
        hasFma(hasFma) {}

  Value exp(Value x) {
    // Beyond these, results are infinite or zero below.
    x = clamp(x, -87.5f, 88.8f);
    Value shifted = fma(x, number(kLog2E), number(kRound + kBias - 1));
    Value n = sub(shifted, number(kRound + kBias - 1));
    Value r = fma(n, number(-kLn2High), x);
    r = fma(n, number(-kLn2Low), r);
    return mul(polynomial(r, kExp), power(shifted));
  }

  /// 13 bits, for x that are at most 88: weights of a softmax that become bf16.
  Value roughExp(Value x) {
    Value bottom = number(-87.5f);
    x = select(less(x, bottom), bottom, x); // lets NaN through
    Value shifted = fma(x, number(kLog2E), number(kRound + kBias - 1));
    Value n = sub(shifted, number(kRound + kBias - 1));
    Value r = fma(n, number(-1 / kLog2E), x);
    return mul(polynomial(r, kExpRough), power(shifted));
  }

  Value exp2(Value x) {
    x = clamp(x, -126.25f, 128.25f);
    Value shifted = add(x, number(kRound + kBias - 1));
    Value r = sub(x, sub(shifted, number(kRound + kBias - 1)));
    return mul(polynomial(r, kExp2), power(shifted));
  }

  Value tanh(Value x) {
    Value magnitude = math::AbsFOp::create(b, loc, x);
    // Small: x + x^3 P(x^2). Large: 1 - 2 / (exp(2 |x|) + 1), with x's sign.
    Value square = mul(x, x);
    Value rest = mul(mul(polynomial(square, kTanh), square), x);
    Value small = add(x, rest);
    Value e = exp(add(magnitude, magnitude));
    Value quotient =
        arith::DivFOp::create(b, loc, number(2), add(e, number(1)));
    Value large = sub(number(1), quotient);
    large = math::CopySignOp::create(b, loc, large, x);
    return select(less(magnitude, number(kTanhSplit)), small, large);
  }

  Value erf(Value x) {
    Value magnitude = math::AbsFOp::create(b, loc, x);
    // Small: x + x P(x^2). Large: 1 - exp2(|x| P(|x|)), with x's sign.
    Value small = fma(polynomial(mul(x, x), kErfSmall), x, x);
    Value top = number(kErfTop);
    Value bounded = select(less(top, magnitude), top, magnitude);
    Value exponent = mul(polynomial(bounded, kErfLarge), bounded);
    Value shifted = add(exponent, number(kRound + kBias));
    Value r = sub(exponent, sub(shifted, number(kRound + kBias)));
    Value p = arith::NegFOp::create(b, loc, polynomial(r, kErfExp2));
    Value large = fma(p, power(shifted), number(1));
    large = math::CopySignOp::create(b, loc, large, x);
    return select(less(magnitude, number(kErfSplit)), small, large);
  }

  /// Within 3e-5 of 1 beyond kErfRoughTop.
  Value roughErf(Value x) {
    x = clamp(x, -kErfRoughTop, kErfRoughTop);
    return mul(polynomial(mul(x, x), kErfRough), x);
  }

  Value cos(Value x) { return sinOfQuarters(x, /*ahead=*/1); }
  Value sin(Value x) { return sinOfQuarters(x, /*ahead=*/0); }

  Value rsqrt(Value x) {
    return arith::DivFOp::create(b, loc, number(1),
                                 math::SqrtOp::create(b, loc, x));
  }

private:
  /// The op's type with another element type.
  Type like(Type element) {
    if (auto vector = dyn_cast<VectorType>(type))
      return vector.clone(element);
    return element;
  }
  Value constant(TypedAttr value) {
    if (auto vector = dyn_cast<VectorType>(like(value.getType())))
      value = DenseElementsAttr::get(vector, Attribute(value));
    return arith::ConstantOp::create(b, loc, value);
  }
  Value number(float value) { return constant(b.getF32FloatAttr(value)); }
  Value wide(double value) { return constant(b.getF64FloatAttr(value)); }
  Value integer(int32_t value) { return constant(b.getI32IntegerAttr(value)); }

  /// sin(x + ahead * pi / 2). Double precision takes the quarters off, since
  /// f32 without fused multiply-adds cannot do it exactly.
  Value sinOfQuarters(Value x, int32_t ahead) {
    Value angle = arith::ExtFOp::create(b, loc, like(b.getF64Type()), x);
    Value shifted = add(mul(angle, wide(M_2_PI)), wide(kRoundDouble));
    Value n = sub(shifted, wide(kRoundDouble));
    Value rest =
        sub(sub(angle, mul(n, wide(kHalfPiHigh))), mul(n, wide(kHalfPiLow)));
    Value r = arith::TruncFOp::create(b, loc, type, rest);
    Value quarter = arith::TruncIOp::create(
        b, loc, like(b.getI32Type()),
        arith::BitcastOp::create(b, loc, like(b.getI64Type()), shifted));
    quarter = arith::AddIOp::create(b, loc, quarter, integer(ahead));

    Value s = mul(r, r);
    // What rounding took from r counts where sin(r) has smaller steps than r.
    Value low = arith::TruncFOp::create(
        b, loc, type,
        sub(rest, arith::ExtFOp::create(b, loc, rest.getType(), r)));
    Value sine = add(fma(mul(polynomial(s, kSin), s), r, low), r);
    Value rough = sub(wide(1), mul(mul(rest, rest), wide(0.5)));
    rough = arith::TruncFOp::create(b, loc, type, rough);
    Value cosine = fma(mul(s, s), polynomial(s, kCos), rough);
    Value result = select(isBitSet(quarter, 1), cosine, sine);
    Value negated = arith::NegFOp::create(b, loc, result);
    result = select(isBitSet(quarter, 2), negated, result);
    Value tooLarge =
        less(number(kLargestAngle), math::AbsFOp::create(b, loc, x));
    return select(tooLarge, number(std::numeric_limits<float>::quiet_NaN()),
                  result);
  }

  Value isBitSet(Value bits, int32_t bit) {
    Value kept = arith::AndIOp::create(b, loc, bits, integer(bit));
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, kept,
                                 integer(0));
  }
  Value add(Value a, Value c) { return arith::AddFOp::create(b, loc, a, c); }
  Value sub(Value a, Value c) { return arith::SubFOp::create(b, loc, a, c); }
  Value mul(Value a, Value c) { return arith::MulFOp::create(b, loc, a, c); }
  Value fma(Value a, Value c, Value d) {
    if (hasFma)
      return LLVM::FMAOp::create(b, loc, type, a, c, d);
    return add(mul(a, c), d);
  }
  Value less(Value a, Value c) {
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, a, c);
  }
  Value select(Value condition, Value a, Value c) {
    return arith::SelectOp::create(b, loc, condition, a, c);
  }
  /// minps and maxps in the order that lets NaN through.
  Value clamp(Value x, float low, float high) {
    Value top = number(high), bottom = number(low);
    x = select(less(top, x), top, x);
    return select(less(x, bottom), bottom, x);
  }

  Value polynomial(Value x, ArrayRef<float> coefficients) {
    Value sum = number(coefficients.front());
    for (float coefficient : coefficients.drop_front())
      sum = fma(sum, x, number(coefficient));
    return sum;
  }

  /// 2 to the integer in the low bits of `shifted`, less the bias in it.
  Value power(Value shifted) {
    Value pattern =
        arith::BitcastOp::create(b, loc, like(b.getI32Type()), shifted);
    pattern = arith::ShLIOp::create(b, loc, pattern, integer(kMantissaBits));
    return arith::BitcastOp::create(b, loc, type, pattern);
  }

  OpBuilder b;
  Location loc;
  Type type;
  bool hasFma;
};

/// Whether the function around an op runs where multiply-adds are fused.
bool targetHasFma(Operation *op) {
  auto function = op->getParentOfType<FunctionOpInterface>();
  auto name = function ? function->getAttrOfType<StringAttr>(
                             kernel::KernelDialect::kTargetAttr)
                       : StringAttr();
  const Target *target = name ? Target::find(name) : nullptr;
  return target && target->hasFma;
}

template <typename Op> bool hasRoughResult(Op op) {
  return arith::bitEnumContainsAny(op.getFastmath(), arith::FastMathFlags::afn);
}

struct ExpandMath : impl::ExpandMathBase<ExpandMath> {
  using ExpandMathBase::ExpandMathBase;

  void runOnOperation() override {
    getOperation()->walk([&](Operation *op) {
      // Regions of kernels that are not lowered say what a model means.
      if (!isa_and_nonnull<math::MathDialect>(op->getDialect()) ||
          !getElementTypeOrSelf(op->getResult(0)).isF32() ||
          !(op->getParentOfType<func::FuncOp>() ||
            op->getParentOfType<LLVM::LLVMFuncOp>()))
        return;
      Expansion expansion(op, targetHasFma(op));
      Value result = llvm::TypeSwitch<Operation *, Value>(op)
                         .Case([&](math::ExpOp exp) {
                           return hasRoughResult(exp)
                                      ? expansion.roughExp(exp.getOperand())
                                      : expansion.exp(exp.getOperand());
                         })
                         .Case([&](math::Exp2Op exp2) {
                           return expansion.exp2(exp2.getOperand());
                         })
                         .Case([&](math::TanhOp tanh) {
                           return expansion.tanh(tanh.getOperand());
                         })
                         .Case([&](math::ErfOp erf) {
                           return hasRoughResult(erf)
                                      ? expansion.roughErf(erf.getOperand())
                                      : expansion.erf(erf.getOperand());
                         })
                         .Case([&](math::CosOp cos) {
                           return expansion.cos(cos.getOperand());
                         })
                         .Case([&](math::SinOp sin) {
                           return expansion.sin(sin.getOperand());
                         })
                         .Case([&](math::RsqrtOp rsqrt) {
                           return expansion.rsqrt(rsqrt.getOperand());
                         })
                         .Default([](Operation *) { return Value(); });
      if (!result)
        return;
      op->getResult(0).replaceAllUsesWith(result);
      op->erase();
    });
  }
};
} // namespace
} // namespace attnc
