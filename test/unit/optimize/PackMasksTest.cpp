//===- PackMasksTest.cpp - masks of positions on packed rows --------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention with a condition on positions beside the padding mask, in the
// interpreter before and after pack-tokens: a padding mask with holes moves
// every row to another place.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/interpret/Interpreter.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "gtest/gtest.h"

using namespace mlir;

namespace attnc {
namespace {

constexpr int64_t kSeq = 7;

const std::vector<std::vector<int64_t>> kMasks = {
    {1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 0, 0, 0}, {1, 0, 0, 1, 1, 0, 1},
    {0, 0, 0, 1, 1, 1, 1}, {0, 1, 0, 0, 0, 1, 0}, {0, 0, 0, 0, 0, 0, 0}};

/// `condition` computes %c from %i (query) and %j (key).
std::string makeProgram(const std::string &condition) {
  const std::string rows = "tensor<?x?x6xf32, #attn.sizes<batch, seq, 6>>";
  const std::string heads =
      "tensor<?x?x2x3xf32, #attn.sizes<batch, seq, 2, 3>>";
  const std::string ids = "tensor<?x?xi32, #attn.sizes<batch, seq>>";
  return "attn.size @batch min 1 max 8\nattn.size @seq min 1 max 16\n"
         "attn.entry @f(%x: " +
         rows + " {attn.name = \"x\"}, %m: " + ids +
         " {attn.name = \"m\"}) -> (" + rows +
         " {attn.name = \"y\"}) sizes [\"batch\", \"seq\"] {\n"
         "%h = attn.split_heads %x : " +
         rows + " -> " + heads +
         "\n%o = attn.attention %h, %h, %h mask(%m at affine_map<(b, h, q, kv) "
         "-> (b, kv)> : " +
         ids +
         ") {\n"
         "^bb0(%b: i32, %hd: i32, %i: i32, %j: i32, %a: i32):\n"
         "%z = arith.constant 0 : i32\n"
         "%two = arith.constant 2 : i32\n"
         "%keep = arith.cmpi ne, %a, %z : i32\n" +
         condition +
         "\n%all = arith.andi %keep, %c : i1\nattn.yield %all : i1\n} : " +
         heads + ", " + heads + ", " + heads + " -> " + heads +
         "\n%g = attn.merge_heads %o : " + heads + " -> " + rows +
         "\n%y = attn.map element(%g at affine_map<(d0, d1, d2) -> (d0, d1, "
         "d2)> : " +
         rows + ", %m at affine_map<(d0, d1, d2) -> (d0, d1)> : " + ids +
         ") {\n^bb0(%e: f32, %w: i32):\n%z = arith.constant 0 : i32\n"
         "%k = arith.cmpi ne, %w, %z : i32\n%n = arith.constant 0.0 : f32\n"
         "%s = arith.select %k, %e, %n : f32\nattn.yield %s : f32\n} : " +
         rows + "\nattn.return %y : " + rows + "\n}\n";
}

class PackMasks : public ::testing::TestWithParam<const char *> {
protected:
  std::vector<double> run(ModuleOp module) {
    const int64_t batch = kMasks.size();
    TensorValue x, m;
    x.shape = {batch, kSeq, 6};
    for (int64_t i = 0; i < x.numElements(); ++i)
      x.numbers.push_back((i * 37 % 41 - 20) / 8.0);
    m.shape = {batch, kSeq};
    m.isInteger = true;
    for (const std::vector<int64_t> &mask : kMasks)
      m.integers.insert(m.integers.end(), mask.begin(), mask.end());
    auto results = Interpreter(module, nullptr, /*threads=*/1)
                       .run("f", {{"batch", batch}, {"seq", kSeq}}, {x, m});
    EXPECT_TRUE(bool(results)) << llvm::toString(results.takeError());
    return results ? results->front().numbers : std::vector<double>();
  }
};

TEST_P(PackMasks, GiveTheSame) {
  MLIRContext context;
  context.loadDialect<attn::AttnDialect>();
  context.getDiagEngine().registerHandler([](Diagnostic &diagnostic) {
    // Remarks are for people.
    return success(diagnostic.getSeverity() != DiagnosticSeverity::Error);
  });
  auto module = parseSourceString<ModuleOp>(makeProgram(GetParam()), &context);
  ASSERT_TRUE(module);
  std::vector<double> padded = run(*module);
  PassManager passes(&context);
  passes.addPass(createPackTokens());
  ASSERT_TRUE(succeeded(passes.run(*module)));
  bool packed = false;
  module->walk([&](attn::AttentionOp op) { packed = op.isPacked(); });
  EXPECT_TRUE(packed);
  std::vector<double> got = run(*module);
  ASSERT_EQ(got.size(), padded.size());
  double largest = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], padded[i], 1e-12) << "element " << i;
    largest = std::max(largest, std::abs(padded[i]));
  }
  EXPECT_GT(largest, 1);
}

INSTANTIATE_TEST_SUITE_P(
    Conditions, PackMasks,
    ::testing::Values(
        "%c = arith.cmpi sge, %i, %j : i32",
        "%c = arith.cmpi slt, %j, %i : i32",
        // |i - j| <= 2
        "%u = arith.subi %i, %j : i32\n%v = arith.subi %j, %i : i32\n"
        "%c0 = arith.cmpi sle, %u, %two : i32\n"
        "%c1 = arith.cmpi sle, %v, %two : i32\n%c = arith.andi %c0, %c1 : i1",
        // At least 2 before.
        "%u = arith.subi %i, %j : i32\n%c = arith.cmpi sge, %u, %two : i32",
        // A sink: the first two keys, or those in a window.
        "%u = arith.subi %i, %j : i32\n%c0 = arith.cmpi sle, %u, %two : i32\n"
        "%c1 = arith.cmpi slt, %j, %two : i32\n%c = arith.ori %c0, %c1 : i1"));

} // namespace
} // namespace attnc
