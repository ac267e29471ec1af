//===- MemoryTest.cpp - memory that runs out anywhere ---------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Opening, tokenizing and decoding with an allocator that has 0, 1, 2... blocks
// to give. Buffers grow by doubling, so what stands in front of the place of
// interest is made longer byte by byte: each growth then falls on each place.
//
//===----------------------------------------------------------------------===//
#include "OpenedTokenizer.h"
#include "text/Detokenizer.h"

#include <gtest/gtest.h>

namespace {

using Files = OpenedTokenizer::Files;

const std::string folder = ATTNC_TEXT_DATA;

/// Does `run` with ever more blocks until it succeeds; how often it failed.
template <typename Run> int failuresOf(Run run) {
  for (int blocks = 0; blocks < 1000; ++blocks) {
    Stingy stingy(blocks);
    attn_status status = run(stingy.allocator);
    if (status == ATTN_OK)
      return blocks;
    EXPECT_EQ(status, ATTN_ERROR_OUT_OF_MEMORY) << attnrt::lastError();
  }
  ADD_FAILURE() << "does not end";
  return 0;
}

int failuresOfOpening(const Files &files) {
  return failuresOf([&](const attn_allocator &allocator) {
    OpenedTokenizer opened(files, &allocator);
    if (opened.status != ATTN_OK)
      EXPECT_EQ(opened.memory.used(), 0u);
    return opened.status;
  });
}

TEST(OutOfMemory, Opening) {
  for (const char *name :
       {"tiny/added", "tiny/vocabulary", "tiny/template", "trained/gpt2-merges",
        "trained/forms", "trained/albert", "trained/llama2"})
    EXPECT_GT(failuresOfOpening(OpenedTokenizer::folder(folder + "/" + name)),
              10)
        << name;
}

/// A file with strings of a length: every part that keeps strings.
std::string fileOf(const std::string &filler, const std::string &model) {
  return R"({"added_tokens": [{"content": "1)" + filler + R"("},
    {"content": "2)" +
         filler + R"(A", "normalized": true}],
    "normalizer": {"type": "Sequence", "normalizers": [
      {"type": "Prepend", "prepend": ")" +
         filler + R"(_"},
      {"type": "Replace", "pattern": {"String": "7)" +
         filler + R"("},
       "content": "8)" +
         filler + R"("}, {"type": "NFKD"}]},
    "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null,
    "model": )" +
         model + "}";
}

TEST(OutOfMemory, OpeningStringsOfAllLengths) {
  std::string filler;
  for (int length = 0; length < 40; ++length, filler += 'x') {
    std::string entries;
    for (int i = 0; i <= length; ++i)
      entries += ", \"" + filler.substr(0, i) + "x\": " + std::to_string(i + 1);
    failuresOfOpening(
        {{"tokenizer.json",
          fileOf(filler, R"({"type": "BPE", "merges": [], "unk_token": "?)" +
                             filler + R"(", "continuing_subword_prefix": "#)" +
                             filler + R"(", "end_of_word_suffix": "$)" +
                             filler + R"(", "vocab": {"?)" + filler + "\": 0" +
                             entries + "}}")}});
    std::string scores;
    for (int i = 0; i <= length; ++i)
      scores += ", [\"" + filler.substr(0, i) + "x\", -1]";
    failuresOfOpening({{"tokenizer.json",
                        fileOf(filler, R"({"unk_id": 0, "vocab": [["?", 0])" +
                                           scores + "]}")}});
    failuresOfOpening(
        {{"vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n" + filler},
         {"tokenizer_config.json",
          R"({"additional_special_tokens": ["9)" + filler + "\"]}"}});
  }
}

TEST(OutOfMemory, Tokenizing) {
  const char *const texts[] = {"a",
                               "\xEF\xBC\xA1\xCC\x81",
                               "\xFF",
                               "\xE4\xB8\xAD",
                               "\xC3\x89\xCC\xA3\xCC\x81",
                               "unbelievably ",
                               "\xF0\x9F\x98\x80",
                               "'s",
                               "  \t",
                               "<mask>",
                               "\xE1\x84\x80\xE1\x85\xA1",
                               "\xC4\xB0"};
  for (const char *name :
       {"tiny/accents", "tiny/added", "tiny/cased", "tiny/unaccented",
        "tiny/vocabulary", "trained/gpt2", "trained/llama2", "trained/forms",
        "trained/albert"}) {
    OpenedTokenizer opened(OpenedTokenizer::folder(folder + "/" + name));
    ASSERT_EQ(opened.status, ATTN_OK) << opened.error;
    int failures = 0;
    for (const char *text : texts)
      for (int length = 0; length < 36; ++length) {
        std::string whole;
        for (int i = 0; i < length; ++i)
          whole += i % 7 == 6 ? ' ' : 'q';
        whole += text;
        whole += text;
        const char *pointer = whole.c_str();
        attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
        batch.count = 1;
        batch.texts = &pointer;
        failures += failuresOf([&](const attn_allocator &allocator) {
          attnrt::Memory memory(&allocator, 0);
          attnrt::TokenizerScratch scratch(memory);
          return attnrt::tokenize(*opened.tokenizer, 400, scratch, batch);
        });
      }
    EXPECT_GT(failures, 1000) << name;
  }
}

TEST(OutOfMemory, Decoding) {
  const char *const decoders[] = {
      R"({"type": "ByteLevel"})",
      R"({"type": "WordPiece", "prefix": "##", "cleanup": true})",
      R"({"type": "Metaspace", "replacement": "_"})",
      R"({"type": "Sequence", "decoders": [{"type": "ByteFallback"},
         {"type": "Strip", "content": " ", "start": 1, "stop": 1},
         {"type": "Replace", "pattern": {"String": "_"}, "content": "--"},
         {"type": "Fuse"}]})",
      "null"};
  for (const char *decoder : decoders) {
    int failures = 0;
    for (int length = 0; length < 36; ++length) {
      std::string filler(length, 'x');
      std::string file =
          R"({"normalizer": {"type": "Prepend", "prepend": ")" + filler +
          R"(p"}, "added_tokens": [{"content": "<s>)" + filler +
          R"(", "id": 6, "special": true, "normalized": true}], "decoder": )" +
          decoder + R"(, "model": {"vocab": {")" + filler +
          R"(": 0, "_b": 1, "<0xC3>": 2, "<0xA9>": 3, "##c": 4,
             "\u0120\u00c3\u00a9\u4e2d": 5}}})";
      std::string list =
          R"({"model": {"vocab": [["a)" + filler + R"(", 0], ["b", 0]]}})";
      std::vector<int32_t> ids = {0, 1, 2, 3, 2, 1, 5, 4, 6, 2};
      failures += failuresOf([&](const attn_allocator &allocator) {
        attnrt::Memory memory(&allocator, 0);
        attnrt::Detokenizer detokenizer(memory), other(memory);
        attnrt::DetokenizerScratch scratch(memory);
        attnrt::Buffer<char> out(memory, "text");
        attn_status status =
            detokenizer.open({"tokenizer.json", file.data(), file.size()});
        if (!status)
          status =
              detokenizer.decode(ids.data(), ids.size(), false, scratch, out);
        return status
                   ? status
                   : other.open({"tokenizer.json", list.data(), list.size()});
      });
    }
    EXPECT_GT(failures, 300) << decoder;
  }
}

} // namespace
