//===- Bert.cpp - the BERT encoder ----------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Devlin et al., "BERT", 2018, as `transformers.BertModel` computes it:
// embeddings (word, token type, position; norm), then layers of attention and
// feed-forward, each with a residual and a norm behind it. Declined by name:
// decoders, cross-attention, relative positions, pruned heads, custom code.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Encoder.h"
#include "compiler/import/Json.h"
#include <cmath>

using namespace mlir;

namespace attnc {

// Fields of config.json that do not change what the encoder computes: training,
// heads on top of it, text generation, and bookkeeping.
static constexpr llvm::StringLiteral kHarmless[] = {
    "_name_or_path",
    "name_or_path",
    "_commit_hash",
    "transformers_version",
    "torch_dtype",
    "dtype",
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_autoset",
    "torchscript",
    "use_bfloat16",
    "gradient_checkpointing",
    "attention_probs_dropout_prob",
    "hidden_dropout_prob",
    "classifier_dropout",
    "initializer_range",
    "initializer_factor",
    "use_cache",
    "return_dict",
    "output_attentions",
    "output_hidden_states",
    "output_past",
    "chunk_size_feed_forward",
    "tie_word_embeddings",
    "tie_encoder_decoder",
    "tie_last_hidden_states",
    "pad_token_id",
    "bos_token_id",
    "eos_token_id",
    "sep_token_id",
    "cls_token_id",
    "mask_token_id",
    "unk_token_id",
    "decoder_start_token_id",
    "tokenizer_class",
    "model_max_length",
    "id2label",
    "label2id",
    "num_labels",
    "_num_labels",
    "problem_type",
    "finetuning_task",
    "task_specific_params",
    "directionality",
    "pooler_fc_size",
    "pooler_num_attention_heads",
    "pooler_num_fc_layers",
    "pooler_size_per_head",
    "pooler_type",
    "language",
    "license",
    "name",
    "author",
    "tf_legacy_loss",
    "xla_device",
    "max_length",
    "min_length",
    "do_sample",
    "early_stopping",
    "num_beams",
    "num_beam_groups",
    "diversity_penalty",
    "temperature",
    "top_k",
    "top_p",
    "typical_p",
    "repetition_penalty",
    "length_penalty",
    "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size",
    "bad_words_ids",
    "num_return_sequences",
    "output_scores",
    "return_dict_in_generate",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "remove_invalid_values",
    "suppress_tokens",
    "begin_suppress_tokens",
    "exponential_decay_length_penalty",
    "prefix"};

// Beyond these a number in a config is a mistake, not a model.
static constexpr int64_t kMaxLayers = 1000;
static constexpr int64_t kMaxHeads = 1024;
static constexpr int64_t kMaxHidden = 65'536;
static constexpr int64_t kMaxIntermediate = 1 << 20;
static constexpr int64_t kMaxVocabulary = 1 << 24;
static constexpr int64_t kMaxPositions = 1 << 20;
static constexpr int64_t kMaxTypes = 65'536;

namespace {
class Bert : public Encoder {
public:
  Bert(ConfigReader &config, const WeightTable &weights);

  std::string describe() const override;
  int64_t getHiddenSize() const override { return hidden; }
  int64_t getMaxPositions() const override { return positions; }
  SmallVector<EntryInput> getInputs() const override;
  EncoderOutput emit(ProgramBuilder &program) const override;
  Value emitPooler(ProgramBuilder &program,
                   const EncoderOutput &output) const override;
  bool isOptional(StringRef tensor) const override;

private:
  void refuseVariants(ConfigReader &config);
  Value weight(ProgramBuilder &program, StringRef name,
               ArrayRef<int64_t> shape) const;
  Value linear(ProgramBuilder &program, StringRef name, StringRef tensor,
               Value rows, int64_t inputs, int64_t outputs) const;
  Value norm(ProgramBuilder &program, StringRef name, StringRef tensor,
             Value rows) const;
  Value emitEmbeddings(ProgramBuilder &program) const;
  Value emitAttention(ProgramBuilder &program, StringRef layer, Value rows,
                      Value padding) const;
  Value emitFeedForward(ProgramBuilder &program, StringRef layer,
                        Value rows) const;

  const WeightTable &weights;
  std::string prefix; ///< of the encoder's tensors: "" or "bert."
  int64_t hidden, layers, heads, intermediate, vocabulary, positions, types;
  double epsilon;
  Activation activation;
};
} // namespace

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

Bert::Bert(ConfigReader &config, const WeightTable &weights)
    : weights(weights) {
  hidden = config.getInteger("hidden_size", 1, kMaxHidden);
  layers = config.getInteger("num_hidden_layers", 1, kMaxLayers);
  heads = config.getInteger("num_attention_heads", 1, kMaxHeads);
  intermediate = config.getInteger("intermediate_size", 1, kMaxIntermediate);
  vocabulary = config.getInteger("vocab_size", 1, kMaxVocabulary);
  positions = config.getInteger("max_position_embeddings", 1, kMaxPositions);
  types = config.getInteger("type_vocab_size", 1, kMaxTypes);
  epsilon = config.getNumber("layer_norm_eps", 0.0, 1.0);
  if (!config.failed() && hidden % heads != 0)
    config.report("hidden_size",
                  "is " + Twine(hidden) + ", which " + Twine(heads) +
                      " attention heads ('num_attention_heads') do not divide",
                  "correct one of the two", "A0107");
  std::string name = config.getString("hidden_act");
  activation = findActivation(name);
  // Without a name the reader has said why, unless the name is empty.
  if (!activation && (!name.empty() || !config.failed()))
    config.report("hidden_act",
                  "names the activation " + quote(name) +
                      ", which is not known",
                  "known activations: " + listActivations());
  refuseVariants(config);
  config.ignore(kHarmless);
  StringRef tensor = "embeddings.word_embeddings.weight";
  if (!weights.find(tensor) && weights.find(("bert." + tensor).str()))
    prefix = "bert.";
}

void Bert::refuseVariants(ConfigReader &config) {
  std::string position =
      config.getString("position_embedding_type", "absolute");
  if (position != "absolute")
    config.report("position_embedding_type",
                  "asks for " + quote(position) +
                      " positions; only 'absolute' ones are implemented",
                  "give a model with absolute positions");
  config.refuseIfSet("is_decoder", "a decoder");
  config.refuseIfSet("is_encoder_decoder", "an encoder and a decoder");
  config.refuseIfSet("add_cross_attention", "cross-attention");
  config.refuseIfSet("pruned_heads", "heads to be removed");
  config.refuseIfSet("auto_map", "custom code");
  config.refuseIfSet("quantization_config", "quantized weights");
}

std::string Bert::describe() const {
  return "bert, " + std::to_string(layers) + " layers, hidden size " +
         std::to_string(hidden) + ", " + std::to_string(heads) + " heads";
}

bool Bert::isOptional(StringRef tensor) const {
  if (!tensor.consume_front(prefix))
    return false;
  // Buffers that older versions of transformers saved, and the pooler, which a
  // sentence embedding does not use.
  return tensor == "embeddings.position_ids" ||
         tensor == "embeddings.token_type_ids" ||
         tensor == "pooler.dense.weight" || tensor == "pooler.dense.bias";
}

//===----------------------------------------------------------------------===//
// Emitting
//===----------------------------------------------------------------------===//

SmallVector<EntryInput> Bert::getInputs() const {
  SmallVector<SizeExpr> shape = {SizeExpr::name("batch"),
                                 SizeExpr::name("seq")};
  return {{"input_ids", shape, 0, vocabulary - 1, std::nullopt},
          {"attention_mask", shape, 0, 1, 1},
          {"token_type_ids", shape, 0, types - 1, 0}};
}

/// `name` is the tensor's without the checkpoint's prefix. The symbol leaves
/// out "encoder." too: @layer.0.output.dense.weight.
Value Bert::weight(ProgramBuilder &program, StringRef name,
                   ArrayRef<int64_t> shape) const {
  StringRef symbol = name;
  symbol.consume_front("encoder.");
  std::string source = prefix + name.str();
  // Checkpoints converted from TensorFlow call a norm's tensors gamma, beta.
  if (!weights.find(source)) {
    StringRef stem = source;
    if (stem.consume_back(".LayerNorm.weight"))
      if (std::string old = (stem + ".LayerNorm.gamma").str();
          weights.find(old))
        source = old;
    if (stem.consume_back(".LayerNorm.bias"))
      if (std::string old = (stem + ".LayerNorm.beta").str(); weights.find(old))
        source = old;
  }
  return program.weight(symbol, symbol, source, shape);
}

Value Bert::linear(ProgramBuilder &program, StringRef name, StringRef tensor,
                   Value rows, int64_t inputs, int64_t outputs) const {
  Value matrix = weight(program, (tensor + ".weight").str(), {outputs, inputs});
  Value bias = weight(program, (tensor + ".bias").str(), {outputs});
  Value product = program.linear(name, rows, matrix);
  return program.addBias((name + ".bias").str(), product, bias);
}

Value Bert::norm(ProgramBuilder &program, StringRef name, StringRef tensor,
                 Value rows) const {
  Value scale = weight(program, (tensor + ".weight").str(), {hidden});
  Value shift = weight(program, (tensor + ".bias").str(), {hidden});
  return program.layerNorm(name, rows, scale, shift, epsilon);
}

Value Bert::emitEmbeddings(ProgramBuilder &program) const {
  Value ids = program.getInput("input_ids");
  auto look = [&](StringRef name, StringRef tensor, Value index,
                  int64_t rows) -> Value {
    Value table = weight(program, tensor, {rows, hidden});
    return program.embedding(name, index, table);
  };
  Value words = look("embeddings.word", "embeddings.word_embeddings.weight",
                     ids, vocabulary);
  Value kinds =
      look("embeddings.token_type", "embeddings.token_type_embeddings.weight",
           program.getInput("token_type_ids"), types);
  Value places =
      look("embeddings.position", "embeddings.position_embeddings.weight",
           program.positionsLike("embeddings.positions", ids), positions);
  // In the order in which transformers adds them.
  Value sum = program.add("embeddings.add_token_type", words, kinds);
  sum = program.add("embeddings.add_position", sum, places);
  return norm(program, "embeddings.norm", "embeddings.LayerNorm", sum);
}

Value Bert::emitAttention(ProgramBuilder &program, StringRef layer, Value rows,
                          Value padding) const {
  std::string name = layer.str() + ".attention";
  std::string tensor = "encoder." + name;
  auto project = [&](StringRef which) -> Value {
    std::string step = name + "." + which.str();
    Value x = linear(program, step, tensor + ".self." + which.str(), rows,
                     hidden, hidden);
    return program.splitHeads(step + ".heads", x, heads);
  };
  Value query = project("query");
  Value key = project("key");
  Value value = project("value");
  const int64_t headSize = hidden / heads;
  query = program.scale(name + ".scale", query,
                        1.0 / std::sqrt(static_cast<double>(headSize)));
  Value context = program.attention(name, query, key, value, padding);
  context = program.mergeHeads(name + ".merge", context);
  Value output = linear(program, name + ".output", tensor + ".output.dense",
                        context, hidden, hidden);
  output = program.add(name + ".residual", output, rows);
  return norm(program, name + ".norm", tensor + ".output.LayerNorm", output);
}

Value Bert::emitFeedForward(ProgramBuilder &program, StringRef layer,
                            Value rows) const {
  std::string name = layer.str();
  std::string tensor = "encoder." + name;
  Value wide =
      linear(program, name + ".intermediate", tensor + ".intermediate.dense",
             rows, hidden, intermediate);
  wide = program.activate(name + ".activation", wide, activation);
  Value output = linear(program, name + ".output", tensor + ".output.dense",
                        wide, intermediate, hidden);
  output = program.add(name + ".residual", output, rows);
  return norm(program, name + ".norm", tensor + ".output.LayerNorm", output);
}

EncoderOutput Bert::emit(ProgramBuilder &program) const {
  Value mask = program.getInput("attention_mask");
  Value rows = emitEmbeddings(program);
  Value padding = program.additivePadding("padding", mask);
  for (int64_t index = 0; index < layers; ++index) {
    std::string layer = "layer." + std::to_string(index);
    rows = emitAttention(program, layer, rows, padding);
    rows = emitFeedForward(program, layer, rows);
  }
  return {rows, mask};
}

/// tanh(W x + b) of the first token's row.
Value Bert::emitPooler(ProgramBuilder &program,
                       const EncoderOutput &output) const {
  if (!weights.find(prefix + "pooler.dense.weight"))
    return {};
  Value first = program.pool("pooler.first", attn::PoolKind::first,
                             output.hidden, output.mask);
  Value row =
      linear(program, "pooler.dense", "pooler.dense", first, hidden, hidden);
  return program.activate("pooler.activation", row, findActivation("tanh"));
}

std::unique_ptr<Encoder> readBert(ConfigReader &config,
                                  const WeightTable &weights) {
  return std::make_unique<Bert>(config, weights);
}

} // namespace attnc
