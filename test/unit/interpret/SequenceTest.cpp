//===- SequenceTest.cpp - ids, packing and pooling by hand ===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// attn.embedding, attn.positions, attn.token_positions, attn.pack_index,
// attn.pack, attn.unpack, attn.pool.
//
//===----------------------------------------------------------------------===//
#include "ProgramTest.h"
#include <cmath>

using namespace attnc;

namespace {

using SequenceTest = ProgramTest;

constexpr const char *kEmbedding = R"(
attn.entry @f(%ids: tensor<2xi32> {attn.name = "ids"}) -> (tensor<2x2xf32> {attn.name = "y"}) sizes [] {
  %p = attn.positions : tensor<2xi32>
  %a = attn.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %b = attn.constant dense<[[10.0, 20.0], [30.0, 40.0]]> : tensor<2x2xf32>
  %y = attn.embedding(%ids, %p), (%a, %b) : (tensor<2xi32>, tensor<2xi32>), (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  attn.return %y : tensor<2x2xf32>
}
)";

TEST_F(SequenceTest, EmbeddingSumsTables) {
  Values y = run(kEmbedding, {}, {integers({2}, {2, 0})});
  ASSERT_EQ(y.size(), 1u);
  expectNumbers(y[0], {15, 26, 31, 42});
}

TEST_F(SequenceTest, EmbeddingRefusesIdsOutsideOfTheTable) {
  std::string message = fail(kEmbedding, {}, {integers({2}, {0, 3})});
  EXPECT_NE(message.find("error[A0712]: 'attn."), std::string::npos) << message;
  EXPECT_NE(message.find("id 3 (element 1 of ids 0)"), std::string::npos)
      << message;
  EXPECT_NE(message.find("3 rows"), std::string::npos) << message;
  EXPECT_NE(fail(kEmbedding, {}, {integers({2}, {-1, 0})}).find("id -1"),
            std::string::npos);
}

TEST_F(SequenceTest, EmbeddingWithRowRegion) {
  TensorValue y = compute(R"(
    %ids = attn.constant dense<[1, 0]> : tensor<2xi32>
    %a = attn.constant dense<[[6.0, 8.0], [0.0, 2.0]]> : tensor<2x2xf32>
    %y = attn.embedding(%ids), (%a) row() {
    ^bb0(%row: tensor<2xf32>):
      %n = attn.norm l2 %row epsilon 0.0 : tensor<2xf32>
      attn.yield %n : tensor<2xf32>
    } : (tensor<2xi32>), (tensor<2x2xf32>) -> tensor<2x2xf32>)",
                          "tensor<2x2xf32>");
  expectNumbers(y, {0, 1, 0.6, 0.8});
}

TEST_F(SequenceTest, PositionsCountWithinASequence) {
  expectIntegers(
      compute("%y = attn.positions : tensor<2x3xi32>", "tensor<2x3xi32>"),
      {0, 1, 2, 0, 1, 2});
}

TEST_F(SequenceTest, TokenPositionsCountWhatIsNoPadding) {
  // A hole, padding alone, left padding.
  expectIntegers(compute(R"(
    %ids = attn.constant dense<[[5, 1, 7, 2], [1, 1, 1, 1], [1, 0, 3, 1]]> : tensor<3x4xi32>
    %y = attn.token_positions %ids padding 1 : tensor<3x4xi32>)",
                         "tensor<3x4xi32>"),
                 {2, 1, 3, 4, 1, 1, 1, 1, 1, 2, 3, 1});
}

constexpr const char *kPack = R"(
attn.size @batch min 1 max 8
attn.size @seq min 1 max 8
attn.size @tokens derived "batch * seq"
attn.entry @f(%mask: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "mask"}, %x: tensor<?x?x2xf32, #attn.sizes<batch, seq, 2>> {attn.name = "x"})
    -> (tensor<?x?x2xf32, #attn.sizes<batch, seq, 2>> {attn.name = "y"}, tensor<?xi32, #attn.sizes<batch + 1>> {attn.name = "offsets"}, tensor<?x2xf32, #attn.sizes<batch, 2>> {attn.name = "pooled"}, tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "kept"}) sizes ["batch", "seq"] {
  %rows, %offsets = attn.pack_index %mask : tensor<?x?xi32, #attn.sizes<batch, seq>> -> tensor<?xi32, #attn.sizes<tokens>>, tensor<?xi32, #attn.sizes<batch + 1>>
  %p = attn.pack %x, %rows : tensor<?x?x2xf32, #attn.sizes<batch, seq, 2>>, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?x2xf32, #attn.sizes<tokens, 2>>
  %y = attn.unpack %p, %rows : tensor<?x2xf32, #attn.sizes<tokens, 2>>, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?x?x2xf32, #attn.sizes<batch, seq, 2>>
  %pooled = attn.pool mean %p offsets(%offsets : tensor<?xi32, #attn.sizes<batch + 1>>) : tensor<?x2xf32, #attn.sizes<tokens, 2>> -> tensor<?x2xf32, #attn.sizes<batch, 2>>
  %i = attn.positions : tensor<?x?xi32, #attn.sizes<batch, seq>>
  %j = attn.pack %i, %rows : tensor<?x?xi32, #attn.sizes<batch, seq>>, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?xi32, #attn.sizes<tokens>>
  %kept = attn.unpack %j, %rows : tensor<?xi32, #attn.sizes<tokens>>, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?x?xi32, #attn.sizes<batch, seq>>
  attn.return %y, %offsets, %pooled, %kept : tensor<?x?x2xf32, #attn.sizes<batch, seq, 2>>, tensor<?xi32, #attn.sizes<batch + 1>>, tensor<?x2xf32, #attn.sizes<batch, 2>>, tensor<?x?xi32, #attn.sizes<batch, seq>>
}
)";

TEST_F(SequenceTest, PackingKeepsMaskedRows) {
  // A hole, an empty sequence, left padding with a value other than 1.
  Values y = run(kPack, {{"batch", 3}, {"seq", 3}},
                 {integers({3, 3}, {1, 0, 1, 0, 0, 0, 0, 5, -1}),
                  numbers({3, 3, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
                                      14, 15, 16, 17, 18})});
  ASSERT_EQ(y.size(), 4u);
  expectNumbers(y[0],
                {1, 2, 0, 0, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 15, 16, 17, 18});
  expectIntegers(y[1], {0, 2, 2, 4});
  expectNumbers(y[2], {3, 4, 0, 0, 16, 17});
  expectIntegers(y[3], {0, 0, 2, 0, 0, 0, 0, 1, 2});
}

TEST_F(SequenceTest, PackingOfNothing) {
  Values y = run(kPack, {{"batch", 1}, {"seq", 2}},
                 {integers({1, 2}, {0, 0}), numbers({1, 2, 2}, {1, 2, 3, 4})});
  ASSERT_EQ(y.size(), 4u);
  expectNumbers(y[0], {0, 0, 0, 0});
  expectIntegers(y[1], {0, 0});
  expectNumbers(y[2], {0, 0});
}

TEST_F(SequenceTest, PackRefusesRowsOutsideOfThePaddedForm) {
  const char *source = R"(
    attn.entry @f(%rows: tensor<1xi32> {attn.name = "rows"}) -> (tensor<1xf32> {attn.name = "y"}) sizes [] {
      %x = attn.constant dense<1.0> : tensor<2x2xf32>
      %y = attn.pack %x, %rows : tensor<2x2xf32>, tensor<1xi32> -> tensor<1xf32>
      attn.return %y : tensor<1xf32>
    })";
  EXPECT_NE(fail(source, {}, {integers({1}, {4})}).find("row 4 (element 0)"),
            std::string::npos);
  EXPECT_NE(fail(source, {}, {integers({1}, {-1})}).find("row -1"),
            std::string::npos);
}

//===----------------------------------------------------------------------===//
// Pooling: kept rows (1, -2), (3, -8) and a sequence without rows
//===----------------------------------------------------------------------===//

class Pool : public SequenceTest {
protected:
  TensorValue padded(const std::string &kind) {
    return compute(
        R"(
      %x = attn.constant dense<[[[1.0, -2.0], [99.0, 99.0], [3.0, -8.0]], [[99.0, 99.0], [99.0, 99.0], [99.0, 99.0]]]> : tensor<2x3x2xf32>
      %m = attn.constant dense<[[1, 0, 7], [0, 0, 0]]> : tensor<2x3xi32>
      %y = attn.pool )" +
            kind +
            R"( %x mask(%m : tensor<2x3xi32>) : tensor<2x3x2xf32> -> tensor<2x2xf32>)",
        "tensor<2x2xf32>");
  }
  TensorValue packed(const std::string &kind) {
    return compute(
        R"(
      %x = attn.constant dense<[[1.0, -2.0], [3.0, -8.0]]> : tensor<2x2xf32>
      %o = attn.constant dense<[0, 2, 2]> : tensor<3xi32>
      %y = attn.pool )" +
            kind +
            R"( %x offsets(%o : tensor<3xi32>) : tensor<2x2xf32> -> tensor<2x2xf32>)",
        "tensor<2x2xf32>");
  }
  void expectBoth(const std::string &kind, double first, double second) {
    SCOPED_TRACE(kind);
    expectNumbers(padded(kind), {first, second, 0, 0});
    expectNumbers(packed(kind), {first, second, 0, 0});
  }
};

TEST_F(Pool, EveryKind) {
  expectBoth("mean", 2, -5);
  expectBoth("first", 1, -2);
  expectBoth("last", 3, -8);
  expectBoth("max", 3, -2);
  expectBoth("mean_sqrt_len", 4 / std::sqrt(2.0), -10 / std::sqrt(2.0));
  expectBoth("weighted_mean", 7.0 / 3, -6);
}

} // namespace
