//===- Gpt2.cpp - GPT-2
//-------------------------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Radford et al., "Language Models are Unsupervised Multitask Learners", 2019,
// as `transformers.GPT2LMHeadModel` computes it: learned positions, a norm
// before each half of a layer, matrices that the checkpoint holds transposed
// (`Conv1D`), logits by the word table.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Decoder.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Json.h"
#include "compiler/import/TiedTensors.h"
#include <cmath>

using namespace mlir;

namespace attnc {

using namespace decoder_limits;

static constexpr llvm::StringLiteral kUnused[] = {
    "attn_pdrop", "embd_pdrop", "resid_pdrop", "n_ctx", "summary_activation",
    "summary_first_dropout", "summary_proj_to_labels", "summary_type",
    "summary_use_proj", "reorder_and_upcast_attn",
    // of GPT-2 medium; never read
    "n_special", "predict_special_tokens"};

namespace {
class Gpt2 : public Decoder {
public:
  Gpt2(ConfigReader &config, const WeightTable &weights);
  bool isOptional(StringRef tensor) const override;

private:
  Value emitEmbedding(Call &call, Value ids) const override;
  Value emitLayer(Call &call, int64_t index, Value rows) const override;
  Value emitFinalNorm(Call &call, Value rows) const override;
  Value emitLogits(Call &call, Value rows) const override;
  Value norm(Call &call, const std::string &tensor, Value rows) const;
  Value linear(Call &call, const std::string &tensor, Value rows,
               int64_t inputs, int64_t outputs) const;

  double epsilon = 0;
  bool scalesScores = true, isTied = true;
  WeightRecipe conv; ///< of a Conv1D's matrix, which has its inputs as rows
  Activation activation = nullptr;
};
} // namespace

Gpt2::Gpt2(ConfigReader &config, const WeightTable &weights)
    : Decoder("gpt2", weights) {
  hidden = config.getInteger("n_embd", 1, kWidth);
  layers = config.getInteger("n_layer", 1, kLayers);
  heads = keyHeads = config.getInteger("n_head", 1, kHeads);
  intermediate = config.getInteger("n_inner", 0, kWidth, 0);
  if (intermediate == 0)
    intermediate = 4 * hidden;
  vocabulary = config.getInteger("vocab_size", 1, kVocabulary);
  positions = config.getInteger("n_positions", 1, kPositions);
  epsilon = config.getNumber("layer_norm_epsilon", 0.0, 1.0, 1e-5);
  scalesScores = config.getBool("scale_attn_weights", true);
  isTied = config.getBool("tie_word_embeddings", true);
  conv.transpose = config.getBool("has_conv1d", true); // false in GGUF files
  config.refuseIfSet("scale_attn_by_inverse_layer_idx",
                     "scores divided by the layer's number");
  config.refuseIfSet("add_cross_attention", "attention to another model");
  std::string function =
      config.getString("activation_function", std::string("gelu_new"));
  activation = findActivation(function);
  if (!activation && !config.failed())
    config.report("activation_function", "names " + quote(function),
                  "known: " + listActivations());
  config.ignore(kUnused);
  if (!config.failed() && hidden % heads != 0)
    config.report("n_embd",
                  "is " + Twine(hidden) + ", no multiple of the " +
                      Twine(heads) + " heads",
                  "correct n_embd or n_head");
  headSize = heads ? hidden / heads : 0;
  if (!weights.find("wte.weight") && weights.find("transformer.wte.weight"))
    prefix = "transformer.";
  if (isTied)
    checkTied(config, weights, "lm_head.weight", getSource("wte.weight"));
}

bool Gpt2::isOptional(StringRef tensor) const {
  // Masks of attention; a copy of the word table.
  return tensor.ends_with(".attn.bias") ||
         tensor.ends_with(".attn.masked_bias") ||
         (isTied && tensor == "lm_head.weight");
}

Value Gpt2::norm(Call &call, const std::string &tensor, Value rows) const {
  return call.program.layerNorm(
      tensor, rows, weight(call, tensor + ".weight", {hidden}),
      weight(call, tensor + ".bias", {hidden}), epsilon);
}

Value Gpt2::linear(Call &call, const std::string &tensor, Value rows,
                   int64_t inputs, int64_t outputs) const {
  Value matrix = weight(call, tensor + ".weight", {tensor + ".weight"},
                        {outputs, inputs}, conv);
  Value product = call.program.linear(tensor, rows, matrix);
  return call.program.addBias(tensor + ".add_bias", product,
                              weight(call, tensor + ".bias", {outputs}));
}

Value Gpt2::emitEmbedding(Call &call, Value ids) const {
  ProgramBuilder &program = call.program;
  Value words = program.embedding(
      "embedding.words", ids, weight(call, "wte.weight", {vocabulary, hidden}));
  Value places =
      program.embedding("embedding.positions", call.rows.positions,
                        weight(call, "wpe.weight", {positions, hidden}));
  return program.add("embedding", words, places);
}

Value Gpt2::emitLayer(Call &call, int64_t index, Value rows) const {
  ProgramBuilder &program = call.program;
  std::string tensor = "h." + std::to_string(index);
  std::string name = "layer." + std::to_string(index);
  Value normed = norm(call, tensor + ".ln_1", rows);
  Value matrix =
      weight(call, tensor + ".attn.c_attn.weight",
             {tensor + ".attn.c_attn.weight"}, {3 * hidden, hidden}, conv);
  ProjectedHeads projected =
      program.qkvHeads(name + ".qkv", normed, matrix,
                       weight(call, tensor + ".attn.c_attn.bias", {3 * hidden}),
                       {heads, heads, headSize});
  CacheSettings settings = {call.maxPositions};
  if (scalesScores)
    settings.scale = 1 / std::sqrt(static_cast<double>(headSize));
  Value attended =
      program.cachedAttention(name, projected, call.rows, settings);
  attended =
      linear(call, tensor + ".attn.c_proj",
             program.mergeHeads(name + ".merge", attended), hidden, hidden);
  rows = program.add(name + ".residual", attended, rows);
  normed = norm(call, tensor + ".ln_2", rows);
  Value inner =
      linear(call, tensor + ".mlp.c_fc", normed, hidden, intermediate);
  inner = program.activate(name + ".activation", inner, activation);
  inner = linear(call, tensor + ".mlp.c_proj", inner, intermediate, hidden);
  return program.add(name + ".output", inner, rows);
}

Value Gpt2::emitFinalNorm(Call &call, Value rows) const {
  return norm(call, "ln_f", rows);
}

Value Gpt2::emitLogits(Call &call, Value rows) const {
  // The head's own matrix has no prefix.
  Value matrix =
      isTied ? weight(call, "wte.weight", {vocabulary, hidden})
             : call.program.weight("lm_head.weight", "lm_head.weight",
                                   "lm_head.weight", {vocabulary, hidden});
  return call.program.linear("head", rows, matrix);
}

std::unique_ptr<Decoder> readGpt2(ConfigReader &config,
                                  const WeightTable &weights) {
  return std::make_unique<Gpt2>(config, weights);
}

} // namespace attnc
