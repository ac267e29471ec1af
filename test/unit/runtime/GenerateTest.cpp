//===- GenerateTest.cpp - prompts in, tokens out --------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Generation with a model whose tokens are known: in one call and in several,
// stopped, cancelled and refused; prompts of ids and of text.
//
//===----------------------------------------------------------------------===//
#include "Errors.h"
#include "GenerateFixture.h"

#include <cmath>

using namespace speaker;
using testing::HasSubstr;

namespace {

const Ids kPrompt = {1, 9, 12, 30, 8};

TEST_F(Generating, TheLikeliestTokens) {
  given.max_tokens = 20;
  EXPECT_EQ(run(kPrompt), ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(heard.ids[0], likeliest(kPrompt, 20));
  EXPECT_EQ(result.tokens, 20);
  EXPECT_EQ(result.prompt_tokens, 5);
  EXPECT_EQ(result.stop, ATTN_STOP_LENGTH);
  EXPECT_EQ(length(), 24);
  // The last one is fed by the next call.
  EXPECT_EQ(again({}), ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(heard.ids[0], likeliest(kPrompt, 40));
}

TEST_F(Generating, LongPromptsGoInPieces) {
  Ids prompt;
  for (int32_t i = 0; i < 50; ++i)
    prompt.push_back(i * 7 % 40);
  EXPECT_EQ(run(prompt), ATTN_OK);
  EXPECT_EQ(heard.ids[0], likeliest(prompt, 11));
  EXPECT_EQ(result.stop, ATTN_STOP_CONTEXT);
  EXPECT_EQ(length(), kPositions);
}

TEST_F(Generating, AnySequence) {
  given.max_tokens = 4;
  given.sequence = 3;
  EXPECT_EQ(run(kPrompt), ATTN_OK);
  EXPECT_EQ(heard.ids[0], likeliest(kPrompt, 4));
  EXPECT_EQ(length(3), 8);
  EXPECT_EQ(length(0), 0);
  // What is pending in one survives what is made in another.
  given.sequence = 1;
  EXPECT_EQ(run({6}), ATTN_OK);
  given.sequence = 3;
  EXPECT_EQ(run({}), ATTN_OK) << attnrt_last_error();
  Ids all = likeliest(kPrompt, 8);
  EXPECT_EQ(heard.ids[0], Ids(all.begin() + 4, all.end()));
  // But not what somebody else does.
  EXPECT_EQ(attnrt_session_fork(session, 3, 2), ATTN_OK);
  EXPECT_EQ(run({}), ATTN_ERROR_INVALID_ARGUMENT);
}

TEST_F(Generating, NullMeansTheModelsOwn) {
  attn_generate_options own = ATTN_GENERATE_INIT;
  own.max_tokens = 3;
  own.repetition_penalty = 1e5f;
  attn_generation facts = *mute.generation->facts;
  facts.defaults = &own;
  facts.stop_token_count = 0;
  attn_abi_generation generation = {0, 1, &facts, nullptr};
  attn_abi_library library = mute;
  library.generation = &generation;
  toy::Opened other(options(), library);
  ASSERT_EQ(attnrt_generate(other.session, nullptr, kPrompt.data(), 5,
                            Heard::token, &heard, nullptr),
            ATTN_OK);
  EXPECT_EQ(heard.ids[0].size(), 3u);
  EXPECT_NE(heard.ids[0][0], heard.ids[0][1]);
}

TEST_F(Generating, Stops) {
  Ids all = likeliest(kPrompt, 12);
  given.stop_tokens = &all[6];
  given.stop_token_count = 1;
  EXPECT_EQ(run(kPrompt), ATTN_OK);
  size_t end = static_cast<size_t>(std::find(all.begin(), all.end(), all[6]) -
                                   all.begin()) +
               1;
  EXPECT_EQ(heard.ids[0], Ids(all.begin(), all.begin() + end));
  EXPECT_EQ(result.stop, ATTN_STOP_TOKEN);
  EXPECT_EQ(length(), int64_t(5 + end - 1));

  // The model's own stop, wherever a prompt leads to it.
  given = ATTN_GENERATE_INIT;
  bool seen = false;
  for (int32_t first = 0; first < 40 && !seen; ++first) {
    EXPECT_EQ(attnrt_session_reset(session), ATTN_OK);
    EXPECT_EQ(run({first}), ATTN_OK);
    seen = result.stop == ATTN_STOP_TOKEN;
    EXPECT_EQ(heard.ids[0].back() == kEnd, seen);
  }
  EXPECT_TRUE(seen);
}

TEST_F(Generating, TheCallbackStops) {
  heard.stopsAfter[0] = 3;
  EXPECT_EQ(again(kPrompt), ATTN_OK);
  EXPECT_EQ(result.stop, ATTN_STOP_CALLER);
  EXPECT_EQ(heard.ids[0], likeliest(kPrompt, 3));
  EXPECT_EQ(length(), 7);
  heard.stopsAfter.clear();
  given.max_tokens = 5;
  EXPECT_EQ(again({}), ATTN_OK);
  EXPECT_EQ(heard.ids[0], likeliest(kPrompt, 8));
}

TEST_F(Generating, CancellingLeavesASequenceThatGoesOn) {
  given.max_tokens = 12;
  // The phase that cancels is the call's last: the next call sees it.
  for (int calls : {1, 2, 5}) {
    EXPECT_EQ(attnrt_session_reset(session), ATTN_OK);
    {
      Canceller later(session, calls);
      EXPECT_EQ(run(kPrompt), ATTN_ERROR_CANCELLED) << calls;
    }
    EXPECT_EQ(result.stop, ATTN_STOP_ERROR);
    EXPECT_EQ(result.tokens, calls);
    EXPECT_EQ(length(), 5 + calls - 1);
    given.max_tokens = 12 - calls;
    EXPECT_EQ(again({}), ATTN_OK) << attnrt_last_error();
    EXPECT_EQ(heard.ids[0], likeliest(kPrompt, 12));
    given.max_tokens = 12;
  }
}

TEST_F(Generating, Refusals) {
  auto expect = [&](auto member, auto value, const char *words) {
    attn_generate_options before = given;
    given.*member = value;
    expectRefused(ATTN_ERROR_INVALID_ARGUMENT, words);
    given = before;
  };
  using O = attn_generate_options;
  expect(&O::max_tokens, -1, "max_tokens is -1");
  expect(&O::temperature, -1.0f, "temperature");
  expect(&O::temperature, NAN, "temperature");
  expect(&O::temperature, 1e7f, "temperature");
  expect(&O::top_k, -1, "top_k");
  expect(&O::top_p, 1.5f, "top_p");
  expect(&O::top_p, NAN, "top_p");
  expect(&O::min_p, -0.5f, "min_p");
  expect(&O::min_p, 2.0f, "min_p");
  expect(&O::repetition_penalty, -1.0f, "repetition_penalty");
  expect(&O::repetition_penalty, 1e7f, "repetition_penalty");
  expect(&O::sequence, -1, "sequence is -1");
  expect(&O::sequence, 4, "sequences 0 to 3");
  expect(&O::draft_tokens, 65, "draft_tokens");
  expect(&O::draft_tokens, -1, "draft_tokens");
  expect(&O::stop_token_count, 1u, "stop_tokens is NULL");
  expect(&O::stop_string_count, 1u, "stop_strings is NULL");
  expect(&O::struct_size, 3u, "struct_size is 3");
  // Garbage, of which not all may be read.
  expect(&O::struct_size, SIZE_MAX / 2, "start from ATTN_GENERATE_INIT");
  const char *string = "a";
  given.stop_strings = &string;
  given.stop_string_count = 1;
  expectRefused(ATTN_ERROR_UNAVAILABLE, "no tokenizer");
  given.stop_string_count = 0;
  expectRefused(ATTN_ERROR_INVALID_ARGUMENT, "the prompt is empty", {});
  expectRefused(ATTN_ERROR_INVALID_ARGUMENT, "token 1 is 40", {3, 40});
  expectRefused(ATTN_ERROR_INVALID_ARGUMENT, "token 0 is -1", {-1});
  expectRefused(ATTN_ERROR_CONTEXT_FULL, "61 tokens", Ids(61, 7));
  EXPECT_EQ(
      attnrt_generate(nullptr, nullptr, nullptr, 0, nullptr, nullptr, nullptr),
      ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(
      attnrt_generate(session, nullptr, nullptr, 1, nullptr, nullptr, nullptr),
      ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(attnrt_generate_text(session, nullptr, nullptr, 1, nullptr, nullptr,
                                 nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(
      attnrt_generate_text(session, nullptr, "a", 1, nullptr, nullptr, nullptr),
      ATTN_ERROR_UNAVAILABLE);
  toy::Opened silent(toy::rightOptions());
  EXPECT_EQ(attnrt_generate(silent.session, nullptr, kPrompt.data(), 5, nullptr,
                            nullptr, nullptr),
            ATTN_ERROR_UNAVAILABLE);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("no entry 'decode'"));
}

TEST_F(Generating, CallersOfOtherVersions) {
  // Older: what it does not have is the default.
  given.max_tokens = 2;
  given.sequence = 77;
  given.struct_size = offsetof(attn_generate_options, sequence);
  EXPECT_EQ(run(kPrompt), ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(length(0), 6);
  // Newer: what is unknown must not be set.
  struct {
    attn_generate_options known;
    int64_t unknown;
  } newer = {ATTN_GENERATE_INIT, 0};
  newer.known.struct_size = sizeof(newer);
  newer.known.max_tokens = 2;
  EXPECT_EQ(attnrt_generate(session, &newer.known, kPrompt.data(), 5, nullptr,
                            nullptr, nullptr),
            ATTN_OK);
  newer.unknown = 1;
  EXPECT_EQ(attnrt_generate(session, &newer.known, kPrompt.data(), 5, nullptr,
                            nullptr, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
  // Results: no more is written than there is room for.
  given = ATTN_GENERATE_INIT;
  given.max_tokens = 1;
  attn_generate_result facts;
  memset(&facts, 0x55, sizeof(facts));
  facts.struct_size = offsetof(attn_generate_result, reused_tokens);
  EXPECT_EQ(attnrt_generate(session, &given, kPrompt.data(), 5, nullptr,
                            nullptr, &facts),
            ATTN_OK);
  EXPECT_EQ(facts.tokens, 1);
  EXPECT_EQ(facts.reused_tokens, 0x5555555555555555);
  facts.struct_size = 8;
  EXPECT_EQ(attnrt_generate(session, &given, kPrompt.data(), 5, nullptr,
                            nullptr, &facts),
            ATTN_ERROR_INVALID_ARGUMENT);
}

TEST_F(Generating, FeedingOneSequenceComputesOneRow) {
  const Ids first = {8, 9, 10}, third = {20, 21, 22, 23};
  std::vector<float> logits(kVocabulary);
  auto feed = [&](int64_t sequence, const Ids &ids) {
    return attnrt_session_feed(session, sequence, ids.data(), ids.size(),
                               logits.data());
  };
  EXPECT_EQ(feed(0, first), ATTN_OK);
  EXPECT_EQ(feed(3, third), ATTN_OK);
  EXPECT_EQ(rows, 1);
  EXPECT_EQ(logits, logitsBehind(third));
  EXPECT_EQ(length(0), 3);
  EXPECT_EQ(length(3), 4);
  // A call that failed leaves every sequence in its place.
  {
    Canceller now(session, 1);
    const Ids many(50, 1);
    EXPECT_EQ(feed(3, many), ATTN_ERROR_CANCELLED);
  }
  EXPECT_EQ(length(0), 3);
  EXPECT_EQ(feed(0, {11}), ATTN_OK);
  EXPECT_EQ(logits, logitsBehind({8, 9, 10, 11}));
  // Generating for one sequence too.
  given.sequence = 1;
  given.max_tokens = 2;
  EXPECT_EQ(run(first), ATTN_OK);
  EXPECT_EQ(rows, 1);
  EXPECT_EQ(heard.ids[0], likeliest(first, 2));
  EXPECT_EQ(length(0), 4);
}

TEST_F(Generating, Feeding) {
  Ids ids;
  for (int32_t i = 0; i < 40; ++i)
    ids.push_back(i);
  std::vector<float> logits(kVocabulary);
  EXPECT_EQ(attnrt_session_feed(session, 2, ids.data(), 40, logits.data()),
            ATTN_OK);
  EXPECT_EQ(logits, logitsBehind(ids));
  EXPECT_EQ(attnrt_session_feed(session, 2, ids.data(), 1, nullptr), ATTN_OK);
  EXPECT_EQ(length(2), 41);
  EXPECT_EQ(attnrt_session_feed(session, 2, ids.data(), 20, nullptr),
            ATTN_ERROR_CONTEXT_FULL);
  EXPECT_EQ(attnrt_session_feed(nullptr, 0, ids.data(), 1, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(attnrt_session_feed(session, 4, ids.data(), 1, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(attnrt_session_feed(session, 0, nullptr, 1, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(attnrt_session_feed(session, 0, ids.data(), 0, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
  int32_t bad = kVocabulary;
  EXPECT_EQ(attnrt_session_feed(session, 0, &bad, 1, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
  toy::Opened silent(toy::rightOptions());
  EXPECT_EQ(attnrt_session_feed(silent.session, 0, ids.data(), 1, nullptr),
            ATTN_ERROR_UNAVAILABLE);
  EXPECT_EQ(length(2), 41);
}

//===-- text --------------------------------------------------------------===//

class Talking : public Generating {
protected:
  Talking() : Generating(talking) {}
  attn_status say(const char *text) {
    heard = Heard();
    result = {sizeof(result), 0, 0, ATTN_STOP_ERROR, 0, 0, 0};
    return attnrt_generate_text(session, &given, text, strlen(text),
                                Heard::token, &heard, &result);
  }
};

TEST_F(Talking, SpecialTokensBeginASequence) {
  given.max_tokens = 3;
  EXPECT_EQ(say("ab"), ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(result.prompt_tokens, 3);
  EXPECT_EQ(heard.ids[0], likeliest({1, 7, 8}, 3));
  EXPECT_EQ(say("c"), ATTN_OK);
  EXPECT_EQ(result.prompt_tokens, 1);
  EXPECT_EQ(attnrt_session_reset(session), ATTN_OK);
  EXPECT_EQ(say(""), ATTN_OK);
  EXPECT_EQ(result.prompt_tokens, 1);
}

TEST_F(Talking, StopStrings) {
  given.max_tokens = 30;
  EXPECT_EQ(say("ab"), ATTN_OK);
  std::string whole = heard.text[0];
  ASSERT_GT(whole.size(), 10u);
  std::string end = whole.substr(6, 2);
  const char *strings[] = {"zebra crossing", end.c_str()};
  given.stop_strings = strings;
  given.stop_string_count = 2;
  EXPECT_EQ(attnrt_session_reset(session), ATTN_OK);
  EXPECT_EQ(say("ab"), ATTN_OK);
  EXPECT_EQ(result.stop, ATTN_STOP_STRING);
  EXPECT_EQ(heard.text[0], whole.substr(0, whole.find(end)));
  strings[0] = "";
  EXPECT_EQ(say("ab"), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("stop_strings[0] is empty"));
  strings[0] = nullptr;
  EXPECT_EQ(say("ab"), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("stop_strings[0] is NULL"));
}

TEST_F(Talking, TextGoesOnWhereTheLastCallEnded) {
  // The decoder leaves out a space, but only in front of all text.
  std::string prompt = "a", whole;
  for (; prompt[0] <= 'z' && whole.find(' ') == whole.npos; ++prompt[0]) {
    EXPECT_EQ(attnrt_session_reset(session), ATTN_OK);
    given.max_tokens = 30;
    EXPECT_EQ(say(prompt.c_str()), ATTN_OK);
    whole = heard.text[0];
  }
  --prompt[0];
  ASSERT_NE(whole.find(' '), whole.npos);
  for (int64_t first = 1; first < 30; ++first) {
    EXPECT_EQ(attnrt_session_reset(session), ATTN_OK);
    given.max_tokens = first;
    EXPECT_EQ(say(prompt.c_str()), ATTN_OK);
    given.max_tokens = 30 - first;
    EXPECT_EQ(again({}), ATTN_OK) << attnrt_last_error();
    EXPECT_EQ(heard.text[0], whole) << first;
  }
}

TEST_F(Talking, Batches) {
  attn_generate_options first = ATTN_GENERATE_INIT, second = first;
  first.max_tokens = second.max_tokens = 6;
  first.keeps_model_stops = second.keeps_model_stops = 1;
  second.sequence = 1;
  attn_generate_request requests[] = {
      {sizeof(attn_generate_request), &first, nullptr, 0, "ab", 2, nullptr},
      {sizeof(attn_generate_request), &second, nullptr, 0, "xyz", 3, nullptr}};
  EXPECT_EQ(
      attnrt_generate_batch(session, requests, 2, Heard::sequence, &heard),
      ATTN_OK);
  EXPECT_EQ(heard.ids[0], likeliest({1, 7, 8}, 6));
  EXPECT_EQ(heard.ids[1], likeliest({1, 30, 31, 32}, 6));
  requests[0].text = nullptr;
  EXPECT_EQ(attnrt_generate_batch(session, requests, 2, nullptr, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
}

TEST_F(Talking, Detokenizing) {
  char buffer[8];
  size_t needed = 0;
  Ids ids = {1, 7, 8, 6, 9};
  EXPECT_EQ(attnrt_detokenize(opened.model, ids.data(), 5, buffer, 8, &needed),
            ATTN_OK);
  EXPECT_STREQ(buffer, "ab c");
  EXPECT_EQ(needed, 4u);
  EXPECT_EQ(attnrt_detokenize(opened.model, ids.data(), 5, buffer, 3, nullptr),
            ATTN_OK);
  EXPECT_STREQ(buffer, "ab");
  EXPECT_EQ(attnrt_detokenize(opened.model, ids.data(), 5, nullptr, 0, &needed),
            ATTN_OK);
  EXPECT_EQ(attnrt_detokenize(opened.model, nullptr, 0, buffer, 8, &needed),
            ATTN_OK);
  EXPECT_STREQ(buffer, "");
  EXPECT_EQ(attnrt_detokenize(nullptr, ids.data(), 5, buffer, 8, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(attnrt_detokenize(opened.model, nullptr, 5, buffer, 8, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(attnrt_detokenize(opened.model, ids.data(), 5, nullptr, 8, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
}

} // namespace
