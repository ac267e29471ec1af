//===- CharactersTest.cpp - every code point, step by step ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compares hashes over blocks of code points with those that make_text_data.py
// took from HuggingFace's tokenizers (test/data/text/characters.tsv).
//
//===----------------------------------------------------------------------===//
#include "text/BertNormalizer.h"
#include "text/Unicode.h"
#include "text/UnicodeForms.h"
#include "text/Utf8.h"

#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <string>

using namespace attnrt;

namespace {

struct Hash {
  uint64_t state = 0xCBF29CE484222325u;
  void add(const char *bytes, size_t size) {
    for (size_t i = 0; i < size; ++i)
      state = (state ^ static_cast<unsigned char>(bytes[i])) * 0x100000001B3u;
  }
  void add(const std::string &line) {
    add((line + "\n").data(), line.size() + 1);
  }
};

BertOptions only(bool clean, bool chinese, bool strip, bool lower) {
  BertOptions options;
  options.cleanText = clean;
  options.spaceChinese = chinese;
  options.stripAccents = strip;
  options.lowercase = lower;
  return options;
}

TEST(Characters, MatchTokenizers) {
  Memory memory(nullptr, 0);
  Buffer<char> out(memory, "text");
  Buffer<uint32_t> marks(memory, "text");
  BertNormalizer steps[5];
  steps[0].configure(only(true, false, false, false));
  steps[1].configure(only(false, true, false, false));
  steps[2].configure(only(false, false, true, false));
  steps[3].configure(only(false, false, false, true));
  steps[4].configure(only(true, true, true, true));

  std::ifstream in(std::string(ATTNC_TEXT_DATA) + "/characters.tsv");
  int blocks = 0;
  for (std::string line; std::getline(in, line); ++blocks) {
    std::istringstream fields(line);
    uint32_t block;
    fields >> std::hex >> block;
    Hash hashes[15];
    for (uint32_t code = block; code < block + 0x1000; ++code) {
      if (code >= 0xD800 && code <= 0xDFFF)
        continue;
      char text[6] = {'a'};
      size_t size = 1 + encodeCharacter(code, text + 1);
      text[size++] = 'b';
      for (int i = 0; i < 5; ++i) {
        out.clear();
        ASSERT_TRUE(steps[i].apply(text, size, out, marks));
        hashes[i].add(std::string(out.begin(), out.end()));
      }
      const NormalizationForm forms[] = {
          NormalizationForm::C, NormalizationForm::D, NormalizationForm::KC,
          NormalizationForm::KD};
      for (int i = 0; i < 4; ++i) {
        out.clear();
        ASSERT_TRUE(appendNormalized(forms[i], text, size, out, marks));
        hashes[7 + i].add(std::string(out.begin(), out.end()));
      }
      uint8_t classes = characterClasses(code);
      hashes[11].add(classes & kAccent ? "ab" : std::string(text, size));
      hashes[12].add(classes & kLetter ? "1" : "0");
      hashes[13].add(classes & kNumber ? "1" : "0");
      hashes[14].add(classes & kDigit ? "1" : "0");
      uint8_t flags = characterFlags(code);
      hashes[5].add(isSpace(code) ? "2" : flags & kPunctuation ? "3" : "1");
      hashes[6].add(flags & kWord ? "1" : "0");
    }
    const char *names[] = {"clean", "chinese", "strip",   "lower",   "all",
                           "split", "word",    "nfc",     "nfd",     "nfkc",
                           "nfkd",  "accents", "letters", "numbers", "digits"};
    for (int i = 0; i < 15; ++i) {
      uint64_t expected;
      ASSERT_TRUE(fields >> std::hex >> expected);
      EXPECT_EQ(hashes[i].state >> 32, expected)
          << names[i] << " differs in the block from U+" << std::hex << block;
    }
  }
  EXPECT_EQ(blocks, 272);
}

TEST(Characters, FormsOfSequences) {
  Memory memory(nullptr, 0);
  Buffer<char> out(memory, "text");
  Buffer<uint32_t> marks(memory, "text");
  struct {
    NormalizationForm form;
    const char *from, *to;
  } cases[] = {
      {NormalizationForm::C, "q\u0307\u0323", "q\u0323\u0307"},
      {NormalizationForm::C, "o\u0302\u0323x", "\u1ED9x"},
      {NormalizationForm::C, "\u1112\u1161\u11AB", "\uD55C"},
      {NormalizationForm::C, "\u0301a\u0301", "\u0301\u00E1"},
      {NormalizationForm::C, "\u0344", "\u0308\u0301"},
      {NormalizationForm::C, "a\u05AE\u0300\u0315b", "\u00E0\u05AE\u0315b"},
      {NormalizationForm::C, "\u0B47\u0300\u0B3E", "\u0B47\u0300\u0B3E"},
      {NormalizationForm::D, "\uD55C\u1ED9", "\u1112\u1161\u11ABo\u0323\u0302"},
      {NormalizationForm::KC, "\uFF76\uFF9E\uFB01", "\u30ACfi"},
      {NormalizationForm::KD, "\u1E9B\u0323", "s\u0323\u0307"},
      {NormalizationForm::KD, "", ""},
  };
  for (const auto &one : cases) {
    out.clear();
    ASSERT_TRUE(
        appendNormalized(one.form, one.from, strlen(one.from), out, marks));
    EXPECT_EQ(std::string(out.begin(), out.end()), one.to) << one.from;
  }
}

TEST(Characters, BeyondUnicodeHaveNoFlags) {
  EXPECT_EQ(characterFlags(0x110000), 0);
  EXPECT_EQ(characterFlags(0xFFFFFFFF), 0);
  EXPECT_EQ(characterClasses(0x110000), 0);
}

TEST(Characters, MarksAreOrderedStably) {
  // Hangul tone marks (class 224) and musical stems (216) are not stripped.
  BertNormalizer normalizer;
  normalizer.configure(only(false, false, true, false));
  Memory memory(nullptr, 0);
  Buffer<char> out(memory, "text");
  Buffer<uint32_t> marks(memory, "text");
  const char text[] = "a\u302F\u0301\U0001D165\u302E\U0001D16D\u0302z";
  ASSERT_TRUE(normalizer.apply(text, sizeof(text) - 1, out, marks));
  EXPECT_EQ(std::string(out.begin(), out.end()),
            "a\U0001D165\u302F\u302E\U0001D16Dz");
}

TEST(Characters, MaximalSubparts) {
  struct {
    const char *bytes;
    bool valid;
    size_t length;
  } cases[] = {{"a", true, 1},
               {"\xC3\xA9", true, 2},
               {"\xF4\x8F\xBF\xBF", true, 4},
               {"\x80", false, 1},
               {"\xC0\xAF", false, 1},
               {"\xC3(", false, 1},
               {"\xE2\x82", false, 2},
               {"\xE2\x82(", false, 2},
               {"\xED\xA0\x80", false, 1},
               {"\xE0\x80\x80", false, 1},
               {"\xF0\x9F\x98", false, 3},
               {"\xF4\x90\x80\x80", false, 1},
               {"\xF5", false, 1}};
  for (const auto &one : cases) {
    size_t length = 0;
    EXPECT_EQ(scanCharacter(one.bytes, strlen(one.bytes), length), one.valid)
        << one.bytes;
    EXPECT_EQ(length, one.length) << one.bytes;
  }
}

} // namespace
