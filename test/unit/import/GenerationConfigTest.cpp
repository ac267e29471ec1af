//===- GenerationConfigTest.cpp - how a model chooses tokens --------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// generation_config.json as transformers reads it, and the same of a GGUF file.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/GenerationConfig.h"
#include "ImportFixture.h"
#include "compiler/import/GgufModel.h"
#include <gmock/gmock.h>

using namespace attnc;
using namespace llvm;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class GenerationTest : public ImportFixture {
protected:
  /// Reads a file with this text; stop tokens are {9} before.
  bool reads(StringRef text) {
    messages.clear();
    write("generation_config.json", text);
    stops = {9};
    defaults = GenerationDefaults();
    ModelFolder folder(&context, scratch);
    return succeeded(
        readGenerationConfig(&context, folder, 40, stops, defaults));
  }
  SmallVector<int32_t> stops;
  GenerationDefaults defaults;
};

TEST_F(GenerationTest, GreedyUnlessItSays) {
  EXPECT_TRUE(reads(R"({"temperature": 0.6, "top_p": 0.9})"));
  EXPECT_EQ(defaults.temperature, 0);
  EXPECT_EQ(defaults.topK, 0);
  EXPECT_EQ(defaults.topP, 0);
  EXPECT_THAT(stops, ElementsAre(9));
  ModelFolder without(&context, path("nowhere"));
  EXPECT_TRUE(
      succeeded(readGenerationConfig(&context, without, 40, stops, defaults)));
  EXPECT_THAT(stops, ElementsAre(9));
}

TEST_F(GenerationTest, Sampling) {
  EXPECT_TRUE(reads(R"({"do_sample": true})"));
  EXPECT_EQ(defaults.temperature, 1);
  EXPECT_EQ(defaults.topK, 50);
  EXPECT_TRUE(reads(R"({"do_sample": true, "temperature": 0.25, "top_k": 0,
                       "top_p": 0.5, "min_p": 0.125, "max_new_tokens": 77,
                       "repetition_penalty": 1.5, "eos_token_id": [3, 4, 3],
                       "pad_token_id": 3, "transformers_version": "5"})"));
  EXPECT_EQ(defaults.temperature, 0.25);
  EXPECT_EQ(defaults.topK, 0);
  EXPECT_EQ(defaults.topP, 0.5);
  EXPECT_EQ(defaults.minP, 0.125);
  EXPECT_EQ(defaults.maxTokens, 77);
  EXPECT_EQ(defaults.repetitionPenalty, 1.5);
  EXPECT_THAT(stops, ElementsAre(3, 4));
  // Nothing but the likeliest token, not all of them.
  EXPECT_TRUE(reads(R"({"do_sample": true, "top_p": 0})"));
  EXPECT_GT(static_cast<float>(defaults.topP), 0);
  EXPECT_LT(defaults.topP, 1e-3);
  EXPECT_TRUE(reads(R"({"do_sample": true, "top_p": null})"));
  EXPECT_EQ(defaults.topP, 0);
  EXPECT_TRUE(reads(R"({"eos_token_id": 2})"));
  EXPECT_THAT(stops, ElementsAre(2));
  EXPECT_TRUE(reads(R"({"eos_token_id": null})"));
  EXPECT_THAT(stops, ElementsAre(9));
  EXPECT_EQ(messages, "");
}

TEST_F(GenerationTest, WhatIsNotAppliedIsNamed) {
  EXPECT_TRUE(reads(R"({"num_beams": 1, "typical_p": 1.0, "min_length": 0,
                       "forced_eos_token_id": null})"));
  EXPECT_EQ(messages, "");
  EXPECT_TRUE(reads(R"({"num_beams": 4, "suppress_tokens": [3]})"));
  EXPECT_THAT(messages, HasSubstr("A0133"));
  EXPECT_THAT(messages, HasSubstr("'num_beams', 'suppress_tokens'"));
}

TEST_F(GenerationTest, WhatIsWrongIsRefused) {
  for (const char *text :
       {"[]", "{", R"({"eos_token_id": 40})", R"({"eos_token_id": [1, "x"]})",
        R"({"do_sample": 3})", R"({"max_new_tokens": 0})",
        R"({"do_sample": true, "temperature": -1})",
        R"({"do_sample": true, "top_k": 1.5})",
        R"({"do_sample": true, "min_p": 2})", R"({"repetition_penalty": 0})"})
    EXPECT_FALSE(reads(text)) << text;
}

TEST_F(GenerationTest, AGgufFileSaysIt) {
  GgufFile file;
  EXPECT_TRUE(makeGenerationConfig(file).empty());
  file.metadata = json::Object{{"general.sampling.temp", 0.5},
                               {"general.sampling.top_k", 20},
                               {"general.sampling.penalty_repeat", 1.25}};
  std::string text;
  raw_string_ostream(text) << json::Value(makeGenerationConfig(file));
  EXPECT_TRUE(reads(text));
  EXPECT_EQ(defaults.temperature, 0.5);
  EXPECT_EQ(defaults.topK, 20);
  EXPECT_EQ(defaults.repetitionPenalty, 1.25);
}

} // namespace
