//===- TextStreamTest.cpp - tokens to text, as they come
//---------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pieces are whole characters, together they are the text, and nothing of a
// stop string comes.
//
//===----------------------------------------------------------------------===//
#include "TextStream.h"
#include "OpenedTokenizer.h"

#include <gtest/gtest.h>

namespace {

// Bytes as in Llama 2: "<0x..>" are those of characters without a token.
const char *const kFile = R"({
  "model": {"type": "BPE", "byte_fallback": true, "unk_token": "<unk>",
    "vocab": {"<unk>": 0, "<s>": 1, "▁one": 2, "▁two": 3, "s": 4, "▁th": 5,
      "ree": 6, "<0xC3>": 7, "<0xA9>": 8, "<0xE2>": 9, "<0x82>": 10,
      "<0xAC>": 11, "▁": 12},
    "merges": []},
  "added_tokens": [{"id": 1, "content": "<s>", "special": true,
    "single_word": false, "lstrip": false, "rstrip": false,
    "normalized": false}],
  "decoder": {"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
    {"type": "ByteFallback"}, {"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}})";

class Streaming : public testing::Test {
protected:
  Streaming() {
    EXPECT_EQ(detokenizer.open({"tokenizer.json", kFile, strlen(kFile)}),
              ATTN_OK)
        << attnrt::lastError();
  }
  /// What each token releases, then what the end does; stops are marked by "|".
  std::vector<std::string> run(const std::vector<int32_t> &prompt,
                               const std::vector<int32_t> &tokens,
                               std::vector<const char *> stops = {}) {
    attnrt::TextStream stream(memory);
    EXPECT_EQ(stream.start(&detokenizer, prompt.data(), prompt.size(),
                           stops.data(), stops.size()),
              ATTN_OK);
    std::vector<std::string> pieces;
    bool stopped = false;
    for (int32_t token : tokens) {
      EXPECT_EQ(stream.push(token, stopped), ATTN_OK);
      pieces.emplace_back(stream.text(), stream.size());
      if (stopped) {
        pieces.back() += "|";
        return pieces;
      }
    }
    EXPECT_EQ(stream.finish(), ATTN_OK);
    pieces.emplace_back(stream.text(), stream.size());
    return pieces;
  }

  attnrt::Memory memory{nullptr, 0};
  attnrt::Detokenizer detokenizer{memory};
};

using Pieces = std::vector<std::string>;

TEST_F(Streaming, TheFirstSpaceDependsOnThePrompt) {
  EXPECT_EQ(run({1}, {2, 3}), (Pieces{"one", " two", ""}));
  EXPECT_EQ(run({1, 2}, {3, 4}), (Pieces{" two", "s", ""}));
  EXPECT_EQ(run({}, {2, 3}), (Pieces{"one", " two", ""}));
}

TEST_F(Streaming, CharactersComeWhole) {
  EXPECT_EQ(run({1, 2}, {7, 8, 9, 10, 11, 4}),
            (Pieces{"", "é", "", "", "€", "s", ""}));
  // Bytes that never become a character do not hold text back forever.
  std::string lone = "\xef\xbf\xbd";
  EXPECT_EQ(run({1, 2}, {9}), (Pieces{"", lone}));
  EXPECT_EQ(run({1, 2}, {9, 10, 9, 10}),
            (Pieces{"", "", "", lone + lone + lone + lone, ""}));
}

TEST_F(Streaming, RunsOfBytesStayCharacters) {
  // Longer than any context, behind prompts that end in such a run.
  for (size_t before = 0; before < 6; ++before) {
    std::vector<int32_t> prompt = {1, 2}, tokens;
    Pieces expected;
    for (size_t i = 0; i < before; ++i)
      prompt.insert(prompt.end(), {9, 10, 11});
    for (int i = 0; i < 12; ++i) {
      tokens.insert(tokens.end(), {9, 10, 11});
      expected.insert(expected.end(), {"", "", "€"});
    }
    expected.push_back("");
    EXPECT_EQ(run(prompt, tokens), expected) << before;
  }
}

TEST_F(Streaming, SpecialTokensSayNothing) {
  EXPECT_EQ(run({2}, {1, 3, 1}), (Pieces{"", " two", "", ""}));
  // Nor do ids without a token, and within a character, however many.
  EXPECT_EQ(run({2}, {-1, 3, 99999, 1}), (Pieces{"", " two", "", "", ""}));
  EXPECT_EQ(run({2}, {7, 1, 1, 1, 1, 1, 8, 3}),
            (Pieces{"", "", "", "", "", "", "é", " two", ""}));
}

TEST_F(Streaming, TokensThatSayNothingAreNoContext) {
  for (size_t count = 0; count < 40; ++count) {
    // Special tokens at the prompt's end, or among those that come.
    std::vector<int32_t> prompt = {1, 2}, tokens(count, 1);
    prompt.insert(prompt.end(), count, 1);
    EXPECT_EQ(run(prompt, {3, 4}), (Pieces{" two", "s", ""})) << count;
    tokens.push_back(3);
    Pieces expected(count, "");
    expected.insert(expected.end(), {" two", ""});
    EXPECT_EQ(run({1, 2}, tokens), expected) << count;
    // All there is says nothing: the first space is the text's.
    EXPECT_EQ(run(std::vector<int32_t>(count, 1), {3}), (Pieces{"two", ""}));
  }
}

TEST_F(Streaming, ALoneByteChangesNothingThatWasTold) {
  // The decoder takes a whole run of bytes for none if it is not UTF-8.
  std::string lone = "\xef\xbf\xbd";
  EXPECT_EQ(run({1, 2}, {7, 8, 9, 4, 3}),
            (Pieces{"", "é", "", lone + "s", " two", ""}));
  EXPECT_EQ(run({1, 2}, {7, 8, 9}), (Pieces{"", "é", "", lone}));
  EXPECT_EQ(run({1, 2, 7, 8}, {9, 4, 7, 8}),
            (Pieces{"", lone + "s", "", "é", ""}));
}

TEST_F(Streaming, StopStringsAreHeldBack) {
  EXPECT_EQ(run({1}, {2, 5, 6, 3}, {"three"}), (Pieces{"one", " ", "|"}));
  EXPECT_EQ(run({1}, {2, 5, 3, 4}, {"three"}),
            (Pieces{"one", " ", "th two", "s", ""}));
  // The earliest of several, also over tokens.
  EXPECT_EQ(run({1}, {2, 3, 4}, {"wos", "e t"}), (Pieces{"on", "|"}));
  // And within one, in whichever order they are given.
  for (std::vector<const char *> stops :
       {std::vector{"wo", "tw"}, std::vector{"tw", "wo"}})
    EXPECT_EQ(run({1}, {2, 3}, stops), (Pieces{"one", " |"}));
  // At the end, what might have become one comes.
  EXPECT_EQ(run({1}, {2, 5}, {"three"}), (Pieces{"one", " ", "th"}));
}

TEST_F(Streaming, LongTextsStayWhole) {
  std::vector<int32_t> tokens;
  std::string expected;
  for (int i = 0; i < 200; ++i) {
    tokens.insert(tokens.end(), {3, 7, 8});
    expected += i ? " twoé" : "twoé";
  }
  std::string text;
  for (const std::string &piece : run({1}, tokens))
    text += piece;
  EXPECT_EQ(text, expected);
}

} // namespace
