//===- LlamaSettings.cpp - the configuration of Llama and its kin ---------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads config.json as the configuration classes of transformers do. Refused by
// name: attention in both directions, multimodal rotary positions, quantized
// weights.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Json.h"
#include "compiler/import/Llama.h"
#include "compiler/import/TiedTensors.h"
#include <cmath>

using namespace mlir;

namespace attnc {

using namespace decoder_limits;

static constexpr double kMaxCap = 1e6;

static constexpr llvm::StringLiteral kUnused[] = {
    "attention_dropout",    "pretraining_tp",      "max_window_layers",
    "cache_implementation", "embd_pdrop",          "resid_pdrop",
    "is_llama_config",      "sliding_window_size", "full_attn_mod",
    "interpolate_factor"};

Llama::Llama(ConfigReader &config, const WeightTable &weights,
             const LlamaFamily &family)
    : Decoder(family.name, weights), family(family) {
  readNumbers(config);
  readWindows(config);
  readActivation(config);
  readScores(config);
  epsilon = config.getNumber("rms_norm_eps", 0.0, 1.0, family.usualEpsilon);
  attentionBias = config.getBool("attention_bias", false);
  feedForwardBias = config.getBool("mlp_bias", false);
  isTied = config.getBool("tie_word_embeddings", family.isGemma);
  RotaryFields names;
  names.asksForLength = family.isJoined;
  if (family.isJoined)
    names.share = llvm::StringLiteral("partial_rotary_factor");
  rotary = readRotarySettings(config, headSize, positions, names);
  limit = rotary.limit;
  isInterleaved = config.getBool("rope_interleaved", false);
  // GGUF files of Gemma hold the sums.
  addsOne = config.getBool("norm_adds_one", family.isGemma);
  if (family.isJoined && attentionBias && !config.failed())
    config.report("attention_bias", "asks for biases of projections",
                  "this architecture has none; take the original model");
  config.refuseIfSet("use_bidirectional_attention",
                     "attention in both directions");
  config.refuseIfSet("use_mrope", "rotary positions of images");
  config.refuseIfSet("lm_head_bias", "a bias of logits");
  config.refuseIfSet("quantization_config", "quantized weights");
  config.ignore(kUnused);
  if (!weights.find("embed_tokens.weight") &&
      weights.find("model.embed_tokens.weight"))
    prefix = "model.";
  if (isTied)
    checkTied(config, weights, "lm_head.weight",
              getSource("embed_tokens.weight"));
}

void Llama::readNumbers(ConfigReader &config) {
  hidden = config.getInteger("hidden_size", 1, kWidth);
  layers = config.getInteger("num_hidden_layers", 1, kLayers);
  heads = config.getInteger("num_attention_heads", 1, kHeads);
  keyHeads = config.getInteger("num_key_value_heads", 1, kHeads, heads);
  headSize = config.getInteger("head_dim", 0, kWidth, 0);
  intermediate = config.getInteger("intermediate_size", 1, kWidth);
  vocabulary = config.getInteger("vocab_size", 1, kVocabulary);
  positions = config.getInteger("max_position_embeddings", 1, kPositions);
  if (config.failed())
    return;
  checkNumbers(config);
}

void Llama::checkNumbers(ConfigReader &config) {
  if (headSize == 0 && hidden % heads != 0)
    config.report("hidden_size",
                  "is " + Twine(hidden) + ", no multiple of the " +
                      Twine(heads) + " heads",
                  "correct it, or give head_dim");
  if (headSize == 0)
    headSize = hidden / heads;
  if (headSize % 2 != 0 && !family.isJoined)
    config.report("head_dim",
                  "is " + Twine(headSize) +
                      "; rotary positions need an even number",
                  "correct it");
  if (heads % keyHeads != 0)
    config.report("num_key_value_heads",
                  "is " + Twine(keyHeads) + ", which does not divide the " +
                      Twine(heads) + " heads",
                  "correct it");
}

void Llama::readWindows(ConfigReader &config) {
  // A window that is null is none.
  int64_t window = config.getInteger(
      "sliding_window", 0, kPositions,
      config.isGiven("sliding_window") ? 0 : family.usualWindow);
  bool isAsked = config.getBool("use_sliding_window", !family.asksForWindow);
  if (!family.hasWindow || (family.asksForWindow && !isAsked))
    window = 0;
  if (!isAsked && window != 0 && window < positions && !config.failed())
    config.report("use_sliding_window",
                  "is false, but " + family.name.str() +
                      " has no such field: its 'sliding_window', " +
                      Twine(window) + ", is taken all the same",
                  "leave it out, or set 'sliding_window' to null if there is "
                  "no window");
  std::vector<std::string> kinds = config.getStrings("layer_types");
  // Without kinds Qwen's first layers see everything.
  int64_t first = 0;
  if (family.asksForWindow && window != 0 && kinds.empty())
    first = config.getInteger("max_window_layers", 0, kLayers);
  if (config.failed())
    return;
  windows.assign(layers, window);
  std::fill_n(windows.begin(), std::min(first, layers), 0);
  if (kinds.empty() && family.isGemma2)
    for (int64_t layer = 0; layer < layers; ++layer)
      kinds.push_back(layer % 2 == 0 ? "sliding_attention" : "full_attention");
  if (!kinds.empty())
    readKinds(config, kinds);
}

void Llama::readKinds(ConfigReader &config, ArrayRef<std::string> kinds) {
  if (static_cast<int64_t>(kinds.size()) != layers)
    return config.report("layer_types",
                         "names " + Twine(kinds.size()) + " layers of " +
                             Twine(layers),
                         "name each layer once");
  for (auto [kind, slot] : llvm::zip(kinds, windows)) {
    if (kind == "full_attention" && slot != 0 && slot < positions &&
        !family.asksForWindow && !family.isGemma2)
      return config.report("layer_types",
                           "names a layer without a window, but " +
                               family.name.str() +
                               " has no such field: every layer has that of "
                               "'sliding_window', " +
                               Twine(slot),
                           "leave it out, or set 'sliding_window' to null if "
                           "there is no window");
    if (kind == "full_attention")
      slot = 0;
    else if (kind != "sliding_attention")
      return config.report("layer_types", "names " + quote(kind),
                           "known: full_attention, sliding_attention");
    else if (slot == 0)
      return config.report("layer_types",
                           "names sliding_attention, but there is no window",
                           "give sliding_window");
  }
}

/// Gemma's field has another name, and the first one's "gelu" means another
/// function than its name says.
void Llama::readActivation(ConfigReader &config) {
  StringRef key = family.isGemma2 ? "hidden_activation" : "hidden_act";
  std::string usual = family.isGemma ? "gelu_pytorch_tanh" : "silu";
  std::string function = config.getString(key, usual);
  if (family.isGemma) {
    StringRef other = family.isGemma2 ? "hidden_act" : "hidden_activation";
    std::string second = config.getString(other, function);
    if (!family.isGemma2)
      for (std::string *given : {&function, &second})
        if (*given == "gelu")
          *given = usual;
    if (second != function && !config.failed())
      config.report(other,
                    "is " + quote(second) + ", but " + key.str() + " is " +
                        quote(function),
                    "leave out the one that is not meant");
  }
  activation = findActivation(function);
  if (!activation && !config.failed())
    config.report(key, "names " + quote(function),
                  "known: " + listActivations());
}

void Llama::readScores(ConfigReader &config) {
  double size = std::max<double>(1, static_cast<double>(headSize));
  if (family.isGemma2) {
    size = config.getNumber("query_pre_attn_scalar", 1e-6, kMaxCap);
    // Null is none; where they are not given transformers has caps of its own.
    for (auto [key, cap] : {std::pair("attn_logit_softcapping", &scoreCap),
                            std::pair("final_logit_softcapping", &logitCap)})
      *cap = config.isGiven(key) ? config.getNumber(key, 0, kMaxCap, 0.0)
                                 : config.getNumber(key, 0, kMaxCap);
  }
  scoreScale = 1 / std::sqrt(std::max(size, 1e-6));
}

} // namespace attnc
