//===- ConfigTest.cpp - good and bad configurations -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every field of a BERT configuration that can be wrong, made wrong.
//
//===----------------------------------------------------------------------===//
#include "ImportFixture.h"

using namespace attnc;
using llvm::json::Array;
using llvm::json::Object;

namespace {
class Config : public ImportFixture {
protected:
  void SetUp() override {
    ImportFixture::SetUp();
    copy("tiny-bert");
  }

  /// Import fails on this field's value, and only there.
  void refuse(llvm::StringRef key, std::optional<llvm::json::Value> value,
              llvm::StringRef code, llvm::StringRef part) {
    std::string before = read("config.json");
    edit("config.json", key, std::move(value));
    expectRefused(code, {"config.json: field '" + key.str() + "'", part.str()});
    write("config.json", before);
  }
};
} // namespace

TEST_F(Config, TakesTheModelAsItIs) {
  EXPECT_NE(import(), nullptr) << messages;
  EXPECT_EQ(messages, "");
}

TEST_F(Config, WhatAReRankerMakesOfItsLogitsIsTheCallers) {
  edit("config.json", "sbert_ce_default_activation_function",
       "torch.nn.modules.linear.Identity");
  edit("config.json", "sentence_transformers",
       Object{{"activation_fn", "torch.nn.modules.linear.Identity"},
              {"version", "5.0.0"}});
  EXPECT_NE(import(), nullptr) << messages;
  EXPECT_EQ(messages, "");
}

TEST_F(Config, RefusesMissingFields) {
  for (llvm::StringRef key :
       {"hidden_size", "num_hidden_layers", "num_attention_heads",
        "intermediate_size", "vocab_size", "max_position_embeddings",
        "type_vocab_size", "layer_norm_eps", "hidden_act"}) {
    refuse(key, std::nullopt, "A0104", "is missing");
    refuse(key, llvm::json::Value(nullptr), "A0104", "is missing");
  }
}

TEST_F(Config, RefusesWrongTypes) {
  refuse("hidden_size", "20", "A0105", "is a string; expected a whole number");
  refuse("hidden_size", 20.5, "A0105", "is 20.50; expected a whole number");
  refuse("hidden_size", Array{20}, "A0105", "is an array");
  refuse("layer_norm_eps", true, "A0105", "is true or false");
  refuse("hidden_act", 5, "A0105", "is a number; expected a string");
  refuse("architectures", "BertModel", "A0105", "expected an array of strings");
  refuse("architectures", Array{7}, "A0105", "expected strings");
  refuse("model_type", 7, "A0105", "expected a string");
}

TEST_F(Config, RefusesAbsurdNumbers) {
  refuse("num_attention_heads", 0, "A0106", "is 0; expected 1 to 1024");
  refuse("hidden_size", -20, "A0106", "is -20; expected 1 to");
  refuse("num_hidden_layers", 1'000'000'000, "A0106",
         "is 1000000000; expected 1 to 1000");
  refuse("num_hidden_layers", 0, "A0106", "is 0");
  refuse("vocab_size", 1e30, "A0106", "is 1.000000e+30; expected 1 to");
  refuse("max_position_embeddings", -1, "A0106", "is -1");
  refuse("type_vocab_size", 0, "A0106", "is 0");
  refuse("intermediate_size", int64_t(1) << 40, "A0106", "is 1099511627776");
  refuse("layer_norm_eps", -1e-5, "A0106", "is -1.000000e-05");
}

TEST_F(Config, RefusesHeadsThatDoNotDivide) {
  edit("config.json", "num_attention_heads", 3);
  expectRefused("A0107", {"field 'hidden_size' is 20, which 3 attention heads "
                          "('num_attention_heads') do not divide"});
}

TEST_F(Config, RefusesUnknownFieldsByName) {
  refuse("sliding_window", 128, "A0108", "is not known");
  refuse("quantization", Object{{"bits", 4}}, "A0108", "remove the field");
  // A field that is null is not set.
  edit("config.json", "rope_scaling", llvm::json::Value(nullptr));
  EXPECT_NE(import(), nullptr) << messages;
}

TEST_F(Config, RefusesVariantsByName) {
  refuse("hidden_act", "mish", "A0109", "names the activation 'mish'");
  expectSaid("A0109", {"known activations: 'gelu', "});
  refuse("hidden_act", "", "A0109", "names the activation ''");
  refuse("position_embedding_type", "relative_key", "A0109",
         "asks for 'relative_key' positions");
  refuse("is_decoder", true, "A0109", "asks for a decoder");
  refuse("add_cross_attention", true, "A0109", "cross-attention");
  refuse("is_encoder_decoder", true, "A0109", "an encoder and a decoder");
  refuse("pruned_heads", Object{{"0", Array{1}}}, "A0109", "heads");
  refuse("auto_map", Object{{"AutoModel", "x.Y"}}, "A0109", "custom code");
  refuse("quantization_config", Object{{"bits", 4}}, "A0109", "quantized");
  edit("config.json", "pruned_heads", Object{});
  edit("config.json", "is_decoder", false);
  EXPECT_NE(import(), nullptr) << messages;
}

TEST_F(Config, ReportsEveryFieldAtOnce) {
  edit("config.json", "hidden_act", std::nullopt);
  edit("config.json", "num_attention_heads", 0);
  edit("config.json", "surprise", 1);
  EXPECT_EQ(import(), nullptr);
  expectSaid("A0104", {"'hidden_act'"});
  expectSaid("A0106", {"'num_attention_heads'"});
  expectSaid("A0108", {"'surprise'"});
}

TEST_F(Config, RefusesUnknownArchitecturesAndListsThoseKnown) {
  edit("config.json", "model_type", "mamba");
  expectRefused("A0110", {"unknown architecture 'mamba'",
                          "known architectures: bert ('BertModel', ",
                          "by 'model_type' alone: vit (ViTModel, ",
                          "; gpt2 (GPT2LMHeadModel); llama (LlamaForCausalLM)",
                          "bloom (BloomForCausalLM)"});
  edit("config.json", "model_type", std::nullopt);
  edit("config.json", "architectures", Array{"GPT2LMHeadModel"});
  expectRefused("A0110", {"unknown architecture 'GPT2LMHeadModel'"});
  edit("config.json", "architectures", std::nullopt);
  expectRefused("A0110", {"neither 'model_type' nor 'architectures'"});
  edit("config.json", "model_type", "bert");
  edit("config.json", "architectures", Array{"BertLMHeadModel"});
  expectRefused("A0110", {"'BertLMHeadModel' is not an encoder of 'bert'"});
}

TEST_F(Config, KnowsAnArchitectureByItsClassAlone) {
  edit("config.json", "model_type", std::nullopt);
  EXPECT_NE(import(), nullptr) << messages;
}

TEST_F(Config, TakesEveryKnownActivation) {
  for (llvm::StringRef name :
       {"gelu", "gelu_python", "gelu_new", "gelu_fast", "gelu_accurate",
        "gelu_pytorch_tanh", "gelu_python_tanh", "quick_gelu", "silu", "swish",
        "sigmoid", "tanh", "relu", "relu2", "relu6", "leaky_relu", "linear"}) {
    edit("config.json", "hidden_act", name);
    EXPECT_NE(import(), nullptr) << name.str() << ": " << messages;
  }
}
