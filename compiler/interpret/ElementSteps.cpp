//===- ElementSteps.cpp - scalar ops as steps over lanes ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every op of isRegionScalarOp becomes one step of an ElementProgram.
//
//===----------------------------------------------------------------------===//
#include "compiler/ShortErf.h"
#include "compiler/interpret/ElementProgram.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;

namespace attnc::interpret {

/// What an integer type keeps of a result: i1 one bit, i32 its value.
static int64_t wrap(int64_t value, unsigned width) {
  return width == 1 ? value & 1 : int64_t(int32_t(value));
}

/// The value of an integer whose bits are read as signed; only i1 differs from
/// what registers hold.
static int64_t asSigned(int64_t value, unsigned width) {
  return width == 1 ? -value : value;
}

static uint64_t asUnsigned(int64_t value, unsigned width) {
  return width == 1 ? value : uint32_t(value);
}

template <typename F> void ElementProgram::unary(Operation &op, F function) {
  unsigned from = registerOf(op.getOperand(0)),
           to = registerOf(op.getResult(0));
  steps.push_back([=](Frame &frame, int64_t count) {
    for (int64_t lane = 0; lane < count; ++lane)
      frame.number(to)[lane] = function(frame.number(from)[lane]);
  });
}

template <typename F> void ElementProgram::binary(Operation &op, F function) {
  unsigned a = registerOf(op.getOperand(0)), b = registerOf(op.getOperand(1));
  unsigned to = registerOf(op.getResult(0));
  steps.push_back([=](Frame &frame, int64_t count) {
    for (int64_t lane = 0; lane < count; ++lane)
      frame.number(to)[lane] =
          function(frame.number(a)[lane], frame.number(b)[lane]);
  });
}

template <typename F>
void ElementProgram::integerBinary(Operation &op, F function) {
  unsigned a = registerOf(op.getOperand(0)), b = registerOf(op.getOperand(1));
  unsigned to = registerOf(op.getResult(0));
  unsigned width = op.getResult(0).getType().getIntOrFloatBitWidth();
  steps.push_back([=](Frame &frame, int64_t count) {
    for (int64_t lane = 0; lane < count; ++lane)
      frame.integer(to)[lane] =
          wrap(function(frame.integer(a)[lane], frame.integer(b)[lane]), width);
  });
}

template <typename F>
void ElementProgram::addConversion(Operation *op, F read) {
  unsigned from = registerOf(op->getOperand(0)),
           to = registerOf(op->getResult(0));
  unsigned width = op->getOperand(0).getType().getIntOrFloatBitWidth();
  steps.push_back([=](Frame &frame, int64_t count) {
    for (int64_t lane = 0; lane < count; ++lane)
      frame.number(to)[lane] = read(frame.integer(from)[lane], width);
  });
}

template <typename F> void ElementProgram::addExtension(Operation *op, F read) {
  unsigned from = registerOf(op->getOperand(0)),
           to = registerOf(op->getResult(0));
  unsigned width = op->getOperand(0).getType().getIntOrFloatBitWidth();
  steps.push_back([=](Frame &frame, int64_t count) {
    for (int64_t lane = 0; lane < count; ++lane)
      frame.integer(to)[lane] = read(frame.integer(from)[lane], width);
  });
}

void ElementProgram::addStep(Operation &op) {
  assert(attn::isRegionScalarOp(&op) && "verified");
  llvm::TypeSwitch<Operation &>(op)
      .Case([&](arith::ConstantOp op) { addConstant(op); })
      .Case([&](arith::CmpFOp op) { addComparison(op); })
      .Case([&](arith::CmpIOp op) { addComparison(op); })
      .Case([&](arith::SelectOp op) { addSelect(op); })
      .Case([&](attn::LookupOp op) { addLookup(op); })
      .Case([&](arith::SIToFPOp op) { addConversion(op, asSigned); })
      .Case([&](arith::UIToFPOp op) { addConversion(op, asUnsigned); })
      .Case([&](arith::ExtSIOp op) { addExtension(op, asSigned); })
      .Case([&](arith::ExtUIOp op) { addExtension(op, asUnsigned); })
      .Case([&](attn::IndexOp op) {
        unsigned to = registerOf(op.getResult());
        size_t dim = op.getDim();
        steps.push_back([=](Frame &frame, int64_t count) {
          int64_t step = dim + 1 == frame.index.size();
          for (int64_t lane = 0; lane < count; ++lane)
            frame.integer(to)[lane] = frame.index[dim] + lane * step;
        });
      })
      .Default([&](Operation &op) {
        op.getResult(0).getType().isInteger() ? addIntegerStep(op)
                                              : addNumberStep(op);
      });
}

void ElementProgram::addNumberStep(Operation &op) {
  llvm::TypeSwitch<Operation &>(op)
      .Case([&](arith::AddFOp op) {
        binary(*op, [](double a, double b) { return a + b; });
      })
      .Case([&](arith::SubFOp op) {
        binary(*op, [](double a, double b) { return a - b; });
      })
      .Case([&](arith::MulFOp op) {
        binary(*op, [](double a, double b) { return a * b; });
      })
      .Case([&](arith::DivFOp op) {
        binary(*op, [](double a, double b) { return a / b; });
      })
      .Case([&](arith::MaximumFOp op) {
        binary(*op, [](double a, double b) {
          return std::isnan(a) || std::isnan(b) ? a + b : std::max(a, b);
        });
      })
      .Case([&](arith::MinimumFOp op) {
        binary(*op, [](double a, double b) {
          return std::isnan(a) || std::isnan(b) ? a + b : std::min(a, b);
        });
      })
      .Case([&](arith::NegFOp op) { unary(*op, [](double a) { return -a; }); })
      .Case([&](math::AbsFOp op) {
        unary(*op, [](double a) { return std::fabs(a); });
      })
      .Case([&](math::CosOp op) {
        unary(*op, [](double a) { return std::cos(a); });
      })
      .Case([&](math::SinOp op) {
        unary(*op, [](double a) { return std::sin(a); });
      })
      .Case([&](math::ErfOp op) { addErf(op); })
      .Case([&](math::ExpOp op) {
        unary(*op, [](double a) { return std::exp(a); });
      })
      .Case([&](math::Exp2Op op) {
        unary(*op, [](double a) { return std::exp2(a); });
      })
      .Case([&](math::TanhOp op) {
        unary(*op, [](double a) { return std::tanh(a); });
      })
      .Case([&](math::SqrtOp op) {
        unary(*op, [](double a) { return std::sqrt(a); });
      })
      .Case([&](math::RsqrtOp op) {
        unary(*op, [](double a) { return 1.0 / std::sqrt(a); });
      })
      .Default([](Operation &) {
        llvm_unreachable("isRegionScalarOp admits an op that has no step");
      });
}

void ElementProgram::addIntegerStep(Operation &op) {
  unsigned width = op.getResult(0).getType().getIntOrFloatBitWidth();
  llvm::TypeSwitch<Operation &>(op)
      .Case([&](arith::AddIOp op) { integerBinary(*op, std::plus<int64_t>()); })
      .Case(
          [&](arith::SubIOp op) { integerBinary(*op, std::minus<int64_t>()); })
      .Case([&](arith::MulIOp op) {
        integerBinary(*op, std::multiplies<int64_t>());
      })
      .Case([&](arith::AndIOp op) {
        integerBinary(*op, std::bit_and<int64_t>());
      })
      .Case(
          [&](arith::OrIOp op) { integerBinary(*op, std::bit_or<int64_t>()); })
      .Case([&](arith::XOrIOp op) {
        integerBinary(*op, std::bit_xor<int64_t>());
      })
      .Case([&](arith::MaxSIOp op) {
        integerBinary(*op, [width](int64_t a, int64_t b) {
          return asSigned(a, width) >= asSigned(b, width) ? a : b;
        });
      })
      .Case([&](arith::MinSIOp op) {
        integerBinary(*op, [width](int64_t a, int64_t b) {
          return asSigned(a, width) <= asSigned(b, width) ? a : b;
        });
      })
      .Default([](Operation &) {
        llvm_unreachable("isRegionScalarOp admits an op that has no step");
      });
}

void ElementProgram::addConstant(arith::ConstantOp op) {
  unsigned target = registerOf(op.getResult());
  if (auto number = dyn_cast<FloatAttr>(op.getValue()))
    numberConstants.push_back({target, number.getValueAsDouble()});
  else {
    APInt value = cast<IntegerAttr>(op.getValue()).getValue();
    integerConstants.push_back(
        {target, wrap(value.getSExtValue(), value.getBitWidth())});
  }
}

void ElementProgram::addErf(math::ErfOp op) {
  const unsigned from = registerOf(op.getOperand()),
                 to = registerOf(op.getResult());
  steps.push_back([=](Frame &frame, int64_t count) {
    for (int64_t lane = 0; lane < count; ++lane) {
      const double x = frame.number(from)[lane];
      double &result = frame.number(to)[lane];
      // Terms of the short one that nearly cancel lose more than its result's
      // last bit: errors are those of f32 itself.
      if (!frame.hasShortErf)
        result = std::erf(x);
      else if (frame.noise)
        result = computeShortErf(static_cast<float>(x));
      else
        result = computeShortErf(x);
    }
  });
}

void ElementProgram::addSelect(arith::SelectOp op) {
  unsigned condition = registerOf(op.getCondition());
  unsigned a = registerOf(op.getTrueValue()),
           b = registerOf(op.getFalseValue());
  unsigned to = registerOf(op.getResult());
  bool integer = op.getType().isInteger();
  steps.push_back([=](Frame &frame, int64_t count) {
    for (int64_t lane = 0; lane < count; ++lane) {
      unsigned from = frame.integer(condition)[lane] ? a : b;
      if (integer)
        frame.integer(to)[lane] = frame.integer(from)[lane];
      else
        frame.number(to)[lane] = frame.number(from)[lane];
    }
  });
}

void ElementProgram::addLookup(attn::LookupOp op) {
  unsigned number = cast<BlockArgument>(op.getTable()).getArgNumber() - leading;
  SmallVector<unsigned> indices;
  for (Value index : op.getIndices())
    indices.push_back(registerOf(index));
  unsigned to = registerOf(op.getResult());
  steps.push_back([=, source = sources[number]](Frame &frame, int64_t count) {
    int64_t first = source.offset;
    for (auto [stride, index] : llvm::zip_equal(source.strides, frame.index))
      first += stride * index;
    int64_t step = source.strides.empty() ? 0 : source.strides.back();
    ArrayRef<int64_t> sizes =
        ArrayRef<int64_t>(source.tensor.shape).take_back(indices.size());
    if (llvm::is_contained(sizes, 0)) {
      std::fill_n(frame.number(to), count, 0.0);
      std::fill_n(frame.integer(to), count, 0);
      return;
    }
    for (int64_t lane = 0; lane < count; ++lane) {
      int64_t offset = first + lane * step;
      for (size_t dim = 0; dim < indices.size(); ++dim)
        offset += source.wholeStrides[dim] *
                  std::clamp<int64_t>(frame.integer(indices[dim])[lane], 0,
                                      sizes[dim] - 1);
      if (source.tensor.isInteger)
        frame.integer(to)[lane] = frame.integerBases[number][offset];
      else
        frame.number(to)[lane] = frame.numberBases[number][offset];
    }
  });
}

/// The ordered part of a predicate on numbers neither of which is NaN.
static bool compareOrdered(arith::CmpFPredicate predicate, double a, double b) {
  using P = arith::CmpFPredicate;
  switch (predicate) {
  case P::OEQ:
  case P::UEQ:
    return a == b;
  case P::OGT:
  case P::UGT:
    return a > b;
  case P::OGE:
  case P::UGE:
    return a >= b;
  case P::OLT:
  case P::ULT:
    return a < b;
  case P::OLE:
  case P::ULE:
    return a <= b;
  case P::ONE:
  case P::UNE:
    return a != b;
  case P::ORD:
  case P::AlwaysTrue:
    return true;
  case P::UNO:
  case P::AlwaysFalse:
    return false;
  }
  llvm_unreachable("an unknown predicate");
}

/// What a predicate says when a number is NaN.
static bool isTrueOfNaN(arith::CmpFPredicate predicate) {
  using P = arith::CmpFPredicate;
  return llvm::is_contained(
      {P::UEQ, P::UGT, P::UGE, P::ULT, P::ULE, P::UNE, P::UNO, P::AlwaysTrue},
      predicate);
}

void ElementProgram::addComparison(arith::CmpFOp op) {
  unsigned a = registerOf(op.getLhs()), b = registerOf(op.getRhs());
  unsigned to = registerOf(op.getResult());
  arith::CmpFPredicate predicate = op.getPredicate();
  steps.push_back([=](Frame &frame, int64_t count) {
    for (int64_t lane = 0; lane < count; ++lane) {
      double x = frame.number(a)[lane], y = frame.number(b)[lane];
      frame.integer(to)[lane] = std::isnan(x) || std::isnan(y)
                                    ? isTrueOfNaN(predicate)
                                    : compareOrdered(predicate, x, y);
    }
  });
}

static bool compareIntegers(arith::CmpIPredicate predicate, int64_t a,
                            int64_t b, unsigned width) {
  using P = arith::CmpIPredicate;
  int64_t x = asSigned(a, width), y = asSigned(b, width);
  uint64_t ux = asUnsigned(a, width), uy = asUnsigned(b, width);
  switch (predicate) {
  case P::eq:
    return a == b;
  case P::ne:
    return a != b;
  case P::slt:
    return x < y;
  case P::sle:
    return x <= y;
  case P::sgt:
    return x > y;
  case P::sge:
    return x >= y;
  case P::ult:
    return ux < uy;
  case P::ule:
    return ux <= uy;
  case P::ugt:
    return ux > uy;
  case P::uge:
    return ux >= uy;
  }
  llvm_unreachable("an unknown predicate");
}

void ElementProgram::addComparison(arith::CmpIOp op) {
  unsigned a = registerOf(op.getLhs()), b = registerOf(op.getRhs());
  unsigned to = registerOf(op.getResult());
  unsigned width = op.getLhs().getType().getIntOrFloatBitWidth();
  arith::CmpIPredicate predicate = op.getPredicate();
  steps.push_back([=](Frame &frame, int64_t count) {
    for (int64_t lane = 0; lane < count; ++lane)
      frame.integer(to)[lane] = compareIntegers(
          predicate, frame.integer(a)[lane], frame.integer(b)[lane], width);
  });
}

} // namespace attnc::interpret
