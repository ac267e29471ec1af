//===- GenerationConfig.cpp - how a model chooses tokens ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fields mean what they mean in transformers, defaults included: without
// `do_sample` the likeliest token is taken; with it, `temperature` is 1 and
// `top_k` 50 unless the file says otherwise. `max_length` counts the prompt and
// is left to the caller. Declined with a warning: beams, and every other
// setting that would change what comes out.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/GenerationConfig.h"
#include "compiler/import/Diagnostics.h"
#include <algorithm>

using namespace llvm;

namespace attnc {

bool readStopTokens(ConfigReader &config, const ConfigFile &file,
                    int64_t vocabulary, SmallVectorImpl<int32_t> &tokens) {
  constexpr StringLiteral key = "eos_token_id";
  const json::Value *given = file.fields.get(key);
  if (!given || given->kind() == json::Value::Null)
    return false;
  tokens.clear();
  auto add = [&](const json::Value &value) {
    std::optional<int64_t> token = value.getAsInteger();
    if (!token || *token < 0 || *token >= vocabulary) {
      if (!config.failed())
        config.report(key, "holds no token of the vocabulary",
                      "give one number or a list of numbers below " +
                          Twine(vocabulary));
    } else if (!is_contained(tokens, *token)) {
      tokens.push_back(static_cast<int32_t>(*token));
    }
  };
  if (const json::Array *list = given->getAsArray())
    for (const json::Value &value : *list)
      add(value);
  else
    add(*given);
  return true;
}

/// Names the settings that are there and would change the tokens.
static void warnOfOthers(mlir::MLIRContext *context, const ConfigFile &file) {
  // With the value that changes nothing.
  static constexpr std::pair<StringLiteral, double> kOthers[] = {
      {"num_beams", 1},
      {"num_beam_groups", 1},
      {"no_repeat_ngram_size", 0},
      {"encoder_repetition_penalty", 1},
      {"penalty_alpha", 0},
      {"typical_p", 1},
      {"epsilon_cutoff", 0},
      {"eta_cutoff", 0},
      {"min_length", 0},
      {"min_new_tokens", 0},
      {"length_penalty", 1},
      {"guidance_scale", 1}};
  static constexpr StringLiteral kLists[] = {
      "bad_words_ids",       "suppress_tokens", "begin_suppress_tokens",
      "forced_bos_token_id", "sequence_bias",   "forced_eos_token_id",
      "forced_decoder_ids",  "stop_strings",    "watermarking_config"};
  SmallVector<StringRef> found;
  for (const auto &[key, neutral] : kOthers)
    if (std::optional<double> value = file.fields.getNumber(key))
      if (*value != neutral)
        found.push_back(key);
  for (StringRef key : kLists)
    if (const json::Value *value = file.fields.get(key);
        value && value->kind() != json::Value::Null)
      found.push_back(key);
  if (!found.empty())
    reportWarning(context, "A0133",
                  file.path +
                      ": settings that are not applied: " + listNames(found),
                  "choose tokens by temperature, top_k, top_p, min_p and "
                  "repetition_penalty, and stop strings in the call");
}

LogicalResult readGenerationConfig(mlir::MLIRContext *context,
                                   const ModelFolder &folder,
                                   int64_t vocabulary,
                                   SmallVectorImpl<int32_t> &stopTokens,
                                   GenerationDefaults &defaults) {
  constexpr StringLiteral name = "generation_config.json";
  if (!folder.has(name))
    return success();
  std::optional<ConfigFile> file = folder.readConfig(name);
  if (!file)
    return failure();
  ConfigReader config(context, *file);
  readStopTokens(config, *file, vocabulary, stopTokens);
  constexpr double kMost = 1e5; // attn_generate_options takes ten times as much
  defaults.maxTokens = config.getInteger("max_new_tokens", 1, INT32_MAX, 0);
  defaults.repetitionPenalty =
      config.getNumber("repetition_penalty", 1e-5, kMost, 0);
  if (config.getBool("do_sample", false)) {
    defaults.temperature = config.getNumber("temperature", 0, kMost, 1);
    defaults.topK = config.getInteger("top_k", 0, INT32_MAX, 50);
    defaults.topP = config.getNumber("top_p", 0, 1, 0);
    // A share of nothing is the likeliest token; our 0 would be all of them.
    constexpr double kLeastShare = 1e-6;
    if (file->fields.getNumber("top_p"))
      defaults.topP = std::max(defaults.topP, kLeastShare);
    defaults.minP = config.getNumber("min_p", 0, 1, 0);
  }
  warnOfOthers(context, *file);
  return success(!config.failed());
}

} // namespace attnc
