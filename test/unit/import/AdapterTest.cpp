//===- AdapterTest.cpp - adapters that do not fit -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Right adapters are test/numerics/adapters.test's; here they are bent.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Adapter.h"
#include "ImportFixture.h"

using namespace attnc;

namespace {

class AdapterTest : public ImportFixture {
protected:
  /// "adapter", kept apart or merged.
  ImportOptions giveAdapter(bool apart) const {
    ImportOptions given;
    if (apart)
      given.adapters = {path("adapter")};
    else
      given.adapter = path("adapter");
    return given;
  }

  void SetUp() override {
    ImportFixture::SetUp();
    copy("tiny-bert");
    copy("adapters/tiny-bert-lora", "adapter");
    options.adapter = path("adapter");
  }
  void bend(llvm::StringRef key, std::optional<llvm::json::Value> value) {
    edit("adapter/adapter_config.json", key, std::move(value));
  }
  /// An adapter's file with these tensors, of ones where there are no numbers.
  void writeTensors(
      const std::vector<std::pair<std::string, std::vector<int64_t>>> &tensors,
      std::map<std::string, std::vector<float>> numbers = {}) {
    std::string header = "{", data;
    for (const auto &[name, shape] : tensors) {
      int64_t count = 1;
      std::string dims;
      for (int64_t dim : shape) {
        count *= dim;
        dims += (dims.empty() ? "" : ",") + std::to_string(dim);
      }
      header += (header.size() > 1 ? ",\"" : "\"") + name +
                "\":{\"dtype\":\"F32\",\"shape\":[" + dims +
                "],\"data_offsets\":[" + std::to_string(data.size()) + "," +
                std::to_string(data.size() + 4 * count) + "]}";
      std::vector<float> &own = numbers[name];
      own.resize(count, 1.0f);
      data.append(reinterpret_cast<const char *>(own.data()), 4 * count);
    }
    write("adapter/adapter_model.safetensors",
          makeSafetensors(header + "}", data));
  }
  ImportOptions options;
  const std::string query = "base_model.model.encoder.layer.0.attention.self."
                            "query";
};

/// GGUF files keep some tensors with their rows in another order: changes of
/// rows follow, whole tensors do not.
TEST_F(AdapterTest, RowsInAnotherOrder) {
  copy("adapters/qwen2-lora", "adapter");
  for (bool apart : {false, true}) {
    const ImportOptions given = giveAdapter(apart);
    messages.clear();
    // Of the same sizes.
    for (const char *file : {"qwen2", "llama"})
      EXPECT_NE(
          importModel(context,
                      ATTNC_TEST_DATA "/gguf/" + std::string(file) + ".gguf",
                      given),
          nullptr)
          << messages;
  }
  const std::string layer = "base_model.model.model.layers.0.";
  bend("modules_to_save", llvm::json::Array{"q_proj"});
  writeTensors({{layer + "self_attn.q_proj.weight", {24, 24}},
                {layer + "self_attn.v_proj.lora_A.weight", {2, 24}},
                {layer + "self_attn.v_proj.lora_B.weight", {12, 2}}});
  messages.clear();
  EXPECT_EQ(importModel(context, ATTNC_TEST_DATA "/gguf/llama.gguf", options),
            nullptr);
  expectSaid("A0241", {"replaces 'model.layers.0.self_attn.q_proj.weight'",
                       "rows in another order", "HuggingFace folder instead"});
}

/// Those of Gemma have one added to their norms.
TEST_F(AdapterTest, NormsWithOneAdded) {
  const std::string norm = "base_model.model.model.layers.0.input_layernorm";
  bend("modules_to_save", llvm::json::Array{"input_layernorm"});
  writeTensors(
      {{norm + ".weight", {32}},
       {"base_model.model.model.layers.0.mlp.up_proj.lora_A.weight", {8, 32}},
       {"base_model.model.model.layers.0.mlp.up_proj.lora_B.weight", {64, 8}}});
  for (const char *file : {"gemma", "gemma2"}) {
    messages.clear();
    EXPECT_EQ(
        importModel(context,
                    ATTNC_TEST_DATA "/gguf/" + std::string(file) + ".gguf",
                    options),
        nullptr);
    expectSaid("A0241", {"input_layernorm.weight'", "one added",
                         "HuggingFace folder instead"});
  }
}

TEST_F(AdapterTest, WhatCannotBeMerged) {
  for (auto [key, value, part] :
       std::vector<std::tuple<std::string, llvm::json::Value, std::string>>{
           {"peft_type", "IA3", "is 'IA3'; known is LORA"},
           {"bias", "all", "known is 'none'"},
           {"lora_bias", true, "biases of the narrow matrices"},
           {"layer_replication", llvm::json::Array{1}, "more than once"},
           {"use_qalora", true, "groups of quantized weights"},
           {"alpha_pattern", llvm::json::Object{{"layer.*", 3}},
            "no module's name"},
           {"something_new", 3, "something_new"}}) {
    SCOPED_TRACE(key);
    copy("adapters/tiny-bert-lora", "adapter");
    bend(key, value);
    EXPECT_EQ(import(options), nullptr);
    EXPECT_NE(messages.find(part), std::string::npos) << messages;
  }
  copy("adapters/tiny-bert-lora", "adapter");
  bend("peft_type", "IA3");
  expectRefused("A0241", {"merge this adapter with PEFT"}, options);
}

TEST_F(AdapterTest, FilesThatAreAbsent) {
  options.adapter = path("nowhere");
  EXPECT_EQ(import(options), nullptr);
  options.adapter = path("adapter");
  llvm::sys::fs::remove(path("adapter/adapter_model.safetensors"));
  expectRefused("A0201", {"adapter_model.safetensors"}, options);
  llvm::sys::fs::remove(path("adapter/adapter_config.json"));
  EXPECT_EQ(import(options), nullptr);
}

TEST_F(AdapterTest, TensorsThatDoNotFit) {
  writeTensors({{query + ".lora_A.weight", {3, 20}}});
  expectRefused("A0242", {"lacks lora_B"}, options);
  writeTensors({{query + ".lora_B.weight", {20, 3}}});
  expectRefused("A0242", {"lacks lora_A"}, options);
  writeTensors({{query + ".lora_A.weight", {3, 21}},
                {query + ".lora_B.weight", {20, 3}}});
  expectRefused("A0243", {"[3, 21]", "[20, 3]", "[20, 20]"}, options);
  writeTensors({{query + ".lora_A.weight", {0, 20}},
                {query + ".lora_B.weight", {20, 0}}});
  expectRefused("A0243", {"[0, 20]"}, options);
  writeTensors({{"base_model.model.other.lora_A.weight", {3, 20}},
                {"base_model.model.other.lora_B.weight", {20, 3}}});
  expectRefused("A0242", {"'other'", "has no tensor in the model"}, options);
  writeTensors({{"base_model.model.dense.lora_A.weight", {3, 20}},
                {"base_model.model.dense.lora_B.weight", {20, 3}}});
  expectRefused("A0242", {"may be any of"}, options);
  writeTensors({{"base_model.model.classifier.weight", {2, 20}}});
  expectRefused("A0242", {"no module of 'modules_to_save'"}, options);
  writeTensors({});
  expectRefused("A0242", {"no low-rank matrices"}, options);
}

/// PEFT changes the table alone, or the head alone.
TEST_F(AdapterTest, TablesThatAreHeadsToo) {
  copy("decoders/llama-tied", "tied");
  const std::string model = "base_model.model.model.";
  auto refuse = [&](const char *changed) {
    for (bool apart : {false, true}) {
      const ImportOptions given = giveAdapter(apart);
      messages.clear();
      EXPECT_EQ(importModel(context, path("tied"), given), nullptr);
      expectSaid("A0241", {changed, "looks up words in the matrix"});
    }
  };
  writeTensors({{model + "embed_tokens.lora_embedding_A", {2, 40}},
                {model + "embed_tokens.lora_embedding_B", {24, 2}}});
  refuse("changes 'model.embed_tokens.weight'");
  bend("modules_to_save", llvm::json::Array{"embed_tokens"});
  writeTensors({{model + "embed_tokens.weight", {40, 24}},
                {model + "layers.0.mlp.up_proj.lora_A.weight", {2, 24}},
                {model + "layers.0.mlp.up_proj.lora_B.weight", {37, 2}}});
  refuse("changes 'model.embed_tokens.weight'");
  // The head's own name, where the checkpoint lacks it and where it has a copy.
  bend("modules_to_save", llvm::json::Array{"lm_head"});
  writeTensors({{"base_model.model.lm_head.weight", {40, 24}},
                {model + "layers.0.mlp.up_proj.lora_A.weight", {2, 24}},
                {model + "layers.0.mlp.up_proj.lora_B.weight", {37, 2}}});
  EXPECT_EQ(importModel(context, path("tied"), giveAdapter(false)), nullptr);
  expectSaid("A0241", {"changes 'lm_head.weight'"});
  messages.clear();
  EXPECT_EQ(importModel(context, path("tied"), giveAdapter(true)), nullptr);
  expectSaid("A0244", {"has no tensor 'lm_head.weight'"});
  EXPECT_TRUE(addTensor("tied/model.safetensors",
                        "lm_head.weight = model.embed_tokens.weight"));
  refuse("changes 'lm_head.weight'");
  bend("modules_to_save", std::nullopt);
  writeTensors({{"base_model.model.lm_head.lora_A.weight", {2, 24}},
                {"base_model.model.lm_head.lora_B.weight", {40, 2}}});
  refuse("changes 'lm_head.weight'");
}

/// PEFT saves what an adapted embedding or head was, beside its matrices.
TEST_F(AdapterTest, BasesOfEmbeddings) {
  copy("decoders/llama", "llama");
  const std::string head = "base_model.model.lm_head";
  WeightTable table;
  ASSERT_FALSE(table.addFile(path("llama/model.safetensors")));
  ASSERT_NE(table.find("lm_head.weight"), nullptr);
  const int64_t rows = table.find("lm_head.weight")->shape[0];
  const int64_t columns = table.find("lm_head.weight")->shape[1];
  auto write = [&](std::vector<float> base) {
    writeTensors({{head + ".base_layer.weight", {rows, columns}},
                  {head + ".lora_A.weight", {2, columns}},
                  {head + ".lora_B.weight", {rows, 2}}},
                 {{head + ".base_layer.weight", std::move(base)}});
    AdapterContents contents;
    EXPECT_TRUE(
        mlir::succeeded(readAdapter(context, path("adapter"), table, contents)))
        << messages;
    EXPECT_EQ(contents.updates.count("lm_head.weight"), 1u);
    return contents.replacements.count("lm_head.weight");
  };
  EXPECT_EQ(write(llvm::cantFail(table.read("lm_head.weight"))), 0u);
  EXPECT_EQ(write({}), 1u);
  ImportOptions apart;
  apart.adapters = {path("adapter")};
  EXPECT_NE(importModel(context, path("llama"), apart), nullptr) << messages;
  // Factors of rows would be those of the model's own tensor.
  bend("use_dora", true);
  writeTensors({{head + ".base_layer.weight", {rows, columns}},
                {head + ".lora_A.weight", {2, columns}},
                {head + ".lora_B.weight", {rows, 2}},
                {head + ".lora_magnitude_vector", {rows}}});
  EXPECT_EQ(importModel(context, path("llama"), apart), nullptr);
  expectSaid("A0244", {"is replaced and brought to other magnitudes"});
}

TEST_F(AdapterTest, Magnitudes) {
  writeTensors({{query + ".lora_A.weight", {3, 20}},
                {query + ".lora_B.weight", {20, 3}},
                {query + ".lora_magnitude_vector", {20}}});
  expectRefused("A0242", {"lacks 'use_dora'"}, options);
  bend("use_dora", true);
  EXPECT_NE(import(options), nullptr) << messages;
  writeTensors({{query + ".lora_A.weight", {3, 20}},
                {query + ".lora_B.weight", {20, 3}},
                {query + ".lora_magnitude_vector", {19}}});
  expectRefused("A0243", {"19 magnitudes; expected 20"}, options);
}

TEST(LowRankUpdate, BothWaysRound) {
  LowRankUpdate update;
  update.rank = 1, update.in = 2, update.out = 3;
  update.down = {1, 10};
  update.up = {1, 2, 3};
  update.scale = 0.5;
  std::vector<float> rows = {0, 0, 0, 0, 0, 0}, columns = rows;
  update.apply(rows);
  EXPECT_EQ(rows, (std::vector<float>{0.5, 5, 1, 10, 1.5, 15}));
  update.transposed = true;
  update.apply(columns);
  EXPECT_EQ(columns, (std::vector<float>{0.5, 1, 1.5, 5, 10, 15}));
  // A row of zeros has no direction and stays.
  update.magnitude = {5, 5, 5};
  update.up = {0, 0, 0};
  std::vector<float> lengths = {3, 0, 0, 4, 0, 0};
  update.apply(lengths);
  update.apply(lengths);
  EXPECT_EQ(lengths, (std::vector<float>{3, 0, 0, 4, 0, 0}));
}

} // namespace
