//===- LanguageModelTest.cpp - fields of language models ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What GPT-2's and Llama's configurations may say, field by field, what it does
// to the program, and how the rest is refused.
//
//===----------------------------------------------------------------------===//
#include "ImportFixture.h"
#include "compiler/import/RotarySettings.h"
#include <cmath>

using namespace attnc;
using llvm::json::Array;
using llvm::json::Object;
using llvm::json::Value;

namespace {
class LanguageModel : public ImportFixture {
protected:
  void start(llvm::StringRef name) {
    TearDown();
    llvm::sys::fs::create_directories(scratch);
    copy("decoders/" + name.str());
  }
  void refuse(llvm::StringRef key, std::optional<Value> value,
              llvm::StringRef code, llvm::StringRef part) {
    SCOPED_TRACE(key.str());
    std::string before = read("config.json");
    edit("config.json", key, std::move(value));
    expectRefused(code, {"field '" + key.str() + "'", part.str()});
    write("config.json", before);
  }
  /// Positions scaled in this way.
  void refuseRotary(Object parameters, llvm::StringRef code,
                    const std::vector<std::string> &parts) {
    std::string before = read("config.json");
    edit("config.json", "rope_parameters", Value(std::move(parameters)));
    expectRefused(code, parts);
    write("config.json", before);
  }
  /// A field that asks for a tensor which is not there.
  void wantTensor(llvm::StringRef key, const Value &value,
                  llvm::StringRef tensor) {
    SCOPED_TRACE(key.str());
    std::string before = read("config.json");
    edit("config.json", key, value);
    expectRefused("A0220", {tensor.str()});
    write("config.json", before);
  }
  std::string importText() {
    std::unique_ptr<ImportedModel> model = import();
    EXPECT_NE(model, nullptr) << messages;
    EXPECT_EQ(messages, "");
    return model ? print(*model->module) : "";
  }
  static size_t count(llvm::StringRef text, llvm::StringRef what) {
    return text.count(what);
  }
};
} // namespace

TEST_F(LanguageModel, StopTokensAreOneOrMore) {
  start("gpt2");
  auto expectStops = [&](llvm::StringRef text) {
    EXPECT_EQ(
        count(importText(), "attn.stop_tokens = array<i32" + text.str() + ">"),
        1u);
  };
  expectStops(": 0");
  edit("config.json", "eos_token_id", Array{3, 5});
  expectStops(": 3, 5");
  for (const Value &bad : {Value(40), Value(-1), Value("end"), Value(Array{40}),
                           Value(Array{"a", "b"})})
    refuse("eos_token_id", bad, "A0109", "holds no token of the vocabulary");
  edit("config.json", "eos_token_id", std::nullopt);
  EXPECT_EQ(count(importText(), "attn.stop_tokens = array<i32: "), 0u);
}

TEST_F(LanguageModel, Gpt2sFields) {
  start("gpt2");
  refuse("n_embd", 22, "A0109", "is 22, no multiple of the 3 heads");
  refuse("n_embd", std::nullopt, "A0104", "is missing");
  refuse("n_layer", 0, "A0106", "expected 1 to");
  refuse("activation_function", "softer", "A0109", "names 'softer'");
  refuse("scale_attn_by_inverse_layer_idx", true, "A0109",
         "scores divided by the layer's number");
  refuse("add_cross_attention", true, "A0109", "attention to another model");
  refuse("rotary", true, "A0108", "is not known");
  std::string usual = importText();
  edit("config.json", "n_special", 0); // as GPT-2 medium has them
  edit("config.json", "predict_special_tokens", true);
  EXPECT_TRUE(importText() == usual);
  edit("config.json", "n_inner", 84); // four times the width, in words
  EXPECT_TRUE(importText() == usual);
  edit("config.json", "scale_attn_weights", false);
  EXPECT_FALSE(importText() == usual);
  edit("config.json", "n_inner", 83);
  expectRefused("A0222", {"h.0.mlp.c_fc"});
}

TEST_F(LanguageModel, AHeadOfItsOwnIsAsked) {
  for (const char *name : {"gpt2", "llama-tied"}) {
    start(name);
    wantTensor("tie_word_embeddings", false, "lm_head.weight");
  }
  start("gpt2-untied");
  EXPECT_EQ(count(importText(), "attn.weight @lm_head.weight"), 1u);
}

TEST_F(LanguageModel, ATableThatTheHeadIsNotIsRefused) {
  for (const char *name : {"gpt2-untied", "llama", "gpt-neox", "falcon-rw"}) {
    SCOPED_TRACE(name);
    start(name);
    refuse("tie_word_embeddings", true, "A0109", "but the two tensors differ");
  }
}

TEST_F(LanguageModel, LlamasFields) {
  start("llama");
  refuse("hidden_act", "softer", "A0109", "names 'softer'");
  refuse("num_key_value_heads", 3, "A0109", "does not divide the 4 heads");
  refuse("head_dim", 5, "A0109", "rotary positions need an even number");
  refuse("vocab_size", "many", "A0105", "expected a whole number");
  refuse("quantization_config", Object{{"bits", 4}}, "A0109",
         "quantized weights");
  refuse("rms_norm_eps", 2, "A0106", "expected 0.00 to 1.00");
  refuse("other_norm", 1, "A0108", "is not known");
  wantTensor("attention_bias", true, "bias");
  wantTensor("mlp_bias", true, "bias");
  edit("config.json", "head_dim", std::nullopt); // hidden_size / heads
  importText();
  refuse("hidden_size", 25, "A0109", "no multiple of the 4 heads");
}

TEST_F(LanguageModel, WindowsOfLayers) {
  start("mistral");
  EXPECT_EQ(count(importText(), "window = 7>"),
            count(importText(), "!attn.state<"));
  refuse("sliding_window", -1, "A0106", "expected 0 to");
  edit("config.json", "sliding_window", nullptr);
  EXPECT_EQ(count(importText(), "window = "), 0u);
  edit("config.json", "sliding_window", std::nullopt); // the family's own
  EXPECT_EQ(count(importText(), "window = 4096>"),
            count(importText(), "!attn.state<"));
  start("llama");
  edit("config.json", "sliding_window", std::nullopt);
  EXPECT_EQ(count(importText(), "window = "), 0u);
  start("qwen2-window");
  refuse("layer_types", Array{"full_attention"}, "A0109",
         "names 1 layers of 2");
  refuse("layer_types", Array{"full_attention", "chunked_attention"}, "A0109",
         "names 'chunked_attention'");
  refuse("layer_types", "full", "A0105", "expected an array of strings");
  refuse("layer_types", Array{1, 2}, "A0105", "expected strings in the array");
  // Without kinds the first layers see everything.
  edit("config.json", "layer_types", std::nullopt);
  EXPECT_EQ(count(importText(), "window = 5>"), 0u); // of 28
  edit("config.json", "max_window_layers", 0);
  const size_t states = count(importText(), "!attn.state<");
  EXPECT_EQ(count(importText(), "window = 5>"), states);
  edit("config.json", "max_window_layers", 1); // of 2
  EXPECT_EQ(2 * count(importText(), "window = 5>"), states);
  refuse("max_window_layers", std::nullopt, "A0104", "is missing");
  refuse("max_window_layers", -1, "A0106", "expected 0 to");
  edit("config.json", "use_sliding_window", false);
  EXPECT_EQ(count(importText(), "window = "), 0u);
}

TEST_F(LanguageModel, WindowsOfFamiliesWhoseLayersAreAllAlike) {
  start("mistral");
  const std::string windows = importText();
  refuse("use_sliding_window", false, "A0109",
         "is false, but mistral has no such field: its 'sliding_window', 7,");
  refuse("layer_types", Array{"full_attention", "sliding_attention"}, "A0109",
         "names a layer without a window, but mistral has no such field");
  edit("config.json", "layer_types",
       Array{"sliding_attention", "sliding_attention"});
  edit("config.json", "use_sliding_window", true);
  EXPECT_TRUE(importText() == windows);
  // What no text is long enough to see does not matter.
  edit("config.json", "sliding_window", 90);
  edit("config.json", "use_sliding_window", false);
  edit("config.json", "layer_types",
       Array{"full_attention", "sliding_attention"});
  importText();
}

TEST_F(LanguageModel, ScaledPositionsAreChecked) {
  start("llama");
  const std::string file = "config.json: rope_parameters: ";
  refuseRotary(Object{{"rope_type", "spiral"}}, "A0109",
               {file + "field 'rope_type' is 'spiral'", "known: default"});
  refuseRotary(Object{{"rope_type", "linear"}}, "A0104",
               {file + "field 'factor' is missing"});
  refuseRotary(Object{{"rope_type", "linear"}, {"factor", 0}}, "A0106",
               {file + "field 'factor' is 0"});
  refuseRotary(Object{{"rope_type", "llama3"}, {"factor", 2}}, "A0104",
               {file + "field 'low_freq_factor' is missing",
                file + "field 'high_freq_factor' is missing"});
  refuseRotary(Object{{"rope_theta", 0.5}}, "A0106",
               {file + "field 'rope_theta'"});
  refuseRotary(Object{{"rope_type", "default"}, {"base", 3}}, "A0108",
               {file + "field 'base' is not known"});
  for (const Value &factors : {Value(Array{1, 2}), Value(Array{1, 2, 0})})
    refuseRotary(Object{{"rope_type", "factors"}, {"factors", factors}},
                 "A0109", {file + "field 'factors' are", "give 3 positive"});
  refuseRotary(Object{{"rope_type", "factors"}, {"factors", Array{1, "x", 2}}},
               "A0105", {"expected numbers in the array"});
  refuseRotary(Object{{"rope_type", "factors"}, {"factors", 3}}, "A0105",
               {"expected an array of numbers"});
  refuse("rope_parameters", 4, "A0105", "expected an object");
}

TEST_F(LanguageModel, TwoScalingsAreOneTooMany) {
  start("llama-linear");
  std::string scaled = importText();
  refuse("rope_scaling", Object{{"type", "linear"}, {"factor", 4.0}}, "A0109",
         "stands beside 'rope_parameters' and says something else");
  edit("config.json", "rope_scaling", Object{}); // says nothing
  EXPECT_TRUE(importText() == scaled);
  edit("config.json", "rope_scaling",
       Object{{"type", "linear"}, {"factor", 2.0}});
  edit("config.json", "rope_theta", 10000.0);
  edit("config.json", "rope_parameters", Object{}); // neither does this
  EXPECT_TRUE(importText() == scaled);
}

TEST_F(LanguageModel, OlderNamesOfTheSameScaling) {
  start("llama-linear");
  std::string newer = importText();
  edit("config.json", "rope_parameters", std::nullopt);
  std::string unscaled = importText();
  EXPECT_FALSE(unscaled == newer);
  edit("config.json", "rope_scaling",
       Object{{"type", "linear"}, {"factor", 2.0}});
  edit("config.json", "rope_theta", 10000.0);
  EXPECT_TRUE(importText() == newer);
  edit("config.json", "rope_scaling",
       Object{{"rope_type", "factors"}, {"factors", Array{2, 2, 2}}});
  EXPECT_TRUE(importText() == newer);
  edit("config.json", "rope_scaling", Object{{"type", "default"}});
  EXPECT_TRUE(importText() == unscaled);
}

namespace {
class Rotary : public ImportFixture {
protected:
  /// Frequencies of heads of 8 and 64 positions.
  RotarySettings read(const Object &parameters) {
    ConfigFile file = {"config.json",
                       Object{{"rope_parameters", Object(parameters)}}};
    ConfigReader config(&context, file);
    RotarySettings settings = readRotarySettings(config, 8, 64);
    EXPECT_FALSE(config.failed()) << messages;
    return settings;
  }
};
} // namespace

TEST_F(Rotary, YarnTurnsFewPairsMore) {
  // Heads of 8, theta 1000, an original length of 32, a factor of 4.
  Object yarn{{"rope_type", "yarn"},
              {"factor", 4},
              {"rope_theta", 1000.0},
              {"original_max_position_embeddings", 32}};
  RotarySettings usual = read(yarn);
  ASSERT_EQ(usual.frequencies.size(), 4u);
  EXPECT_NEAR(usual.scale, 0.1 * std::log(4.0) + 1, 1e-12);
  EXPECT_NEAR(usual.frequencies[0], 1.0, 1e-6);
  EXPECT_NEAR(usual.frequencies[3], std::pow(1000.0, -0.75) / 4, 1e-7);
  yarn["attention_factor"] = 1.5;
  EXPECT_EQ(read(yarn).scale, 1.5);
  // Between the pairs 1.3 and 3.4, or those around them.
  yarn["original_max_position_embeddings"] = 2048;
  const float whole = read(yarn).frequencies[3];
  yarn["truncate"] = false;
  EXPECT_LT(read(yarn).frequencies[3], whole);
  // Fast and slow at one pair: no division by zero.
  yarn["beta_fast"] = 1.0;
  for (float frequency : read(yarn).frequencies)
    EXPECT_TRUE(std::isfinite(frequency));
  // Zero is the usual number.
  yarn["beta_fast"] = yarn["beta_slow"] = 0;
  Object silent = yarn;
  silent.erase("beta_fast");
  silent.erase("beta_slow");
  EXPECT_EQ(read(yarn).frequencies, read(silent).frequencies);
  // A factor that shrinks nothing leaves scores as they are.
  EXPECT_EQ(read(Object{{"rope_type", "yarn"}, {"factor", 0.5}}).scale, 1.0);
}

TEST_F(Rotary, Llama3DividesLongWaves) {
  RotarySettings plain = read(Object{{"rope_theta", 1000.0}});
  RotarySettings scaled =
      read(Object{{"rope_type", "llama3"},
                  {"rope_theta", 1000.0},
                  {"factor", 8},
                  {"low_freq_factor", 1},
                  {"high_freq_factor", 4},
                  {"original_max_position_embeddings", 128}});
  // Wavelengths of 6.3, 35, 199 and 1117 positions: below 128 / 4, between,
  // above 128.
  EXPECT_EQ(scaled.frequencies[0], plain.frequencies[0]);
  EXPECT_LT(scaled.frequencies[1], plain.frequencies[1]);
  EXPECT_GT(scaled.frequencies[1], plain.frequencies[1] / 8);
  EXPECT_FLOAT_EQ(scaled.frequencies[2], plain.frequencies[2] / 8);
  EXPECT_FLOAT_EQ(scaled.frequencies[3], plain.frequencies[3] / 8);
}
