//===- DetokenizerTest.cpp - token ids in, text out -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every line of test/data/text/golden-decoded.tsv (make_decoded_data.py beside
// it), and every way in which a decoder is refused.
//
//===----------------------------------------------------------------------===//
#include "text/Detokenizer.h"
#include "OpenedTokenizer.h"

#include <cstdlib>
#include <gtest/gtest.h>
#include <sstream>

namespace {

/// The file with another decoder: the one that stands last counts.
std::string withDecoder(std::string file, const std::string &decoder) {
  size_t end = file.rfind('}');
  EXPECT_NE(end, std::string::npos);
  return file.substr(0, end) + ", \"decoder\": " + decoder + "}";
}

std::string decoded(const attnrt::Detokenizer &detokenizer,
                    attnrt::Memory &memory, const std::vector<int32_t> &ids,
                    bool skipsSpecial) {
  attnrt::DetokenizerScratch scratch(memory);
  attnrt::Buffer<char> out(memory, "text");
  EXPECT_EQ(
      detokenizer.decode(ids.data(), ids.size(), skipsSpecial, scratch, out),
      ATTN_OK);
  return std::string(out.begin(), out.end());
}

TEST(Detokenizer, MatchesTokenizers) {
  const std::string folder = ATTNC_TEXT_DATA;
  std::ifstream in(folder + "/golden-decoded.tsv");
  int lines = 0;
  for (std::string line; std::getline(in, line); ++lines) {
    std::istringstream fields(line);
    std::string name, decoder, numbers, skip, expected;
    std::getline(fields, name, '\t');
    std::getline(fields, decoder, '\t');
    std::getline(fields, numbers, '\t');
    std::getline(fields, skip, '\t');
    std::getline(fields, expected, '\t');
    std::string file =
        withDecoder(readFile(folder + "/" + name + "/tokenizer.json"), decoder);
    attnrt::Memory memory(nullptr, 0);
    attnrt::Detokenizer detokenizer(memory);
    ASSERT_EQ(detokenizer.open({"tokenizer.json", file.data(), file.size()}),
              ATTN_OK)
        << attnrt::lastError();
    std::istringstream list(numbers);
    std::vector<int32_t> ids{std::istream_iterator<int32_t>(list), {}};
    std::string hex;
    char digits[3];
    for (unsigned char byte : decoded(detokenizer, memory, ids, skip == "1")) {
      snprintf(digits, sizeof(digits), "%02x", byte);
      hex += digits;
    }
    EXPECT_EQ(hex, expected) << name << ", line " << lines + 1;
  }
  EXPECT_GT(lines, 500);
}

const char *const smallFile = R"({"added_tokens": [
    {"id": 2, "content": "<s>", "special": true}],
  "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}})";

TEST(Detokenizer, IdsWithoutTokensGiveNothing) {
  attnrt::Memory memory(nullptr, 0);
  attnrt::Detokenizer detokenizer(memory);
  std::string file = withDecoder(smallFile, R"({"type": "Fuse"})");
  ASSERT_EQ(detokenizer.open({"tokenizer.json", file.data(), file.size()}),
            ATTN_OK)
      << attnrt::lastError();
  EXPECT_EQ(decoded(detokenizer, memory, {0, -1, 1, 3, INT32_MAX, 2}, false),
            "ab<s>");
  EXPECT_EQ(decoded(detokenizer, memory, {2, 1, 0}, true), "ba");
  EXPECT_EQ(decoded(detokenizer, memory, {}, true), "");
}

/// Decodes `ids` by a file with this vocabulary; more of the file in `rest`.
std::string decodedBy(const std::string &decoder, const std::string &vocabulary,
                      const std::vector<int32_t> &ids,
                      const std::string &rest = "", bool skipsSpecial = false) {
  attnrt::Memory memory(nullptr, 0);
  attnrt::Detokenizer detokenizer(memory);
  std::string file = R"({"decoder": )" + decoder + rest +
                     R"(, "model": {"vocab": {)" + vocabulary + "}}}";
  EXPECT_EQ(detokenizer.open({"tokenizer.json", file.data(), file.size()}),
            ATTN_OK)
      << attnrt::lastError();
  return decoded(detokenizer, memory, ids, skipsSpecial);
}

TEST(Detokenizer, CharactersThatStandForBytes) {
  const std::string vocabulary =
      R"("\u0120a": 0, "\u0143": 1, "\u00ad": 2, "\u00c3\u00a9": 3,
         "\u0144": 4, "\u0122": 6)";
  const std::string decoder = R"({"type": "ByteLevel"})";
  EXPECT_EQ(decodedBy(decoder, vocabulary, {0, 3}), " a\u00E9");
  EXPECT_EQ(decodedBy(decoder, vocabulary, {3, 1}), "\u00E9\uFFFD");
  EXPECT_EQ(decodedBy(decoder, vocabulary, {2, 4, 6, 5}), "\u00AD\u0144\uFFFD");
}

TEST(Detokenizer, BytesThatStandForThemselves) {
  const std::string vocabulary =
      R"("<0x4a>": 0, "<0xc3>": 1, "<0xA9>": 2, "<0xg1>": 3, "<0x1g>": 4,
         "<0x41x": 5, "<0x/1>": 6, "<0x:1>": 7, "<0x@1>": 8, "<0xG1>": 9,
         "<0x`1>": 10, "<1x41>": 11, "ab": 12)";
  const std::string decoder = R"({"type": "Sequence", "decoders": [
    {"type": "ByteFallback"}, {"type": "Fuse"}]})";
  EXPECT_EQ(decodedBy(decoder, vocabulary, {0, 1, 2, 12}), "J\u00E9ab");
  EXPECT_EQ(decodedBy(decoder, vocabulary, {1, 0}), "\uFFFD\uFFFD");
  EXPECT_EQ(decodedBy(decoder, vocabulary, {3, 4, 5, 6, 7, 8, 9, 10, 11}),
            "<0xg1><0x1g><0x41x<0x/1><0x:1><0x@1><0xG1><0x`1><1x41>");
}

TEST(Detokenizer, AddedTokensAreWrittenNormalized) {
  const std::string added = R"(, "added_tokens": [
    {"content": "<S>", "id": 1, "special": true, "normalized": true},
    {"content": "<t>", "id": 2, "special": true, "normalized": true},
    {"content": " <u>", "id": 3, "special": true, "normalized": true},
    {"content": "", "id": 4, "special": true, "normalized": true}])";
  const std::string none = R"({"type": "Fuse"})", vocabulary = R"("a": 0)";
  EXPECT_EQ(decodedBy(none, vocabulary, {0, 1, 2, 3, 4}, added, false),
            "a<S><t> <u>");
  EXPECT_EQ(decodedBy(none, vocabulary, {0, 1, 2, 3, 4}, added, true), "a");
  // Those that the normalizer changes are special no longer.
  const std::string normalizer = R"(, "normalizer": {"type": "Sequence",
    "normalizers": [{"type": "Lowercase"},
      {"type": "Strip", "strip_left": true, "strip_right": true}]})";
  EXPECT_EQ(
      decodedBy(none, vocabulary, {0, 1, 2, 3, 4}, added + normalizer, true),
      "a<s><u>");
}

TEST(Detokenizer, Refusals) {
  std::string many = R"({"type": "Fuse"})";
  for (int i = 0; i < 16; ++i)
    many += R"(, {"type": "Fuse"})";
  const struct {
    std::string file;
    attn_status status;
    const char *message;
  } refusals[] = {
      {withDecoder(smallFile, R"({"type": "CTC"})"), ATTN_ERROR_UNAVAILABLE,
       "the decoder is of type \"CTC\"; known: ByteLevel, ByteFallback"},
      {withDecoder(smallFile, R"({"type": "Strip"})"), ATTN_ERROR_WEIGHTS,
       "the decoder has no \"content\""},
      {withDecoder(smallFile, R"({"type": "WordPiece", "prefix": ""})"),
       ATTN_ERROR_UNAVAILABLE, "the decoder's \"prefix\" is empty"},
      {withDecoder(smallFile,
                   R"({"type": "Replace", "pattern": {"Regex": "a"},
                       "content": ""})"),
       ATTN_ERROR_UNAVAILABLE, "has the expression \"a\"; known are strings"},
      {withDecoder(smallFile, R"({"type": "Replace", "content": ""})"),
       ATTN_ERROR_WEIGHTS, "the decoder has no \"pattern\""},
      {withDecoder(smallFile, R"({"type": "Sequence", "decoders": 1})"),
       ATTN_ERROR_WEIGHTS, "expected an array"},
      {withDecoder(smallFile,
                   R"({"type": "Sequence", "decoders": [)" + many + "]}"),
       ATTN_ERROR_UNAVAILABLE, "more than 16 decoders"},
      {R"({"model": {"vocab": {"a": 16777216}}})", ATTN_ERROR_WEIGHTS,
       "an id above 16777215"},
      {R"({"model": {"vocab": [[1]]}})", ATTN_ERROR_WEIGHTS,
       "expected a string"},
      {R"({"model": {}, "added_tokens": [{"id": 1}]})", ATTN_ERROR_WEIGHTS,
       "an added token without \"content\""},
      {R"({"model": {}, "added_tokens": [{"content": "a"}]})",
       ATTN_ERROR_WEIGHTS, "an added token with its id"},
      {R"({"model": {}, "added_tokens": [{"content": "a", "id": 16777216}]})",
       ATTN_ERROR_WEIGHTS, "an id above 16777215"},
      {withDecoder(smallFile, "1"), ATTN_ERROR_WEIGHTS, "expected an object"},
      {withDecoder(smallFile, R"({"type": "Strip", "start": "a"})"),
       ATTN_ERROR_WEIGHTS, "expected a number"},
      {withDecoder(smallFile,
                   R"({"type": "Replace", "pattern": 1, "content": ""})"),
       ATTN_ERROR_WEIGHTS, "expected an object"},
      {withDecoder(smallFile,
                   R"({"type": "Sequence", "decoders": [{"type": 1}]})"),
       ATTN_ERROR_WEIGHTS, "expected a string"},
      {R"({"model": 1})", ATTN_ERROR_WEIGHTS, "expected an object"},
      {R"({"model": {"vocab": 1}})", ATTN_ERROR_WEIGHTS, "expected an array"},
      {R"({"model": {"vocab": {"a": -1}}})", ATTN_ERROR_WEIGHTS,
       "expected an integer"},
      {R"({"model": {"vocab": [1]}})", ATTN_ERROR_WEIGHTS, "expected an array"},
      {R"({"model": {"vocab": [[]]}})", ATTN_ERROR_WEIGHTS, "expected a token"},
      {R"({"model": {}, "normalizer": {"type": "Nmt"}})",
       ATTN_ERROR_UNAVAILABLE, "the normalizer is of type \"Nmt\""},
      {"{}", ATTN_ERROR_WEIGHTS, "has no \"model\""},
      {"{", ATTN_ERROR_WEIGHTS, "byte 1"},
  };
  for (const auto &refusal : refusals) {
    attnrt::Memory memory(nullptr, 0);
    {
      attnrt::Detokenizer detokenizer(memory);
      EXPECT_EQ(detokenizer.open({"tokenizer.json", refusal.file.data(),
                                  refusal.file.size()}),
                refusal.status)
          << refusal.message;
      EXPECT_NE(std::string(attnrt::lastError()).find(refusal.message),
                std::string::npos)
          << attnrt::lastError();
    }
    EXPECT_EQ(memory.used(), 0u);
  }
}

} // namespace
