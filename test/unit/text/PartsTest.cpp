//===- PartsTest.cpp - parts of tokenizer.json, refused by name -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Normalizers, pre-tokenizers and post-processors that are not known, or are
// damaged: the message names them and lists what is known.
//
//===----------------------------------------------------------------------===//
#include "OpenedTokenizer.h"

#include <gtest/gtest.h>

namespace {

std::string fileWith(const std::string &normalizer,
                     const std::string &preTokenizer,
                     const std::string &postProcessor) {
  return R"({"added_tokens": [], "normalizer": )" + normalizer +
         R"(, "pre_tokenizer": )" + preTokenizer + R"(, "post_processor": )" +
         postProcessor +
         R"(, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}})";
}

void expectRefused(const std::string &file, attn_status status,
                   const std::string &message) {
  OpenedTokenizer opened({{"tokenizer.json", file}});
  EXPECT_EQ(opened.status, status) << file;
  EXPECT_NE(opened.error.find(message), std::string::npos) << opened.error;
  EXPECT_EQ(opened.memory.used(), 0u) << message;
}

std::string repeated(const std::string &item, int count) {
  std::string list = item;
  while (--count > 0)
    list += ", " + item;
  return list;
}

TEST(Parts, Normalizers) {
  auto refused = [](const char *part, attn_status status, const char *message) {
    expectRefused(fileWith(part, "null", "null"), status, message);
  };
  constexpr attn_status unknown = ATTN_ERROR_UNAVAILABLE;
  constexpr attn_status damaged = ATTN_ERROR_WEIGHTS;
  refused(R"({"type": "Nmt"})", unknown, "of type \"Nmt\"; known: Bert");
  refused(R"({"type": "Sequence", "normalizers": [{"type": "NFC"}, {}]})",
          unknown, "of type \"\"; known: Bert");
  refused(R"({"type": "Sequence", "normalizers": 1})", damaged,
          "expected an array");
  refused(R"({"type": "Strip", "strip_left": true})", damaged,
          "no \"strip_right\"");
  refused(R"({"type": "Strip", "strip_left": 1})", damaged, "expected true");
  refused(R"({"type": "Prepend"})", damaged, "no \"prepend\"");
  refused(R"({"type": "Prepend", "prepend": 1})", damaged, "expected a string");
  refused(R"({"type": "Replace", "content": ""})", damaged, "no \"pattern\"");
  refused(R"({"type": "Replace", "pattern": {"String": "a"}})", damaged,
          "no \"content\"");
  refused(R"({"type": "Replace", "pattern": {}, "content": ""})", damaged,
          "expected \"String\" or \"Regex\"");
  refused(R"({"type": "Replace", "pattern": {"Char": "a"}, "content": ""})",
          damaged, "expected \"String\" or \"Regex\"");
  refused(R"({"type": "Replace", "pattern": {"String": ""}, "content": ""})",
          unknown, "looks for an empty string");
  refused(R"({"type": "Replace", "pattern": {"Regex": "a+"}, "content": ""})",
          unknown, "has the expression \"a+\"; known: ");
  refused(R"({"type": "Precompiled"})", damaged, "no \"precompiled_charsmap\"");
  const struct {
    const char *map, *message;
  } maps[] = {{"AAA", "is not base64"},
              {"A*AA", "is not base64"},
              {"A=AA", "is not base64"},
              {"", "ends within its trie"},
              {"AAAAAA==", "ends within its trie"},
              {"CAAAAAAAAAA=", "ends within its trie"},
              {"BAAAAAAAAAD/", "has strings that are not UTF-8"}};
  for (const auto &one : maps)
    refused(
        (std::string(R"({"type": "Precompiled", "precompiled_charsmap": ")") +
         one.map + "\"}")
            .c_str(),
        damaged, one.message);
  const std::string map =
      R"({"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAAAA"})";
  OpenedTokenizer idle({{"tokenizer.json", fileWith(map, "null", "null")}});
  ASSERT_EQ(idle.status, ATTN_OK) << idle.error;
  EXPECT_EQ(idle.row("ab\r\n").ids, (std::vector<int32_t>{0, 1}));
  refused((R"({"type": "Sequence", "normalizers": [)" + map + ", " + map + "]}")
              .c_str(),
          unknown, "more than one normalizer Precompiled");
  refused("1", damaged, "expected an object");
  refused(R"({"type": 1})", damaged, "expected a string");
  refused(R"({"type": "Sequence", "normalizers": [{"type": 1}]})", damaged,
          "expected a string");
  refused(R"({"type": "Sequence", "normalizers": [1})", damaged,
          "expected ',' or ']'");
  refused(R"({"type": "Replace", "pattern": 1, "content": ""})", damaged,
          "expected an object");
  refused(R"({"type": "Replace", "content": "",
              "pattern": {"String": "a", "Regex": "a"}})",
          damaged, "expected \"String\" or \"Regex\"");
  const std::string longType(100, 't');
  refused((R"({"type": ")" + longType + "\"}").c_str(), unknown,
          ("type \"" + longType.substr(0, 60) + "\"; known").c_str());
  OpenedTokenizer lower(
      {{"tokenizer.json", fileWith(R"({"type": "Sequence", "normalizers": [
          {"type": "NFC"}, {"type": "Lowercase"}]})",
                                   "null", "null")}});
  ASSERT_EQ(lower.status, ATTN_OK) << lower.error;
  EXPECT_TRUE(attnrt::describeTokenizer(*lower.tokenizer).lowercases);
  std::string many = R"({"type": "Sequence", "normalizers": [)" +
                     repeated(R"({"type": "NFC"})", 17) + "]}";
  refused(many.c_str(), unknown, "more than 16 normalizers");
}

TEST(Parts, PreTokenizers) {
  auto refused = [](const std::string &part, attn_status status,
                    const char *message) {
    expectRefused(fileWith("null", part, "null"), status, message);
  };
  constexpr attn_status unknown = ATTN_ERROR_UNAVAILABLE;
  constexpr attn_status damaged = ATTN_ERROR_WEIGHTS;
  const std::string bytes =
      R"({"type": "ByteLevel", "add_prefix_space": false})";
  refused(R"({"type": "Whitespace"})", unknown,
          "of type \"Whitespace\"; known: BertPreTokenizer, ByteLevel");
  refused(R"({"type": "Digits"})", damaged, "no \"individual_digits\"");
  refused(R"({"type": "Punctuation"})", damaged, "no \"behavior\"");
  refused(R"({"type": "Punctuation", "behavior": "Removed"})", unknown,
          "has the behavior \"Removed\"; known: Isolated, Contiguous");
  refused(R"({"type": "ByteLevel"})", damaged, "no \"add_prefix_space\"");
  refused(R"({"type": "ByteLevel", "use_regex": 1})", damaged, "expected true");
  refused(R"({"type": "Sequence", "pretokenizers": 1})", damaged,
          "expected an array");
  refused(R"({"type": "Sequence", "pretokenizers": [)" + bytes + ", " + bytes +
              "]}",
          unknown,
          "may be followed by Digits, Punctuation and Split, not by "
          "ByteLevel");
  refused(R"({"type": "Sequence", "pretokenizers": [)" +
              repeated(R"({"type": "WhitespaceSplit"})", 9) + "]}",
          unknown, "more than 8 pre_tokenizers");
  refused(R"({"type": "Split", "behavior": "Isolated"})", damaged,
          "no \"pattern\"");
  refused(R"({"type": "Split", "pattern": {"Regex": "a"}})", damaged,
          "no \"behavior\"");
  refused(R"({"type": "Split", "pattern": {"Regex": "a"},
              "behavior": "Isolated", "invert": false})",
          unknown, "has the pattern \"a\"; known: those of GPT-2, BLOOM");
  const std::string clip =
      R"({"type": "Split", "pattern": {"Regex": "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"},)";
  refused(clip + R"("behavior": "Contiguous"})", unknown,
          "the behavior \"Contiguous\"; known: Isolated");
  refused(clip + R"("behavior": "Isolated", "invert": true})", unknown,
          "the behavior \"Isolated\", inverted");
  refused(clip + R"("behavior": "Removed", "invert": false})", unknown,
          "the behavior \"Removed\"; known");
  refused(R"({"type": "Split", "behavior": "Isolated", "pattern": 1})", damaged,
          "expected an object");
  refused(R"({"type": "Split", "behavior": "Isolated",
              "pattern": {"String": "  "}})",
          unknown, "has the pattern \"  \"");
  refused(R"({"type": "Split", "behavior": "MergedWithPrevious",
              "pattern": {"String": " "}, "invert": true})",
          unknown, "the behavior \"MergedWithPrevious\", inverted; known");
  refused(R"({"type": 1})", damaged, "expected a string");
  refused(R"({"type": "Sequence", "pretokenizers": [
              {"type": "Metaspace", "replacement": "_"}, )" +
              bytes + "]}",
          unknown, "Metaspace must come last");
  refused(R"({"type": "Metaspace", "replacement": ")" + std::string(30, '_') +
              "\"}",
          damaged, "is not one character");
  refused(R"({"type": "Metaspace"})", damaged, "no \"replacement\"");
  refused(R"({"type": "Metaspace", "replacement": "__"})", damaged,
          "is not one character");
  refused(R"({"type": "Metaspace", "replacement": ""})", damaged,
          "is not one character");
  refused(R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "x"})",
          unknown, "known: always, first, never");
  refused(
      R"({"type": "Metaspace", "replacement": "_", "add_prefix_space": false})",
      damaged, "its prepend_scheme is not \"never\"");
  expectRefused(fileWith(R"({"type": "StripAccents"})",
                         R"({"type": "Metaspace", "replacement": "_",
                   "prepend_scheme": "first"})",
                         "null"),
                unknown, "\"first\" behind a normalizer");
}

TEST(Parts, PostProcessors) {
  auto refused = [](const std::string &part, attn_status status,
                    const char *message) {
    expectRefused(fileWith("null", "null", part), status, message);
  };
  const std::string roberta =
      R"({"type": "RobertaProcessing", "sep": ["b", 1], "cls": ["a", 0]})";
  refused(R"({"type": "X"})", ATTN_ERROR_UNAVAILABLE,
          "of type \"X\"; known: TemplateProcessing");
  refused(R"({"type": "RobertaProcessing", "sep": ["b", 1]})",
          ATTN_ERROR_WEIGHTS, "no \"cls\"");
  refused(R"({"type": "Sequence", "processors": [)" + roberta + ", " + roberta +
              "]}",
          ATTN_ERROR_UNAVAILABLE, "two post_processors of a sequence");
  refused(R"({"type": "Sequence", "processors": {}})", ATTN_ERROR_WEIGHTS,
          "expected an array");
  refused(R"({"type": 1})", ATTN_ERROR_WEIGHTS, "expected a string");
  for (const char *pair : {"1", "[]", "[1, 1]", R"(["b", "b"])"})
    refused(R"({"type": "BertProcessing", "cls": ["a", 0], "sep": )" +
                std::string(pair) + "}",
            ATTN_ERROR_WEIGHTS, "byte ");
  auto templates = [](const char *special, const char *pair) {
    return std::string(R"({"type": "TemplateProcessing",
      "single": [{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "S"}}],
      "pair": )") +
           pair + R"(, "special_tokens": )" + special + "}";
  };
  const char *both =
      R"([{"Sequence": {"id": "A"}}, {"Sequence": {"id": "B"}}])";
  refused(templates("1", both), ATTN_ERROR_WEIGHTS, "expected an object");
  refused(templates(R"({"S": {"ids": 1}})", both), ATTN_ERROR_WEIGHTS,
          "expected an array");
  refused(templates(R"({"S": {"ids": ["a"]}})", both), ATTN_ERROR_WEIGHTS,
          "expected a number");
  refused(templates(R"({"S": {"ids": [1]}})", R"([{"Sequence": 1}])"),
          ATTN_ERROR_WEIGHTS, "expected an object");
  refused(templates(R"({"S": {"ids": [1]}})", "[1]"), ATTN_ERROR_WEIGHTS,
          "expected an object");
  refused(templates(R"({"S": {"ids": [1]}})", R"([{"Sequence": {"id": "A"}}])"),
          ATTN_ERROR_UNAVAILABLE, "the texts A and B once");
  OpenedTokenizer opened(
      {{"tokenizer.json",
        fileWith("null", "null",
                 R"({"type": "Sequence", "processors": []})")}});
  EXPECT_EQ(opened.status, ATTN_OK) << opened.error;
}

TEST(Parts, Models) {
  auto refused = [](const std::string &model, attn_status status,
                    const std::string &message) {
    expectRefused(R"({"model": )" + model + "}", status, message);
  };
  const std::string bpe = R"({"type": "BPE", "vocab": {"a": 0, "b": 1})";
  for (const char *none : {"null", "0", "0.0", "-0.0", "0e5", "0.00E9"}) {
    OpenedTokenizer opened({{"tokenizer.json",
                             R"({"model": )" + bpe + R"(, "merges": [],
           "dropout": )" + none + "}}"}});
    EXPECT_EQ(opened.status, ATTN_OK) << opened.error;
  }
  for (const char *some : {"0.1", "1", "0.12345678901234567890123"})
    refused(bpe + R"(, "merges": [], "dropout": )" + some + "}",
            ATTN_ERROR_UNAVAILABLE,
            "\"dropout\" is " + std::string(some).substr(0, 20) + "; known");
  refused(bpe + R"(, "merges": [], "dropout": "0"})", ATTN_ERROR_WEIGHTS,
          "expected a number");
  refused(bpe + R"(, "merges": 1})", ATTN_ERROR_WEIGHTS, "expected an array");
  for (const char *merge :
       {"[]", "[1, 2]", R"(["a"])", R"(["a", 1])", R"(["a", "b", "a"])", "1"})
    refused(bpe + R"(, "merges": [)" + merge + "]}", ATTN_ERROR_WEIGHTS,
            "tokenizer.json, byte ");
  const std::string name(100, 'n');
  refused(bpe + R"(, "merges": [[")" + name + R"(", ")" + name + "\"]]}",
          ATTN_ERROR_WEIGHTS,
          "the merge of \"" + name.substr(0, 60) + "\" and \"" +
              name.substr(0, 60) + "\" needs");
  refused(R"({"type": "Unigram", "unk_id": 0, "vocab": {}})",
          ATTN_ERROR_WEIGHTS, "expected an array");
  refused(R"({"type": "Unigram", "unk_id": 0, "vocab": [[]]})",
          ATTN_ERROR_WEIGHTS, "expected a token and its score");
  refused(R"({"type": "Unigram", "unk_id": 0, "vocab": [["a", "b"]]})",
          ATTN_ERROR_WEIGHTS, "expected a number");
  expectRefused("[]", ATTN_ERROR_WEIGHTS, "expected an object");
  expectRefused(R"({"model": )" + bpe + R"(, "merges": []}, "model": {}})",
                ATTN_ERROR_WEIGHTS, "\"model\" is there twice");
}

TEST(Parts, AnUnknownTokenThatIsMissing) {
  // Needed unless words are bytes, all of which are tokens.
  std::string vocabulary;
  for (uint32_t code = '!'; code < 0x144; ++code) {
    char text[16];
    snprintf(text, sizeof(text), "\"\\u%04x\": %u", code, code - '!');
    vocabulary += (code == '!' ? "" : ", ") + std::string(text);
  }
  auto fileOf = [&](const char *preTokenizer) {
    return std::string(R"({"pre_tokenizer": )") + preTokenizer +
           R"(, "model": {"type": "BPE", "unk_token": "<unk>", "merges": [],
              "vocab": {)" +
           vocabulary + "}}}";
  };
  expectRefused(fileOf("null"), ATTN_ERROR_WEIGHTS,
                "the model's unknown token is not in the vocabulary");
  OpenedTokenizer opened(
      {{"tokenizer.json",
        fileOf(R"({"type": "ByteLevel", "add_prefix_space": false})")}});
  EXPECT_EQ(opened.status, ATTN_OK) << opened.error;
}

TEST(Parts, PrefixSpaceOfBothFiles) {
  const std::string bytes =
      R"({"type": "ByteLevel", "add_prefix_space": false})";
  auto metaspace = [](const char *scheme) {
    return std::string(R"({"type": "Metaspace", "replacement": "_",
                           "prepend_scheme": ")") +
           scheme + "\"}";
  };
  const std::string prepend = R"({"type": "Prepend", "prepend": "_"})";
  const struct {
    std::string normalizer, preTokenizer;
    bool prefixes;
  } cases[] = {{"null", bytes, false},
               {"null", metaspace("first"), true},
               {"null", metaspace("always"), true},
               {"null", metaspace("never"), false},
               {prepend, "null", true}};
  for (const auto &[normalizer, preTokenizer, prefixes] : cases)
    for (const char *said : {"true", "false", "null"}) {
      SCOPED_TRACE(normalizer + preTokenizer + said);
      OpenedTokenizer opened(
          {{"tokenizer.json", fileWith(normalizer, preTokenizer, "null")},
           {"tokenizer_config.json",
            std::string("{\"add_prefix_space\": ") + said + "}"}});
      if (*said == 'n' || (*said == 't') == prefixes) {
        EXPECT_EQ(opened.status, ATTN_OK) << opened.error;
        continue;
      }
      EXPECT_EQ(opened.status, ATTN_ERROR_WEIGHTS);
      EXPECT_NE(opened.error.find(std::string("says \"add_prefix_space\": ") +
                                  said +
                                  ", but tokenizer.json does the opposite"),
                std::string::npos)
          << opened.error;
    }
}

} // namespace
