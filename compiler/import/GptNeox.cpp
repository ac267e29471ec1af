//===- GptNeox.cpp - GPT-NeoX and Pythia ----------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Black et al., "GPT-NeoX-20B", 2022, as `transformers.GPTNeoXForCausalLM`
// computes it: rotary positions on a part of each head, both halves of a layer
// added to its input unless `use_parallel_residual` is false.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/NeoxLike.h"

using namespace mlir;

namespace attnc {

using namespace decoder_limits;

static constexpr llvm::StringLiteral kUnused[] = {
    "attention_dropout", "hidden_dropout", "is_decoder"};

namespace {
class GptNeox : public NeoxLike {
public:
  GptNeox(ConfigReader &config, const WeightTable &weights);
};
} // namespace

GptNeox::GptNeox(ConfigReader &config, const WeightTable &weights)
    : NeoxLike("gpt_neox", weights) {
  layersName = "layers";
  attentionName = "attention";
  tableName = "embed_in";
  finalNormName = "final_layer_norm";
  headNames = {"lm_head", "embed_out"};
  hidden = config.getInteger("hidden_size", 1, kWidth);
  layers = config.getInteger("num_hidden_layers", 1, kLayers);
  heads = keyHeads = config.getInteger("num_attention_heads", 1, kHeads);
  intermediate = config.getInteger("intermediate_size", 1, kWidth);
  vocabulary = config.getInteger("vocab_size", 1, kVocabulary);
  positions = config.getInteger("max_position_embeddings", 1, kPositions);
  epsilon = config.getNumber("layer_norm_eps", 0.0, 1.0, 1e-5);
  divideHeads(config);
  setGroups(config, {headSize, headSize, headSize});
  hasAttentionBias = config.getBool("attention_bias", true);
  isParallel = config.getBool("use_parallel_residual", true);
  isTied = config.getBool("tie_word_embeddings", false);
  readActivation(config, "hidden_act");
  constexpr double kUsualShare = 0.25;
  RotaryFields names = {llvm::StringLiteral("rotary_emb_base"),
                        llvm::StringLiteral("rotary_pct"), kUsualShare};
  rotary = readRotarySettings(config, headSize, positions, names);
  limit = rotary.limit;
  config.ignore(kUnused);
  findTable(config, "gpt_neox.");
}

std::unique_ptr<Decoder> readGptNeox(ConfigReader &config,
                                     const WeightTable &weights) {
  return std::make_unique<GptNeox>(config, weights);
}

} // namespace attnc
