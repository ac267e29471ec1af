//===- Llama.cpp - Llama and its kin
//-------------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The layers, and the table of families: Mistral (a window), Qwen 2 (biases of
// query, key and value), Qwen 3 (norms of query and key heads), Gemma (norms
// that add one to their weights, scaled embeddings), Gemma 2 (four norms in a
// layer, soft caps, every other layer with a window), Phi-3 (joint tensors,
// partly rotated heads).
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Llama.h"
#include <cmath>

using namespace mlir;

namespace attnc {

bool Llama::isOptional(StringRef tensor) const {
  return tensor.ends_with(".rotary_emb.inv_freq") ||
         (isTied && tensor == "lm_head.weight");
}

Value Llama::norm(Call &call, const std::string &tensor, Value rows,
                  int64_t size) const {
  WeightRecipe recipe;
  recipe.plus = addsOne ? 1 : 0;
  std::string source = tensor + ".weight";
  return call.program.rmsNorm(
      tensor, rows, weight(call, source, {source}, {size}, recipe), epsilon);
}

RotaryTables Llama::emitRotary(ProgramBuilder &program, Value places) const {
  return program.rotaryTables("rotary", places, positions, rotary.frequencies,
                              rotary.scale);
}

Value Llama::emitEmbedding(Call &call, Value ids) const {
  Value words = call.program.embedding(
      "embedding", ids,
      weight(call, "embed_tokens.weight", {vocabulary, hidden}));
  if (!family.isGemma)
    return words;
  return call.program.scale("embedding.scale", words,
                            std::sqrt(static_cast<double>(hidden)));
}

ProjectedHeads Llama::emitProjection(Call &call, int64_t index,
                                     Value rows) const {
  std::string tensor = "layers." + std::to_string(index) + ".self_attn.";
  auto sources = [&](StringRef part) -> std::vector<std::string> {
    if (family.isJoined)
      return {tensor + "qkv_proj." + part.str()};
    return {tensor + "q_proj." + part.str(), tensor + "k_proj." + part.str(),
            tensor + "v_proj." + part.str()};
  };
  int64_t columns = (heads + 2 * keyHeads) * headSize;
  Value matrix = weight(call, tensor + "qkv.weight", sources("weight"),
                        {columns, hidden}, {});
  Value bias;
  if (attentionBias || family.hasBias)
    bias = weight(call, tensor + "qkv.bias", sources("bias"), {columns}, {});
  return call.program.qkvHeads("layer." + std::to_string(index) + ".qkv", rows,
                               matrix, bias, {heads, keyHeads, headSize});
}

Value Llama::emitAttention(Call &call, int64_t index, Value rows) const {
  ProgramBuilder &program = call.program;
  std::string tensor = "layers." + std::to_string(index) + ".self_attn.";
  std::string name = "layer." + std::to_string(index);
  ProjectedHeads projected = emitProjection(call, index, rows);
  if (family.hasHeadNorms) {
    projected.query = norm(call, tensor + "q_norm", projected.query, headSize);
    projected.key = norm(call, tensor + "k_norm", projected.key, headSize);
  }
  projected.query = program.rope(name + ".rope_query", projected.query,
                                 call.rotary, isInterleaved);
  projected.key = program.rope(name + ".rope_key", projected.key, call.rotary,
                               isInterleaved);
  CacheSettings settings = {call.maxPositions, windows[index], scoreScale,
                            scoreCap};
  Value attended =
      program.cachedAttention(name, projected, call.rows, settings);
  return linear(call, tensor + "o_proj",
                program.mergeHeads(name + ".merge", attended), heads * headSize,
                hidden, attentionBias);
}

Value Llama::emitFeedForward(Call &call, int64_t index, Value rows) const {
  std::string tensor = "layers." + std::to_string(index) + ".mlp.";
  std::string name = "layer." + std::to_string(index);
  Value gated;
  if (family.isJoined) {
    Value both = linear(call, tensor + "gate_up_proj", rows, hidden,
                        2 * intermediate, false);
    gated = call.program.gate(name + ".gated", both, activation);
  } else {
    Value gate = linear(call, tensor + "gate_proj", rows, hidden, intermediate,
                        feedForwardBias);
    gate = call.program.activate(name + ".activation", gate, activation);
    Value up = linear(call, tensor + "up_proj", rows, hidden, intermediate,
                      feedForwardBias);
    gated = call.program.multiply(name + ".gated", gate, up);
  }
  return linear(call, tensor + "down_proj", gated, intermediate, hidden,
                feedForwardBias);
}

Value Llama::emitLayer(Call &call, int64_t index, Value rows) const {
  std::string tensor = "layers." + std::to_string(index);
  std::string name = "layer." + std::to_string(index);
  Value normed = norm(call, tensor + ".input_layernorm", rows, hidden);
  Value half = emitAttention(call, index, normed);
  if (family.isGemma2)
    half = norm(call, tensor + ".post_attention_layernorm", half, hidden);
  rows = call.program.add(name + ".residual", half, rows);
  StringRef second = family.isGemma2 ? ".pre_feedforward_layernorm"
                                     : ".post_attention_layernorm";
  normed = norm(call, tensor + second.str(), rows, hidden);
  half = emitFeedForward(call, index, normed);
  if (family.isGemma2)
    half = norm(call, tensor + ".post_feedforward_layernorm", half, hidden);
  return call.program.add(name + ".output", half, rows);
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
  Value logits = call.program.linear("head", rows, matrix);
  return logitCap > 0 ? call.program.softCap("head.cap", logits, logitCap)
                      : logits;
}

static constexpr LlamaFamily makeGemma(bool isSecond) {
  LlamaFamily family = {isSecond ? llvm::StringLiteral("gemma2")
                                 : llvm::StringLiteral("gemma")};
  family.isGemma = true;
  family.isGemma2 = family.hasWindow = isSecond;
  return family;
}

static constexpr LlamaFamily makePhi3() {
  LlamaFamily family = {"phi3"};
  family.isJoined = family.hasWindow = true;
  family.usualEpsilon = 1e-5;
  return family;
}

static constexpr LlamaFamily kLlama = {"llama"};
static constexpr LlamaFamily kMistral = {
    "mistral", false, false, true, false, /*usualWindow=*/4096};
static constexpr LlamaFamily kQwen2 = {"qwen2", true, false, true, true};
static constexpr LlamaFamily kQwen3 = {"qwen3", false, true, true, true};
static constexpr LlamaFamily kGemma = makeGemma(/*isSecond=*/false);
static constexpr LlamaFamily kGemma2 = makeGemma(/*isSecond=*/true);
static constexpr LlamaFamily kPhi3 = makePhi3();

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

std::unique_ptr<Decoder> readGemma(ConfigReader &config,
                                   const WeightTable &weights) {
  return std::make_unique<Llama>(config, weights, kGemma);
}

std::unique_ptr<Decoder> readGemma2(ConfigReader &config,
                                    const WeightTable &weights) {
  return std::make_unique<Llama>(config, weights, kGemma2);
}

std::unique_ptr<Decoder> readPhi3(ConfigReader &config,
                                  const WeightTable &weights) {
  return std::make_unique<Llama>(config, weights, kPhi3);
}

} // namespace attnc
