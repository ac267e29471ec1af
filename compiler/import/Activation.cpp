//===- Activation.cpp - activation functions by name ----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The formulas are those of `transformers.activations`. Names whose formula
// needs an operation that element regions lack (mish, softplus, ...) are absent
// and so refused by name.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Activation.h"
#include "compiler/import/Diagnostics.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace attnc {

namespace {
/// Scalar arithmetic in f32, short to write.
struct Scalar {
  OpBuilder &builder;
  Location loc;

  Value number(double value) {
    return arith::ConstantOp::create(
        builder, loc, builder.getF32FloatAttr(static_cast<float>(value)));
  }
  Value add(Value a, Value b) {
    return arith::AddFOp::create(builder, loc, a, b);
  }
  Value mul(Value a, Value b) {
    return arith::MulFOp::create(builder, loc, a, b);
  }
  Value mul(double a, Value b) { return mul(number(a), b); }
  Value max(Value a, Value b) {
    return arith::MaximumFOp::create(builder, loc, a, b);
  }
  Value min(Value a, Value b) {
    return arith::MinimumFOp::create(builder, loc, a, b);
  }
  Value tanh(Value a) { return math::TanhOp::create(builder, loc, a); }
  /// 1 / (1 + exp(-a))
  Value sigmoid(Value a) {
    Value negated = arith::NegFOp::create(builder, loc, a);
    Value exp = math::ExpOp::create(builder, loc, negated);
    Value sum = add(number(1.0), exp);
    return arith::DivFOp::create(builder, loc, number(1.0), sum);
  }
};
} // namespace

static Value emitIdentity(OpBuilder &, Location, Value x) { return x; }

static Value emitRelu(OpBuilder &builder, Location loc, Value x) {
  Scalar s{builder, loc};
  return s.max(x, s.number(0.0));
}

static Value emitRelu6(OpBuilder &builder, Location loc, Value x) {
  Scalar s{builder, loc};
  return s.min(s.max(x, s.number(0.0)), s.number(6.0));
}

static Value emitReluSquared(OpBuilder &builder, Location loc, Value x) {
  Scalar s{builder, loc};
  Value relu = s.max(x, s.number(0.0));
  return s.mul(relu, relu);
}

static Value emitLeakyRelu(OpBuilder &builder, Location loc, Value x) {
  Scalar s{builder, loc};
  return s.max(x, s.mul(0.01, x)); // 0.01: torch's default slope
}

static Value emitTanh(OpBuilder &builder, Location loc, Value x) {
  return Scalar{builder, loc}.tanh(x);
}

static Value emitSigmoid(OpBuilder &builder, Location loc, Value x) {
  return Scalar{builder, loc}.sigmoid(x);
}

static Value emitSilu(OpBuilder &builder, Location loc, Value x) {
  Scalar s{builder, loc};
  return s.mul(x, s.sigmoid(x));
}

/// 0.5 x (1 + erf(x / sqrt 2))
static Value emitGelu(OpBuilder &builder, Location loc, Value x) {
  Scalar s{builder, loc};
  Value erf = math::ErfOp::create(builder, loc, s.mul(M_SQRT1_2, x));
  return s.mul(s.mul(0.5, x), s.add(s.number(1.0), erf));
}

/// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
static Value emitGeluTanh(OpBuilder &builder, Location loc, Value x) {
  Scalar s{builder, loc};
  Value cube = s.mul(s.mul(x, x), x);
  Value inner = s.add(x, s.mul(0.044715, cube));
  Value tanh = s.tanh(s.mul(0.79788456080286535588, inner));
  return s.mul(s.mul(0.5, x), s.add(s.number(1.0), tanh));
}

/// x sigmoid(1.702 x)
static Value emitQuickGelu(OpBuilder &builder, Location loc, Value x) {
  Scalar s{builder, loc};
  return s.mul(x, s.sigmoid(s.mul(1.702, x)));
}

namespace {
struct NamedActivation {
  llvm::StringLiteral name;
  Activation emit;
};
} // namespace

static constexpr NamedActivation kActivations[] = {
    {"gelu", emitGelu},
    {"gelu_python", emitGelu},
    {"gelu_new", emitGeluTanh},
    {"gelu_fast", emitGeluTanh},
    {"gelu_accurate", emitGeluTanh},
    {"gelu_pytorch_tanh", emitGeluTanh},
    {"gelu_python_tanh", emitGeluTanh},
    {"quick_gelu", emitQuickGelu},
    {"silu", emitSilu},
    {"swish", emitSilu},
    {"sigmoid", emitSigmoid},
    {"tanh", emitTanh},
    {"relu", emitRelu},
    {"relu2", emitReluSquared},
    {"relu6", emitRelu6},
    {"leaky_relu", emitLeakyRelu},
    {"linear", emitIdentity},
};

Activation findActivation(StringRef name) {
  for (const NamedActivation &activation : kActivations)
    if (activation.name == name)
      return activation.emit;
  return nullptr;
}

std::string listActivations() {
  SmallVector<StringRef> names;
  for (const NamedActivation &activation : kActivations)
    names.push_back(activation.name);
  return listNames(names, names.size());
}

} // namespace attnc
