//===- NeoxLike.cpp - GPT-NeoX, Falcon and BLOOM --------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The layers:
//
//   parallel:  x + attention(norm(x)) + feed_forward(norm'(x))
//   else:      y = x + attention(norm(x)); y + feed_forward(norm'(y))
//
//===----------------------------------------------------------------------===//
#include "compiler/import/NeoxLike.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Json.h"
#include "compiler/import/TiedTensors.h"
#include <cmath>

using namespace mlir;

namespace attnc {

//===----------------------------------------------------------------------===//
// Configurations
//===----------------------------------------------------------------------===//

void NeoxLike::readActivation(ConfigReader &config, StringRef key) {
  std::string function = config.getString(key, std::string("gelu"));
  activation = findActivation(function);
  if (!activation && !config.failed())
    config.report(key, "names " + quote(function),
                  "known: " + listActivations());
}

void NeoxLike::divideHeads(ConfigReader &config) {
  if (config.failed())
    return;
  if (hidden % heads != 0)
    config.report("hidden_size",
                  "is " + Twine(hidden) + ", no multiple of the " +
                      Twine(heads) + " heads",
                  "correct it");
  headSize = hidden / heads;
}

void NeoxLike::setGroups(ConfigReader &config, SmallVector<int64_t> ofAGroup) {
  if (!config.getBool("qkv_in_order", false)) // as GGUF files have it
    groups = std::move(ofAGroup);
}

void NeoxLike::findTable(ConfigReader &config, StringRef usual) {
  std::string table = tableName.str() + ".weight";
  if (!weights.find(table) && weights.find(usual.str() + table))
    prefix = usual.str();
  if (isTied)
    for (StringRef name : headNames)
      checkTied(config, weights, name.str() + ".weight", getSource(table));
}

bool NeoxLike::isOptional(StringRef tensor) const {
  // Masks of attention; frequencies; a copy of the word table.
  return tensor.ends_with(".attention.bias") ||
         tensor.ends_with(".masked_bias") ||
         tensor.ends_with(".rotary_emb.inv_freq") ||
         (isTied && llvm::any_of(headNames, [&](StringRef name) {
            return tensor == name.str() + ".weight";
          }));
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

Value NeoxLike::norm(Call &call, const std::string &tensor, Value rows) const {
  return call.program.layerNorm(
      tensor, rows, weight(call, tensor + ".weight", {hidden}),
      weight(call, tensor + ".bias", {hidden}), epsilon);
}

RotaryTables NeoxLike::emitRotary(ProgramBuilder &program,
                                  Value positionsOfRows) const {
  if (places != Places::Rotary)
    return {};
  return program.rotaryTables("rotary", positionsOfRows, positions,
                              rotary.frequencies, rotary.scale);
}

Value NeoxLike::emitAlibi(const Call &call) const {
  if (places == Places::Alibi)
    return call.program.alibiSlopes("alibi", heads);
  if (places == Places::RoundedAlibi)
    return call.program.roundedAlibi("alibi", heads, call.maxPositions);
  return {};
}

Value NeoxLike::emitEmbedding(Call &call, Value ids) const {
  Value words = call.program.embedding(
      "embedding", ids,
      weight(call, tableName.str() + ".weight", {vocabulary, hidden}));
  return hasTableNorm ? norm(call, tableName.str() + "_layernorm", words)
                      : words;
}

Value NeoxLike::emitAttention(Call &call, int64_t index, Value rows) const {
  ProgramBuilder &program = call.program;
  std::string tensor = layer(index) + attentionName.str() + ".";
  std::string name = "layer." + std::to_string(index);
  int64_t columns = (heads + 2 * keyHeads) * headSize;
  auto joined = [&](StringRef part, ArrayRef<int64_t> shape) {
    std::string source = tensor + "query_key_value." + part.str();
    WeightRecipe recipe;
    recipe.groups = groups;
    return weight(call, source, {source}, shape, recipe);
  };
  Value matrix = joined("weight", {columns, hidden});
  Value bias = hasAttentionBias ? joined("bias", {columns}) : Value();
  ProjectedHeads projected = program.qkvHeads(name + ".qkv", rows, matrix, bias,
                                              {heads, keyHeads, headSize});
  CacheSettings settings = {call.maxPositions};
  settings.scale = 1 / std::sqrt(static_cast<double>(headSize));
  if (places == Places::Rotary) {
    projected.query =
        program.rope(name + ".rope_query", projected.query, call.rotary);
    projected.key =
        program.rope(name + ".rope_key", projected.key, call.rotary);
  } else {
    (places == Places::Alibi ? settings.slopes : settings.products) =
        call.alibi;
  }
  Value attended =
      program.cachedAttention(name, projected, call.rows, settings);
  return linear(call, tensor + "dense",
                program.mergeHeads(name + ".merge", attended), hidden, hidden,
                hasAttentionBias);
}

Value NeoxLike::emitFeedForward(Call &call, int64_t index, Value rows) const {
  std::string tensor = layer(index) + "mlp.";
  Value inner = linear(call, tensor + "dense_h_to_4h", rows, hidden,
                       intermediate, hasFeedForwardBias);
  inner = call.program.activate(
      "layer." + std::to_string(index) + ".activation", inner, activation);
  return linear(call, tensor + "dense_4h_to_h", inner, intermediate, hidden,
                hasFeedForwardBias);
}

Value NeoxLike::emitLayer(Call &call, int64_t index, Value rows) const {
  ProgramBuilder &program = call.program;
  std::string name = "layer." + std::to_string(index);
  Value normed = norm(call, layer(index) + attentionNorm.str(), rows);
  Value attended = emitAttention(call, index, normed);
  attended =
      program.add(name + ".residual", attended, addsNormed ? normed : rows);
  if (!feedForwardNorm.empty())
    normed = norm(call, layer(index) + feedForwardNorm.str(),
                  isParallel ? rows : attended);
  Value result = emitFeedForward(call, index, normed);
  return program.add(name + ".output", result, addsNormed ? normed : attended);
}

Value NeoxLike::emitFinalNorm(Call &call, Value rows) const {
  return norm(call, finalNormName.str(), rows);
}

Value NeoxLike::emitLogits(Call &call, Value rows) const {
  if (isTied)
    return call.program.linear(
        "head", rows,
        weight(call, tableName.str() + ".weight", {vocabulary, hidden}));
  // The head's own matrix has no prefix, and in some checkpoints another name.
  std::string source = headNames.front().str() + ".weight";
  for (StringRef name : headNames)
    if (weights.find(name.str() + ".weight"))
      source = name.str() + ".weight";
  return call.program.linear(
      "head", rows,
      call.program.weight("head", source, source, {vocabulary, hidden}));
}

} // namespace attnc
