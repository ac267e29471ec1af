//===- GenerateBatchTest.cpp - several sequences at once ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each sequence of a batch as if it were alone, with its own end; cancelled and
// refused together.
//
//===----------------------------------------------------------------------===//
#include "GenerateFixture.h"

using namespace speaker;
using testing::HasSubstr;

namespace {

class Batches : public Generating {
protected:
  Batches() {
    for (size_t i = 0; i < 3; ++i) {
      options[i] = given;
      requests[i].options = &options[i];
      requests[i].result = &results[i];
      results[i].struct_size = sizeof(results[i]);
    }
    const int64_t sequences[] = {2, 0, 3}, most[] = {5, 9, 30};
    for (size_t i = 0; i < 3; ++i) {
      options[i].sequence = sequences[i];
      options[i].max_tokens = most[i];
      requests[i].ids = prompts[i].data();
      requests[i].count = prompts[i].size();
    }
  }
  attn_status runAll(size_t count = 3) {
    heard.order.clear();
    return attnrt_generate_batch(session, requests, count, Heard::sequence,
                                 &heard);
  }
  void expectAll() {
    for (size_t i = 0; i < 3; ++i)
      EXPECT_EQ(heard.ids[options[i].sequence],
                likeliest(prompts[i], size_t(options[i].max_tokens)))
          << i;
  }

  Ids prompts[3] = {{1, 2, 3}, {9}, Ids(29, 11)};
  attn_generate_options options[3];
  attn_generate_request requests[3] = {ATTN_GENERATE_REQUEST_INIT,
                                       ATTN_GENERATE_REQUEST_INIT,
                                       ATTN_GENERATE_REQUEST_INIT};
  attn_generate_result results[3];
};

TEST_F(Batches, EachSequenceAsIfAlone) {
  EXPECT_EQ(runAll(), ATTN_OK) << attnrt_last_error();
  expectAll();
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(results[i].tokens, options[i].max_tokens);
    EXPECT_EQ(results[i].stop, ATTN_STOP_LENGTH);
    EXPECT_EQ(length(options[i].sequence),
              int64_t(prompts[i].size()) + options[i].max_tokens - 1);
  }
  // By turns, and the long prompt's later.
  EXPECT_THAT(
      std::vector<int64_t>(heard.order.begin(), heard.order.begin() + 4),
      testing::ElementsAre(2, 0, 2, 0));
  EXPECT_EQ(length(1), 0);
  // On from there, each with its pending token.
  heard.ids.clear();
  for (attn_generate_request &request : requests)
    request.count = 0;
  options[2].max_tokens = 1;
  EXPECT_EQ(runAll(), ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(heard.ids[0].size(), 9u);
  Ids all = likeliest(prompts[1], 18);
  EXPECT_EQ(heard.ids[0], Ids(all.begin() + 9, all.end()));
}

/// As many as are fed, whatever sequences they are: rows cost memory.
TEST_F(Batches, CallsHaveNoRowsOfOthers) {
  options[0].max_tokens = options[1].max_tokens = 4;
  const std::pair<int64_t, int64_t> sequences[] = {{2, 0}, {1, 3}, {3, 2}};
  for (auto [one, other] : sequences) {
    ASSERT_EQ(attnrt_session_reset(session), ATTN_OK);
    heard.ids.clear();
    options[0].sequence = one;
    options[1].sequence = other;
    EXPECT_EQ(runAll(2), ATTN_OK) << attnrt_last_error();
    EXPECT_EQ(rows, 2) << one << ", " << other;
    EXPECT_EQ(heard.ids[one], likeliest(prompts[0], 4));
    EXPECT_EQ(heard.ids[other], likeliest(prompts[1], 4));
    EXPECT_EQ(length(one), 3 + 3);
    EXPECT_EQ(length(other), 1 + 3);
  }
}

TEST_F(Batches, EachHasItsOwnEnd) {
  heard.stopsAfter[0] = 2;
  options[2].max_tokens = 0;
  EXPECT_EQ(runAll(), ATTN_OK);
  EXPECT_EQ(results[0].stop, ATTN_STOP_LENGTH);
  EXPECT_EQ(results[1].stop, ATTN_STOP_CALLER);
  EXPECT_EQ(results[1].tokens, 2);
  EXPECT_EQ(results[2].stop, ATTN_STOP_CONTEXT);
  EXPECT_EQ(heard.ids[3], likeliest(prompts[2], 32));
  EXPECT_EQ(length(3), kPositions);
}

TEST_F(Batches, CancellingStopsAll) {
  {
    Canceller later(session, 3);
    EXPECT_EQ(runAll(), ATTN_ERROR_CANCELLED);
  }
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(results[i].stop, ATTN_STOP_ERROR);
    EXPECT_EQ(length(options[i].sequence),
              int64_t(prompts[i].size()) + results[i].tokens - 1);
    options[i].max_tokens -= results[i].tokens;
    requests[i].count = 0;
  }
  EXPECT_EQ(runAll(), ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(heard.ids[0], likeliest(prompts[1], 9));
  EXPECT_EQ(heard.ids[3], likeliest(prompts[2], 30));
}

TEST_F(Batches, CallersOfLaterVersions) {
  struct Later {
    attn_generate_request known;
    int64_t unknown;
  } later[3];
  for (size_t i = 0; i < 3; ++i) {
    later[i] = {requests[i], 0};
    later[i].known.struct_size = sizeof(Later);
  }
  auto runLater = [&] {
    return attnrt_generate_batch(session, &later[0].known, 3, Heard::sequence,
                                 &heard);
  };
  later[2].unknown = 1;
  EXPECT_EQ(runLater(), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("requests[2] has 64 bytes"));
  later[2].unknown = 0;
  EXPECT_EQ(runLater(), ATTN_OK) << attnrt_last_error();
  expectAll();
  later[0].known.struct_size = 4097; // more than any version will have
  EXPECT_EQ(runLater(), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(),
              HasSubstr("requests[0].struct_size is 4097"));
}

TEST_F(Batches, Refusals) {
  auto expect = [&](const char *words, size_t count = 3) {
    EXPECT_EQ(runAll(count), ATTN_ERROR_INVALID_ARGUMENT) << words;
    EXPECT_THAT(attnrt_last_error(), HasSubstr(words));
    for (int64_t i = 0; i < kSequences; ++i)
      EXPECT_EQ(length(i), 0);
  };
  expect("count is 0", 0);
  options[2].sequence = 0;
  expect("[1] and [2] are both of sequence 0");
  options[2].sequence = 3;
  requests[1].text = "a";
  expect("requests[1] has ids and text");
  requests[1].text = nullptr;
  requests[1].struct_size = 9;
  expect("requests[1].struct_size is 9");
  requests[0].struct_size = 9;
  expect("requests[0].struct_size is 9");
  requests[0].struct_size = requests[1].struct_size =
      sizeof(attn_generate_request);
  results[2].struct_size = 1;
  expect("result.struct_size is 1");
  results[2].struct_size = sizeof(attn_generate_result);
  options[1].top_k = -1;
  expect("top_k");
  options[1].top_k = 0;
  toy::Opened other(speaker::options(), drafting);
  options[1].draft = draftTable();
  options[1].draft_session = other.session;
  expect("requests[1] has a draft");
  options[1].draft = nullptr;
  options[1].draft_session = nullptr;
  prompts[2][20] = 99;
  expect("token 20 is 99");
  requests[2].ids = nullptr;
  expect("ids is NULL");
  EXPECT_EQ(attnrt_generate_batch(session, nullptr, 1, nullptr, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(attnrt_generate_batch(nullptr, requests, 1, nullptr, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
  toy::Opened silent(toy::rightOptions());
  EXPECT_EQ(
      attnrt_generate_batch(silent.session, requests, 1, nullptr, nullptr),
      ATTN_ERROR_UNAVAILABLE);
}

} // namespace
