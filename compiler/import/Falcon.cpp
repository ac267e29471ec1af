//===- Falcon.cpp - Falcon ------------------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Almazrouei et al., "The Falcon Series of Open Language Models", 2023, as
// `transformers.FalconForCausalLM` computes it. Falcon 7B: one key head, both
// halves of a layer read one norm. 40B and 11B (`new_decoder_architecture`):
// groups of heads with a key head each, two norms or one. RW: heads of their
// own, halves one after the other, ALiBi whose products have eight bits.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Diagnostics.h"
#include "compiler/import/NeoxLike.h"

using namespace mlir;

namespace attnc {

using namespace decoder_limits;

static constexpr llvm::StringLiteral kUnused[] = {
    "attention_dropout", "hidden_dropout", "ff_factor"};

namespace {
class Falcon : public NeoxLike {
public:
  Falcon(ConfigReader &config, const WeightTable &weights);

private:
  void readHeads(ConfigReader &config, bool isNew);
  void readNorms(ConfigReader &config, bool isNew);
};
} // namespace

Falcon::Falcon(ConfigReader &config, const WeightTable &weights)
    : NeoxLike("falcon", weights) {
  constexpr int64_t kUsualPositions = 2048; // where a checkpoint is silent
  hidden = config.getInteger("hidden_size", 1, kWidth);
  layers = config.getInteger("num_hidden_layers", 1, kLayers);
  heads = keyHeads = config.getInteger("num_attention_heads", 1, kHeads);
  intermediate = config.getInteger("ffn_hidden_size", 1, kWidth, 4 * hidden);
  vocabulary = config.getInteger("vocab_size", 1, kVocabulary);
  positions = config.getInteger("max_position_embeddings", 1, kPositions,
                                kUsualPositions);
  epsilon = config.getNumber("layer_norm_epsilon", 0.0, 1.0, 1e-5);
  divideHeads(config);
  bool isNew = config.getBool("new_decoder_architecture", false);
  readHeads(config, isNew);
  readNorms(config, isNew);
  hasAttentionBias = hasFeedForwardBias = config.getBool("bias", false);
  isTied = config.getBool("tie_word_embeddings", true);
  readActivation(config, "activation");
  if (config.getBool("alibi", false))
    places = Places::RoundedAlibi;
  constexpr int64_t kMost = 65536; // numbers that a constant holds
  if (places == Places::RoundedAlibi && positions > kMost && !config.failed())
    config.report("max_position_embeddings",
                  "is " + Twine(positions) + " with alibi; known is up to " +
                      Twine(kMost),
                  "correct it");
  constexpr int64_t kMostHeads = 512; // so are 128 products of each
  if (places == Places::RoundedAlibi && heads > kMostHeads && !config.failed())
    config.report("num_attention_heads",
                  "is " + Twine(heads) + " with alibi; known is up to " +
                      Twine(kMostHeads),
                  "correct it");
  rotary = readRotarySettings(config, headSize, positions);
  limit = places == Places::Rotary ? rotary.limit : 0;
  config.refuseIfSet("apply_residual_connection_post_layernorm",
                     "sums of norms");
  config.ignore(kUnused);
  findTable(config, "transformer.");
}

void Falcon::readHeads(ConfigReader &config, bool isNew) {
  bool isShared = config.getBool("multi_query", true);
  // Older checkpoints state it without a meaning.
  int64_t given = config.getInteger("num_kv_heads", 1, kHeads, heads);
  if (isNew)
    keyHeads = given;
  else if (isShared)
    keyHeads = 1;
  if (config.failed())
    return;
  if (heads % keyHeads != 0)
    config.report("num_kv_heads",
                  "is " + Twine(keyHeads) + ", which does not divide the " +
                      Twine(heads) + " heads",
                  "correct it");
  setGroups(config, keyHeads > 1
                        ? SmallVector<int64_t>{heads / keyHeads * headSize,
                                               headSize, headSize}
                        : SmallVector<int64_t>{}); // one stands in order
}

void Falcon::readNorms(ConfigReader &config, bool isNew) {
  isParallel = config.getBool("parallel_attn", true);
  int64_t norms =
      config.getInteger("num_ln_in_parallel_attn", 1, 2, isNew ? 2 : 1);
  if (config.failed())
    return;
  if (isNew && !isParallel)
    config.report("parallel_attn",
                  "is false, but new_decoder_architecture is true",
                  "there is no such Falcon; correct one of them");
  if (!isNew && norms == 2)
    config.report("num_ln_in_parallel_attn",
                  "is 2, but new_decoder_architecture is false",
                  "there is no such Falcon; correct one of them");
  if (norms == 2) {
    attentionNorm = "ln_attn";
    feedForwardNorm = "ln_mlp";
  } else if (isParallel) {
    feedForwardNorm = "";
  }
}

std::unique_ptr<Decoder> readFalcon(ConfigReader &config,
                                    const WeightTable &weights) {
  return std::make_unique<Falcon>(config, weights);
}

} // namespace attnc
