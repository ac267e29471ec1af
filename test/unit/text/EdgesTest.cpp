//===- EdgesTest.cpp - where tokenizers' pieces end -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Cases that the golden files do not have: maps of characters that lead out of
// themselves, clusters of rare letters, words at the ends of their tables.
//
//===----------------------------------------------------------------------===//
#include "OpenedTokenizer.h"
#include "text/CharacterMap.h"
#include "text/Graphemes.h"
#include "text/Unicode.h"
#include "text/UnicodeForms.h"

#include <gtest/gtest.h>

using namespace attnrt;

namespace {

using Files = OpenedTokenizer::Files;
using Ids = std::vector<int32_t>;

std::string bpeFile(const std::string &vocabulary, const std::string &merges,
                    const std::string &more = "",
                    const std::string &preTokenizer = "null",
                    const std::string &normalizer = "null") {
  return R"({"added_tokens": [], "normalizer": )" + normalizer +
         R"(, "pre_tokenizer": )" + preTokenizer +
         R"(, "post_processor": null, "model": {"type": "BPE", "vocab": {)" +
         vocabulary + R"(}, "merges": [)" + merges + "]" + more + "}}";
}

Ids idsOf(const std::string &file, const std::string &text,
          int64_t maximum = 0) {
  OpenedTokenizer opened({{"tokenizer.json", file}});
  EXPECT_EQ(opened.status, ATTN_OK) << opened.error;
  return opened.status ? Ids() : opened.row(text, nullptr, maximum).ids;
}

//===----------------------------------------------------------------------===//
// Maps of characters
//===----------------------------------------------------------------------===//

std::string base64(const std::string &bytes) {
  static const char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k)
      bits = bits << 8 |
             (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k])
                                   : 0u);
    for (size_t k = 0; k < 4; ++k)
      text += i + k <= bytes.size() ? digits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

/// A trie of 256 units in which 'b' stands for the string at `start`, or for
/// nothing where its unit leads to `leaf` beyond them.
std::string mapOf(uint32_t start, const std::string &strings,
                  uint32_t leaf = 1) {
  constexpr uint32_t count = 256;
  uint32_t units[count] = {};
  units['b'] = (leaf ^ 'b') << 10 | 1 << 8 | 'b';
  if (leaf < count)
    units[leaf] = start;
  std::string bytes;
  auto word = [&](uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8)
      bytes += static_cast<char>(value >> shift);
  };
  word(count * 4);
  for (uint32_t unit : units)
    word(unit);
  return base64(bytes + strings);
}

std::string mapped(const std::string &map, const std::string &text) {
  Memory memory(nullptr, 0);
  CharacterMap characters(memory);
  Buffer<char> encoded(memory, "map"), out(memory, "text");
  encoded.append(map.data(), map.size());
  bool hasMemory = true;
  const char *wrong = characters.read(encoded, hasMemory);
  EXPECT_EQ(wrong, nullptr) << wrong;
  EXPECT_TRUE(wrong || characters.append(text.data(), text.size(), out));
  return std::string(out.begin(), out.end());
}

TEST(Edges, MapsOfCharacters) {
  const std::string strings("\xC3\xA9\0x\0", 5);
  EXPECT_EQ(mapped(mapOf(0, strings), "abc"), "a\u00E9"
                                              "c");
  EXPECT_EQ(mapped(mapOf(3, strings), "bb"), "xx");
  // A string that begins inside a character, behind the strings; a leaf behind
  // the trie.
  EXPECT_EQ(mapped(mapOf(1, strings), "b"), "b");
  EXPECT_EQ(mapped(mapOf(1000, strings), "b"), "b");
  EXPECT_EQ(mapped(mapOf(0, strings, 300), "b"), "b");
  Memory memory(nullptr, 0);
  for (const char *map : {"A{AA", "A@AA", "A[AA", "A`AA", "A AA"}) {
    CharacterMap characters(memory);
    Buffer<char> encoded(memory, "map");
    encoded.append(map, 4);
    bool hasMemory = true;
    EXPECT_STREQ(characters.read(encoded, hasMemory), "is not base64") << map;
  }
}

TEST(Edges, MemoryForMapsOfCharacters) {
  const std::string strings("\xC3\xA9\0", 3);
  const std::string map = mapOf(0, strings);
  Memory memory(nullptr, 0);
  CharacterMap characters(memory);
  Buffer<char> encoded(memory, "map");
  encoded.append(map.data(), map.size());
  bool hasMemory = true;
  ASSERT_EQ(characters.read(encoded, hasMemory), nullptr);
  int failures = 0;
  for (const char *unit : {"b", "b\u0301", "\u0301", "a\r"})
    for (int length = 0; length < 40; ++length) {
      std::string text = std::string(length, 'a') + unit + unit;
      for (int blocks = 0;; ++blocks) {
        Stingy stingy(blocks);
        Memory own(&stingy.allocator, 0);
        Buffer<char> out(own, "text");
        if (characters.append(text.data(), text.size(), out))
          break;
        ++failures;
      }
    }
  EXPECT_GT(failures, 200);
}

TEST(Edges, ClustersOfRareLetters) {
  // How many of the first bytes are one cluster.
  const struct {
    const char *text;
    size_t size;
  } cases[] = {{"\u1100\u1100\u1161\u11A8z", 12}, // two leads, a vowel, a tail
               {"\u1100\u11A8", 3},               // a tail wants a vowel
               {"\uAC00\u11A8\u11A8", 9},
               {"\uAC01\u1161", 3},
               {"a\x7F", 1},
               {"a\x01", 1},
               {"\x7F\u0301", 1},
               {"\u0915\u094D\u0915", 9}, // consonant, linker, consonant
               {"\u0915\u0300\u094D\u200D\u0915", 14},
               {"\u0915\u0300\u0915", 5},
               {"\u0915\u200D\u0915", 6},
               {"\U0001F469\u0300\u200D\U0001F469", 13},
               {"\U0001F469\u200D\U0001F469", 11},
               {"\U0001F469\u0903\u200D\U0001F469", 10},
               {"\u0600a", 3}, // a sign that goes before digits
               {"\r\na", 2},
               {"\r\ra", 1}};
  for (const auto &one : cases) {
    const char *end = one.text + strlen(one.text);
    EXPECT_EQ(clusterEnd(one.text, end) - one.text,
              static_cast<ptrdiff_t>(one.size))
        << one.text;
  }
}

TEST(Edges, FormsAtTheEndsOfTheirTables) {
  Memory memory(nullptr, 0);
  Buffer<char> out(memory, "text");
  Buffer<uint32_t> marks(memory, "text");
  for (const char *text : {"\u1100\u1176", "\u1113\u1161", "\u1100\u1160",
                           "\uAC00\u11C3", "\uAC00\u11A7", "\uAC01\u11A8"}) {
    out.clear();
    ASSERT_TRUE(
        appendNormalized(NormalizationForm::C, text, strlen(text), out, marks));
    EXPECT_EQ(std::string(out.begin(), out.end()), text);
  }
  uint32_t parts[4], lower[2];
  EXPECT_EQ(decompose('a', parts), 1);
  EXPECT_EQ(parts[0], uint32_t('a'));
  for (uint32_t code :
       {uint32_t('a'), uint32_t('@'), uint32_t('['), 0x101u, 0x10FFFFu}) {
    EXPECT_EQ(lowercase(code, lower), 1);
    EXPECT_EQ(lower[0], code);
  }
  EXPECT_EQ(lowercase(0x100, lower), 1);
  EXPECT_EQ(lower[0], 0x101u);
}

//===----------------------------------------------------------------------===//
// Words
//===----------------------------------------------------------------------===//

TEST(Edges, MarksOnTheLeftOfAnAddedToken) {
  // White space of three bytes is stripped as a whole, on both sides.
  std::string file = bpeFile(R"("a": 0, "b": 1)", "");
  file.replace(file.find("[]"), 2,
               R"([{"content": "<m>", "lstrip": true, "rstrip": true}])");
  EXPECT_EQ(idsOf(file, "a\u2003 <m> \u2003"
                        "b"),
            (Ids{0, 2, 1}));
}

TEST(Edges, SpacesOfThreeBytesAreStripped) {
  const std::string vocabulary = R"("a": 0, "\u2003": 1)";
  auto strips = [&](const char *left, const char *right) {
    return idsOf(bpeFile(vocabulary, "", "", "null",
                         std::string(R"({"type": "Strip", "strip_left": )") +
                             left + R"(, "strip_right": )" + right + "}"),
                 "\u2003"
                 "a\u2003\u2003");
  };
  EXPECT_EQ(strips("true", "true"), (Ids{0}));
  EXPECT_EQ(strips("true", "false"), (Ids{0, 1, 1}));
  EXPECT_EQ(strips("false", "true"), (Ids{1, 0}));
}

TEST(Edges, TheEmptyTokenIsFound) {
  // Old files name it as the unknown token; ids may come in any order.
  EXPECT_EQ(
      idsOf(bpeFile(R"("b": 2, "a": 1, "": 0)", "", R"(, "unk_token": "")"),
            "axb"),
      (Ids{1, 0, 2}));
  OpenedTokenizer unigram(
      {{"tokenizer.json",
        R"({"model": {"unk_id": 1, "vocab": [["", 0], ["?", -1], ["a", -1]]}})"}});
  ASSERT_EQ(unigram.status, ATTN_OK) << unigram.error;
  EXPECT_EQ(unigram.row("a").ids, (Ids{2}));
}

TEST(Edges, UnknownCharactersInARow) {
  // Pushed one by one as they come, and the last at the end.
  const std::string vocabulary = R"("?": 0, "a": 1)";
  for (int length = 0; length < 40; ++length) {
    std::string text = std::string(length, 'a') + "xyz\u4E2Da";
    Ids expected(length, 1);
    expected.insert(expected.end(), {0, 0, 0, 0, 1});
    OpenedTokenizer opened(
        {{"tokenizer.json", bpeFile(vocabulary, "", R"(, "unk_token": "?")")}});
    EXPECT_EQ(opened.row(text).ids, expected);
    for (int blocks = 0;; ++blocks) {
      Stingy stingy(blocks);
      Memory memory(&stingy.allocator, 0);
      TokenizerScratch scratch(memory);
      const char *pointer = text.c_str();
      attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
      batch.count = 1;
      batch.texts = &pointer;
      if (tokenize(*opened.tokenizer, 100, scratch, batch) == ATTN_OK)
        break;
    }
  }
}

TEST(Edges, WordPiecesShorterThanTheirPrefix) {
  OpenedTokenizer opened({{"tokenizer.json", R"({
    "pre_tokenizer": {"type": "WhitespaceSplit"},
    "added_tokens": [], "padding": {"pad_id": 0},
    "model": {"type": "WordPiece", "unk_token": "u",
      "continuing_subword_prefix": "####", "max_input_chars_per_word": 9,
      "vocab": {"u": 0, "a": 1, "ab": 2}}})"}});
  ASSERT_EQ(opened.status, ATTN_OK) << opened.error;
  EXPECT_EQ(opened.row("a ab aab").ids, (Ids{1, 2, 0}));
}

TEST(Edges, Contractions) {
  for (const char *name : {"gpt2", "llama3", "qwen2", "clip"}) {
    OpenedTokenizer opened(OpenedTokenizer::folder(
        std::string(ATTNC_TEXT_DATA) + "/trained/" + name));
    ASSERT_EQ(opened.status, ATTN_OK) << opened.error;
    for (const char *text :
         {"a'lx", "a'\u0140", "a'\u017F", "a'ra", "a'va", "a'l", "a'"})
      EXPECT_GE(opened.row(text).ids.size(), 2u) << name << ": " << text;
  }
}

TEST(Edges, TextBetweenTheMatches) {
  // Spaces are what CLIP's expression leaves; the row ends in one of them.
  std::string file =
      bpeFile(R"("a": 0, " ": 1)", "", "",
              R"({"type": "Split", "behavior": "Isolated", "invert": false,
          "pattern": {"Regex": "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"}})");
  EXPECT_EQ(idsOf(file, " a a "), (Ids{1, 0, 1, 0, 1}));
  for (int64_t most = 1; most <= 5; ++most)
    EXPECT_EQ(idsOf(file, " a a ", most).size(), static_cast<size_t>(most));
}

TEST(Edges, ClipsMarksStayWhole) {
  // No added tokens: what merges crosses the end of a mark, or does not.
  const std::string vocabulary =
      R"("<": 0, "|": 1, ">": 2, "!": 3, ">!": 4, "e": 5, "n": 6, "d": 7,
         "o": 8, "f": 9, "t": 10, "x": 11, "s": 12, "a": 13, "r": 14)";
  auto ids = [&](const std::string &marks, const char *text) {
    return idsOf(
        bpeFile(
            vocabulary, R"("> !")", "",
            R"({"type": "Split", "behavior": "Removed", "invert": true,
          "pattern": {"Regex": ")" +
                marks +
                R"('s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"}})"),
        text);
  };
  const std::string marks = R"(<\\|startoftext\\|>|<\\|endoftext\\|>|)";
  for (const char *text : {"<|endoftext|>!", "<|startoftext|>!"}) {
    EXPECT_EQ(ids("", text).back(), 4) << text;
    EXPECT_EQ(ids(marks, text).back(), 3) << text;
  }
  EXPECT_EQ(ids(marks, "<|endoftex|>!").back(), 4);
}

TEST(Edges, Scores) {
  auto scored = [](const char *score) {
    return idsOf(std::string(R"({"model": {"unk_id": 0, "vocab": [["?", -99],
      ["a", -1], ["b", -1], ["ab", )") +
                     score + "]]}}",
                 "ab");
  };
  const Ids whole = {3}, parts = {1, 2};
  EXPECT_EQ(scored("-1.9999999999999999999999999999"), whole);
  EXPECT_EQ(scored("-2.0000000000000000000000000001e0"), whole);
  EXPECT_EQ(scored("-0.3e+1"), parts);
  EXPECT_EQ(scored("-300E-2"), parts);
  EXPECT_EQ(scored("-0"), whole);
  EXPECT_EQ(scored("1e40"), whole);
  for (const char *score : {"1e41", "1e-41", "1e99999999999999999999"}) {
    OpenedTokenizer opened(
        {{"tokenizer.json",
          std::string(R"({"model": {"unk_id": 0, "vocab": [["?", )") + score +
              "]]}}"}});
    EXPECT_EQ(opened.status, ATTN_ERROR_WEIGHTS);
    EXPECT_NE(opened.error.find("beyond what scores are"), std::string::npos)
        << opened.error;
  }
}

TEST(Edges, AWordLongerThanAllMergesFindRoomFor) {
  // Every place where the heap of merges may grow.
  OpenedTokenizer opened(
      {{"tokenizer.json", bpeFile(R"("a": 0, "aa": 1, "aaa": 2, "aaaa": 3)",
                                  R"("a a", "aa a", "aa aa")")}});
  for (size_t length = 1; length < 70; ++length) {
    const std::string text(length, 'a');
    const char *pointer = text.c_str();
    attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
    batch.count = 1;
    batch.texts = &pointer;
    for (int blocks = 0;; ++blocks) {
      Stingy stingy(blocks);
      Memory memory(&stingy.allocator, 0);
      TokenizerScratch scratch(memory);
      if (tokenize(*opened.tokenizer, 100, scratch, batch) == ATTN_OK)
        break;
    }
    EXPECT_EQ(batch.longest,
              static_cast<int64_t>((length + 2) / 4 + (length % 4 == 1)));
  }
}

} // namespace
