//===- BpeTest.cpp - merging, and files that hold BPE ---------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every way in which a BPE model is refused; long words, against merging by
// search; what a tokenizer without a pad token does.
//
//===----------------------------------------------------------------------===//
#include "OpenedTokenizer.h"

#include <cstdlib>
#include <gtest/gtest.h>
#include <random>

namespace {

using Files = OpenedTokenizer::Files;

const char *const bpeFile = R"({
  "added_tokens": [], "normalizer": null, "pre_tokenizer": null,
  "post_processor": null, "decoder": null,
  "model": {"type": "BPE", "dropout": null, "unk_token": "?", "fuse_unk": false,
    "byte_fallback": false, "ignore_merges": false,
    "continuing_subword_prefix": null, "end_of_word_suffix": null,
    "vocab": {"?": 0, "a": 1, "b": 2, "ab": 3, "ba": 4, "abab": 5, "aa": 6},
    "merges": ["a b", "b a", ["ab", "ab"], "a a"]}})";

std::string replaced(std::string text, const std::string &from,
                     const std::string &to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos)
    text.replace(at, from.size(), to);
  return text;
}

std::vector<int32_t> idsOf(const std::string &file, const std::string &text) {
  OpenedTokenizer opened({{"tokenizer.json", file}});
  EXPECT_EQ(opened.status, ATTN_OK) << opened.error;
  return opened.status ? std::vector<int32_t>() : opened.row(text).ids;
}

TEST(Bpe, MergesByRankAndFromTheLeft) {
  using Ids = std::vector<int32_t>;
  EXPECT_EQ(idsOf(bpeFile, ""), Ids());
  EXPECT_EQ(idsOf(bpeFile, "ababa"), (Ids{5, 1}));
  EXPECT_EQ(idsOf(bpeFile, "baab"), (Ids{4, 3}));
  EXPECT_EQ(idsOf(bpeFile, "aaa"), (Ids{6, 1}));
  EXPECT_EQ(idsOf(bpeFile, "axyb"), (Ids{1, 0, 0, 2}));
  std::string fused =
      replaced(bpeFile, "\"fuse_unk\": false", "\"fuse_unk\": true");
  EXPECT_EQ(idsOf(fused, "axyb"), (Ids{1, 0, 2}));
  std::string silent =
      replaced(bpeFile, "\"unk_token\": \"?\"", "\"unk_token\": null");
  EXPECT_EQ(idsOf(silent, "axyb"), (Ids{3}));
  EXPECT_EQ(idsOf(silent, "xy"), Ids());
}

TEST(Bpe, LaterMergeOfOnePairCounts) {
  std::string file = replaced(bpeFile, "\"a a\"]", "\"a a\", \"a b\"]");
  EXPECT_EQ(idsOf(file, "bab"), (std::vector<int32_t>{4, 2}));
}

/// Merges as the definition says: search, merge, again.
std::vector<int32_t> mergedBySearch(const std::string &text) {
  std::vector<int32_t> ids;
  for (char c : text)
    ids.push_back(c == 'a' ? 1 : 2);
  const int32_t merges[][3] = {{1, 2, 3}, {2, 1, 4}, {3, 3, 5}, {1, 1, 6}};
  for (;;) {
    size_t best = 4, place = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i)
      for (size_t rank = 0; rank < best; ++rank)
        if (ids[i] == merges[rank][0] && ids[i + 1] == merges[rank][1]) {
          best = rank;
          place = i;
        }
    if (best == 4)
      return ids;
    ids[place] = merges[best][2];
    ids.erase(ids.begin() + static_cast<long>(place) + 1);
  }
}

TEST(Bpe, WordsOfAnyLength) {
  OpenedTokenizer opened({{"tokenizer.json", bpeFile}});
  ASSERT_EQ(opened.status, ATTN_OK) << opened.error;
  std::mt19937 random(1);
  for (size_t size = 1; size < 200; ++size) {
    std::string text;
    while (text.size() < size)
      text += "ab"[random() & 1];
    EXPECT_EQ(opened.row(text).ids, mergedBySearch(text)) << text;
  }
}

TEST(Bpe, NoPadToken) {
  OpenedTokenizer opened({{"tokenizer.json", bpeFile}});
  ASSERT_EQ(opened.status, ATTN_OK) << opened.error;
  attnrt::TokenizerFacts facts = attnrt::describeTokenizer(*opened.tokenizer);
  EXPECT_STREQ(facts.kind, "BPE");
  EXPECT_EQ(facts.padId, -1);
  EXPECT_EQ(facts.vocabularySize, 7);
  const char *texts[] = {"a", "aba"};
  int32_t ids[4];
  attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
  batch.count = 2;
  batch.texts = texts;
  batch.seq = 2;
  batch.input_ids = ids;
  EXPECT_EQ(attnrt::tokenize(*opened.tokenizer, 8, opened.scratch, batch),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(std::string(attnrt::lastError()).find("has no pad token"),
            std::string::npos);
  texts[0] = "aa";
  batch.seq = 1;
  batch.max_length = 1;
  EXPECT_EQ(attnrt::tokenize(*opened.tokenizer, 8, opened.scratch, batch),
            ATTN_OK);
  EXPECT_EQ(ids[0], 6);
  EXPECT_EQ(ids[1], 3);
}

TEST(Bpe, Refusals) {
  const struct {
    const char *from, *to;
    attn_status status;
    const char *message;
  } refusals[] = {
      {"\"dropout\": null", "\"dropout\": 0.1", ATTN_ERROR_UNAVAILABLE,
       "\"dropout\" is 0.1; known: null, or 0"},
      {"\"dropout\": null", "\"dropout\": \"no\"", ATTN_ERROR_WEIGHTS,
       "expected a number"},
      {"\"unk_token\": \"?\"", "\"unk_token\": \"!\"", ATTN_ERROR_WEIGHTS,
       "the unknown token \"!\" is not in the vocabulary"},
      {"\"unk_token\": \"?\"", "\"unk_token\": 0", ATTN_ERROR_WEIGHTS,
       "expected a string"},
      {"\"merges\"", "\"x\"", ATTN_ERROR_WEIGHTS, "no \"merges\""},
      {"\"a b\",", "\"a c\",", ATTN_ERROR_WEIGHTS,
       "the merge of \"a\" and \"c\" needs a token"},
      {"\"a b\",", "\"b b\",", ATTN_ERROR_WEIGHTS,
       "the merge of \"b\" and \"b\" needs a token"},
      {"\"a b\",", "\"ab\",", ATTN_ERROR_WEIGHTS, "two tokens with one space"},
      {"\"a b\",", "\"a  b\",", ATTN_ERROR_WEIGHTS,
       "two tokens with one space"},
      {"[\"ab\", \"ab\"]", "[\"ab\"]", ATTN_ERROR_WEIGHTS,
       "expected the two tokens of a merge"},
      {"[\"ab\", \"ab\"]", "[\"a\", \"b\", \"a\"]", ATTN_ERROR_WEIGHTS,
       "expected the two tokens of a merge"},
      {"\"fuse_unk\": false", "\"fuse_unk\": 1", ATTN_ERROR_WEIGHTS,
       "expected true or false"},
      {"\"vocab\"", "\"x\"", ATTN_ERROR_WEIGHTS, "no \"vocab\""},
  };
  for (const auto &refusal : refusals) {
    OpenedTokenizer opened(
        {{"tokenizer.json", replaced(bpeFile, refusal.from, refusal.to)}});
    EXPECT_EQ(opened.status, refusal.status) << refusal.message;
    EXPECT_NE(opened.error.find(refusal.message), std::string::npos)
        << opened.error;
    EXPECT_EQ(opened.memory.used(), 0u) << refusal.message;
  }
}

TEST(Bpe, MergesFileRefusals) {
  Files good = OpenedTokenizer::folder(std::string(ATTNC_TEXT_DATA) +
                                       "/trained/gpt2-merges");
  auto refused = [&](const char *name, const std::string &text,
                     attn_status status, const char *message) {
    Files files = good;
    if (text.empty())
      files.erase(name);
    else
      files[name] = text;
    OpenedTokenizer opened(files);
    EXPECT_EQ(opened.status, status) << message;
    EXPECT_NE(opened.error.find(message), std::string::npos) << opened.error;
    EXPECT_EQ(opened.memory.used(), 0u) << message;
  };
  const char *config = "tokenizer_config.json";
  refused(config, "", ATTN_ERROR_UNAVAILABLE, "the class \"\" is not known");
  refused(config, "{\"tokenizer_class\": \"LlamaTokenizer\"}",
          ATTN_ERROR_UNAVAILABLE, "the class \"LlamaTokenizer\"");
  refused(config, "{\"tokenizer_class\": \"RobertaTokenizer\"}",
          ATTN_ERROR_WEIGHTS, "\"</s>\" is not in the vocabulary");
  refused("merges.txt", "", ATTN_ERROR_INVALID_ARGUMENT,
          "vocab.json and merges.txt");
  refused("vocab.json", "", ATTN_ERROR_INVALID_ARGUMENT,
          "vocab.json and merges.txt");
  refused("vocab.json", "{\"a\": 0}", ATTN_ERROR_WEIGHTS,
          "needs a token that is not in the vocabulary");
  refused("vocab.json", "[]", ATTN_ERROR_WEIGHTS, "vocab.json, byte 0");
  refused("vocab.json", good["vocab.json"] + "x", ATTN_ERROR_WEIGHTS,
          "text behind the end");
  refused("merges.txt", "a\n", ATTN_ERROR_WEIGHTS, "merges.txt, line 1");
  refused("merges.txt", "#version: 0.2\r\na b c\r\n", ATTN_ERROR_WEIGHTS,
          "merges.txt, line 2");
  refused("merges.txt", "\xFF", ATTN_ERROR_WEIGHTS, "not valid UTF-8");
  Files few = good;
  few["vocab.json"] = "{\"a\": 0}";
  few["merges.txt"] = "#version: 0.2";
  OpenedTokenizer opened(few);
  EXPECT_EQ(opened.status, ATTN_ERROR_WEIGHTS);
  EXPECT_NE(opened.error.find("some of the 256 characters"), std::string::npos)
      << opened.error;
}

/// A small trained Llama, where ATTNC_TEST_STORIES names its folder.
TEST(Bpe, Stories) {
  const char *folder = std::getenv("ATTNC_TEST_STORIES");
  if (!folder)
    GTEST_SKIP() << "ATTNC_TEST_STORIES does not name the folder of "
                    "stories260K: its tokenizer is not compared";
  Files files = OpenedTokenizer::folder(folder);
  OpenedTokenizer opened({{"tokenizer.json", files["tokenizer.json"]}});
  ASSERT_EQ(opened.status, ATTN_OK) << opened.error;
  EXPECT_EQ(opened.row("Once upon a time, \xC3\xA9\n").ids,
            (std::vector<int32_t>{1, 403, 407, 261, 378, 432, 410, 485, 13}));
}

} // namespace
