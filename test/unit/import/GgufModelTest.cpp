//===- GgufModelTest.cpp - what a GGUF file says of its model -------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Configurations and tokenizers of files made here, right ones and bent ones;
// test/numerics/gguf.test runs whole models.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/GgufModel.h"
#include "ImportFixture.h"
#include <gmock/gmock.h>

using namespace attnc;
using namespace llvm;
using testing::HasSubstr;

namespace {

/// A model of two layers with everything that is needed.
struct Model {
  GgufFile file;
  std::vector<float> factors = {1, 4};

  Model() {
    file.metadata = json::Object{
        {"general.architecture", "llama"},
        {"llama.block_count", 2},
        {"llama.embedding_length", 8},
        {"llama.feed_forward_length", 12},
        {"llama.context_length", 32},
        {"llama.attention.head_count", 2},
        {"llama.attention.layer_norm_rms_epsilon", 1e-5},
        {"tokenizer.ggml.model", "gpt2"},
        {"tokenizer.ggml.tokens", json::Array{"<s>", "a", "b", "ab"}},
        {"tokenizer.ggml.token_type", json::Array{3, 1, 1, 1}},
        {"tokenizer.ggml.merges", json::Array{"a b"}},
        {"tokenizer.ggml.bos_token_id", 0},
        {"tokenizer.ggml.eos_token_id", 0}};
    add("token_embd.weight", {4, 8});
  }
  void add(StringRef name, SmallVector<int64_t> shape,
           WeightType type = WeightType::F32) {
    file.tensors.push_back({name.str(), WeightEntry{type, shape, {}, 0}});
  }
  void addFactors(WeightType type = WeightType::F32) {
    add("rope_freqs.weight", {2}, type);
    file.tensors.back().entry.bytes = {
        reinterpret_cast<const uint8_t *>(factors.data()), 8};
  }
  template <typename T> static std::string messageOf(Expected<T> value) {
    return value ? "" : toString(value.takeError());
  }
  std::string refusal() const { return messageOf(makeConfig(file, "x.gguf")); }
  std::string tokenizerRefusal() const {
    return messageOf(makeTokenizerJson(file, "x.gguf"));
  }
  json::Object config() const {
    auto config = makeConfig(file, "x.gguf");
    EXPECT_TRUE(bool(config)) << refusal();
    return config ? std::move(*config)
                  : (consumeError(config.takeError()), json::Object());
  }
  json::Object tokenizer() const {
    auto text = makeTokenizerJson(file, "x.gguf");
    EXPECT_TRUE(bool(text)) << tokenizerRefusal();
    if (!text) {
      consumeError(text.takeError());
      return {};
    }
    Expected<json::Value> value = json::parse(*text);
    EXPECT_TRUE(bool(value)) << *text;
    if (!value) {
      consumeError(value.takeError());
      return {};
    }
    return std::move(*value->getAsObject());
  }
};

TEST(GgufConfig, WhatAFolderWouldSay) {
  Model model;
  json::Object config = model.config();
  EXPECT_EQ(config.getString("model_type"), "llama");
  EXPECT_EQ(config.getInteger("num_hidden_layers"), 2);
  EXPECT_EQ(config.getInteger("vocab_size"), 4);
  EXPECT_EQ(config.getBoolean("tie_word_embeddings"), true);
  EXPECT_EQ(config.getBoolean("rope_interleaved"), true);
  EXPECT_EQ(config.getArray("eos_token_id")->size(), 1u);
  model.add("output.weight", {4, 8});
  model.add("blk.0.attn_q.bias", {8});
  config = model.config();
  EXPECT_EQ(config.getBoolean("tie_word_embeddings"), false);
  EXPECT_EQ(config.getBoolean("attention_bias"), true);
}

TEST(GgufConfig, EndsOfTurns) {
  Model model;
  auto stops = [&] {
    return formatv("{0}", *model.config().get("eos_token_id")).str();
  };
  model.file.metadata["tokenizer.ggml.tokens"] =
      json::Array{"a", "<|endoftext|>", "<|user|>", "<|end|>", "<|im_end|>"};
  model.file.metadata["tokenizer.ggml.token_type"] = json::Array{1, 3, 3, 3, 1};
  model.file.metadata["tokenizer.ggml.eos_token_id"] = 1;
  EXPECT_EQ(stops(), "[1,3]"); // the last one is text like another
  model.file.metadata.erase("tokenizer.ggml.token_type");
  EXPECT_EQ(stops(), "[1]");
}

TEST(GgufConfig, RotaryScaling) {
  Model model;
  model.file.metadata["llama.rope.scaling.type"] = "linear";
  model.file.metadata["llama.rope.scaling.factor"] = 2.0;
  model.file.metadata["llama.rope.scaling.original_context_length"] = 16;
  const json::Object linear =
      std::move(*model.config().getObject("rope_scaling"));
  EXPECT_EQ(linear.getString("rope_type"), "linear");
  EXPECT_EQ(linear.getInteger("original_max_position_embeddings"), 16);
  model.file.metadata["llama.rope.scaling.type"] = "yarn";
  model.file.metadata["llama.rope.scaling.yarn_beta_fast"] = 16.0;
  model.file.metadata["llama.rope.scaling.attn_factor"] = 1.0;
  const json::Object yarn =
      std::move(*model.config().getObject("rope_scaling"));
  EXPECT_EQ(yarn.getNumber("beta_fast"), 16.0);
  EXPECT_EQ(yarn.get("beta_slow"), nullptr);
  model.file.metadata["llama.rope.scaling.attn_factor"] = 0.5;
  EXPECT_THAT(model.refusal(), HasSubstr("'llama.rope.scaling.attn_factor' "
                                         "changes the rotary scaling"));
  model.file.metadata["llama.rope.scaling.attn_factor"] = 1.0;
  model.file.metadata["llama.rope.scaling.type"] = "longrope";
  EXPECT_THAT(model.refusal(), HasSubstr("the rotary scaling 'longrope'"));
  model.file.metadata["llama.rope.scaling.type"] = "none";
  EXPECT_EQ(model.config().get("rope_scaling"), nullptr);
  model.addFactors();
  json::Object config = model.config();
  const json::Array &factors =
      *config.getObject("rope_scaling")->getArray("factors");
  EXPECT_EQ(factors[1].getAsNumber(), 4.0);
  model.file.tensors.pop_back();
  model.addFactors(WeightType::F16);
  EXPECT_THAT(model.refusal(), HasSubstr("holds F16; known is F32"));
}

/// The same model of another architecture.
static Model makeModel(StringRef architecture) {
  Model model;
  json::Object metadata{{"general.architecture", architecture.str()}};
  for (const auto &[key, value] : model.file.metadata) {
    StringRef rest = StringRef(key);
    if (rest.consume_front("llama."))
      metadata[(architecture + "." + rest).str()] = value;
  }
  model.file.metadata = std::move(metadata);
  return model;
}

TEST(GgufConfig, Gemma2) {
  Model model = makeModel("gemma2");
  EXPECT_THAT(model.refusal(),
              HasSubstr("error[A0237]: x.gguf: 'gemma2.attn_logit_softcapping' "
                        "is absent"));
  model.file.metadata["gemma2.attn_logit_softcapping"] = 50.0;
  model.file.metadata["gemma2.final_logit_softcapping"] = 30.0;
  model.file.metadata["gemma2.attention.sliding_window"] = 16;
  model.file.metadata["gemma2.attention.key_length"] = 6;
  json::Object config = model.config();
  EXPECT_EQ(config.getBoolean("norm_adds_one"), false);
  EXPECT_EQ(config.getNumber("attn_logit_softcapping"), 50.0);
  EXPECT_EQ(config.getInteger("sliding_window"), 16);
  EXPECT_EQ(config.getInteger("query_pre_attn_scalar"), 6);
  // The largest one scales by the width of its rows.
  model.file.metadata["gemma2.block_count"] = 46;
  EXPECT_EQ(model.config().getInteger("query_pre_attn_scalar"), 4);
}

TEST(GgufConfig, Phi3) {
  Model model = makeModel("phi3");
  model.file.metadata["phi3.rope.dimension_count"] = 2;
  model.file.metadata["phi3.attention.sliding_window"] = 9;
  model.file.metadata["phi3.rope.scaling.original_context_length"] = 16;
  model.file.metadata["phi3.rope.scaling.attn_factor"] = 1.25;
  json::Object config = model.config();
  EXPECT_EQ(config.getNumber("partial_rotary_factor"), 0.625);
  EXPECT_EQ(config.getInteger("sliding_window"), 9);
  EXPECT_EQ(config.get("rope_scaling"), nullptr);
  model.addFactors();
  model.file.tensors.back().name = "rope_factors_short.weight";
  config = model.config();
  const json::Object &scaling = *config.getObject("rope_scaling");
  EXPECT_EQ(scaling.getString("rope_type"), "longrope");
  EXPECT_EQ((*scaling.getArray("short_factor"))[1].getAsNumber(), 4.0);
  EXPECT_EQ(scaling.getInteger("original_max_position_embeddings"), 16);
  EXPECT_EQ(scaling.getNumber("attention_factor"), 1.25);
  model.file.tensors.back().entry.type = WeightType::F16;
  EXPECT_THAT(model.refusal(),
              HasSubstr("'rope_factors_short.weight' holds F16; known is F32"));
  model.file.metadata["phi3.rope.dimension_count"] = 5;
  EXPECT_THAT(model.refusal(), HasSubstr("5 of the 4 elements of a head"));
}

/// A model with layer norms.
static Model makeNormedModel(StringRef architecture) {
  Model model = makeModel(architecture);
  model.file.metadata[(architecture + ".attention.layer_norm_epsilon").str()] =
      1e-5;
  return model;
}

TEST(GgufConfig, Gpt2) {
  Model model = makeModel("gpt2");
  EXPECT_THAT(model.refusal(),
              HasSubstr("'gpt2.attention.layer_norm_epsilon' is absent"));
  model = makeNormedModel("gpt2");
  json::Object config = model.config();
  EXPECT_EQ(config.getString("model_type"), "gpt2");
  EXPECT_EQ(config.getInteger("n_inner"), 12);
  EXPECT_EQ(config.getBoolean("has_conv1d"), false);
  EXPECT_EQ(config.get("hidden_act"), nullptr);
}

TEST(GgufConfig, GptNeox) {
  Model model = makeNormedModel("gptneox");
  EXPECT_THAT(model.refusal(),
              HasSubstr("'gptneox.rope.dimension_count' is absent"));
  model.file.metadata["gptneox.rope.dimension_count"] = 2;
  json::Object config = model.config();
  EXPECT_EQ(config.getString("model_type"), "gpt_neox");
  EXPECT_EQ(config.getNumber("rotary_pct"), 0.625);
  EXPECT_EQ(config.getBoolean("qkv_in_order"), true);
  EXPECT_EQ(config.getBoolean("attention_bias"), false);
  EXPECT_EQ(config.get("use_parallel_residual"), nullptr);
  model.file.metadata["gptneox.rope.dimension_count"] = 4;
  model.file.metadata["gptneox.use_parallel_residual"] = false;
  model.add("blk.0.attn_qkv.bias", {24});
  config = model.config();
  EXPECT_EQ(config.getNumber("rotary_pct"), 1.0);
  EXPECT_EQ(config.getBoolean("attention_bias"), true);
  EXPECT_EQ(config.getBoolean("use_parallel_residual"), false);
}

TEST(GgufConfig, Falcon) {
  Model model = makeNormedModel("falcon");
  EXPECT_THAT(model.refusal(),
              HasSubstr("'falcon.attention.head_count_kv' is absent"));
  model.file.metadata["falcon.attention.head_count_kv"] = 1;
  json::Object config = model.config();
  EXPECT_EQ(config.getBoolean("new_decoder_architecture"), true);
  EXPECT_EQ(config.getInteger("num_ln_in_parallel_attn"), 1);
  model.add("blk.0.attn_norm_2.weight", {8});
  EXPECT_EQ(model.config().getInteger("num_ln_in_parallel_attn"), 2);
  model.file.metadata["falcon.attention.max_alibi_bias"] = 8.0;
  EXPECT_THAT(model.refusal(),
              AllOf(HasSubstr("'falcon.attention.max_alibi_bias' says that "
                              "scores fall with distance (ALiBi)"),
                    HasSubstr("give the folder of the checkpoint")));
}

TEST(GgufConfig, Bloom) {
  Model model = makeNormedModel("bloom");
  json::Object config = model.config();
  EXPECT_EQ(config.getInteger("seq_length"), 32);
  EXPECT_EQ(config.getInteger("n_inner"), 12);
  model.file.metadata["bloom.attention.max_alibi_bias"] = 8.0;
  EXPECT_EQ(model.refusal(), "");
  model.file.metadata["bloom.attention.max_alibi_bias"] = 16.0;
  EXPECT_THAT(model.refusal(), HasSubstr("known is 8"));
}

TEST(GgufConfig, Refused) {
  Model model;
  model.file.metadata["llama.rope.dimension_count"] = 2;
  EXPECT_THAT(model.refusal(), HasSubstr("2 of the 4 elements of a head"));
  model.file.metadata["llama.attention.key_length"] = 2;
  EXPECT_EQ(model.refusal(), "");
  model.file.metadata["llama.expert_count"] = 8;
  EXPECT_THAT(model.refusal(), HasSubstr("models of experts"));
  model = Model();
  model.file.metadata["general.architecture"] = "mamba";
  EXPECT_THAT(model.refusal(),
              HasSubstr("error[A0236]: x.gguf: the architecture 'mamba'"));
  model = Model();
  model.file.metadata["llama.block_count"] = "two";
  EXPECT_THAT(model.refusal(),
              HasSubstr("error[A0237]: x.gguf: 'llama.block_count' is a "
                        "string; expected a number"));
  model.file.metadata.erase("llama.block_count");
  EXPECT_THAT(model.refusal(), HasSubstr("is absent"));
  model = Model();
  model.file.tensors.clear();
  EXPECT_THAT(model.refusal(), HasSubstr("no tensor 'token_embd.weight'"));
}

TEST(GgufNames, OfTensors) {
  EXPECT_EQ(renameTensor("llama", "output.weight"), "lm_head.weight");
  EXPECT_EQ(renameTensor("llama", "blk.11.attn_q.bias"),
            "model.layers.11.self_attn.q_proj.bias");
  EXPECT_EQ(renameTensor("llama", "blk.0.ffn_norm.weight"),
            "model.layers.0.post_attention_layernorm.weight");
  EXPECT_EQ(renameTensor("llama", "blk.0.other.weight"), "blk.0.other.weight");
  EXPECT_EQ(renameTensor("llama", "other"), "other");
  EXPECT_EQ(renameTensor("gemma2", "blk.0.ffn_norm.weight"),
            "model.layers.0.pre_feedforward_layernorm.weight");
  EXPECT_EQ(renameTensor("gemma2", "blk.0.post_ffw_norm.weight"),
            "model.layers.0.post_feedforward_layernorm.weight");
  EXPECT_EQ(renameTensor("phi3", "blk.0.ffn_up.weight"),
            "model.layers.0.mlp.gate_up_proj.weight");
  EXPECT_EQ(renameTensor("gpt2", "position_embd.weight"), "wpe.weight");
  EXPECT_EQ(renameTensor("gptneox", "blk.2.attn_qkv.bias"),
            "layers.2.attention.query_key_value.bias");
  EXPECT_EQ(renameTensor("bloom", "token_embd_norm.bias"),
            "word_embeddings_layernorm.bias");
}

TEST(GgufNames, OrdersOfRows) {
  const StringRef query = "model.layers.0.self_attn.q_proj.weight";
  EXPECT_EQ(getRowOrder("llama", query), RowOrder::Queries);
  EXPECT_EQ(getRowOrder("llama", "model.layers.0.self_attn.k_proj.weight"),
            RowOrder::Keys);
  EXPECT_EQ(getRowOrder("llama", "model.layers.0.self_attn.v_proj.weight"),
            RowOrder::Same);
  EXPECT_EQ(getRowOrder("qwen2", query), RowOrder::Same);
  EXPECT_EQ(getRowOrder("gpt2", "h.0.attn.c_proj.weight"),
            RowOrder::Transposed);
  EXPECT_EQ(getRowOrder("gpt2", "wte.weight"), RowOrder::Same);
  EXPECT_EQ(getRowOrder("gemma2", "model.layers.0.input_layernorm.weight"),
            RowOrder::PlusOne);
  EXPECT_EQ(getRowOrder("gemma", "model.norm.weight"), RowOrder::PlusOne);
  EXPECT_EQ(getRowOrder("gemma", query), RowOrder::Same);
  EXPECT_EQ(getRowOrder("bloom", "h.0.self_attention.query_key_value.bias"),
            RowOrder::Joint);
}

TEST(GgufNames, RowsOfTheCheckpoint) {
  using Rows = std::vector<int64_t>;
  // Two heads of four: halves by turns.
  EXPECT_EQ(getCheckpointRows(RowOrder::Queries, 2, 1, 8),
            (Rows{0, 2, 1, 3, 4, 6, 5, 7}));
  EXPECT_EQ(getCheckpointRows(RowOrder::Keys, 2, 1, 4), (Rows{0, 2, 1, 3}));
  // Two heads of two, each with a key and a value of its own.
  EXPECT_EQ(getCheckpointRows(RowOrder::Joint, 2, 2, 12),
            (Rows{0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11}));
  // Four heads of one in two groups; and all in one, as they are.
  EXPECT_EQ(getCheckpointRows(RowOrder::Joint, 4, 2, 8),
            (Rows{0, 1, 4, 5, 2, 6, 3, 7}));
  EXPECT_EQ(getCheckpointRows(RowOrder::Joint, 4, 1, 6),
            (Rows{0, 1, 2, 3, 4, 5}));
  using Wanted = std::tuple<RowOrder, int64_t, int64_t, int64_t>;
  for (auto [order, heads, keyHeads, rows] :
       {Wanted(RowOrder::Queries, 0, 1, 8), Wanted(RowOrder::Queries, 3, 1, 8),
        Wanted(RowOrder::Queries, 8, 1, 8), Wanted(RowOrder::Joint, 2, 0, 8),
        Wanted(RowOrder::Joint, 3, 2, 7), Wanted(RowOrder::Joint, 2, 4, 10),
        Wanted(RowOrder::Joint, -2, -1, 8),
        Wanted(RowOrder::Joint, INT64_MAX, INT64_MAX, 8),
        Wanted(RowOrder::Keys, 1, INT64_MAX, 8),
        Wanted(RowOrder::Joint, 2, 1, 7)})
    EXPECT_TRUE(getCheckpointRows(order, heads, keyHeads, rows).empty())
        << heads << " " << keyHeads << " " << rows;
}

TEST(GgufNames, NormsOfFalcon) {
  Model model = makeModel("falcon");
  model.add("blk.0.attn_norm.weight", {8});
  renameTensors(model.file);
  EXPECT_EQ(model.file.tensors[1].name, "h.0.input_layernorm.weight");
  model.add("blk.1.attn_norm.weight", {8});
  model.add("blk.1.attn_norm_2.weight", {8});
  renameTensors(model.file);
  EXPECT_EQ(model.file.tensors[2].name, "h.1.ln_mlp.weight");
  EXPECT_EQ(model.file.tensors[3].name, "h.1.ln_attn.weight");
}

TEST(GgufTokenizer, ByteLevel) {
  Model model;
  model.file.metadata["tokenizer.ggml.add_bos_token"] = true;
  model.file.metadata["tokenizer.ggml.add_eos_token"] = true;
  json::Object tokenizer = model.tokenizer();
  EXPECT_EQ(tokenizer.getObject("model")->getObject("vocab")->getInteger("ab"),
            3);
  EXPECT_EQ(tokenizer.getArray("added_tokens")->size(), 1u);
  EXPECT_EQ(tokenizer.getObject("post_processor")->getArray("single")->size(),
            3u);
  EXPECT_EQ(tokenizer.getObject("pre_tokenizer")->getString("type"),
            "ByteLevel");
  for (StringRef name : {"llama-bpe", "qwen2", "smollm", "falcon", "bloom"}) {
    model.file.metadata["tokenizer.ggml.pre"] = name;
    tokenizer = model.tokenizer();
    EXPECT_EQ(tokenizer.getObject("pre_tokenizer")->getString("type"),
              "Sequence");
    EXPECT_EQ(tokenizer.getObject("model")->getBoolean("ignore_merges"),
              name == "llama-bpe");
    EXPECT_EQ(tokenizer.getObject("normalizer") != nullptr, name == "qwen2");
  }
  model.file.metadata["tokenizer.ggml.pre"] = "tekken";
  EXPECT_THAT(model.tokenizerRefusal(), HasSubstr("the splits 'tekken'"));
  model.file.metadata.erase("tokenizer.ggml.merges");
  EXPECT_THAT(model.tokenizerRefusal(), HasSubstr("'tokenizer.ggml.merges'"));
}

TEST(GgufTokenizer, FirstTokenOfLlama3) {
  Model model;
  auto countAround = [&] {
    json::Object tokenizer = model.tokenizer();
    return tokenizer.getObject("post_processor")->getArray("single")->size();
  };
  EXPECT_EQ(countAround(), 1u);
  model.file.metadata["tokenizer.ggml.pre"] = "llama-bpe";
  EXPECT_EQ(countAround(), 2u);
  model.file.metadata["tokenizer.ggml.add_bos_token"] = false;
  EXPECT_EQ(countAround(), 1u);
}

/// A tokenizer.json that tests of the runtime hold to HuggingFace's tokenizers,
/// as a converter writes it into a GGUF file, and what comes back.
TEST(GgufTokenizer, ComesBackAsItWas) {
  constexpr std::pair<const char *, const char *> kKnown[] = {
      {"gpt2", "gpt-2"},      {"llama3", "llama-bpe"}, {"qwen2", "qwen2"},
      {"falcon", "falcon"},   {"bloom", "bloom"},      {"starcoder", "smollm"},
      {"starcoder", "refact"}};
  for (const auto &[folder, splits] : kKnown) {
    SCOPED_TRACE(folder);
    auto buffer = MemoryBuffer::getFile(
        (ATTNC_TEST_DATA "/text/trained/" + Twine(folder) + "/tokenizer.json")
            .str());
    ASSERT_TRUE(bool(buffer));
    json::Value value = cantFail(json::parse((*buffer)->getBuffer()));
    const json::Object &original = *value.getAsObject();
    const json::Object &bpe = *original.getObject("model");
    std::vector<std::pair<int64_t, std::string>> words;
    for (const auto &[word, id] : *bpe.getObject("vocab"))
      words.push_back({*id.getAsInteger(), word.str()});
    llvm::sort(words);
    json::Array tokens, merges;
    for (const auto &[id, word] : words)
      tokens.push_back(word);
    for (const json::Value &merge : *bpe.getArray("merges"))
      if (const json::Array *pair = merge.getAsArray())
        merges.push_back(((*pair)[0].getAsString()->str() + " " +
                          (*pair)[1].getAsString()->str()));
      else
        merges.push_back(merge);
    Model model;
    model.file.metadata["tokenizer.ggml.pre"] = splits;
    model.file.metadata["tokenizer.ggml.tokens"] = std::move(tokens);
    model.file.metadata["tokenizer.ggml.merges"] = json::Array(merges);
    model.file.metadata.erase("tokenizer.ggml.token_type");
    json::Object tokenizer = model.tokenizer();
    for (StringRef part : {"normalizer", "pre_tokenizer"})
      EXPECT_EQ(*tokenizer.get(part), *original.get(part)) << part.str();
    const json::Object &made = *tokenizer.getObject("model");
    EXPECT_EQ(*made.get("vocab"), *bpe.get("vocab"));
    EXPECT_EQ(made.getBoolean("ignore_merges"),
              bpe.getBoolean("ignore_merges"));
    EXPECT_EQ(*made.get("merges"), json::Value(std::move(merges)));
  }
}

TEST(GgufTokenizer, SentencePiece) {
  Model model;
  model.file.metadata["tokenizer.ggml.model"] = "llama";
  model.file.metadata["tokenizer.ggml.tokens"] =
      json::Array{"<s>", "a", "b", "ab", "aba", "<0x0A>"};
  model.file.metadata["tokenizer.ggml.token_type"] =
      json::Array{3, 1, 1, 1, 1, 6};
  EXPECT_THAT(model.tokenizerRefusal(), HasSubstr("no list of 6 numbers"));
  model.file.metadata["tokenizer.ggml.scores"] =
      json::Array{0, -9, -9, -2, -1, 0};
  model.file.metadata["tokenizer.ggml.unknown_token_id"] = 0;
  json::Object tokenizer = model.tokenizer();
  const json::Array &merges = *tokenizer.getObject("model")->getArray("merges");
  ASSERT_EQ(merges.size(), 2u); // "aba" before "ab": the better score
  EXPECT_EQ((*merges[0].getAsArray())[0], "ab");
  EXPECT_EQ((*merges[1].getAsArray())[0], "a");
  model.file.metadata["tokenizer.ggml.add_space_prefix"] = false;
  EXPECT_EQ(model.tokenizer()
                .getObject("normalizer")
                ->getArray("normalizers")
                ->size(),
            1u);
  model.file.metadata["tokenizer.ggml.scores"] =
      json::Array{0, "x", -9, -2, -1, 0};
  EXPECT_THAT(model.tokenizerRefusal(), HasSubstr("holds no number at 1"));
}

TEST(GgufTokenizer, SpacesBehindTokensOfPhi3) {
  Model model;
  auto takesSpaces = [&] {
    std::string taking;
    const json::Object tokenizer = model.tokenizer();
    for (const json::Value &token : *tokenizer.getArray("added_tokens"))
      if (*token.getAsObject()->getBoolean("rstrip"))
        taking += *token.getAsObject()->getString("content");
    return taking;
  };
  model.file.metadata["tokenizer.ggml.tokens"] =
      json::Array{"<unk>", "<s>", "</s>", "a", "<|endoftext|>", "<|user|>"};
  model.file.metadata["tokenizer.ggml.token_type"] =
      json::Array{2, 3, 4, 1, 3, 3};
  model.file.metadata["tokenizer.ggml.scores"] = json::Array{0, 0, 0, -1, 0, 0};
  model.file.metadata["general.architecture"] = "phi3";
  EXPECT_EQ(takesSpaces(), ""); // byte-level: later ones
  model.file.metadata["tokenizer.ggml.model"] = "llama";
  EXPECT_EQ(takesSpaces(), "</s><|user|>");
  model.file.metadata["general.architecture"] = "llama";
  EXPECT_EQ(takesSpaces(), "");
}

TEST(GgufTokenizer, Refused) {
  Model model;
  model.file.metadata["tokenizer.ggml.model"] = "bert";
  EXPECT_THAT(model.tokenizerRefusal(), HasSubstr("the tokenizer 'bert'"));
  model.file.metadata["tokenizer.ggml.model"] = "none";
  EXPECT_EQ(cantFail(makeTokenizerJson(model.file, "x.gguf")), "");
  model = Model();
  model.file.metadata["tokenizer.ggml.token_type"] = json::Array{1};
  EXPECT_THAT(model.tokenizerRefusal(), HasSubstr("1 types of tokens for 4"));
  EXPECT_THAT(Model::messageOf(makeTokenizerConfig(model.file, "x.gguf")),
              HasSubstr("A0237"));
  model.file.metadata["tokenizer.ggml.tokens"] = json::Array{"a", 3};
  EXPECT_THAT(model.tokenizerRefusal(), HasSubstr("holds a number"));
  model.file.metadata.erase("tokenizer.ggml.tokens");
  EXPECT_THAT(model.tokenizerRefusal(), HasSubstr("is no list"));
}

TEST(GgufTokenizer, ConfigOfSpecialTokens) {
  Model model;
  model.file.metadata["tokenizer.chat_template"] = "{{ messages }}";
  std::string text = cantFail(makeTokenizerConfig(model.file, "x.gguf"));
  json::Value value = cantFail(json::parse(text));
  const json::Object &config = *value.getAsObject();
  EXPECT_EQ(config.getString("bos_token"), "<s>");
  EXPECT_EQ(config.getString("chat_template"), "{{ messages }}");
  EXPECT_EQ(config.get("pad_token"), nullptr);
}

TEST(GgufConfig, NumbersAreFinite) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  Model model;
  model.file.metadata["llama.rope.freq_base"] = kNaN;
  EXPECT_THAT(model.refusal(),
              HasSubstr("error[A0237]: x.gguf: the metadata hold no finite "
                        "number for 'rope_theta'"));
  // Within an object and a list.
  model = Model();
  model.factors[1] = std::numeric_limits<float>::infinity();
  model.addFactors();
  EXPECT_THAT(model.refusal(), HasSubstr("number for 'rope_scaling'"));
  model = Model();
  model.file.metadata["general.sampling.temp"] = kNaN;
  EXPECT_EQ(model.refusal(), "");
  EXPECT_THAT(toString(checkFinite(makeGenerationConfig(model.file), "x.gguf")),
              HasSubstr("number for 'temperature'"));
  model.file.metadata["tokenizer.ggml.model"] = "llama";
  model.file.metadata["tokenizer.ggml.scores"] =
      json::Array{0.0, kNaN, 0.0, 0.0};
  EXPECT_THAT(model.tokenizerRefusal(), HasSubstr("holds no number at 1"));
}

class GgufFiles : public ImportFixture {};

TEST_F(GgufFiles, FactorsMustFitTheHeads) {
  copy("decoders/llama");
  edit("config.json", "rope_parameters",
       json::Object{{"rope_type", "factors"},
                    {"factors", json::Array{1.0, 2.0}},
                    {"rope_theta", 10000.0}});
  expectRefused("A0109", {"factors", "are 2 numbers"});
  edit("config.json", "rope_parameters",
       json::Object{{"rope_type", "factors"}, {"factors", "x"}});
  EXPECT_EQ(import(), nullptr);
  edit("config.json", "rope_parameters",
       json::Object{{"rope_type", "factors"}, {"factors", json::Array{"x"}}});
  EXPECT_EQ(import(), nullptr);
}

TEST_F(GgufFiles, AssumedActivationsAreSaid) {
  for (auto [name, said] :
       {std::pair("gpt2", "by tanh"), {"gpt-neox", "by erf"}, {"bloom", ""}}) {
    messages.clear();
    EXPECT_NE(
        importModel(context,
                    ATTNC_TEST_DATA "/gguf/" + std::string(name) + ".gguf",
                    ImportOptions()),
        nullptr)
        << messages;
    EXPECT_THAT(messages, HasSubstr(said));
    EXPECT_EQ(StringRef(messages).count("A0135"), *said ? 1u : 0u) << messages;
  }
}

TEST_F(GgufFiles, DamagedFilesAreRefused) {
  write("model.gguf", "GGUF");
  EXPECT_EQ(importModel(context, path("model.gguf"), {}), nullptr);
  expectSaid("A0231", {"model.gguf"});
}

} // namespace
