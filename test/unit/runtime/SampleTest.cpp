//===- SampleTest.cpp - choosing the next token ---------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which tokens each rule leaves, how often they are drawn, and that seeds
// decide everything.
//
//===----------------------------------------------------------------------===//
#include "Sample.h"
#include "attn/abi.h"

#include <cmath>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <sstream>
#include <vector>

namespace {

class Sampling : public testing::Test {
protected:
  int32_t choose(std::vector<float> logits, std::vector<int32_t> seen = {}) {
    int32_t token = -1;
    EXPECT_EQ(sampler.choose(logits.data(), static_cast<int64_t>(logits.size()),
                             seen.data(), seen.size(), token),
              ATTN_OK);
    return token;
  }
  /// How often each token comes in `draws` draws.
  std::map<int32_t, int> count(const std::vector<float> &logits, int draws) {
    sampler.start(options);
    std::map<int32_t, int> counts;
    for (int i = 0; i < draws; ++i)
      ++counts[choose(logits)];
    return counts;
  }

  attnrt::Memory memory{nullptr, 0};
  attnrt::Sampler sampler{memory};
  attn_generate_options options = ATTN_GENERATE_INIT;
  // Probabilities 8/15, 4/15, 2/15, 1/15, in another order.
  const std::vector<float> logits = {std::log(2.0f), std::log(8.0f),
                                     std::log(1.0f), std::log(4.0f)};
};

TEST_F(Sampling, ExponentialIsExact) {
  for (double x = 0; x > -700; x -= 0.37)
    EXPECT_NEAR(attnrt::exponential(x) / std::exp(x), 1, 4e-16) << x;
  EXPECT_EQ(attnrt::exponential(0), 1);
  EXPECT_EQ(attnrt::exponential(-INFINITY), 0);
  EXPECT_EQ(attnrt::exponential(NAN), 0);
}

TEST_F(Sampling, GreedyTakesTheFirstOfTheLargest) {
  sampler.start(options);
  EXPECT_EQ(choose({1, 3, 2, 3}), 1);
  EXPECT_EQ(choose({NAN, -2, -INFINITY, -1}), 3);
  EXPECT_EQ(choose({NAN, INFINITY}), 1);
}

TEST_F(Sampling, NothingIsChosenOfNothing) {
  for (float temperature : {0.0f, 0.7f}) {
    options.temperature = temperature;
    sampler.start(options);
    for (std::vector<float> none : {std::vector<float>{NAN, NAN, NAN},
                                    std::vector<float>{-INFINITY, NAN, NAN}}) {
      int32_t token = 7;
      std::vector<double> shares(none.size());
      EXPECT_EQ(sampler.choose(none.data(), 3, nullptr, 0, token),
                ATTN_ERROR_WEIGHTS);
      EXPECT_THAT(attnrt_last_error(),
                  testing::HasSubstr("of 3 logits none is a number"));
      EXPECT_EQ(sampler.guess(none.data(), 3, nullptr, 0, shares.data(), token),
                ATTN_ERROR_WEIGHTS);
      EXPECT_EQ(
          sampler.judge(none.data(), 3, nullptr, 0, 1, shares.data(), token),
          ATTN_ERROR_WEIGHTS);
      EXPECT_EQ(token, 7);
    }
    EXPECT_EQ(choose({-INFINITY, NAN, -3e38f}), 2);
  }
}

TEST_F(Sampling, WhatIsInfinitelyLikelyIsChosen) {
  const float rules[][3] = {
      {0, 0, 0}, {0, 0.9f, 0}, {3, 0.9f, 0}, {0, 0, 0.1f}, {2, 0, 0}};
  for (auto [topK, topP, minP] : rules) {
    options.temperature = 0.7f;
    options.top_k = static_cast<int32_t>(topK);
    options.top_p = topP;
    options.min_p = minP;
    const float most = INFINITY;
    EXPECT_EQ(count({1, 2, most, 3, 0.5f, 2}, 20),
              (std::map<int32_t, int>{{2, 20}}))
        << topK << ", " << topP << ", " << minP;
    for (auto [token, times] : count({1, most, 2, 0, most}, 40))
      EXPECT_TRUE(token == 1 || token == 4) << token << ", " << times;
  }
}

TEST_F(Sampling, DrawsByProbability) {
  options.temperature = 1;
  std::map<int32_t, int> counts = count(logits, 15000);
  EXPECT_NEAR(counts[1], 8000, 300);
  EXPECT_NEAR(counts[3], 4000, 300);
  EXPECT_NEAR(counts[0], 2000, 200);
  EXPECT_NEAR(counts[2], 1000, 150);
  // Half the temperature squares the odds.
  options.temperature = 0.5f;
  counts = count(logits, 8500);
  EXPECT_NEAR(counts[1], 6400, 300);
  EXPECT_NEAR(counts[2], 100, 50);
}

TEST_F(Sampling, EqualOnesRankById) {
  options.temperature = 1;
  options.top_k = 2;
  std::map<int32_t, int> counts = count({0, 5, 5, 5}, 1000);
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_NEAR(counts[1], 500, 100);
  EXPECT_NEAR(counts[2], 500, 100);
  // What is impossible by far is not drawn, nor is a penalty of 1 one.
  options = ATTN_GENERATE_INIT;
  options.temperature = 1;
  options.repetition_penalty = 1;
  EXPECT_EQ(count({0, 2000, -INFINITY}, 100)[1], 100);
}

TEST_F(Sampling, RulesLeaveOutTheUnlikely) {
  auto kept = [&](int32_t topK, float topP, float minP) {
    options = ATTN_GENERATE_INIT;
    options.temperature = 1;
    options.top_k = topK;
    options.top_p = topP;
    options.min_p = minP;
    std::vector<int32_t> tokens;
    for (auto [token, times] : count(logits, 3000))
      tokens.push_back(token);
    return tokens;
  };
  using Tokens = std::vector<int32_t>;
  EXPECT_EQ(kept(0, 0, 0), (Tokens{0, 1, 2, 3}));
  EXPECT_EQ(kept(1, 0, 0), (Tokens{1}));
  EXPECT_EQ(kept(3, 0, 0), (Tokens{0, 1, 3}));
  EXPECT_EQ(kept(9, 1, 0), (Tokens{0, 1, 2, 3}));
  // 8/15 = 0.533, 12/15 = 0.8.
  EXPECT_EQ(kept(0, 0.5f, 0), (Tokens{1}));
  EXPECT_EQ(kept(0, 0.6f, 0), (Tokens{1, 3}));
  EXPECT_EQ(kept(0, 0.81f, 0), (Tokens{0, 1, 3}));
  // Of the two likeliest, 8/12 = 0.667 is the first one's share.
  EXPECT_EQ(kept(2, 0.6f, 0), (Tokens{1}));
  EXPECT_EQ(kept(2, 0.7f, 0), (Tokens{1, 3}));
  // At least a quarter of the likeliest's.
  EXPECT_EQ(kept(0, 0, 0.24f), (Tokens{0, 1, 3}));
  EXPECT_EQ(kept(0, 0, 1), (Tokens{1}));
  EXPECT_EQ(kept(3, 0.99f, 0.4f), (Tokens{1, 3}));
}

TEST_F(Sampling, SeedsDecide) {
  options.temperature = 1;
  auto draw = [&](uint64_t seed) {
    options.seed = seed;
    sampler.start(options);
    std::vector<int32_t> tokens;
    for (int i = 0; i < 40; ++i)
      tokens.push_back(choose(logits));
    return tokens;
  };
  EXPECT_EQ(draw(7), draw(7));
  EXPECT_NE(draw(7), draw(8));
}

TEST_F(Sampling, PenaltyCountsATokenOnce) {
  options.repetition_penalty = 2;
  sampler.start(options);
  EXPECT_EQ(choose({4, 3, -1}, {0, 0, 0}), 1);
  // 4 / 2 = 2 stays the largest, -1 * 2 = -2.
  EXPECT_EQ(choose({4, 1.5f, -1}, {0, 2, -5, 99}), 0);
  EXPECT_EQ(choose({-1, -1.5f}, {0}), 1);
}

/// test/data/make-sampling.py: settings, logits, tokens seen, probabilities.
TEST_F(Sampling, ProbabilitiesAreThoseOfTransformers) {
  std::ifstream file(ATTNC_TEST_DATA "/sampling.tsv");
  ASSERT_TRUE(file.is_open());
  auto readList = [&](auto &list) {
    std::string field;
    std::getline(file, field, '\t');
    std::istringstream words(field);
    for (typename std::decay_t<decltype(list)>::value_type value;
         words >> value;)
      list.push_back(value);
  };
  int cases = 0;
  for (; file >> options.temperature >> options.top_k >> options.top_p >>
         options.min_p >> options.repetition_penalty;
       ++cases) {
    file.ignore(); // the tab
    std::vector<float> logits;
    std::vector<int32_t> seen;
    readList(logits);
    readList(seen);
    std::vector<double> shares(logits.size()), expected(logits.size());
    for (double &share : expected)
      file >> share;
    sampler.start(options);
    int32_t token = -1;
    ASSERT_EQ(sampler.guess(logits.data(), static_cast<int64_t>(logits.size()),
                            seen.data(), seen.size(), shares.data(), token),
              ATTN_OK);
    for (size_t i = 0; i < shares.size(); ++i) {
      EXPECT_EQ(shares[i] > 0, expected[i] > 0) << cases << ", token " << i;
      // Penalized logits are rounded to f32.
      EXPECT_NEAR(shares[i], expected[i], 1e-6) << cases << ", token " << i;
    }
    EXPECT_GT(expected[token], 0) << cases;
  }
  EXPECT_EQ(cases, 60);
}

} // namespace
