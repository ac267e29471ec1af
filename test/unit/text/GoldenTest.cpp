//===- GoldenTest.cpp - ids as HuggingFace's tokenizers give them ---------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every line of test/data/text/golden*.tsv, and of
// golden-minilm.tsv where the trained model is at hand (ATTNC_TEST_MODEL names
// its folder). The files are written by the scripts beside them.
//
//===----------------------------------------------------------------------===//
#include "OpenedTokenizer.h"

#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <memory>
#include <sstream>

namespace {

const std::string dataFolder = ATTNC_TEXT_DATA;

std::string unhex(const std::string &digits) {
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

std::vector<int32_t> numbers(const std::string &text) {
  std::istringstream in(text);
  return {std::istream_iterator<int32_t>(in), {}};
}

/// Compares each line of a golden file; returns how many there were.
int compareAll(const std::string &file, const std::string &folder) {
  std::map<std::string, std::unique_ptr<OpenedTokenizer>> tokenizers;
  std::ifstream in(file);
  int lines = 0;
  for (std::string line; std::getline(in, line); ++lines) {
    std::istringstream fields(line);
    std::string name, maximum, text, pair, ids, types;
    std::getline(fields, name, '\t');
    std::getline(fields, maximum, '\t');
    std::getline(fields, text, '\t');
    std::getline(fields, pair, '\t');
    std::getline(fields, ids, '\t');
    std::getline(fields, types, '\t');
    std::unique_ptr<OpenedTokenizer> &opened = tokenizers[name];
    if (!opened)
      opened = std::make_unique<OpenedTokenizer>(
          OpenedTokenizer::folder(folder + "/" + name));
    EXPECT_EQ(opened->status, ATTN_OK) << name << ": " << opened->error;
    if (opened->status)
      break;
    std::string second = pair == "-" ? "" : unhex(pair);
    TokenRow row = opened->row(unhex(text), pair == "-" ? nullptr : &second,
                               std::stoll(maximum));
    EXPECT_EQ(row.ids, numbers(ids)) << name << ", line " << lines + 1;
    EXPECT_EQ(row.types, numbers(types)) << name << ", line " << lines + 1;
  }
  return lines;
}

TEST(Golden, TinyTokenizers) {
  EXPECT_GT(compareAll(dataFolder + "/golden.tsv", dataFolder + "/tiny"), 1000);
}

TEST(Golden, TrainedTokenizers) {
  EXPECT_GT(
      compareAll(dataFolder + "/golden-trained.tsv", dataFolder + "/trained"),
      2000);
}

TEST(Golden, UnigramTokenizers) {
  EXPECT_GT(
      compareAll(dataFolder + "/golden-unigram.tsv", dataFolder + "/trained"),
      1200);
}

TEST(Golden, TokenizersThatCutAroundClasses) {
  EXPECT_GT(
      compareAll(dataFolder + "/golden-split.tsv", dataFolder + "/trained"),
      400);
}

TEST(Golden, TrainedModel) {
  const char *model = std::getenv("ATTNC_TEST_MODEL");
  if (!model)
    GTEST_SKIP() << "ATTNC_TEST_MODEL does not name the folder of "
                    "all-MiniLM-L6-v2: its tokenizer is not compared";
  EXPECT_GT(compareAll(dataFolder + "/golden-minilm.tsv", model), 100);
  OpenedTokenizer opened(OpenedTokenizer::folder(model));
  attnrt::TokenizerFacts facts = attnrt::describeTokenizer(*opened.tokenizer);
  EXPECT_STREQ(facts.kind, "WordPiece");
  EXPECT_EQ(facts.vocabularySize, 30522);
  EXPECT_EQ(facts.maximumLength, 256);
  EXPECT_EQ(facts.specialTokens, 2);
  EXPECT_EQ(facts.padId, 0);
  EXPECT_EQ(facts.largestTypeId, 1);
  EXPECT_TRUE(facts.lowercases);
}

/// Lines of test/numerics/compare-tokenizers.py; the first differences of each
/// tokenizer are shown.
TEST(Golden, MixedTexts) {
  const char *folder = std::getenv("ATTNC_TEST_TEXTS");
  if (!folder)
    GTEST_SKIP() << "ATTNC_TEST_TEXTS does not name a folder that "
                    "compare-tokenizers.py has written";
  int tokenizers = 0;
  for (const auto &entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".ids")
      continue;
    ++tokenizers;
    std::ifstream in(entry.path()), texts(std::string(folder) + "/texts");
    std::string name, ids, text;
    std::getline(in, name);
    OpenedTokenizer opened(OpenedTokenizer::folder(dataFolder + "/" + name));
    ASSERT_EQ(opened.status, ATTN_OK) << name << ": " << opened.error;
    int lines = 0, different = 0;
    for (; std::getline(texts, text); ++lines) {
      ASSERT_TRUE(std::getline(in, ids)) << name << " ends early";
      if (opened.row(unhex(text)).ids != numbers(ids) && ++different <= 3)
        ADD_FAILURE() << name << ", line " << lines + 1 << ": " << unhex(text);
    }
    EXPECT_EQ(different, 0) << name << ", of " << lines << " lines";
    EXPECT_GT(lines, 0);
  }
  EXPECT_GT(tokenizers, 30);
}

TEST(Golden, VocabularyFileOfTheTrainedModel) {
  const char *model = std::getenv("ATTNC_TEST_MODEL");
  if (!model)
    GTEST_SKIP() << "ATTNC_TEST_MODEL does not name the folder of "
                    "all-MiniLM-L6-v2: its vocab.txt is not compared";
  OpenedTokenizer::Files files = OpenedTokenizer::folder(model);
  OpenedTokenizer fromJson(files);
  files.erase("tokenizer.json");
  OpenedTokenizer fromText(files);
  ASSERT_EQ(fromText.status, ATTN_OK) << fromText.error;
  for (const char *text : {"Hello, w\xC3\xB6rld [SEP] unaffable!", "", "\xFF",
                           "\xE4\xB8\xAD\xE6\x96\x87 ABC [MASK]"})
    EXPECT_TRUE(fromJson.row(text) == fromText.row(text)) << text;
}

} // namespace
