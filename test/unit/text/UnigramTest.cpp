//===- UnigramTest.cpp - the likeliest tokens ---------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Ties, unknown characters and bytes, on vocabularies small enough to follow;
// every way in which a Unigram model is refused.
//
//===----------------------------------------------------------------------===//
#include "OpenedTokenizer.h"

#include <gtest/gtest.h>

namespace {

std::string fileWith(const std::string &vocabulary,
                     const std::string &more = "\"unk_id\": 0") {
  return R"({"added_tokens": [], "normalizer": null, "pre_tokenizer": null,
    "post_processor": null, "model": {"type": "Unigram", "vocab": [)" +
         vocabulary + "], " + more + "}}";
}

std::vector<int32_t> idsOf(const std::string &file, const std::string &text) {
  OpenedTokenizer opened({{"tokenizer.json", file}});
  EXPECT_EQ(opened.status, ATTN_OK) << opened.error;
  return opened.status ? std::vector<int32_t>() : opened.row(text).ids;
}

using Ids = std::vector<int32_t>;

TEST(Unigram, TheLargestSumWins) {
  std::string file = fileWith(R"(["?", 0], ["a", -1.5], ["b", -2], ["ab", -3],
    ["ba", -1e-1], ["bab", -4.25E0], ["aa", -3.0])");
  EXPECT_EQ(idsOf(file, "ab"), (Ids{3}));
  EXPECT_EQ(idsOf(file, "aba"), (Ids{1, 4}));
  EXPECT_EQ(idsOf(file, "bab"), (Ids{4, 2}));
  EXPECT_EQ(idsOf(file, ""), Ids());
  // -1.5 - 1.5 is -3 too: the token, found first, stays.
  EXPECT_EQ(idsOf(file, "aa"), (Ids{6}));
}

TEST(Unigram, UnknownNeighboursAreOne) {
  std::string file = fileWith(R"(["?", 0], ["a", -1], ["xyz", -100])");
  EXPECT_EQ(idsOf(file, "axya"), (Ids{1, 0, 1}));
  EXPECT_EQ(idsOf(file, "xa\xC3\xA9\xF0\x9F\x98\x80"), (Ids{0, 1, 0}));
  // Three unknown characters score 30, more than the token that they are.
  EXPECT_EQ(idsOf(fileWith(R"(["?", 20], ["a", 20], ["xyz", 20])"), "xyz"),
            (Ids{2}));
  EXPECT_EQ(idsOf(file, "?x"), (Ids{0}));
}

TEST(Unigram, BytesOfUnknownCharacters) {
  std::string vocabulary =
      R"(["?", 0], ["a", -1], ["<0xC3>", -9], ["<0xA9>", -9])";
  std::string file =
      fileWith(vocabulary, R"("unk_id": 0, "byte_fallback": true)");
  EXPECT_EQ(idsOf(file, "a\xC3\xA9"
                        "a"),
            (Ids{1, 2, 3, 1}));
  EXPECT_EQ(idsOf(file, "\xC3\xA9x"), (Ids{0}));
  EXPECT_EQ(idsOf(fileWith(vocabulary), "\xC3\xA9"), (Ids{0}));
}

TEST(Unigram, Facts) {
  OpenedTokenizer opened(
      {{"tokenizer.json", fileWith(R"(["<pad>", 0], ["a", -1])")}});
  ASSERT_EQ(opened.status, ATTN_OK) << opened.error;
  attnrt::TokenizerFacts facts = attnrt::describeTokenizer(*opened.tokenizer);
  EXPECT_STREQ(facts.kind, "Unigram");
  EXPECT_EQ(facts.vocabularySize, 2);
  EXPECT_EQ(facts.padId, 0);
}

TEST(Unigram, Refusals) {
  const struct {
    std::string file;
    attn_status status;
    const char *message;
  } refusals[] = {
      {fileWith(R"(["a", 0])", "\"unk_id\": null"), ATTN_ERROR_UNAVAILABLE,
       "without \"unk_id\""},
      {fileWith(R"(["a", 0])", "\"unk_id\": 1"), ATTN_ERROR_WEIGHTS,
       "\"unk_id\" is 1, but the vocabulary has 1 tokens"},
      {fileWith(R"(["a", 0], ["a", 1])"), ATTN_ERROR_WEIGHTS,
       "a token of the model is there twice"},
      {fileWith(R"(["a"])"), ATTN_ERROR_WEIGHTS, "a token and its score"},
      {fileWith(R"(["a", 0, 1])"), ATTN_ERROR_WEIGHTS, "a token and its score"},
      {fileWith(R"([0, "a"])"), ATTN_ERROR_WEIGHTS, "expected a string"},
      {fileWith(R"("a")"), ATTN_ERROR_WEIGHTS, "expected an array"},
      {fileWith(R"(["a", 1e99])"), ATTN_ERROR_WEIGHTS,
       "beyond what scores are"},
      {fileWith(R"(["a", 123456789012345678901])"), ATTN_ERROR_WEIGHTS,
       "beyond what scores are"},
  };
  for (const auto &refusal : refusals) {
    OpenedTokenizer opened({{"tokenizer.json", refusal.file}});
    EXPECT_EQ(opened.status, refusal.status) << refusal.message;
    EXPECT_NE(opened.error.find(refusal.message), std::string::npos)
        << opened.error;
    EXPECT_EQ(opened.memory.used(), 0u) << refusal.message;
  }
}

} // namespace
