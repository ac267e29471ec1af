//===- ExpandMathTest.cpp - our exp, erf, tanh against libm ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every expansion, at the vector type of every target, over all exponents and
// both signs: each kStep-th bit pattern against the C library's double.
// ATTNC_MATH_STEP=1 takes every one (two minutes per function and target).
//
//===----------------------------------------------------------------------===//
#include "KernelRunner.h"
#include "compiler/ShortErf.h"
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>

using namespace attnc;
using namespace attnc::test;

namespace {

struct Function {
  const char *op;
  double (*reference)(double);
  double ulpsWithFma, ulpsWithout;
  double flushBelow; ///< smaller results may be zero
};

double rsqrtReference(double x) { return 1 / std::sqrt(x); }

// Neighbouring arguments are more than a period apart beyond this.
constexpr double kLargestAngle = 0x1p28;
double cosReference(double x) {
  return std::fabs(x) > kLargestAngle ? NAN : std::cos(x);
}
double sinReference(double x) {
  return std::fabs(x) > kLargestAngle ? NAN : std::sin(x);
}

const double kFlush = std::exp2(-125.5);
const Function kFunctions[] = {{"exp", std::exp, 1.0, 1.5, kFlush},
                               {"exp2", std::exp2, 1.0, 1.5, kFlush},
                               {"tanh", std::tanh, 1.5, 1.5, 0},
                               {"erf", std::erf, 1.5, 1.75, 0},
                               {"cos", cosReference, 1.25, 1.25, 0},
                               {"sin", sinReference, 1.25, 1.25, 0},
                               {"rsqrt", rsqrtReference, 1.5, 1.5, 0},
                               {"sqrt", std::sqrt, 0.5, 0.5, 0},
                               {"absf", std::fabs, 0, 0, 0}};

// A prime, so that all patterns of low bits come up.
constexpr uint64_t kStep = 257;
constexpr int64_t kBatch = 4096;

std::string makeModule(const Function &function, const Target &target,
                       const std::string &flags = "") {
  const std::string vector =
      "vector<" + std::to_string(target.lanes()) + "xf32>";
  return std::string("func.func private @f(%frame: !llvm.ptr, %worker: i32, "
                     "%workers: i32, %in: !llvm.ptr, %out: !llvm.ptr) "
                     "attributes {kernel.target = \"") +
         target.name.str() + "\"} {\n" +
         "  %c0 = arith.constant 0 : i64\n  %n = arith.constant " +
         std::to_string(kBatch) + " : i64\n  %step = arith.constant " +
         std::to_string(target.lanes()) + " : i64\n" +
         "  scf.for %i = %c0 to %n step %step : i64 {\n"
         "    %p = llvm.getelementptr %in[%i] : (!llvm.ptr, i64) -> !llvm.ptr, "
         "f32\n"
         "    %q = llvm.getelementptr %out[%i] : (!llvm.ptr, i64) -> "
         "!llvm.ptr, "
         "f32\n"
         "    %x = llvm.load %p {alignment = 4} : !llvm.ptr -> " +
         vector + "\n    %y = math." + function.op + " %x" + flags + " : " +
         vector + "\n    llvm.store %y, %q {alignment = 4} : " + vector +
         ", !llvm.ptr\n  }\n  return\n}\n";
}

/// Distance in units of the last place of the exact value; an exact value that
/// rounds to infinity or NaN must be met.
double ulps(float got, double exact, double flushBelow) {
  const float nearest = static_cast<float>(exact);
  if (std::isnan(exact))
    return std::isnan(got) ? 0 : INFINITY;
  if (std::isinf(nearest))
    return got == nearest ? 0 : INFINITY;
  if (got == 0 && std::fabs(exact) < flushBelow)
    return 0;
  int exponent;
  std::frexp(nearest, &exponent);
  const double ulp = std::ldexp(1.0, std::max(exponent, -125) - 24);
  return std::fabs(got - exact) / ulp;
}

class ExpandMath
    : public testing::TestWithParam<std::tuple<const Target *, int>> {};

TEST_P(ExpandMath, EveryExponent) {
  const Target &target = *std::get<0>(GetParam());
  const Function &function = kFunctions[std::get<1>(GetParam())];
  if (!target.runsHere())
    GTEST_SKIP() << "this machine cannot run " << target.name.str();
  auto runner = KernelRunner::compile(makeModule(function, target), target);
  ASSERT_NE(runner, nullptr);
  GuardedBuffer in(kBatch), out(kBatch);
  std::vector<int64_t> sizes;
  const char *chosen = std::getenv("ATTNC_MATH_STEP");
  const uint64_t step = chosen ? std::max(1, std::atoi(chosen)) : kStep;
  double worst = 0;
  float worstAt = 0, worstGot = 0;
  for (uint64_t bits = 0; bits < 1ull << 32; bits += kBatch * step) {
    for (int64_t i = 0; i < kBatch; ++i) {
      const uint32_t pattern = bits + i * step;
      std::memcpy(in.floats() + i, &pattern, 4);
    }
    runner->run("f", sizes, {in.data(), out.data()});
    for (int64_t i = 0; i < kBatch; ++i) {
      const float x = in.floats()[i], got = out.floats()[i];
      const double error =
          ulps(got, function.reference(x), function.flushBelow);
      if (error > worst) {
        worst = error;
        worstAt = x;
        worstGot = got;
      }
    }
  }
  RecordProperty("worst_ulps", std::to_string(worst));
  if (chosen)
    std::printf("%s %s: %.3f ulp at %.9g\n", target.name.data(), function.op,
                worst, worstAt);
  EXPECT_LE(worst, target.hasFma ? function.ulpsWithFma : function.ulpsWithout)
      << function.op << "(" << worstAt << ") = " << worstGot << ", not "
      << function.reference(worstAt);
}

INSTANTIATE_TEST_SUITE_P(
    AllTargets, ExpandMath,
    testing::Combine(testing::Values(Target::find("x86-64-v4"),
                                     Target::find("x86-64-v3"),
                                     Target::find("x86-64")),
                     testing::Range(0, int(std::size(kFunctions)))));

/// f(x) of single values.
std::vector<float> evaluate(const char *op, const std::vector<float> &values,
                            const Target &target, const char *flags = "") {
  Function function = {op, nullptr, 0, 0, 0};
  auto runner =
      KernelRunner::compile(makeModule(function, target, flags), target);
  GuardedBuffer in(kBatch), out(kBatch);
  std::fill_n(in.floats(), kBatch, 0.0f);
  std::copy(values.begin(), values.end(), in.floats());
  std::vector<int64_t> sizes;
  runner->run("f", sizes, {in.data(), out.data()});
  return {out.floats(), out.floats() + values.size()};
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(ExpandMathLimits, ExactValues) {
  const Target &target = Target::native();
  EXPECT_EQ(evaluate("exp", {-kInfinity, kInfinity, 0, -1e30f, 88.8f}, target),
            (std::vector<float>{0, kInfinity, 1, 0, kInfinity}));
  EXPECT_EQ(evaluate("exp2", {-kInfinity, kInfinity, 0, 1, -3, 128}, target),
            (std::vector<float>{0, kInfinity, 1, 2, 0.125f, kInfinity}));
  EXPECT_EQ(evaluate("tanh", {-kInfinity, kInfinity, 0, 10, -10}, target),
            (std::vector<float>{-1, 1, 0, 1, -1}));
  EXPECT_EQ(evaluate("erf", {-kInfinity, kInfinity, 0, 3.93f, -100}, target),
            (std::vector<float>{-1, 1, 0, 1, -1}));
  EXPECT_EQ(evaluate("cos", {0, -0.0f, 1e-20f}, target),
            (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(evaluate("sin", {0, 1e-20f, -1e-20f}, target),
            (std::vector<float>{0, 1e-20f, -1e-20f}));
  for (const char *op : {"cos", "sin"})
    for (float result : evaluate(op, {kInfinity, -kInfinity, 3e8f}, target))
      EXPECT_TRUE(std::isnan(result)) << op << " gave " << result;
}

TEST(ExpandMathLimits, NanStaysNan) {
  // Payloads, because exponents are built from low bits.
  std::vector<float> values(3);
  const uint32_t patterns[] = {0x7fc00000, 0x7fc00181, 0xffc001ff};
  std::memcpy(values.data(), patterns, sizeof patterns);
  for (const char *op : {"exp", "exp2", "tanh", "erf", "cos", "sin", "rsqrt"})
    for (float result : evaluate(op, values, Target::native()))
      EXPECT_TRUE(std::isnan(result)) << op << " gave " << result;
}

TEST(ExpandMathLimits, RoughExponentials) {
  std::vector<float> arguments;
  for (int i = 0; i < 4000; ++i)
    arguments.push_back(-i * 0.0217f);
  for (const char *name : {"x86-64-v4", "x86-64-v3", "x86-64"}) {
    const Target &target = *Target::find(name);
    if (!target.runsHere())
      continue;
    auto got = evaluate("exp", arguments, target, " fastmath<afn>");
    for (size_t i = 0; i < arguments.size(); ++i)
      EXPECT_NEAR(got[i] / std::exp(double(arguments[i])), 1, 0x1p-13)
          << "at " << arguments[i];
    EXPECT_EQ(
        evaluate("exp", {-kInfinity, -1e30f, -88}, target, " fastmath<afn>"),
        (std::vector<float>{0, 0, 0}));
    EXPECT_TRUE(std::isnan(
        evaluate("exp", {std::nanf("")}, target, " fastmath<afn>")[0]));
  }
}

TEST(ExpandMathLimits, RoughErrorFunction) {
  std::vector<float> arguments = {-kInfinity, kInfinity};
  for (int i = -2000; i <= 2000; ++i)
    arguments.push_back(i * 0.003f);
  for (const char *name : {"x86-64-v4", "x86-64-v3", "x86-64"}) {
    const Target &target = *Target::find(name);
    if (!target.runsHere())
      continue;
    auto got = evaluate("erf", arguments, target, " fastmath<afn>");
    for (size_t i = 0; i < arguments.size(); ++i) {
      EXPECT_NEAR(got[i], std::erf(double(arguments[i])), 3e-5)
          << "at " << arguments[i];
      // What the reference repeats.
      if (target.hasFma)
        EXPECT_EQ(got[i], computeShortErf(arguments[i]));
      EXPECT_NEAR(got[i], computeShortErf(double(arguments[i])), 8e-6);
    }
    EXPECT_TRUE(std::isnan(
        evaluate("erf", {std::nanf("")}, target, " fastmath<afn>")[0]));
  }
}

TEST(ExpandMathLimits, GeluOfNegativeNumbers) {
  // 0.5 x (1 + erf(x / sqrt 2)) cancels; its absolute error must not.
  std::vector<float> arguments;
  for (int i = 0; i < 4000; ++i)
    arguments.push_back(-i * 0.005f);
  std::vector<float> scaled;
  for (float x : arguments)
    scaled.push_back(x * 0.70710678f);
  std::vector<float> erf = evaluate("erf", scaled, Target::native());
  for (size_t i = 0; i < arguments.size(); ++i) {
    const float x = arguments[i], got = 0.5f * x * (1 + erf[i]);
    const double exact = 0.5 * x * std::erfc(-x * M_SQRT1_2);
    EXPECT_NEAR(got, exact, 1.5e-7) << "at " << x;
  }
}

} // namespace
