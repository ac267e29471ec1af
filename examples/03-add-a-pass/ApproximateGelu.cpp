//===- ApproximateGelu.cpp - GELU by tanh instead of erf -------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %s = arith.mulf %x, 0.70710678 : f32
//   %e = math.erf %s : f32
//
// becomes
//
//   %e = math.tanh 0.79788456 * (%x + 0.044715 * %x * %x * %x)
//
// Declines an erf whose operand is not a product with 1/sqrt(2).
//
//===----------------------------------------------------------------------===//
#include "compiler/optimize/Report.h"
#include "dialects/attn/Attn.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Pass/Pass.h"
#include <cmath>

using namespace mlir;

namespace attnc {
#define GEN_PASS_DECL
#define GEN_PASS_DEF_APPROXIMATEGELU
#define GEN_PASS_REGISTRATION
#include "examples/03-add-a-pass/Passes.h.inc"

namespace {

constexpr llvm::StringLiteral kPass = "approximate-gelu";

/// x, if `value` is x / sqrt(2) as a product with a constant; else null.
Value matchScaled(Value value) {
  auto product = value.getDefiningOp<arith::MulFOp>();
  FloatAttr factor;
  // Canonical IR has its constants on the right.
  if (!product || !matchPattern(product.getRhs(), m_Constant(&factor)))
    return {};
  // The constant was rounded to f32 when the model was read.
  bool isSqrtHalf = std::abs(factor.getValueAsDouble() - std::sqrt(0.5)) < 1e-7;
  return isSqrtHalf ? product.getLhs() : Value();
}

Value emitTanh(OpBuilder &builder, Location loc, Value x) {
  auto constant = [&](float value) -> Value {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getF32FloatAttr(value));
  };
  auto multiply = [&](Value a, Value b) -> Value {
    return arith::MulFOp::create(builder, loc, a, b);
  };
  Value cube = multiply(multiply(x, x), x);
  Value sum = arith::AddFOp::create(builder, loc, x,
                                    multiply(constant(0.044715f), cube));
  return math::TanhOp::create(builder, loc,
                              multiply(constant(0.79788456f), sum));
}

struct ApproximateGelu : impl::ApproximateGeluBase<ApproximateGelu> {
  void approximate(math::ErfOp erf) {
    Value x = matchScaled(erf.getOperand());
    if (!x)
      return reportMissed(kPass, missed, erf, erf.getOperand().getDefiningOp(),
                          "this erf does not belong to a GELU");
    reportApplied(kPass, applied, erf, "erf becomes tanh");
    OpBuilder builder(erf);
    erf.replaceAllUsesWith(emitTanh(builder, erf.getLoc(), x));
    erf.erase();
  }

  void runOnOperation() override {
    // Collected first: rewriting while walking would visit new ops too.
    SmallVector<math::ErfOp> sites;
    getOperation().walk([&](math::ErfOp erf) {
      if (isa<attn::EpilogueOpInterface>(erf->getParentOp()))
        sites.push_back(erf);
    });
    for (math::ErfOp erf : sites)
      approximate(erf);
  }
};

} // namespace

void registerExamplePasses() { registerFirstPasses(); }

} // namespace attnc
