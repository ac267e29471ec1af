//===- SpeculateTest.cpp - tokens that a draft guesses --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With a draft the likeliest tokens stay the same and drawn ones keep their
// distribution; lengths are right whenever it ends; what is no draft is
// refused.
//
//===----------------------------------------------------------------------===//
#include "Errors.h"
#include "Sample.h"
#include "Speaker.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace speaker;
using testing::HasSubstr;
using Ids = std::vector<int32_t>;

namespace {

const Ids kPrompt = {1, 9, 12, 30, 8};

class Speculating : public testing::Test {
protected:
  explicit Speculating(const attn_abi_library &library = mute)
      : opened(options(), library), other(options(), drafting),
        session(opened.session) {
    given.keeps_model_stops = 1;
    given.draft = draftTable();
    given.draft_session = other.session;
  }
  attn_status run(const Ids &prompt = kPrompt) {
    heard.ids.clear();
    return again(prompt);
  }
  attn_status again(const Ids &prompt) {
    result = {sizeof(result), 0, 0, ATTN_STOP_ERROR, 0, 0, 0};
    return attnrt_generate(session, &given, prompt.data(), prompt.size(),
                           Heard::token, &heard, &result);
  }
  int64_t length(attn_session *of = nullptr) {
    int64_t value = -1;
    EXPECT_EQ(attnrt_session_length(of ? of : session, given.sequence, &value),
              ATTN_OK);
    return value;
  }

  toy::Opened opened, other;
  attn_session *session;
  attn_generate_options given = ATTN_GENERATE_INIT;
  attn_generate_result result;
  Heard heard;
};

TEST_F(Speculating, TheLikeliestTokensStayTheSame) {
  for (int64_t guesses : {0, 1, 2, 5, 23, 64})
    for (int64_t most : {1, 2, 3, 17, 40, 0}) {
      EXPECT_EQ(attnrt_session_reset(session), ATTN_OK);
      given.draft_tokens = guesses;
      given.max_tokens = most;
      EXPECT_EQ(run(), ATTN_OK) << attnrt_last_error();
      size_t count = most ? size_t(most) : size_t(kPositions - 5 + 1);
      EXPECT_EQ(heard.ids[0], likeliest(kPrompt, count)) << guesses;
      EXPECT_EQ(length(), int64_t(5 + count - 1));
      EXPECT_EQ(result.stop, most ? ATTN_STOP_LENGTH : ATTN_STOP_CONTEXT);
      EXPECT_LE(result.draft_accepted, result.draft_tokens);
      if (most == 40) {
        EXPECT_GT(result.draft_accepted, 3) << guesses;
        EXPECT_LT(result.draft_accepted, result.draft_tokens) << guesses;
      }
    }
}

TEST_F(Speculating, WherverItEndsItGoesOn) {
  Ids all = likeliest(kPrompt, 40);
  for (size_t end = 1; end < 20; ++end) {
    EXPECT_EQ(attnrt_session_reset(session), ATTN_OK);
    heard = Heard();
    heard.stopsAfter[0] = end;
    given.max_tokens = 0;
    EXPECT_EQ(again(kPrompt), ATTN_OK);
    EXPECT_EQ(result.stop, ATTN_STOP_CALLER);
    EXPECT_EQ(length(), int64_t(5 + end - 1));
    heard.stopsAfter.clear();
    given.max_tokens = int64_t(40 - end);
    EXPECT_EQ(again({}), ATTN_OK) << attnrt_last_error();
    EXPECT_EQ(heard.ids[0], all) << end;
  }
  // By a stop token among the guesses.
  given.stop_tokens = &all[9];
  given.stop_token_count = 1;
  given.max_tokens = 0;
  EXPECT_EQ(attnrt_session_reset(session), ATTN_OK);
  EXPECT_EQ(run(), ATTN_OK);
  size_t end = 1;
  while (all[end - 1] != all[9])
    ++end;
  EXPECT_EQ(heard.ids[0], Ids(all.begin(), all.begin() + ptrdiff_t(end)));
  EXPECT_EQ(length(), int64_t(5 + end - 1));
}

TEST_F(Speculating, AnySequenceAndAnyHistory) {
  given.sequence = 2;
  given.max_tokens = 20;
  EXPECT_EQ(run(), ATTN_OK);
  EXPECT_EQ(heard.ids[0], likeliest(kPrompt, 20));
  // The draft has seen nothing of what was loaded.
  EXPECT_EQ(attnrt_session_fork(session, 2, 1), ATTN_OK);
  given.sequence = 1;
  Ids history = kPrompt, made = likeliest(kPrompt, 19);
  history.insert(history.end(), made.begin(), made.end());
  history.push_back(11);
  EXPECT_EQ(run({11}), ATTN_OK);
  EXPECT_EQ(heard.ids[0], likeliest(history, 20));
}

TEST_F(Speculating, DrawsComeFromTheSeed) {
  given.temperature = 1.5f;
  given.top_p = 0.95f;
  given.max_tokens = 40;
  auto draw = [&](uint64_t seed) {
    EXPECT_EQ(attnrt_session_reset(session), ATTN_OK);
    EXPECT_EQ(attnrt_session_reset(other.session), ATTN_OK);
    given.seed = seed;
    EXPECT_EQ(run(), ATTN_OK);
    EXPECT_GT(result.draft_accepted, 0);
    return heard.ids[0];
  };
  Ids first = draw(1);
  EXPECT_EQ(draw(1), first);
  EXPECT_NE(draw(2), first);
}

//===-- padded vocabularies -----------------------------------------------===//

/// `drafting` as a library that gives `size` logits, of the tokenizer `digest`.
attn_library padDraft(int64_t size, const char *digest) {
  static attn_generation facts;
  attn_library table = *draftTable();
  facts = *table.generation();
  facts.vocabulary = size;
  facts.tokenizer = digest;
  table.generation = [] { return const_cast<const attn_generation *>(&facts); };
  table.session_feed = [](attn_session *of, int64_t sequence,
                          const int32_t *tokens, size_t count, float *logits) {
    for (size_t i = 0; i < count; ++i)
      EXPECT_LT(tokens[i], facts.vocabulary) << "it does not know this token";
    std::vector<float> own(kVocabulary);
    attn_status status =
        attnrt_session_feed(of, sequence, tokens, count, own.data());
    own.resize(size_t(facts.vocabulary), 1000); // rows that nobody has trained
    std::copy(own.begin(), own.end(), logits);
    return status;
  };
  return table;
}

class Padded : public Speculating {
protected:
  Padded() : Speculating(library()) {}
  static const attn_abi_library &library() {
    static attn_generation facts = *mute.generation->facts;
    facts.tokenizer = "0123";
    static attn_abi_generation generation = *mute.generation;
    generation.facts = &facts;
    static attn_abi_library padded = mute;
    padded.generation = &generation;
    return padded;
  }
};

TEST_F(Padded, TheLikeliestTokensStayTheSame) {
  const Ids foreign = {1, 39, 12, 30, 8}, ends = {1, 12, 30, 8, 39};
  for (int64_t size : {25, 33, 48}) {
    attn_library table = padDraft(size, "0123");
    given.draft = &table;
    given.max_tokens = 40;
    for (const Ids &prompt : {kPrompt, foreign, ends}) {
      EXPECT_EQ(attnrt_session_reset(session), ATTN_OK);
      EXPECT_EQ(run(prompt), ATTN_OK) << attnrt_last_error();
      EXPECT_EQ(heard.ids[0], likeliest(prompt, 40)) << size;
    }
    if (size > kVocabulary) {
      EXPECT_GT(result.draft_accepted, 3);
    }
  }
}

TEST_F(Padded, OthersAreRefused) {
  for (const char *digest : {static_cast<const char *>(nullptr), "4567"}) {
    attn_library table = padDraft(48, digest);
    given.draft = &table;
    EXPECT_EQ(run(), ATTN_ERROR_VOCABULARY);
    EXPECT_THAT(
        attnrt_last_error(),
        HasSubstr(digest ? "gives other ids" : "with their tokenizers"));
  }
}

//===-- distributions -----------------------------------------------------===//

/// How often each token comes third, over many seeds.
std::vector<double> countThird(attn_session *session,
                               attn_generate_options given) {
  std::vector<double> counts(kVocabulary);
  given.max_tokens = 3;
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    given.seed = seed;
    Heard heard;
    EXPECT_EQ(attnrt_session_reset(session), ATTN_OK);
    EXPECT_EQ(attnrt_generate(session, &given, kPrompt.data(), 5, Heard::token,
                              &heard, nullptr),
              ATTN_OK);
    ++counts[size_t(heard.ids[0][2])];
  }
  return counts;
}

/// Of tokens with and without the draft.
void expectEqual(attn_session *session, attn_generate_options given) {
  given.temperature = 1.0f;
  given.top_k = 6;
  std::vector<double> with = countThird(session, given);
  given.draft = nullptr;
  given.draft_session = nullptr;
  std::vector<double> without = countThird(session, given);
  // Two samples of one distribution: chi-square over the tokens that come.
  double sum = 0, degrees = 0;
  for (size_t v = 0; v < with.size(); ++v)
    if (with[v] + without[v] > 10) {
      sum += (with[v] - without[v]) * (with[v] - without[v]) /
             (with[v] + without[v]);
      ++degrees;
    }
  EXPECT_GT(degrees, 5);
  EXPECT_LT(sum, degrees + 5 * std::sqrt(2 * degrees));
}

TEST_F(Speculating, TheDistributionStays) { expectEqual(session, given); }

TEST_F(Padded, TheDistributionStays) {
  for (int64_t size : {25, 48}) {
    attn_library table = padDraft(size, "0123");
    given.draft = &table;
    expectEqual(session, given);
  }
}

TEST(Judging, KeepsTheTargetsShares) {
  attnrt::Memory memory(nullptr, 0);
  const std::vector<float> target = {2, 1, 0, -1, 0.5f, -30};
  const std::vector<float> draft = {0, 1.5f, 1, -2, -30, 3};
  std::vector<double> wanted(6), counts(6);
  double total = 0;
  for (size_t v = 0; v < 6; ++v)
    total += wanted[v] = std::exp(target[v]);
  constexpr int kRuns = 100000;
  int accepted = 0;
  for (int seed = 0; seed < kRuns; ++seed) {
    attn_generate_options rules = ATTN_GENERATE_INIT;
    rules.temperature = 1;
    rules.seed = uint64_t(seed);
    attnrt::Sampler sampler(memory);
    sampler.start(rules);
    std::vector<float> logits = draft;
    std::vector<double> shares(6);
    int32_t guess = -1, token = -1;
    ASSERT_EQ(sampler.guess(logits.data(), 6, nullptr, 0, shares.data(), guess),
              ATTN_OK);
    logits = target;
    ASSERT_EQ(sampler.judge(logits.data(), 6, nullptr, 0, guess, shares.data(),
                            token),
              ATTN_OK);
    ++counts[size_t(token)];
    accepted += token == guess;
  }
  EXPECT_GT(accepted, kRuns / 10);
  for (size_t v = 0; v < 6; ++v) {
    double share = wanted[v] / total;
    EXPECT_NEAR(counts[v] / kRuns, share,
                5 * std::sqrt(share * (1 - share) / kRuns) + 1e-9)
        << v;
  }
}

TEST(Judging, WhatTheTargetExcludesIsNeverKept) {
  attnrt::Memory memory(nullptr, 0);
  for (uint64_t seed = 0; seed < 200; ++seed) {
    attn_generate_options rules = ATTN_GENERATE_INIT;
    rules.temperature = 1;
    rules.top_k = 1;
    rules.seed = seed;
    attnrt::Sampler sampler(memory);
    sampler.start(rules);
    float logits[] = {0, 3, 1};
    double shares[] = {0.5, 0.25, 0.25};
    int32_t token = -1;
    EXPECT_EQ(sampler.judge(logits, 3, nullptr, 0, 0, shares, token), ATTN_OK);
    EXPECT_EQ(token, 1);
  }
}

//===-- windows -----------------------------------------------------------===//

class Forgetting : public Speculating {
protected:
  Forgetting() : Speculating(forgetful) {}
};

TEST_F(Forgetting, WindowsThatMoveOn) {
  for (int64_t guesses : {1, 4, 20}) {
    given.draft_tokens = guesses;
    EXPECT_EQ(attnrt_session_reset(session), ATTN_OK);
    EXPECT_EQ(run(), ATTN_OK) << attnrt_last_error();
    EXPECT_EQ(heard.ids[0], likeliest(kPrompt, kPositions - 4));
    EXPECT_EQ(length(), kPositions);
    EXPECT_GT(result.draft_accepted, 0);
  }
}

//===-- refusals ----------------------------------------------------------===//

TEST_F(Speculating, Refusals) {
  attn_library table = *draftTable();
  auto expect = [&](attn_status status, const char *words) {
    given.draft = &table;
    EXPECT_EQ(run(), status) << words;
    EXPECT_THAT(attnrt_last_error(), HasSubstr(words));
    EXPECT_EQ(length(), 0);
    table = *draftTable();
    given.draft_session = other.session;
  };
  static attn_generation foreign;
  foreign = *table.generation();
  foreign.vocabulary = 41;
  foreign.tokenizer = nullptr; // of unequal sizes it would have to be known
  table.generation = [] {
    return const_cast<const attn_generation *>(&foreign);
  };
  expect(ATTN_ERROR_VOCABULARY, "a vocabulary of 41 tokens");
  foreign.vocabulary = kVocabulary;
  foreign.tokenizer = "others";
  table.generation = [] {
    return const_cast<const attn_generation *>(&foreign);
  };
  expect(ATTN_ERROR_VOCABULARY, "gives other ids");
  table.abi_version = 77;
  expect(ATTN_ERROR_ABI, "ABI version 77");
  table.struct_size = offsetof(attn_library, generation);
  expect(ATTN_ERROR_UNAVAILABLE, "an older attnc");
  table.session_feed = nullptr;
  expect(ATTN_ERROR_UNAVAILABLE, "no library that generates");
  table.generation = nullptr;
  expect(ATTN_ERROR_UNAVAILABLE, "no library that generates");
  given.draft_session = nullptr;
  expect(ATTN_ERROR_INVALID_ARGUMENT, "belong together");
  given.draft_session = session;
  expect(ATTN_ERROR_INVALID_ARGUMENT, "the session that generates");
  given.draft = nullptr;
  EXPECT_EQ(run(), ATTN_ERROR_INVALID_ARGUMENT);
  // A tokenizer on one side alone says nothing.
  foreign.tokenizer = nullptr;
  table.generation = [] {
    return const_cast<const attn_generation *>(&foreign);
  };
  given.draft = &table;
  given.max_tokens = 3;
  EXPECT_EQ(run(), ATTN_OK);
}

TEST_F(Speculating, NeedsScores) {
  attn_abi_generation generation = *mute.generation;
  generation.score_entry = -1;
  attn_abi_library library = mute;
  library.generation = &generation;
  toy::Opened unable(options(), library);
  EXPECT_EQ(attnrt_generate(unable.session, &given, kPrompt.data(), 5, nullptr,
                            nullptr, nullptr),
            ATTN_ERROR_UNAVAILABLE);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("no entry 'score'"));
}

TEST_F(Speculating, ADraftThatFails) {
  attn_library table = *draftTable();
  given.draft = &table;
  given.max_tokens = 9;
  table.last_error = [] { return "out of order"; };
  table.session_feed = [](attn_session *, int64_t, const int32_t *, size_t,
                          float *) { return ATTN_ERROR_SYSTEM; };
  EXPECT_EQ(run(), ATTN_ERROR_SYSTEM);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("the draft: out of order"));
  EXPECT_EQ(heard.ids[0], likeliest(kPrompt, 1));
  EXPECT_EQ(length(), 5);
  table.session_length = [](attn_session *, int64_t, int64_t *) {
    return ATTN_ERROR_DEVICE;
  };
  EXPECT_EQ(attnrt_session_reset(session), ATTN_OK);
  EXPECT_EQ(run(), ATTN_ERROR_DEVICE);
  // It goes on without, and with another one.
  given.draft = nullptr;
  given.draft_session = nullptr;
  EXPECT_EQ(again({}), ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(heard.ids[0], likeliest(kPrompt, 10));
}

TEST_F(Speculating, ADraftThatCannotGoBack) {
  attn_library table = *draftTable();
  given.draft = &table;
  given.max_tokens = 30;
  table.session_truncate = [](attn_session *session, int64_t sequence,
                              int64_t length) {
    return length ? ATTN_ERROR_INVALID_ARGUMENT
                  : attnrt_session_truncate(session, sequence, 0);
  };
  EXPECT_EQ(run(), ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(heard.ids[0], likeliest(kPrompt, 30));
  EXPECT_GT(result.draft_accepted, 3);
}

TEST_F(Speculating, ADraftOfFewPositions) {
  static attn_generation few;
  few = *mute.generation->facts;
  few.positions = 20;
  attn_library table = *draftTable();
  table.generation = [] { return const_cast<const attn_generation *>(&few); };
  given.draft = &table;
  EXPECT_EQ(run(), ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(heard.ids[0], likeliest(kPrompt, kPositions - 4));
  EXPECT_LE(length(other.session), 20);
}

class Reversing : public Speculating {
protected:
  Reversing() : Speculating(reversed) {}
};

TEST_F(Reversing, EntriesOfAnotherOrder) {
  given.max_tokens = 30;
  EXPECT_EQ(run(), ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(heard.ids[0], likeliest(kPrompt, 30));
  EXPECT_GT(result.draft_accepted, 3);
}

} // namespace
