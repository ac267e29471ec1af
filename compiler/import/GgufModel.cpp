//===- GgufModel.cpp - a GGUF file's model as a configuration -------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Keys as llama.cpp's converter writes them; GgufNames.cpp has the tensors'
// names. What lies otherwise in such a file, fields say that no config.json
// needs: its queries and keys of Llama are permuted to rotate adjacent pairs
// (`rope_interleaved`), the norms of Gemma have their one already
// (`norm_adds_one`), joint matrices have all queries first (`qkv_in_order`),
// and those of GPT-2 are no Conv1D's (`has_conv1d`). Activations are in no
// file: they are those of the families' checkpoints. Declined by name: other
// architectures, partial rotary positions where the family has none, slopes of
// ALiBi that begin elsewhere, experts.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/GgufModel.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Json.h"
#include "llvm/Support/Endian.h"
#include <cmath>

using namespace llvm;

namespace attnc {

namespace {
class ConfigMaker {
public:
  ConfigMaker(const GgufFile &file, StringRef path) : file(file), path(path) {}
  Expected<json::Object> run();

private:
  /// The value of "ARCHITECTURE.key", or null.
  const json::Value *find(StringRef key) const {
    return file.metadata.get((architecture + "." + key).str());
  }
  const NamedWeight *findTensor(StringRef name) const {
    for (const NamedWeight &tensor : file.tensors)
      if (tensor.name == name)
        return &tensor;
    return nullptr;
  }
  Error copy(StringRef from, StringRef to, bool required = true);
  Error copyFields();
  Error checkRotation();
  Error checkSlopes();
  Error addScaling();
  Error addLongScaling(const NamedWeight &shortFactors);
  Expected<json::Array> readFactors(const NamedWeight &tensor);
  Error addFamily();
  Error addGemma2();
  void addLayerNormFamily();
  void addTokens();

  const GgufFile &file;
  StringRef path;
  std::string architecture;
  json::Object config;
};
} // namespace

static constexpr StringLiteral kElse =
    "give the model's HuggingFace folder instead";

Error ConfigMaker::copy(StringRef from, StringRef to, bool required) {
  const json::Value *value = find(from);
  if (value && value->getAsNumber()) {
    config[to] = *value;
    return Error::success();
  }
  if (!value && !required)
    return Error::success();
  return makeError("A0237",
                   path + ": '" + architecture + "." + from + "' is " +
                       (value ? describeKind(*value) : "absent") +
                       "; expected a number",
                   "convert the model again with a current converter");
}

/// All of a head is rotated, or of Phi-3 and GPT-NeoX a part.
Error ConfigMaker::checkRotation() {
  std::optional<int64_t> rotated, size;
  if (const json::Value *value = find("rope.dimension_count"))
    rotated = value->getAsInteger();
  if (const json::Value *value = find("attention.key_length"))
    size = value->getAsInteger();
  std::optional<int64_t> hidden = config.getInteger("hidden_size");
  std::optional<int64_t> heads = config.getInteger("num_attention_heads");
  if (!size && hidden && heads && *heads > 0)
    size = *hidden / *heads;
  const bool isNeox = architecture == "gptneox"; // a quarter where it is silent
  if (!rotated && isNeox)
    return copy("rope.dimension_count", "rotary_pct");
  if (!rotated || !size || (*rotated == *size && !isNeox))
    return Error::success();
  if ((architecture == "phi3" || isNeox) && *rotated > 0 && *rotated <= *size) {
    // The share is cut to a whole number of elements: halfway to the next one.
    const double share =
        (static_cast<double>(*rotated) + 0.5) / static_cast<double>(*size);
    config[isNeox ? "rotary_pct" : "partial_rotary_factor"] =
        std::min(share, 1.0);
    return Error::success();
  }
  return makeError("A0236",
                   path + ": " + Twine(*rotated) + " of the " + Twine(*size) +
                       " elements of a head are rotated; known is all",
                   kElse);
}

/// The divisors of the frequencies that stand in a tensor.
Expected<json::Array> ConfigMaker::readFactors(const NamedWeight &tensor) {
  if (tensor.entry.type != WeightType::F32)
    return makeError("A0236",
                     path + ": " + quote(tensor.name) + " holds " +
                         getName(tensor.entry.type) + "; known is F32",
                     kElse);
  json::Array factors;
  for (int64_t i = 0; i < tensor.entry.numElements(); ++i)
    factors.push_back(static_cast<double>(llvm::bit_cast<float>(
        support::endian::read32le(tensor.entry.bytes.data() + 4 * i))));
  return factors;
}

/// Divisors for texts up to a length, and others beyond it.
Error ConfigMaker::addLongScaling(const NamedWeight &shortFactors) {
  Expected<json::Array> factors = readFactors(shortFactors);
  if (!factors)
    return factors.takeError();
  json::Object scaling{{"rope_type", "longrope"},
                       {"short_factor", std::move(*factors)}};
  config["rope_scaling"] = std::move(scaling);
  json::Object &added = *config.getObject("rope_scaling");
  for (auto [key, field] :
       {std::pair<StringLiteral, StringLiteral>(
            "original_context_length", "original_max_position_embeddings"),
        {"attn_factor", "attention_factor"}})
    if (const json::Value *value = find(("rope.scaling." + key).str()))
      added[field] = *value;
  return Error::success();
}

Error ConfigMaker::addScaling() {
  if (const NamedWeight *tensor = findTensor("rope_factors_short.weight"))
    return addLongScaling(*tensor);
  if (const NamedWeight *tensor = findTensor("rope_freqs.weight")) {
    Expected<json::Array> factors = readFactors(*tensor);
    if (!factors)
      return factors.takeError();
    config["rope_scaling"] = json::Object{{"rope_type", "factors"},
                                          {"factors", std::move(*factors)}};
    return Error::success();
  }
  const json::Value *kind = find("rope.scaling.type");
  std::string name = kind ? kind->getAsString().value_or("").str() : "none";
  if (name == "none")
    return Error::success();
  const json::Value *factor = find("rope.scaling.factor");
  if ((name != "linear" && name != "yarn") || !factor)
    return makeError("A0236",
                     path + ": the rotary scaling " + quote(name) +
                         " is not known; known are none, linear, yarn",
                     kElse);
  // With the value that changes nothing.
  static constexpr std::pair<StringLiteral, double> kOthers[] = {
      {"rope.scaling.attn_factor", 1},
      {"rope.scaling.yarn_attn_factor", 1},
      {"rope.scaling.yarn_ext_factor", 1},
      {"rope.scaling.yarn_log_multiplier", 0}};
  for (const auto &[key, neutral] : kOthers)
    if (const json::Value *value = find(key);
        value && value->getAsNumber() != neutral)
      return makeError("A0236",
                       path + ": '" + architecture + "." + key +
                           "' changes the rotary scaling in a way that is not "
                           "known",
                       kElse);
  json::Object scaling{{"rope_type", name}, {"factor", *factor}};
  if (name == "yarn")
    for (auto [key, field] : {std::pair<StringLiteral, StringLiteral>(
                                  "yarn_beta_fast", "beta_fast"),
                              {"yarn_beta_slow", "beta_slow"}})
      if (const json::Value *value = find(("rope.scaling." + key).str()))
        scaling[field] = *value;
  if (const json::Value *length = find("rope.scaling.original_context_length"))
    scaling["original_max_position_embeddings"] = *length;
  config["rope_scaling"] = std::move(scaling);
  return Error::success();
}

/// Slopes begin at 2^-8 in every family that has them.
Error ConfigMaker::checkSlopes() {
  constexpr double kUsual = 8;
  const json::Value *most = find("attention.max_alibi_bias");
  const double known = architecture == "bloom" ? kUsual : 0;
  if (!most || most->getAsNumber() == known)
    return Error::success();
  if (architecture == "falcon")
    return makeError("A0236",
                     path + ": 'falcon.attention.max_alibi_bias' says that "
                            "scores fall with distance (ALiBi); of such a "
                            "Falcon the file does not tell how its layers and "
                            "heads are arranged",
                     "give the folder of the checkpoint, whose config.json "
                     "does");
  return makeError("A0236",
                   path + ": '" + architecture +
                       ".attention.max_alibi_bias' gives slopes that are not "
                       "known; known is " +
                       Twine(static_cast<int>(known)),
                   kElse);
}

Error ConfigMaker::addGemma2() {
  config["hidden_activation"] = "gelu_pytorch_tanh";
  for (StringRef key : {"attn_logit_softcapping", "final_logit_softcapping"})
    if (Error error = copy(key, key))
      return error;
  if (Error error = copy("attention.sliding_window", "sliding_window"))
    return error;
  // The file does not have the scale of scores: it goes by the model's size, as
  // in llama.cpp. Gemma 2 27B has 46 layers.
  constexpr int64_t kLayersOfLargest = 46;
  std::optional<int64_t> hidden = config.getInteger("hidden_size");
  std::optional<int64_t> heads = config.getInteger("num_attention_heads");
  if (config.getInteger("num_hidden_layers") != kLayersOfLargest)
    return copy("attention.key_length", "query_pre_attn_scalar");
  if (hidden && heads && *heads > 0)
    config["query_pre_attn_scalar"] = *hidden / *heads;
  return Error::success();
}

/// GPT-2, GPT-NeoX, Falcon, BLOOM.
void ConfigMaker::addLayerNormFamily() {
  const bool hasBias = findTensor("blk.0.attn_qkv.bias");
  if (architecture == "gpt2") {
    config["has_conv1d"] = false;
    return;
  }
  config["qkv_in_order"] = true;
  if (architecture == "gptneox") {
    config["hidden_act"] = "gelu";
    config["attention_bias"] = hasBias;
    if (const json::Value *value = find("use_parallel_residual"))
      config["use_parallel_residual"] = *value;
  }
  if (architecture == "falcon") {
    // All that such files may hold are cases of the newest one.
    config["new_decoder_architecture"] = true;
    config["num_ln_in_parallel_attn"] =
        findTensor("blk.0.attn_norm_2.weight") ? 2 : 1;
    config["bias"] = hasBias;
  }
}

/// What one architecture alone has.
Error ConfigMaker::addFamily() {
  if (findTensor("blk.0.attn_q.bias") && architecture == "llama")
    config["attention_bias"] = true;
  if (StringRef(architecture).starts_with("gemma")) {
    config["norm_adds_one"] = false;
    config["hidden_act"] = "gelu_pytorch_tanh";
  }
  if (architecture == "phi3")
    return copy("attention.sliding_window", "sliding_window", false);
  if (architecture == "gemma2")
    return addGemma2();
  if (is_contained({"gpt2", "gptneox", "falcon", "bloom"}, architecture))
    addLayerNormFamily();
  return Error::success();
}

/// Ends of turns by their texts: files may name the end of all text alone,
/// after which a chat would not stop. As in llama.cpp.
static constexpr StringLiteral kEndsOfTurns[] = {
    "<|eot_id|>",    "<|eom_id|>",    "<|im_end|>",     "<|end|>",
    "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>"};

void ConfigMaker::addTokens() {
  json::Array stops;
  for (StringRef key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
        "tokenizer.ggml.eom_token_id"})
    if (std::optional<int64_t> id = file.metadata.getInteger(key))
      if (!is_contained(stops, json::Value(*id)))
        stops.push_back(*id);
  const json::Array *tokens = file.metadata.getArray("tokenizer.ggml.tokens");
  const json::Array *types =
      file.metadata.getArray("tokenizer.ggml.token_type");
  constexpr int64_t kControl = 3;
  for (size_t id = 0; tokens && types && id < tokens->size(); ++id)
    if (id < types->size() && (*types)[id].getAsInteger() == kControl &&
        is_contained(kEndsOfTurns, (*tokens)[id].getAsString().value_or("")) &&
        !is_contained(stops, json::Value(static_cast<int64_t>(id))))
      stops.push_back(static_cast<int64_t>(id));
  config["eos_token_id"] = std::move(stops);
}

namespace {
/// A key of the metadata and the field that it becomes.
struct Field {
  StringLiteral from, to;
  bool required = true;
};
/// An architecture: its class and its fields.
struct Architecture {
  StringLiteral name, modelType, className;
  ArrayRef<Field> fields;
};
} // namespace

static constexpr Field kRmsFields[] = {
    {"block_count", "num_hidden_layers"},
    {"embedding_length", "hidden_size"},
    {"feed_forward_length", "intermediate_size"},
    {"context_length", "max_position_embeddings"},
    {"attention.head_count", "num_attention_heads"},
    {"attention.head_count_kv", "num_key_value_heads", false},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
    {"attention.key_length", "head_dim", false},
    {"rope.freq_base", "rope_theta", false}};
static constexpr Field kGpt2Fields[] = {
    {"block_count", "n_layer"},
    {"embedding_length", "n_embd"},
    {"feed_forward_length", "n_inner"},
    {"context_length", "n_positions"},
    {"attention.head_count", "n_head"},
    {"attention.layer_norm_epsilon", "layer_norm_epsilon"}};
static constexpr Field kNeoxFields[] = {
    {"block_count", "num_hidden_layers"},
    {"embedding_length", "hidden_size"},
    {"feed_forward_length", "intermediate_size"},
    {"context_length", "max_position_embeddings"},
    {"attention.head_count", "num_attention_heads"},
    {"attention.layer_norm_epsilon", "layer_norm_eps"},
    {"rope.freq_base", "rotary_emb_base", false}};
static constexpr Field kFalconFields[] = {
    {"block_count", "num_hidden_layers"},
    {"embedding_length", "hidden_size"},
    {"feed_forward_length", "ffn_hidden_size"},
    {"context_length", "max_position_embeddings"},
    {"attention.head_count", "num_attention_heads"},
    {"attention.head_count_kv", "num_kv_heads"},
    {"attention.layer_norm_epsilon", "layer_norm_epsilon"},
    {"rope.freq_base", "rope_theta", false}};
static constexpr Field kBloomFields[] = {
    {"block_count", "n_layer"},
    {"embedding_length", "hidden_size"},
    {"feed_forward_length", "n_inner"},
    {"context_length", "seq_length"},
    {"attention.head_count", "n_head"},
    {"attention.layer_norm_epsilon", "layer_norm_epsilon"}};

static constexpr Architecture kArchitectures[] = {
    {"llama", "llama", "LlamaForCausalLM", kRmsFields},
    {"qwen2", "qwen2", "Qwen2ForCausalLM", kRmsFields},
    {"qwen3", "qwen3", "Qwen3ForCausalLM", kRmsFields},
    {"gemma", "gemma", "GemmaForCausalLM", kRmsFields},
    {"gemma2", "gemma2", "Gemma2ForCausalLM", kRmsFields},
    {"phi3", "phi3", "Phi3ForCausalLM", kRmsFields},
    {"gpt2", "gpt2", "GPT2LMHeadModel", kGpt2Fields},
    {"gptneox", "gpt_neox", "GPTNeoXForCausalLM", kNeoxFields},
    {"falcon", "falcon", "FalconForCausalLM", kFalconFields},
    {"bloom", "bloom", "BloomForCausalLM", kBloomFields}};

/// The architecture's class and numbers.
Error ConfigMaker::copyFields() {
  const Architecture *known =
      find_if(kArchitectures, [&](const Architecture &row) {
        return row.name == architecture;
      });
  if (known == std::end(kArchitectures)) {
    std::string names;
    for (const Architecture &row : kArchitectures)
      names += (names.empty() ? "" : ", ") + row.name.str();
    return makeError("A0236",
                     path + ": the architecture " + quote(architecture) +
                         " is not known; known are " + names,
                     kElse);
  }
  const NamedWeight *table = findTensor("token_embd.weight");
  if (!table || table->entry.shape.size() != 2)
    return makeError("A0237",
                     path + ": there is no tensor 'token_embd.weight' of two "
                            "dimensions",
                     "convert the model again with a current converter");
  config = json::Object{{"architectures", json::Array{known->className}},
                        {"model_type", known->modelType},
                        {"vocab_size", table->entry.shape[0]},
                        {"tie_word_embeddings", !findTensor("output.weight")}};
  if (known->fields.data() == kRmsFields) {
    config["hidden_act"] = "silu";
    config["rope_interleaved"] = architecture == "llama";
  }
  for (const Field &field : known->fields)
    if (Error error = copy(field.from, field.to, field.required))
      return error;
  return Error::success();
}

Expected<json::Object> ConfigMaker::run() {
  architecture =
      file.metadata.getString("general.architecture").value_or("").str();
  const json::Value *experts = find("expert_count");
  if (experts && experts->getAsInteger().value_or(1) != 0)
    return makeError("A0236", path + ": models of experts are not known",
                     kElse);
  if (Error error = copyFields())
    return error;
  if (Error error = addFamily())
    return error;
  if (Error error = checkRotation())
    return error;
  if (Error error = checkSlopes())
    return error;
  if (Error error = addScaling())
    return error;
  addTokens();
  if (Error error = checkFinite(config, path))
    return error;
  return std::move(config);
}

/// True if every number within is finite.
static bool isFinite(const json::Value &value) {
  if (const json::Array *array = value.getAsArray())
    return llvm::all_of(*array, isFinite);
  if (const json::Object *object = value.getAsObject())
    return llvm::all_of(
        *object, [](const auto &field) { return isFinite(field.second); });
  std::optional<double> number = value.getAsNumber();
  return !number || std::isfinite(*number);
}

Error checkFinite(const json::Object &fields, StringRef path) {
  for (const auto &[key, value] : fields)
    if (!isFinite(value))
      return makeError("A0237",
                       path + ": the metadata hold no finite number for " +
                           quote(key),
                       "convert the model again with a current converter");
  return Error::success();
}

Expected<json::Object> makeConfig(const GgufFile &file, StringRef path) {
  return ConfigMaker(file, path).run();
}

json::Object makeGenerationConfig(const GgufFile &file) {
  json::Object config;
  for (auto [key, field] : {std::pair("temp", "temperature"),
                            {"top_k", "top_k"},
                            {"top_p", "top_p"},
                            {"min_p", "min_p"},
                            {"penalty_repeat", "repetition_penalty"}})
    if (const json::Value *value =
            file.metadata.get(("general.sampling." + Twine(key)).str()))
      config[field] = *value;
  if (!config.empty())
    config["do_sample"] = true;
  return config;
}

} // namespace attnc
