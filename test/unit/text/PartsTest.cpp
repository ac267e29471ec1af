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
  refused(R"({"type": "Digits"})", unknown,
          "of type \"Digits\"; known: BertPreTokenizer, ByteLevel");
  refused(R"({"type": "ByteLevel"})", damaged, "no \"add_prefix_space\"");
  refused(R"({"type": "ByteLevel", "use_regex": 1})", damaged, "expected true");
  refused(R"({"type": "Sequence", "pretokenizers": 1})", damaged,
          "expected an array");
  refused(R"({"type": "Sequence", "pretokenizers": [)" + bytes + ", " + bytes +
              "]}",
          unknown, "ByteLevel must come last");
  refused(R"({"type": "Sequence", "pretokenizers": [)" +
              repeated(R"({"type": "WhitespaceSplit"})", 9) + "]}",
          unknown, "more than 8 pre_tokenizers");
  refused(R"({"type": "Split", "behavior": "Isolated"})", damaged,
          "no \"pattern\"");
  refused(R"({"type": "Split", "pattern": {"Regex": "a"}})", damaged,
          "no \"behavior\"");
  refused(R"({"type": "Split", "pattern": {"Regex": "a"},
              "behavior": "Isolated", "invert": false})",
          unknown, "has the pattern \"a\"; known: those of GPT-2, CLIP");
  const std::string clip =
      R"({"type": "Split", "pattern": {"Regex": "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"},)";
  refused(clip + R"("behavior": "Contiguous"})", unknown,
          "the behavior \"Contiguous\"; known: Isolated");
  refused(clip + R"("behavior": "Isolated", "invert": true})", unknown,
          "the behavior \"Isolated\", inverted");
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
  OpenedTokenizer opened(
      {{"tokenizer.json",
        fileWith("null", "null",
                 R"({"type": "Sequence", "processors": []})")}});
  EXPECT_EQ(opened.status, ATTN_OK) << opened.error;
}

TEST(Parts, PrefixSpaceOfBothFiles) {
  std::string file = fileWith(
      "null", R"({"type": "ByteLevel", "add_prefix_space": false})", "null");
  OpenedTokenizer opened(
      {{"tokenizer.json", file},
       {"tokenizer_config.json", "{\"add_prefix_space\": true}"}});
  EXPECT_EQ(opened.status, ATTN_ERROR_WEIGHTS);
  EXPECT_NE(opened.error.find("says \"add_prefix_space\": true, but "
                              "tokenizer.json does the opposite"),
            std::string::npos)
      << opened.error;
}

} // namespace
