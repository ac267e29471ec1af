//===- Llama.cpp - Llama and its kin
//-------------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Touvron et al., "LLaMA", 2023, as `transformers.LlamaForCausalLM` computes
// it: RMS norms before each half of a layer, rotary positions, key heads shared
// by query heads, a gated feed-forward layer. What a family does otherwise is
// in the table: Mistral (a window), Qwen 2 (biases of query, key and value),
// Qwen 3 (norms of query and key heads).
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Decoder.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Json.h"
#include "compiler/import/RotarySettings.h"
#include <cmath>

using namespace mlir;

namespace attnc {

using namespace decoder_limits;

namespace {
struct LlamaFamily {
  llvm::StringLiteral name;
  bool hasBias = false;       ///< of query, key and value, whatever config says
  bool hasHeadNorms = false;  ///< of query and key
  bool hasWindow = false;     ///< `sliding_window` counts
  bool asksForWindow = false; ///< only where `use_sliding_window` is true
};

class Llama : public Decoder {
public:
  Llama(ConfigReader &config, const WeightTable &weights,
        const LlamaFamily &family);
  bool isOptional(StringRef tensor) const override;

private:
  void readNumbers(ConfigReader &config);
  void readWindows(ConfigReader &config);
  RotaryTables emitRotary(ProgramBuilder &program, Value places) const override;
  Value emitEmbedding(Call &call, Value ids) const override;
  Value emitLayer(Call &call, int64_t index, Value rows) const override;
  Value emitAttention(Call &call, int64_t index, Value rows) const;
  Value emitFeedForward(Call &call, int64_t index, Value rows) const;
  Value emitFinalNorm(Call &call, Value rows) const override;
  Value emitLogits(Call &call, Value rows) const override;
  Value norm(Call &call, const std::string &tensor, Value rows,
             int64_t size) const;
  Value linear(Call &call, const std::string &tensor, Value rows,
               int64_t inputs, int64_t outputs, bool bias) const;

  const LlamaFamily &family;
  double epsilon = 0;
  bool attentionBias = false, feedForwardBias = false, isTied = false;
  bool isInterleaved = false; ///< rotated pairs are adjacent
  Activation activation = nullptr;
  RotarySettings rotary;
  SmallVector<int64_t> windows; ///< per layer; 0: none
};
} // namespace

static constexpr llvm::StringLiteral kUnused[] = {
    "attention_dropout", "pretraining_tp", "max_window_layers",
    "cache_implementation"};

Llama::Llama(ConfigReader &config, const WeightTable &weights,
             const LlamaFamily &family)
    : Decoder(family.name, weights), family(family) {
  readNumbers(config);
  readWindows(config);
  epsilon = config.getNumber("rms_norm_eps", 0.0, 1.0, 1e-6);
  attentionBias = config.getBool("attention_bias", false);
  feedForwardBias = config.getBool("mlp_bias", false);
  isTied = config.getBool("tie_word_embeddings", false);
  std::string function = config.getString("hidden_act", std::string("silu"));
  activation = findActivation(function);
  if (!activation && !config.failed())
    config.report("hidden_act", "names " + quote(function),
                  "known: " + listActivations());
  rotary = readRotarySettings(config, headSize, positions);
  isInterleaved = config.getBool("rope_interleaved", false);
  config.refuseIfSet("quantization_config", "quantized weights");
  config.ignore(kUnused);
  if (!weights.find("embed_tokens.weight") &&
      weights.find("model.embed_tokens.weight"))
    prefix = "model.";
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
  if (headSize == 0 && hidden % heads != 0)
    config.report("hidden_size",
                  "is " + Twine(hidden) + ", no multiple of the " +
                      Twine(heads) + " heads",
                  "correct it, or give head_dim");
  if (headSize == 0)
    headSize = hidden / heads;
  if (headSize % 2 != 0)
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
  int64_t window = config.getInteger("sliding_window", 0, kPositions, 0);
  bool isAsked = config.getBool("use_sliding_window", !family.asksForWindow);
  std::vector<std::string> kinds = config.getStrings("layer_types");
  if (config.failed())
    return;
  if (!family.hasWindow || !isAsked)
    window = 0;
  windows.assign(layers, window);
  if (kinds.empty())
    return;
  if (static_cast<int64_t>(kinds.size()) != layers)
    return config.report("layer_types",
                         "names " + Twine(kinds.size()) + " layers of " +
                             Twine(layers),
                         "name each layer once");
  for (auto [kind, slot] : llvm::zip(kinds, windows)) {
    if (kind == "full_attention")
      slot = 0;
    else if (kind != "sliding_attention")
      return config.report("layer_types", "names " + quote(kind),
                           "known: full_attention, sliding_attention");
  }
}

bool Llama::isOptional(StringRef tensor) const {
  return tensor.ends_with(".rotary_emb.inv_freq") ||
         (isTied && tensor == "lm_head.weight");
}

Value Llama::norm(Call &call, const std::string &tensor, Value rows,
                  int64_t size) const {
  return call.program.rmsNorm(
      tensor, rows, weight(call, tensor + ".weight", {size}), epsilon);
}

Value Llama::linear(Call &call, const std::string &tensor, Value rows,
                    int64_t inputs, int64_t outputs, bool bias) const {
  Value product = call.program.linear(
      tensor, rows, weight(call, tensor + ".weight", {outputs, inputs}));
  if (!bias)
    return product;
  return call.program.addBias(tensor + ".add_bias", product,
                              weight(call, tensor + ".bias", {outputs}));
}

RotaryTables Llama::emitRotary(ProgramBuilder &program, Value places) const {
  return program.rotaryTables("rotary", places, positions, rotary.frequencies,
                              rotary.scale);
}

Value Llama::emitEmbedding(Call &call, Value ids) const {
  return call.program.embedding(
      "embedding", ids,
      weight(call, "embed_tokens.weight", {vocabulary, hidden}));
}

Value Llama::emitAttention(Call &call, int64_t index, Value rows) const {
  ProgramBuilder &program = call.program;
  std::string tensor = "layers." + std::to_string(index) + ".self_attn.";
  std::string name = "layer." + std::to_string(index);
  auto joined = [&](StringRef part) -> std::vector<std::string> {
    return {tensor + "q_proj." + part.str(), tensor + "k_proj." + part.str(),
            tensor + "v_proj." + part.str()};
  };
  int64_t columns = (heads + 2 * keyHeads) * headSize;
  Value matrix =
      weight(call, tensor + "qkv.weight", joined("weight"), {columns, hidden});
  Value bias;
  if (attentionBias || family.hasBias)
    bias = weight(call, tensor + "qkv.bias", joined("bias"), {columns});
  ProjectedHeads projected = program.qkvHeads(name + ".qkv", rows, matrix, bias,
                                              {heads, keyHeads, headSize});
  if (family.hasHeadNorms) {
    projected.query = norm(call, tensor + "q_norm", projected.query, headSize);
    projected.key = norm(call, tensor + "k_norm", projected.key, headSize);
  }
  projected.query = program.rope(name + ".rope_query", projected.query,
                                 call.rotary, isInterleaved);
  projected.key = program.rope(name + ".rope_key", projected.key, call.rotary,
                               isInterleaved);
  CacheSettings settings = {call.maxPositions, windows[index],
                            1 / std::sqrt(static_cast<double>(headSize))};
  Value attended =
      program.cachedAttention(name, projected, call.rows, settings);
  return linear(call, tensor + "o_proj",
                program.mergeHeads(name + ".merge", attended), heads * headSize,
                hidden, attentionBias);
}

Value Llama::emitFeedForward(Call &call, int64_t index, Value rows) const {
  std::string tensor = "layers." + std::to_string(index) + ".mlp.";
  std::string name = "layer." + std::to_string(index);
  Value gate = linear(call, tensor + "gate_proj", rows, hidden, intermediate,
                      feedForwardBias);
  gate = call.program.activate(name + ".activation", gate, activation);
  Value up = linear(call, tensor + "up_proj", rows, hidden, intermediate,
                    feedForwardBias);
  return linear(call, tensor + "down_proj",
                call.program.multiply(name + ".gated", gate, up), intermediate,
                hidden, feedForwardBias);
}

Value Llama::emitLayer(Call &call, int64_t index, Value rows) const {
  std::string tensor = "layers." + std::to_string(index);
  std::string name = "layer." + std::to_string(index);
  Value normed = norm(call, tensor + ".input_layernorm", rows, hidden);
  rows = call.program.add(name + ".residual",
                          emitAttention(call, index, normed), rows);
  normed = norm(call, tensor + ".post_attention_layernorm", rows, hidden);
  return call.program.add(name + ".output",
                          emitFeedForward(call, index, normed), rows);
}

Value Llama::emitFinalNorm(Call &call, Value rows) const {
  return norm(call, "norm", rows, hidden);
}

Value Llama::emitLogits(Call &call, Value rows) const {
  // The head's own matrix has no prefix.
  Value matrix =
      isTied ? weight(call, "embed_tokens.weight", {vocabulary, hidden})
             : call.program.weight("lm_head.weight", "lm_head.weight",
                                   "lm_head.weight", {vocabulary, hidden});
  return call.program.linear("head", rows, matrix);
}

static constexpr LlamaFamily kLlama = {"llama"};
static constexpr LlamaFamily kMistral = {"mistral", false, false, true};
static constexpr LlamaFamily kQwen2 = {"qwen2", true, false, true, true};
static constexpr LlamaFamily kQwen3 = {"qwen3", false, true, true, true};

std::unique_ptr<Decoder> readLlama(ConfigReader &config,
                                   const WeightTable &weights) {
  return std::make_unique<Llama>(config, weights, kLlama);
}

std::unique_ptr<Decoder> readMistral(ConfigReader &config,
                                     const WeightTable &weights) {
  return std::make_unique<Llama>(config, weights, kMistral);
}

std::unique_ptr<Decoder> readQwen2(ConfigReader &config,
                                   const WeightTable &weights) {
  return std::make_unique<Llama>(config, weights, kQwen2);
}

std::unique_ptr<Decoder> readQwen3(ConfigReader &config,
                                   const WeightTable &weights) {
  return std::make_unique<Llama>(config, weights, kQwen3);
}

} // namespace attnc
