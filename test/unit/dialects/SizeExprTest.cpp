//===- SizeExprTest.cpp - arithmetic on sizes
//-------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One canonical form, whichever way an expression was made.
//
//===----------------------------------------------------------------------===//
#include "dialects/attn/SizeExpr.h"
#include "gtest/gtest.h"
#include <limits>

using namespace attnc;

namespace {

SizeExpr parse(llvm::StringRef text) {
  std::optional<SizeExpr> expr = SizeExpr::parse(text);
  EXPECT_TRUE(expr) << text.str();
  return expr.value_or(SizeExpr());
}

TEST(SizeExprTest, CanonicalText) {
  std::pair<const char *, const char *> cases[] = {
      {"0", "0"},
      {"7", "7"},
      {"seq", "seq"},
      {"1 + batch", "batch + 1"},
      {"seq * batch", "batch * seq"},
      {"seq*2*batch + batch*seq", "3 * batch * seq"},
      {" 2 * 3 + seq ", "seq + 6"},
      {"0 * seq + 4", "4"},
      {"seq * seq", "seq * seq"},
      {"_a1 + a", "_a1 + a"}};
  for (auto [text, canonical] : cases) {
    EXPECT_EQ(parse(text).str(), canonical);
    EXPECT_EQ(parse(canonical), parse(text));
  }
}

TEST(SizeExprTest, RefusesOtherText) {
  for (const char *text :
       {"", " ", "+", "a +", "a b", "a - 1", "-1", "a * ", "1a", "a.b", "a/2",
        "(a)", "99999999999999999999", "ä"})
    EXPECT_FALSE(SizeExpr::parse(text)) << text;
}

TEST(SizeExprTest, Arithmetic) {
  SizeExpr batch = SizeExpr::name("batch"), seq = SizeExpr::name("seq");
  EXPECT_EQ((batch + SizeExpr(1)) * (seq + SizeExpr(2)),
            parse("batch * seq + 2 * batch + seq + 2"));
  EXPECT_EQ(batch + SizeExpr(-1) + SizeExpr(1), batch);
  EXPECT_TRUE((batch * SizeExpr(0)).isNumber());
  EXPECT_EQ((batch * SizeExpr(0)).number(), 0);
  EXPECT_NE(batch, seq);
}

TEST(SizeExprTest, NumbersStopWithin64Bits) {
  const int64_t most = std::numeric_limits<int64_t>::max();
  EXPECT_EQ((SizeExpr(most) * SizeExpr(4)).number(), most);
  EXPECT_EQ((SizeExpr(most) + SizeExpr(most)).number(), most);
  EXPECT_EQ((SizeExpr(-2) * SizeExpr(most)).number(),
            std::numeric_limits<int64_t>::min());
  SizeExpr seqs = parse("9223372036854775807 * 4 * seq");
  EXPECT_EQ(parse(seqs.str()), seqs);
  EXPECT_EQ(seqs.evaluate([](llvm::StringRef) { return 2; }), most);
}

TEST(SizeExprTest, Names) {
  EXPECT_EQ(parse("seq").asName(), "seq");
  EXPECT_EQ(parse("2 * seq").asName(), "");
  EXPECT_EQ(parse("seq + 1").asName(), "");
  EXPECT_EQ(parse("seq * batch").asName(), "");
  EXPECT_EQ(parse("5").asName(), "");
  EXPECT_EQ(parse("seq * batch + seq + 3").names(),
            (std::vector<std::string>{"batch", "seq"}));
  EXPECT_TRUE(parse("3").names().empty());
}

TEST(SizeExprTest, EvaluateAndSubstitute) {
  SizeExpr expr = parse("4 * batch * seq + seq + 64");
  EXPECT_EQ(expr.evaluate(
                [](llvm::StringRef name) { return name == "batch" ? 3 : 5; }),
            4 * 3 * 5 + 5 + 64);
  EXPECT_EQ(
      expr.substitute([](llvm::StringRef name) -> std::optional<SizeExpr> {
        if (name == "seq")
          return *SizeExpr::parse("batch + 1");
        return std::nullopt;
      }),
      parse("4 * batch * batch + 5 * batch + 65"));
}

} // namespace
