//===- EntryTest.cpp - sizes, inputs and errors of a run ===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What Interpreter::run refuses before anything is computed.
//
//===----------------------------------------------------------------------===//
#include "ProgramTest.h"
#include <cmath>

using namespace attnc;

namespace {

using EntryTest = ProgramTest;

constexpr const char *kCopy = R"(
attn.size @n min 1 max 4
attn.entry @f(%x: tensor<?xi32, #attn.sizes<n>> {attn.name = "x", attn.range = array<i64: 0, 9>}) -> (tensor<?xi32, #attn.sizes<n>> {attn.name = "y"}) sizes ["n"] {
  attn.return %x : tensor<?xi32, #attn.sizes<n>>
}
)";

void expectIn(const std::string &message, const char *part) {
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST_F(EntryTest, CopiesIntegersExactly) {
  Values y = run(kCopy, {{"n", 3}}, {integers({3}, {0, 9, 5})});
  ASSERT_EQ(y.size(), 1u);
  expectIntegers(y[0], {0, 9, 5});
}

TEST_F(EntryTest, RefusesWrongSizes) {
  TensorValue x = integers({3}, {0, 1, 2});
  expectIn(fail(kCopy, {}, {x}), "error[A0710]: ");
  expectIn(fail(kCopy, {}, {x}), "takes the size 'n', which was not given");
  expectIn(fail(kCopy, {{"n", 5}}, {x}), "size 'n' is 5; expected 1 to 4");
  expectIn(fail(kCopy, {{"n", 0}}, {x}), "size 'n' is 0; expected 1 to 4");
  expectIn(fail(kCopy, {{"n", 3}, {"m", 1}}, {x}), "takes no size 'm'");
}

TEST_F(EntryTest, RefusesWrongInputs) {
  Sizes sizes = {{"n", 2}};
  expectIn(fail(kCopy, sizes, {}), "error[A0711]: ");
  expectIn(fail(kCopy, sizes, {}), "takes 1 inputs, got 0");
  expectIn(fail(kCopy, sizes, {integers({3}, {0, 1, 2})}),
           "input 'x': expected the shape [2], got [3]");
  expectIn(fail(kCopy, sizes, {numbers({2}, {0, 1})}),
           "expected integers, got numbers");
  expectIn(fail(kCopy, sizes, {integers({2}, {0})}),
           "has 2 elements, but 1 were given");
  expectIn(fail(kCopy, sizes, {integers({2}, {0, 10})}),
           "element 1 is 10; expected 0 to 9");
}

TEST_F(EntryTest, RefusesAnUnknownEntry) {
  mlir::OwningOpRef<mlir::ModuleOp> module = parse(kCopy);
  llvm::Expected<Values> results =
      Interpreter(*module, nullptr).run("g", {}, {});
  ASSERT_FALSE(results);
  std::string message = llvm::toString(results.takeError());
  expectIn(message, "error[A0713]: ");
  expectIn(message, "no entry 'g'");
}

TEST_F(EntryTest, RefusesWeightsWithoutATable) {
  expectIn(fail(R"(
    attn.weight @w from ["w"] : tensor<2xf32>
    attn.entry @f() -> (tensor<2xf32> {attn.name = "y"}) sizes [] {
      %w = attn.get_weight @w : tensor<2xf32>
      attn.return %w : tensor<2xf32>
    })"),
           "no table of weights");
}

TEST_F(EntryTest, ResultsDoNotDependOnThreads) {
  mlir::OwningOpRef<mlir::ModuleOp> module = parse(R"(
    attn.entry @f() -> (tensor<300x40xf32> {attn.name = "y"}) sizes [] {
      %x = attn.map element() {
        %i = attn.index 0 : i32
        %j = attn.index 1 : i32
        %k = arith.muli %i, %j : i32
        %f = arith.sitofp %k : i32 to f32
        %s = math.tanh %f : f32
        %t = arith.divf %s, %f : f32
        attn.yield %t : f32
      } : tensor<300x40xf32>
      %c = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<300x40xf32>) {
      ^bb0(%a: f32):
        %one = arith.constant 1.0 : f32
        %n = arith.cmpf uno, %a, %a : f32
        %s = arith.select %n, %one, %a : f32
        attn.yield %s : f32
      } : tensor<300x40xf32>
      %y = attn.attention %c, %c, %c : tensor<300x40xf32>, tensor<300x40xf32>, tensor<300x40xf32> -> tensor<300x40xf32>
      attn.return %y : tensor<300x40xf32>
    })");
  llvm::Expected<Values> one =
      Interpreter(*module, nullptr, 1).run("f", {}, {});
  llvm::Expected<Values> many =
      Interpreter(*module, nullptr, 7).run("f", {}, {});
  ASSERT_TRUE(bool(one));
  ASSERT_TRUE(bool(many));
  EXPECT_EQ((*one)[0].numbers, (*many)[0].numbers);
}

} // namespace
