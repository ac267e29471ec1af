//===- ProgramTest.h - running attn text in a test ---------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A fixture that parses a module, runs its entry @f in the interpreter and
// compares with expected elements.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_UNIT_INTERPRET_PROGRAMTEST_H
#define ATTNC_TEST_UNIT_INTERPRET_PROGRAMTEST_H

#include "compiler/interpret/Interpreter.h"
#include "dialects/attn/Attn.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"
#include <cmath>
#include <limits>

namespace attnc {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

inline TensorValue numbers(llvm::ArrayRef<int64_t> shape,
                           std::vector<double> elements) {
  TensorValue value;
  value.shape.assign(shape.begin(), shape.end());
  value.numbers = std::move(elements);
  return value;
}

inline TensorValue integers(llvm::ArrayRef<int64_t> shape,
                            std::vector<int64_t> elements) {
  TensorValue value;
  value.shape.assign(shape.begin(), shape.end());
  value.isInteger = true;
  value.integers = std::move(elements);
  return value;
}

class ProgramTest : public ::testing::Test {
protected:
  using Sizes = std::map<std::string, int64_t>;
  using Values = std::vector<TensorValue>;

  ProgramTest() { context.loadDialect<attn::AttnDialect>(); }

  /// Parses `source`, which must verify.
  mlir::OwningOpRef<mlir::ModuleOp> parse(llvm::StringRef source) {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(source, &context);
    EXPECT_TRUE(module) << source.str();
    return module;
  }

  /// Results of @f.
  Values run(llvm::StringRef source, const Sizes &sizes = {},
             const Values &inputs = {}) {
    mlir::OwningOpRef<mlir::ModuleOp> module = parse(source);
    if (!module)
      return {};
    llvm::Expected<Values> results =
        Interpreter(*module, nullptr, /*threads=*/2).run("f", sizes, inputs);
    if (results)
      return std::move(*results);
    ADD_FAILURE() << llvm::toString(results.takeError());
    return {};
  }

  /// The message with which @f fails.
  std::string fail(llvm::StringRef source, const Sizes &sizes = {},
                   const Values &inputs = {}) {
    mlir::OwningOpRef<mlir::ModuleOp> module = parse(source);
    if (!module)
      return "";
    llvm::Expected<Values> results =
        Interpreter(*module, nullptr, /*threads=*/1).run("f", sizes, inputs);
    if (results) {
      ADD_FAILURE() << "the program ran; an error was expected";
      return "";
    }
    return llvm::toString(results.takeError());
  }

  /// Elements of the only result of an entry without sizes whose body is
  /// `body` and whose result, %y, has the type `type`.
  TensorValue compute(llvm::StringRef body, llvm::StringRef type) {
    std::string source =
        ("attn.entry @f() -> (" + type + " {attn.name = \"y\"}) sizes [] {\n" +
         body + "\nattn.return %y : " + type + "\n}")
            .str();
    Values results = run(source);
    return results.empty() ? TensorValue() : results.front();
  }

  mlir::MLIRContext context;
};

/// Root mean square over runs in f32 of the differences in element 0 of @f.
inline double measureError(mlir::ModuleOp program) {
  Interpreter interpreter(program, nullptr);
  double exact = llvm::cantFail(interpreter.run("f", {}, {}))[0].numbers[0];
  constexpr int kRuns = 64;
  double sum = 0;
  for (uint64_t seed = 1; seed <= kRuns; ++seed) {
    interpreter.setSeed(seed);
    double got =
        llvm::cantFail(interpreter.run("f", {}, {}, Precision::Single))[0]
            .numbers[0];
    sum += (got - exact) * (got - exact);
  }
  return std::sqrt(sum / kRuns);
}

inline void expectNumbers(const TensorValue &value,
                          std::vector<double> expected) {
  ASSERT_FALSE(value.isInteger);
  ASSERT_EQ(value.numbers.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(value.numbers[i], expected[i],
                1e-12 * (1 + std::abs(expected[i])))
        << "element " << i;
}

inline void expectIntegers(const TensorValue &value,
                           std::vector<int64_t> expected) {
  ASSERT_TRUE(value.isInteger);
  EXPECT_EQ(value.integers, expected);
}

} // namespace attnc

#endif // ATTNC_TEST_UNIT_INTERPRET_PROGRAMTEST_H
