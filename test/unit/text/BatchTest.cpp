//===- BatchTest.cpp - the batch call -------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Measuring and filling, padding, truncation, arguments, memory and threads.
//
//===----------------------------------------------------------------------===//
#include "OpenedTokenizer.h"

#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>
#include <thread>

namespace {

OpenedTokenizer::Files tiny(const std::string &name) {
  return OpenedTokenizer::folder(std::string(ATTNC_TEXT_DATA) + "/tiny/" +
                                 name);
}

struct Batch : ::testing::Test {
  void SetUp() override {
    ASSERT_EQ(opened.status, ATTN_OK) << opened.error;
    batch.count = 3;
    batch.texts = texts;
  }

  /// Points the batch at arrays of `seq` columns.
  void columns(int64_t seq) {
    batch.seq = seq;
    for (auto *array : {&ids, &mask, &types})
      array->assign(batch.count * seq, -7);
    batch.input_ids = ids.data();
    batch.attention_mask = mask.data();
    batch.token_type_ids = types.data();
  }

  attn_status run() {
    return attnrt::tokenize(*opened.tokenizer, 10, scratch, batch);
  }

  void expectRefused(const std::string &message) {
    batch.longest = -5;
    EXPECT_EQ(run(), ATTN_ERROR_INVALID_ARGUMENT);
    EXPECT_NE(std::string(attnrt::lastError()).find(message), std::string::npos)
        << attnrt::lastError();
    EXPECT_EQ(batch.longest, -5);
    auto untouched = [](const std::vector<int32_t> &array) {
      return std::all_of(array.begin(), array.end(),
                         [](int32_t value) { return value == -7; });
    };
    EXPECT_TRUE(untouched(ids) && untouched(mask) && untouched(types));
  }

  OpenedTokenizer opened{tiny("uncased")};
  attnrt::Memory memory{nullptr, 0};
  attnrt::TokenizerScratch scratch{memory};
  attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
  const char *texts[3] = {"hello world", "", "the quick fox fox"};
  std::vector<int32_t> ids, mask, types;
};

TEST_F(Batch, MeasuresThenFills) {
  ASSERT_EQ(run(), ATTN_OK) << attnrt::lastError();
  EXPECT_EQ(batch.longest, 6);
  columns(7);
  ASSERT_EQ(run(), ATTN_OK) << attnrt::lastError();
  EXPECT_EQ(batch.longest, 6);
  EXPECT_EQ(mask, (std::vector<int32_t>{1, 1, 1, 1, 0, 0, 0, //
                                        1, 1, 0, 0, 0, 0, 0, //
                                        1, 1, 1, 1, 1, 1, 0}));
  EXPECT_EQ(types, std::vector<int32_t>(21, 0));
  TokenRow first = opened.row(texts[0]), third = opened.row(texts[2]);
  EXPECT_TRUE(std::equal(first.ids.begin(), first.ids.end(), ids.begin()));
  EXPECT_TRUE(std::equal(third.ids.begin(), third.ids.end(), &ids[14]));
  EXPECT_EQ(std::vector<int32_t>(&ids[7], &ids[14]),
            (std::vector<int32_t>{2, 3, 0, 0, 0, 0, 0}));
}

TEST_F(Batch, CutsToTheColumns) {
  columns(4);
  ASSERT_EQ(run(), ATTN_OK) << attnrt::lastError();
  EXPECT_EQ(batch.longest, 6); // what the rows would have
  TokenRow third = opened.row(texts[2]);
  EXPECT_EQ(std::vector<int32_t>(&ids[8], &ids[12]),
            (std::vector<int32_t>{2, third.ids[1], third.ids[2], 3}));
  EXPECT_EQ(mask, (std::vector<int32_t>{1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1}));
}

TEST_F(Batch, CutsToTheLimit) {
  std::string longText;
  for (int i = 0; i < 1000; ++i)
    longText += "hello, ";
  texts[1] = longText.c_str();
  ASSERT_EQ(run(), ATTN_OK);
  EXPECT_EQ(batch.longest, 10); // the model's limit
  batch.max_length = 100;
  ASSERT_EQ(run(), ATTN_OK);
  EXPECT_EQ(batch.longest, 100);
  batch.max_length = 2;
  columns(5);
  ASSERT_EQ(run(), ATTN_OK);
  EXPECT_EQ(batch.longest, 2);
  EXPECT_EQ(ids, (std::vector<int32_t>{2, 3, 0, 0, 0, 2, 3, 0, 0, 0, //
                                       2, 3, 0, 0, 0}));
}

TEST_F(Batch, OptionalArrays) {
  columns(6);
  std::vector<int32_t> all = ids;
  batch.attention_mask = nullptr;
  batch.token_type_ids = nullptr;
  ASSERT_EQ(run(), ATTN_OK) << attnrt::lastError();
  EXPECT_EQ(mask, std::vector<int32_t>(18, -7));
  EXPECT_EQ(types, std::vector<int32_t>(18, -7));
  EXPECT_EQ(std::count(ids.begin(), ids.end(), -7), 0);
}

TEST_F(Batch, LengthsInsteadOfNuls) {
  size_t lengths[] = {5, 0, 3};
  const char *cut[] = {"hello world", nullptr, "the quick"};
  batch.texts = cut;
  batch.lengths = lengths;
  columns(3);
  ASSERT_EQ(run(), ATTN_OK) << attnrt::lastError();
  EXPECT_EQ(ids[1], opened.row("hello").ids[1]);
  EXPECT_EQ(ids[7], opened.row("the").ids[1]);
}

TEST_F(Batch, Pairs) {
  const char *pairs[] = {"fox", "world", ""};
  size_t lengths[] = {3, 5, 0};
  batch.pairs = pairs;
  batch.pair_lengths = lengths;
  columns(8);
  ASSERT_EQ(run(), ATTN_OK) << attnrt::lastError();
  EXPECT_EQ(batch.longest, 7);
  EXPECT_EQ(types, (std::vector<int32_t>{0, 0, 0, 0, 1, 1, 0, 0, //
                                         0, 0, 1, 1, 0, 0, 0, 0, //
                                         0, 0, 0, 0, 0, 0, 1, 0}));
  // Three special tokens leave one column, and the longer text takes it.
  columns(4);
  ASSERT_EQ(run(), ATTN_OK) << attnrt::lastError();
  EXPECT_EQ(batch.longest, 7);
  EXPECT_EQ(types, (std::vector<int32_t>{0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1}));
}

TEST_F(Batch, RefusesBadArguments) {
  columns(6);
  attn_text_batch good = batch;
  batch.struct_size = 8;
  expectRefused("struct_size is 8");
  batch = good;
  for (int64_t count : {int64_t(0), int64_t(-1)}) {
    batch.count = count;
    expectRefused("count is " + std::to_string(count));
  }
  batch = good;
  batch.texts = nullptr;
  expectRefused("texts is NULL");
  batch = good;
  texts[1] = nullptr;
  expectRefused("texts[1] is NULL");
  texts[1] = "";
  const char *pairs[] = {"a", "b", nullptr};
  batch.pairs = pairs;
  expectRefused("pairs[2] is NULL");
  batch = good;
  size_t lengths[] = {1, 1, 1};
  batch.pair_lengths = lengths;
  expectRefused("pair_lengths is given, but pairs is NULL");
  batch = good;
  batch.max_length = -1;
  expectRefused("max_length is -1");
  batch.max_length = 1;
  expectRefused("max_length is 1, but the special tokens alone are 2");
  batch = good;
  for (int64_t seq : {int64_t(0), int64_t(-4), INT64_MIN}) {
    batch.seq = seq;
    expectRefused("seq is " + std::to_string(seq) + "; expected at least 1");
  }
  batch.seq = 1;
  expectRefused("seq is 1, but the special tokens alone are 2");
  batch.seq = INT64_MAX / 2;
  expectRefused("count * seq");
  batch = good;
  batch.input_ids = nullptr;
  expectRefused("attention_mask is given, but input_ids is NULL");
  batch.attention_mask = nullptr;
  expectRefused("token_type_ids is given, but input_ids is NULL");
}

TEST_F(Batch, CallersOfLaterVersions) {
  struct {
    attn_text_batch known;
    int64_t unknown;
  } later = {batch, 0};
  auto runLater = [&] {
    return attnrt::tokenize(*opened.tokenizer, 10, scratch, later.known);
  };
  later.known.struct_size = sizeof(later);
  EXPECT_EQ(runLater(), ATTN_OK) << attnrt::lastError();
  EXPECT_EQ(later.known.longest, 6);
  later.unknown = int64_t(1) << 56; // its last byte
  EXPECT_EQ(runLater(), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(std::string(attnrt::lastError()).find("sets a field"),
            std::string::npos)
      << attnrt::lastError();
  batch.struct_size = 4097;
  expectRefused("struct_size is 4097");
}

/// Counts allocations, and fails all beyond a number of them.
struct Counted {
  int count = 0;
  int most = 1 << 30;
  static void *allocate(void *context, size_t bytes, size_t) {
    Counted &self = *static_cast<Counted *>(context);
    return ++self.count <= self.most ? std::malloc(bytes) : nullptr;
  }
  static void release(void *, void *pointer, size_t) { std::free(pointer); }
};

TEST_F(Batch, AllocatesOnlyTheFirstTime) {
  Counted counted;
  attn_allocator allocator = {&counted, Counted::allocate, Counted::release};
  attnrt::Memory own(&allocator, 0);
  attnrt::TokenizerScratch reused(own);
  columns(6);
  ASSERT_EQ(attnrt::tokenize(*opened.tokenizer, 10, reused, batch), ATTN_OK);
  EXPECT_GT(counted.count, 0);
  counted.count = 0;
  ASSERT_EQ(attnrt::tokenize(*opened.tokenizer, 10, reused, batch), ATTN_OK);
  EXPECT_EQ(counted.count, 0);
}

TEST_F(Batch, OutOfMemoryWritesNothing) {
  texts[1] = "h\xFF"
             "e\xCC\x81\xE3\x80\xAFllo"; // every buffer is used
  columns(6);
  int failures = 0;
  for (;; ++failures) {
    ASSERT_LT(failures, 1000);
    Counted counted;
    counted.most = failures;
    attn_allocator allocator = {&counted, Counted::allocate, Counted::release};
    attnrt::Memory own(&allocator, 0);
    attnrt::TokenizerScratch fresh(own);
    attn_status status = attnrt::tokenize(*opened.tokenizer, 10, fresh, batch);
    if (status == ATTN_OK)
      break;
    EXPECT_EQ(status, ATTN_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(ids, std::vector<int32_t>(18, -7));
  }
  EXPECT_GE(failures, 6);
}

TEST_F(Batch, ManyThreadsOneTokenizer) {
  columns(6);
  ASSERT_EQ(run(), ATTN_OK);
  std::vector<std::vector<int32_t>> results(4, std::vector<int32_t>(18));
  std::vector<std::thread> threads;
  for (auto &result : results)
    threads.emplace_back([this, &result] {
      attnrt::Memory own(nullptr, 0);
      attnrt::TokenizerScratch mine(own);
      for (int turn = 0; turn < 100; ++turn) {
        attn_text_batch copy = batch;
        copy.input_ids = result.data();
        copy.attention_mask = copy.token_type_ids = nullptr;
        EXPECT_EQ(attnrt::tokenize(*opened.tokenizer, 10, mine, copy), ATTN_OK);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  for (const auto &result : results)
    EXPECT_EQ(result, ids);
}

TEST_F(Batch, LongTexts) {
  // A megabyte without a space, of marks, of bad bytes: all in linear time.
  for (const std::string &unit :
       {std::string("a"), std::string("\xCC\x81"), std::string("\xE3\x80\xAF"),
        std::string("\xFF"), std::string("["), std::string(" ")}) {
    std::string text;
    while (text.size() < 1000000)
      text += unit;
    TokenRow row = opened.row(text);
    EXPECT_EQ(opened.status, ATTN_OK) << opened.error;
    EXPECT_GE(row.ids.size(), 2u);
  }
}

} // namespace
