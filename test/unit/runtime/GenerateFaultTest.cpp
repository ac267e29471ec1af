//===- GenerateFaultTest.cpp - generation when something is missing -------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each allocation fails in turn, and what is left of a sequence goes on where
// the caller's last token was; sessions in use and libraries without their
// tokenizer's files say so.
//
//===----------------------------------------------------------------------===//
#include "Errors.h"
#include "Speaker.h"

#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace speaker;
using testing::HasSubstr;
using Ids = std::vector<int32_t>;

namespace {

const Ids kPrompt = {1, 9, 12, 30, 8};

/// Runs `call` on a new session each time, in which one allocation more goes
/// well, until all do. How many failed.
int64_t sweep(const std::function<attn_status(toy::Opened &)> &call) {
  int64_t failures = 0;
  for (int64_t at = 0; at < 600; ++at) {
    toy::Counter counter;
    attn_options settings = options();
    settings.allocator = &counter.allocator;
    {
      toy::Opened opened(settings, chatting);
      EXPECT_EQ(opened.status, ATTN_OK);
      counter.failAt = counter.calls + at;
      attn_status status = call(opened);
      int64_t calls = counter.calls;
      counter.failAt = -1;
      if (status == ATTN_OK && calls < at + 1)
        return failures;
      if (status != ATTN_OK) {
        ++failures;
        EXPECT_EQ(status, ATTN_ERROR_OUT_OF_MEMORY) << attnrt_last_error();
      }
      // The session is good for all it was good for.
      EXPECT_EQ(attnrt_session_reset(opened.session), ATTN_OK);
      EXPECT_EQ(call(opened), ATTN_OK) << attnrt_last_error();
    }
    EXPECT_EQ(counter.live, 0);
  }
  return failures;
}

attn_generate_options makeOptions(int64_t tokens) {
  attn_generate_options given = ATTN_GENERATE_INIT;
  given.max_tokens = tokens;
  given.keeps_model_stops = 1;
  return given;
}

TEST(GeneratingOutOfMemory, OneSequence) {
  Ids expected = likeliest(kPrompt, 30);
  EXPECT_GT(sweep([&](toy::Opened &opened) {
              attn_generate_options given = makeOptions(30);
              Heard heard;
              attn_status status =
                  attnrt_generate(opened.session, &given, kPrompt.data(), 5,
                                  Heard::token, &heard, nullptr);
              size_t made = heard.ids[0].size();
              EXPECT_EQ(heard.ids[0], Ids(expected.begin(),
                                          expected.begin() + ptrdiff_t(made)));
              EXPECT_TRUE(made == 30 || status != ATTN_OK);
              return status;
            }),
            8);
}

TEST(GeneratingOutOfMemory, DrawsAndPenalties) {
  EXPECT_GT(sweep([&](toy::Opened &opened) {
              attn_generate_options given = makeOptions(5);
              given.temperature = 1;
              given.repetition_penalty = 1.5f;
              const char *stop = "a long way from here";
              given.stop_strings = &stop;
              given.stop_string_count = 1;
              return attnrt_generate_text(opened.session, &given, "ab", 2,
                                          nullptr, nullptr, nullptr);
            }),
            8);
}

TEST(GeneratingOutOfMemory, Batches) {
  EXPECT_GT(sweep([&](toy::Opened &opened) {
              attn_generate_options given[] = {makeOptions(3), makeOptions(4)};
              given[1].sequence = 3;
              attn_generate_request requests[2];
              for (int i = 0; i < 2; ++i)
                requests[i] = {sizeof(attn_generate_request),
                               &given[i],
                               i ? kPrompt.data() : nullptr,
                               5,
                               i ? nullptr : "ab",
                               i ? 0u : 2u,
                               nullptr};
              return attnrt_generate_batch(opened.session, requests, 2, nullptr,
                                           nullptr);
            }),
            8);
}

TEST(GeneratingOutOfMemory, FeedingAndDetokenizing) {
  EXPECT_GT(sweep([&](toy::Opened &opened) {
              std::vector<float> logits(kVocabulary);
              attn_status status = attnrt_session_feed(
                  opened.session, 1, kPrompt.data(), 5, logits.data());
              char text[8];
              return status == ATTN_OK
                         ? attnrt_detokenize(opened.model, kPrompt.data(), 5,
                                             text, 8, nullptr)
                         : status;
            }),
            5);
}

TEST(GeneratingOutOfMemory, Chats) {
  const attn_message messages[] = {{"user", "hi"}, {"assistant", "ho"}};
  EXPECT_GT(sweep([&](toy::Opened &opened) {
              char text[4];
              int32_t ids[4];
              attn_generate_options given = makeOptions(2);
              attn_status status = attnrt_chat_prompt(opened.model, messages, 2,
                                                      1, text, 4, nullptr);
              if (status == ATTN_OK)
                status = attnrt_chat_tokenize(opened.model, messages, 2, 1, ids,
                                              4, nullptr);
              return status == ATTN_OK
                         ? attnrt_chat(opened.session, &given, messages, 2,
                                       nullptr, nullptr, nullptr)
                         : status;
            }),
            10);
}

TEST(GeneratingOutOfMemory, Drafts) {
  toy::Opened other(options(), drafting);
  Ids expected = likeliest(kPrompt, 40);
  for (float temperature : {0.0f, 1.0f})
    EXPECT_GT(sweep([&](toy::Opened &opened) {
                attn_generate_options given = makeOptions(40);
                given.temperature = temperature;
                given.repetition_penalty = temperature ? 1.1f : 1.0f;
                given.draft = draftTable();
                given.draft_session = other.session;
                Heard heard;
                attn_status status =
                    attnrt_generate(opened.session, &given, kPrompt.data(), 5,
                                    Heard::token, &heard, nullptr);
                // What was told is there, but for the last token.
                int64_t length = -1, made = int64_t(heard.ids[0].size());
                EXPECT_EQ(attnrt_session_length(opened.session, 0, &length),
                          ATTN_OK);
                if (made)
                  EXPECT_TRUE(length == 4 + made || length == 5 + made)
                      << length << ", " << made;
                if (temperature == 0)
                  EXPECT_EQ(heard.ids[0],
                            Ids(expected.begin(), expected.begin() + made));
                return status;
              }),
              10);
}

/// A callback that uses the session it is told of.
struct Meddler {
  attn_session *session;
  int calls = 0;
  static int32_t take(void *context, int32_t, const char *, size_t) {
    auto &self = *static_cast<Meddler *>(context);
    ++self.calls;
    int32_t id = 5;
    attn_generate_request request = {sizeof(request), nullptr, &id,    1,
                                     nullptr,         0,       nullptr};
    attn_message message = {"user", "a"};
    for (attn_status status :
         {attnrt_generate(self.session, nullptr, &id, 1, nullptr, nullptr,
                          nullptr),
          attnrt_generate_text(self.session, nullptr, "a", 1, nullptr, nullptr,
                               nullptr),
          attnrt_generate_batch(self.session, &request, 1, nullptr, nullptr),
          attnrt_chat(self.session, nullptr, &message, 1, nullptr, nullptr,
                      nullptr),
          attnrt_session_feed(self.session, 0, &id, 1, nullptr)}) {
      EXPECT_EQ(status, ATTN_ERROR_INVALID_ARGUMENT);
      EXPECT_THAT(attnrt_last_error(), HasSubstr("another call is using"));
    }
    return 0;
  }
};

TEST(GeneratingInUse, TheCallbackCannotGenerate) {
  toy::Opened opened(options(), chatting);
  Meddler meddler = {opened.session};
  attn_generate_options given = makeOptions(3);
  EXPECT_EQ(attnrt_generate(opened.session, &given, kPrompt.data(), 5,
                            Meddler::take, &meddler, nullptr),
            ATTN_OK);
  EXPECT_GE(meddler.calls, 3);
}

TEST(GeneratingWithoutFiles, TokensComeWithoutText) {
  toy::Opened opened(toy::rightOptions(), chatting);
  ASSERT_EQ(opened.status, ATTN_OK);
  attn_generate_options given = makeOptions(6);
  Heard heard;
  EXPECT_EQ(attnrt_generate(opened.session, &given, kPrompt.data(), 5,
                            Heard::token, &heard, nullptr),
            ATTN_OK);
  EXPECT_EQ(heard.ids[0], likeliest(kPrompt, 6));
  EXPECT_EQ(heard.text[0], "");
  const char *stop = "a";
  given.stop_strings = &stop;
  given.stop_string_count = 1;
  EXPECT_EQ(attnrt_generate(opened.session, &given, kPrompt.data(), 5, nullptr,
                            nullptr, nullptr),
            ATTN_ERROR_UNAVAILABLE);
  EXPECT_EQ(attnrt_generate_text(opened.session, nullptr, "a", 1, nullptr,
                                 nullptr, nullptr),
            ATTN_ERROR_UNAVAILABLE);
  attn_message message = {"user", "a"};
  EXPECT_EQ(attnrt_chat(opened.session, nullptr, &message, 1, nullptr, nullptr,
                        nullptr),
            ATTN_ERROR_UNAVAILABLE);
  char text[8];
  int32_t id = 7;
  EXPECT_EQ(attnrt_detokenize(opened.model, &id, 1, text, 8, nullptr),
            ATTN_ERROR_UNAVAILABLE);
}

} // namespace
