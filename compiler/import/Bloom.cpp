//===- Bloom.cpp - BLOOM --------------------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Le Scao et al., "BLOOM", 2022, as `transformers.BloomForCausalLM` computes
// it: scores fall with the distance of query and key (ALiBi; Press et al.,
// 2021), a norm behind the embedding, GELU by tanh. Such positions have no end;
// `seq_length` says how many the model was trained with.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Json.h"
#include "compiler/import/NeoxLike.h"

using namespace mlir;

namespace attnc {

using namespace decoder_limits;

// `slow_but_exact` computes the same sums piece by piece.
static constexpr llvm::StringLiteral kUnused[] = {"attention_dropout",
                                                  "hidden_dropout",
                                                  "pretraining_tp",
                                                  "slow_but_exact",
                                                  "attention_softmax_in_fp32",
                                                  "bias_dropout_fusion",
                                                  "masked_softmax_fusion",
                                                  "offset_alibi",
                                                  "skip_bias_add",
                                                  "skip_bias_add_qkv"};

namespace {
class Bloom : public NeoxLike {
public:
  Bloom(ConfigReader &config, const WeightTable &weights);
};
} // namespace

/// A number that has two names.
static int64_t getEither(ConfigReader &config, StringRef first,
                         StringRef second, int64_t maximum) {
  int64_t value = config.getInteger(second, 1, maximum, 0);
  if (value == 0)
    return config.getInteger(first, 1, maximum);
  int64_t other = config.getInteger(first, 1, maximum, value);
  if (other != value && !config.failed())
    config.report(
        second, "is " + Twine(value) + ", but " + first + " is " + Twine(other),
        "leave out the one that is not meant");
  return value;
}

Bloom::Bloom(ConfigReader &config, const WeightTable &weights)
    : NeoxLike("bloom", weights) {
  constexpr int64_t kUsualPositions = 2048; // what every BLOOM was trained with
  places = Places::Alibi;
  hasTableNorm = true;
  hidden = getEither(config, "hidden_size", "n_embed", kWidth);
  layers = getEither(config, "n_layer", "num_hidden_layers", kLayers);
  heads = keyHeads = getEither(config, "n_head", "num_attention_heads", kHeads);
  intermediate = config.getInteger("n_inner", 1, kWidth, 4 * hidden);
  vocabulary = config.getInteger("vocab_size", 1, kVocabulary);
  positions = config.getInteger("seq_length", 1, kPositions, kUsualPositions);
  epsilon = config.getNumber("layer_norm_epsilon", 0.0, 1.0, 1e-5);
  divideHeads(config);
  setGroups(config, {headSize, headSize, headSize});
  addsNormed =
      config.getBool("apply_residual_connection_post_layernorm", false);
  isTied = config.getBool("tie_word_embeddings", true);
  activation = findActivation("gelu_pytorch_tanh");
  if (intermediate != 4 * hidden && !config.failed())
    config.report("n_inner",
                  "is " + Twine(intermediate) + "; expected 4 * " +
                      Twine(hidden),
                  "leave it out");
  config.ignore(kUnused);
  findTable(config, "transformer.");
}

std::unique_ptr<Decoder> readBloom(ConfigReader &config,
                                   const WeightTable &weights) {
  return std::make_unique<Bloom>(config, weights);
}

} // namespace attnc
