//===- BertLike.cpp - encoders of BERT's shape ----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As `transformers` computes them. Declined by name: decoders, cross-attention,
// relative positions, pruned heads, custom code, quantized weights.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/BertLike.h"
#include "compiler/import/Json.h"
#include <cmath>

using namespace mlir;

namespace attnc {

// Beyond these a number in a config is a mistake, not a model.
static constexpr int64_t kMaxLayers = 1000;
static constexpr int64_t kMaxHeads = 1024;
static constexpr int64_t kMaxIntermediate = 1 << 20;
static constexpr int64_t kMaxVocabulary = 1 << 24;
static constexpr int64_t kMaxPositions = 1 << 20;
static constexpr int64_t kMaxTypes = 65'536;

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

BertLike::BertLike(ConfigReader &config, const WeightTable &weights, Head head,
                   const BertFamily &family)
    : family(family), weights(weights), head(head) {
  readNumbers(config);
  refuseVariants(config);
  config.ignoreHarmless();
  StringRef tensor = "embeddings.word_embeddings.weight";
  if (!weights.find(tensor) && weights.find((family.prefix + tensor).str()))
    prefix = family.prefix.str();
  readHead(config);
}

void BertLike::readNumbers(ConfigReader &config) {
  const BertFields &fields = family.fields;
  hidden = config.getInteger(fields.hidden, 1, kMaxWidth);
  layers = config.getInteger(fields.layers, 1, kMaxLayers);
  heads = config.getInteger(fields.heads, 1, kMaxHeads);
  intermediate = config.getInteger(fields.intermediate, 1, kMaxIntermediate);
  vocabulary = config.getInteger("vocab_size", 1, kMaxVocabulary);
  tableRows = config.getInteger("max_position_embeddings", 1, kMaxPositions);
  positions = tableRows;
  embedding = fields.embedding.empty()
                  ? hidden
                  : config.getInteger(fields.embedding, 1, kMaxWidth);
  if (!fields.types.empty())
    types = config.getInteger(fields.types, 1, kMaxTypes);
  if (!fields.epsilon.empty())
    epsilon = config.getNumber(fields.epsilon, 0.0, 1.0);
  if (!config.failed() && hidden % heads != 0)
    config.report(fields.hidden,
                  "is " + Twine(hidden) + ", which " + Twine(heads) +
                      " attention heads (" + quote(fields.heads) +
                      ") do not divide",
                  "correct one of the two", "A0107");
  if (!family.heads.sequenceActivation.empty())
    sequenceActivation = findActivation(family.heads.sequenceActivation);
  std::string name = config.getString(fields.activation);
  activation = findActivation(name);
  // Without a name the reader has said why, unless the name is empty.
  if (!activation && (!name.empty() || !config.failed()))
    config.report(fields.activation,
                  "names the activation " + quote(name) +
                      ", which is not known",
                  "known activations: " + listActivations());
}

void BertLike::refuseVariants(ConfigReader &config) {
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

std::string BertLike::describe() const {
  return family.name.str() + ", " + std::to_string(layers) +
         " layers, hidden size " + std::to_string(hidden) + ", " +
         std::to_string(heads) + " heads";
}

bool BertLike::isOptional(StringRef tensor) const {
  // The decoder's own copies of what it shares, and parts of other heads.
  const BertHeads &names = family.heads;
  if (head == Head::MaskedLM || head == Head::PreTraining)
    if (tensor.starts_with(names.maskedDecoder) || tensor == names.maskedBias)
      return true;
  if (head == Head::MaskedLM && !names.pretraining.empty() &&
      tensor.starts_with(names.pretraining))
    return true;
  if (!tensor.consume_front(prefix))
    return false;
  // Buffers that older versions of transformers saved, and the pooler, which a
  // sentence embedding does not use.
  return tensor == "embeddings.position_ids" ||
         tensor == "embeddings.token_type_ids" ||
         (!family.pooler.empty() && tensor.consume_front(family.pooler) &&
          (tensor == ".weight" || tensor == ".bias"));
}

//===----------------------------------------------------------------------===//
// Emitting
//===----------------------------------------------------------------------===//

SmallVector<EntryInput> BertLike::getInputs() const {
  SmallVector<SizeExpr> shape = {SizeExpr::name("batch"),
                                 SizeExpr::name("seq")};
  SmallVector<EntryInput> inputs = {
      {"input_ids", shape, 0, vocabulary - 1, std::nullopt},
      {"attention_mask", shape, 0, 1, 1}};
  if (types)
    inputs.push_back({"token_type_ids", shape, 0, types - 1, 0});
  return inputs;
}

/// The name in the checkpoint.
std::string BertLike::getSource(StringRef tensor) const {
  bool ofHead = isOfHead(tensor);
  std::string source = (ofHead ? "" : prefix) + tensor.str();
  if (weights.find(source))
    return source;
  // Checkpoints converted from TensorFlow call a norm's tensors gamma, beta.
  StringRef stem = source;
  std::string old;
  if (stem.consume_back(".LayerNorm.weight"))
    old = (stem + ".LayerNorm.gamma").str();
  else if (stem.consume_back(".LayerNorm.bias"))
    old = (stem + ".LayerNorm.beta").str();
  return weights.find(old) ? old : source;
}

/// The symbol leaves out "encoder.": @layer.0.output.dense.weight.
Value BertLike::weight(ProgramBuilder &program, StringRef name,
                       ArrayRef<int64_t> shape) const {
  StringRef symbol = name;
  symbol.consume_front("encoder.");
  return program.weight(symbol, symbol, getSource(name), shape);
}

Value BertLike::linear(ProgramBuilder &program, StringRef name,
                       StringRef tensor, Value rows, int64_t inputs,
                       int64_t outputs) const {
  Value matrix = weight(program, (tensor + ".weight").str(), {outputs, inputs});
  Value bias = weight(program, (tensor + ".bias").str(), {outputs});
  Value product = program.linear(name, rows, matrix);
  return program.addBias((name + ".bias").str(), product, bias);
}

Value BertLike::norm(ProgramBuilder &program, StringRef name, StringRef tensor,
                     Value rows, int64_t columns) const {
  Value scale = weight(program, (tensor + ".weight").str(), {columns});
  Value shift = weight(program, (tensor + ".bias").str(), {columns});
  return program.layerNorm(name, rows, scale, shift, epsilon);
}

Value BertLike::emitPositions(ProgramBuilder &program, Value ids) const {
  return program.positionsLike("embeddings.positions", ids);
}

Value BertLike::emitEmbeddings(ProgramBuilder &program) const {
  Value ids = program.getInput("input_ids");
  auto look = [&](StringRef name, StringRef tensor, Value index,
                  int64_t rows) -> Value {
    Value table = weight(program, tensor, {rows, embedding});
    return program.embedding(name, index, table);
  };
  Value words = look("embeddings.word", "embeddings.word_embeddings.weight",
                     ids, vocabulary);
  Value kinds;
  if (types)
    kinds =
        look("embeddings.token_type", "embeddings.token_type_embeddings.weight",
             program.getInput("token_type_ids"), types);
  Value places =
      look("embeddings.position", "embeddings.position_embeddings.weight",
           emitPositions(program, ids), tableRows);
  // In the order in which transformers adds them.
  Value sum = words;
  if (types)
    sum = program.add("embeddings.add_token_type", sum, kinds);
  sum = program.add("embeddings.add_position", sum, places);
  sum =
      norm(program, "embeddings.norm", "embeddings.LayerNorm", sum, embedding);
  return emitProjection(program, sum);
}

BertLayer BertLike::nameLayer(int64_t index) const {
  std::string layer = "encoder.layer." + std::to_string(index);
  return {layer + ".attention.self.query",
          layer + ".attention.self.key",
          layer + ".attention.self.value",
          layer + ".attention.output.dense",
          layer + ".attention.output.LayerNorm",
          layer + ".intermediate.dense",
          layer + ".output.dense",
          layer + ".output.LayerNorm"};
}

Value BertLike::emitHeads(ProgramBuilder &program, StringRef name,
                          StringRef tensor, Value rows) const {
  Value x = linear(program, name, tensor, rows, hidden, hidden);
  return program.splitHeads((name + ".heads").str(), x, heads);
}

Value BertLike::emitAttentionOutput(ProgramBuilder &program, StringRef name,
                                    const BertLayer &layer, Value context,
                                    Value rows) const {
  context = program.mergeHeads((name + ".merge").str(), context);
  Value output = linear(program, (name + ".output").str(),
                        layer.attentionOutput, context, hidden, hidden);
  output = program.add((name + ".residual").str(), output, rows);
  return norm(program, (name + ".norm").str(), layer.attentionNorm, output,
              hidden);
}

Value BertLike::emitAttention(ProgramBuilder &program, StringRef layerName,
                              const BertLayer &layer, Value rows, Value padding,
                              const DistanceScores &distances) const {
  std::string name = layerName.str() + ".attention";
  Value query = emitHeads(program, name + ".query", layer.query, rows);
  Value key = emitHeads(program, name + ".key", layer.key, rows);
  Value value = emitHeads(program, name + ".value", layer.value, rows);
  const int64_t headSize = hidden / heads;
  query = program.scale(name + ".scale", query,
                        1.0 / std::sqrt(static_cast<double>(headSize)));
  Value context =
      program.attention(name, query, key, value, padding, distances);
  return emitAttentionOutput(program, name, layer, context, rows);
}

Value BertLike::emitFeedForward(ProgramBuilder &program, StringRef layerName,
                                const BertLayer &layer, Value rows) const {
  std::string name = layerName.str();
  Value wide = linear(program, name + ".intermediate", layer.intermediate, rows,
                      hidden, intermediate);
  wide = program.activate(name + ".activation", wide, activation);
  Value output = linear(program, name + ".output", layer.output, wide,
                        intermediate, hidden);
  output = program.add(name + ".residual", output, rows);
  return norm(program, name + ".norm", layer.outputNorm, output, hidden);
}

EncoderOutput BertLike::emit(ProgramBuilder &program) const {
  Value mask = program.getInput("attention_mask");
  Value rows = emitEmbeddings(program);
  Value padding = program.additivePadding("padding", mask);
  DistanceScores distances = emitDistances(program);
  for (int64_t index = 0; index < layers; ++index) {
    std::string name = "layer." + std::to_string(index);
    BertLayer layer = nameLayer(index);
    rows = emitAttention(program, name, layer, rows, padding, distances);
    rows = emitFeedForward(program, name, layer, rows);
  }
  return {rows, mask};
}

} // namespace attnc
