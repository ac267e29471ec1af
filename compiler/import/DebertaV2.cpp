//===- DebertaV2.cpp - DeBERTa-v2 and v3 ----------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// He et al., "DeBERTa", 2021, and "DeBERTaV3", 2023. Embeddings of distances
// attend beside the tokens: with d = bucket(q - kv) and the distances' keys and
// queries K' and Q',
//
//   score(q, kv) = (Q_q K_kv + Q_q K'_d + K_kv Q'_d) / sqrt(D * terms)
//
// The products with all distances are attn.head_linear; the score region looks
// its own up. K' and Q' are made of weights alone, and therefore weights
// themselves, but where adapters change these. Distances are exact up to half
// the buckets, then wider, or exact up to a largest one. The v2 models add a
// convolution beside the first layer.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/BertLike.h"
#include "compiler/import/Json.h"
#include <cmath>

using namespace mlir;

namespace attnc {

// Dropout and the shape of what only training uses.
static constexpr llvm::StringLiteral kHarmless[] = {
    "pooler_dropout", "cls_dropout", "stable_dropout", "z_steps"};

static constexpr int64_t kMaxTypes = 65'536;
static constexpr int64_t kMaxDistance = 1 << 20;
static constexpr int64_t kMaxKernel = 65;
/// Rows of the table that leads from distances to buckets: an attn.constant.
static constexpr int64_t kMaxBucketTable = 65'535;

static constexpr BertFields kFields = {"hidden_size",
                                       "num_hidden_layers",
                                       "num_attention_heads",
                                       "intermediate_size",
                                       "hidden_act",
                                       "",
                                       "",
                                       "layer_norm_eps"};

// The two forms of the masked language model's head; the newer one's decoder is
// the word table always.
static constexpr BertFamily kLegacy = {
    "deberta-v2",
    "deberta.",
    "",
    kFields,
    {"cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm",
     "cls.predictions.decoder", "cls.predictions.bias", "", "pooler.dense",
     "gelu", "classifier", ""}};
static constexpr BertFamily kNewer = {
    "deberta-v2",
    "deberta.",
    "",
    kFields,
    {"lm_predictions.lm_head.dense", "lm_predictions.lm_head.LayerNorm", "",
     "lm_predictions.lm_head.bias", "", "pooler.dense", "gelu", "classifier",
     ""}};

//===----------------------------------------------------------------------===//
// Distances
//===----------------------------------------------------------------------===//

namespace {
/// How distances q - kv become rows of their table of embeddings.
struct Distances {
  int64_t span = 0;    ///< distance 0 reads row `span`, of 2 * span
  int64_t buckets = 0; ///< 0: every distance has its row
  int64_t most = 0;    ///< where the last bucket begins

  /// The row of a distance, as the reference computes it in f32.
  int64_t rowOf(int64_t distance) const {
    int64_t far = std::abs(distance), bucket = far;
    const int64_t middle = buckets / 2;
    if (buckets && far > middle) {
      float ratio = static_cast<float>(far) / static_cast<float>(middle);
      float whole = static_cast<float>(static_cast<double>(most - 1) / middle);
      float part = std::log(ratio) / std::log(whole);
      bucket = static_cast<int64_t>(
          std::ceil(part * static_cast<float>(middle - 1)) +
          static_cast<float>(middle));
    }
    return std::clamp<int64_t>(span + (distance < 0 ? -bucket : bucket), 0,
                               2 * span - 1);
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// The architecture
//===----------------------------------------------------------------------===//

namespace {
class DebertaV2 : public BertLike {
public:
  DebertaV2(ConfigReader &config, const WeightTable &weights, Head head,
            const BertFamily &family);
  EncoderOutput emit(ProgramBuilder &program) const override;
  bool isOptional(StringRef tensor) const override;

private:
  void readAttention(ConfigReader &config);
  void readDistances(ConfigReader &config);
  void readConvolution(ConfigReader &config);
  BertLayer nameLayer(int64_t index) const override;
  Value emitRows(ProgramBuilder &program) const;
  Value emitTable(ProgramBuilder &program) const;
  Value emitBuckets(ProgramBuilder &program) const;
  Value computeDistances(ProgramBuilder &program, StringRef name,
                         StringRef tensor, Value table) const;
  Value declareDistances(ProgramBuilder &program, StringRef name,
                         StringRef tensor) const;
  Value emitPositionScores(ProgramBuilder &program, StringRef name,
                           StringRef tensor, Value heads, Value table) const;
  Value emitAttention(ProgramBuilder &program, int64_t index, Value rows,
                      Value padding, Value table, Value buckets) const;
  Value emitConvolution(ProgramBuilder &program, Value embeddings,
                        Value rows) const;

  bool positionBias = false; ///< absolute positions in the embeddings
  bool relative = false;     ///< distances in the scores
  bool toPosition = false, toContent = false; ///< c2p, p2c
  bool sharedKeys = false; ///< distances go through the tokens' matrices
  bool normDistances = false;
  Distances distances;
  int64_t offset = 0; ///< of distance 0 in the table that is looked up first
  int64_t kernel = 0; ///< of the convolution; 0: none
  Activation convolutionActivation = nullptr;
};
} // namespace

DebertaV2::DebertaV2(ConfigReader &config, const WeightTable &weights,
                     Head head, const BertFamily &family)
    : BertLike(config, weights, head, family) {
  config.ignore(kHarmless);
  embedding = config.getInteger("embedding_size", 1, kMaxWidth, hidden);
  types = config.getInteger("type_vocab_size", 0, kMaxTypes);
  positionBias = config.getBool("position_biased_input");
  int64_t width = config.getInteger("pooler_hidden_size", 1, kMaxWidth, hidden);
  if (width != hidden)
    config.report("pooler_hidden_size",
                  "is " + Twine(width) + ", but rows have " + Twine(hidden) +
                      " numbers",
                  "give a model whose pooler is as wide as its rows");
  std::string name = config.getString("pooler_hidden_act", "gelu");
  sequenceActivation = findActivation(name);
  if (!sequenceActivation)
    config.report("pooler_hidden_act",
                  "names the activation " + quote(name) +
                      ", which is not known",
                  "known activations: " + listActivations());
  readAttention(config);
  readDistances(config);
  readConvolution(config);
}

void DebertaV2::readAttention(ConfigReader &config) {
  int64_t size = config.getInteger("attention_head_size", 1, kMaxWidth,
                                   std::max<int64_t>(hidden / heads, 1));
  if (!config.failed() && size != hidden / heads)
    config.report("attention_head_size",
                  "is " + Twine(size) +
                      "; only hidden_size / "
                      "num_attention_heads is implemented",
                  "give a model with such heads");
  relative = config.getBool("relative_attention");
  sharedKeys = config.getBool("share_att_key", false);
  for (const std::string &kind : config.getWords("pos_att_type")) {
    toPosition |= kind == "c2p";
    toContent |= kind == "p2c";
    if (kind != "c2p" && kind != "p2c" && kind != "none" && !kind.empty())
      config.report("pos_att_type",
                    "asks for " + quote(kind) +
                        " scores; 'c2p' and 'p2c' are implemented",
                    "give a model without them");
  }
  for (const std::string &kind : config.getWords("norm_rel_ebd")) {
    normDistances |= kind == "layer_norm";
    if (kind != "layer_norm" && kind != "none" && !kind.empty())
      config.report("norm_rel_ebd",
                    "asks for " + quote(kind) +
                        "; 'layer_norm' and 'none' are implemented",
                    "give a model without it");
  }
}

void DebertaV2::readDistances(ConfigReader &config) {
  int64_t buckets = config.getInteger("position_buckets", -1, kMaxDistance, -1);
  int64_t most =
      config.getInteger("max_relative_positions", -1, kMaxDistance, -1);
  if (!relative)
    return;
  if (most < 1)
    most = tableRows;
  distances = {buckets > 0 ? buckets : most, std::max<int64_t>(buckets, 0),
               most};
  // Beyond half the buckets the next ones are cut from the logarithm of
  // distances up to `most`.
  if (buckets > 0 && tableRows - 1 > buckets / 2 &&
      (buckets < 2 || most - 1 <= buckets / 2))
    return config.report(
        "position_buckets",
        "is " + Twine(buckets) + " with distances up to " + Twine(most) +
            ", which leaves nothing to cut into "
            "buckets",
        "correct 'position_buckets' or 'max_relative_positions'", "A0107");
  offset = distances.span;
  if (buckets < 1)
    return;
  // Beyond the table a look-up reads its ends.
  offset = 1;
  while (offset < tableRows - 1 && distances.rowOf(-offset) > 0)
    ++offset;
  if (2 * offset + 1 > kMaxBucketTable)
    config.report("position_buckets",
                  "needs a table of " + Twine(2 * offset + 1) +
                      " distances; the most are " + Twine(kMaxBucketTable),
                  "give a model with fewer positions");
}

void DebertaV2::readConvolution(ConfigReader &config) {
  kernel = config.getInteger("conv_kernel_size", 0, kMaxKernel, 0);
  int64_t groups = config.getInteger("conv_groups", 1, kMaxWidth, 1);
  std::string name = config.getString("conv_act", "tanh");
  convolutionActivation = findActivation(name);
  if (!kernel)
    return;
  if (kernel % 2 == 0)
    config.report("conv_kernel_size",
                  "is " + Twine(kernel) + ", which makes sequences shorter",
                  "give a model with an odd kernel");
  if (groups != 1)
    config.report("conv_groups",
                  "asks for " + Twine(groups) +
                      " groups; only one is implemented",
                  "give a model with one group");
  if (!convolutionActivation)
    config.report("conv_act",
                  "names the activation " + quote(name) +
                      ", which is not known",
                  "known activations: " + listActivations());
}

bool DebertaV2::isOptional(StringRef tensor) const {
  // As the reference does: a task of pretraining, and what the configuration
  // turns off.
  if (BertLike::isOptional(tensor) || tensor.starts_with("mask_predictions."))
    return true;
  tensor.consume_front(getPrefix());
  bool scores = relative && (toPosition || toContent);
  return (!positionBias && tensor == "embeddings.position_embeddings.weight") ||
         (!scores && (tensor == "encoder.rel_embeddings.weight" ||
                      tensor == "encoder.LayerNorm.weight" ||
                      tensor == "encoder.LayerNorm.bias"));
}

BertLayer DebertaV2::nameLayer(int64_t index) const {
  BertLayer layer = BertLike::nameLayer(index);
  for (std::string *name : {&layer.query, &layer.key, &layer.value})
    *name += "_proj";
  return layer;
}

//===----------------------------------------------------------------------===//
// Emitting
//===----------------------------------------------------------------------===//

/// The embeddings: their sum is widened before it is normalized.
Value DebertaV2::emitRows(ProgramBuilder &program) const {
  Value ids = program.getInput("input_ids");
  auto look = [&](StringRef kind, Value index, int64_t rows) -> Value {
    Value table =
        weight(program, ("embeddings." + kind + "_embeddings.weight").str(),
               {rows, embedding});
    return program.embedding(("embeddings." + kind).str(), index, table);
  };
  Value sum = look("word", ids, vocabulary);
  if (positionBias)
    sum = program.add("embeddings.add_position", sum,
                      look("position", emitPositions(program, ids), tableRows));
  if (types)
    sum = program.add(
        "embeddings.add_token_type", sum,
        look("token_type", program.getInput("token_type_ids"), types));
  if (embedding != hidden)
    sum = program.linear(
        "embeddings.project", sum,
        weight(program, "embeddings.embed_proj.weight", {hidden, embedding}));
  return norm(program, "embeddings.norm", "embeddings.LayerNorm", sum, hidden);
}

/// The embeddings of distances, [2 * span, hidden].
Value DebertaV2::emitTable(ProgramBuilder &program) const {
  Value table = weight(program, "encoder.rel_embeddings.weight",
                       {2 * distances.span, hidden});
  if (!normDistances)
    return table;
  return norm(program, "distances.norm", "encoder.LayerNorm", table, hidden);
}

/// Rows of distances from -offset on, as i32; null if every distance has a row,
/// of distance -offset the first.
Value DebertaV2::emitBuckets(ProgramBuilder &program) const {
  if (!distances.buckets)
    return {};
  SmallVector<int32_t> rows;
  for (int64_t distance = -offset; distance <= offset; ++distance)
    rows.push_back(static_cast<int32_t>(distances.rowOf(distance)));
  return program.constant("distances.buckets", rows);
}

/// The distances, projected by `tensor`, in every call: [H, D, 2 * span].
Value DebertaV2::computeDistances(ProgramBuilder &program, StringRef name,
                                  StringRef tensor, Value table) const {
  Value rows = emitHeads(program, (name + ".distances").str(), tensor, table);
  return program.transpose((name + ".turn").str(), rows, {1, 2, 0});
}

/// The same as a weight.
Value DebertaV2::declareDistances(ProgramBuilder &program, StringRef name,
                                  StringRef tensor) const {
  SmallVector<std::string> sources = {
      getSource("encoder.rel_embeddings.weight"),
      getSource((tensor + ".weight").str()),
      getSource((tensor + ".bias").str())};
  std::optional<double> norm;
  if (normDistances) {
    norm = epsilon;
    sources.push_back(getSource("encoder.LayerNorm.weight"));
    sources.push_back(getSource("encoder.LayerNorm.bias"));
  }
  return program.projectedWeight(
      (name + ".distances").str(), llvm::to_vector_of<StringRef>(sources),
      {heads, hidden / heads, 2 * distances.span}, norm);
}

/// Products of the heads [batch, seq, H, D] with every distance, projected by
/// `tensor`: [batch, seq, H, 2 * span].
Value DebertaV2::emitPositionScores(ProgramBuilder &program, StringRef name,
                                    StringRef tensor, Value heads,
                                    Value table) const {
  Value matrices = table ? computeDistances(program, name, tensor, table)
                         : declareDistances(program, name, tensor);
  return program.headLinear(name, heads, matrices);
}

Value DebertaV2::emitAttention(ProgramBuilder &program, int64_t index,
                               Value rows, Value padding, Value table,
                               Value buckets) const {
  BertLayer layer = nameLayer(index);
  std::string name = "layer." + std::to_string(index) + ".attention";
  Value query = emitHeads(program, name + ".query", layer.query, rows);
  Value key = emitHeads(program, name + ".key", layer.key, rows);
  Value value = emitHeads(program, name + ".value", layer.value, rows);
  std::string stem = layer.query.substr(0, layer.query.rfind('.') + 1);
  DistanceScores scores;
  scores.buckets = buckets;
  scores.offset = offset;
  if (relative && toPosition)
    scores.ofQuery = emitPositionScores(
        program, name + ".content_to_position",
        sharedKeys ? layer.key : stem + "pos_key_proj", query, table);
  if (relative && toContent)
    scores.ofKey = emitPositionScores(
        program, name + ".position_to_content",
        sharedKeys ? layer.query : stem + "pos_query_proj", key, table);
  double terms = 1.0 + toPosition + toContent;
  scores.scale = 1.0 / std::sqrt(static_cast<double>(hidden / heads) * terms);
  Value context = program.attention(name, query, key, value, padding, scores);
  return emitAttentionOutput(program, name, layer, context, rows);
}

/// norm(rows + activation(convolution of the embeddings)), both of them zero at
/// masked positions.
Value DebertaV2::emitConvolution(ProgramBuilder &program, Value embeddings,
                                 Value rows) const {
  Value mask = program.getInput("attention_mask");
  Value windows = program.windows("convolution.windows", embeddings, kernel);
  Value matrix =
      weight(program, "encoder.conv.conv.weight", {hidden, hidden * kernel});
  Value bias = weight(program, "encoder.conv.conv.bias", {hidden});
  Value output = program.linear("convolution", windows, matrix);
  output = program.addBias("convolution.bias", output, bias);
  output = program.zeroPadding("convolution.padding", output, mask);
  output =
      program.activate("convolution.activation", output, convolutionActivation);
  output = program.add("convolution.residual", rows, output);
  output = norm(program, "convolution.norm", "encoder.conv.LayerNorm", output,
                hidden);
  return program.zeroPadding("convolution.output", output, mask);
}

EncoderOutput DebertaV2::emit(ProgramBuilder &program) const {
  Value mask = program.getInput("attention_mask");
  Value rows = emitRows(program);
  // Only a convolution sees masked positions.
  Value embeddings =
      kernel ? program.zeroPadding("embeddings.padding", rows, mask) : rows;
  rows = embeddings;
  Value padding = program.additivePadding("padding", mask);
  Value table, buckets;
  if (relative && (toPosition || toContent)) {
    if (weightsVary)
      table = emitTable(program);
    buckets = emitBuckets(program);
  }
  for (int64_t index = 0; index < layers; ++index) {
    rows = emitAttention(program, index, rows, padding, table, buckets);
    rows = emitFeedForward(program, "layer." + std::to_string(index),
                           nameLayer(index), rows);
    if (index == 0 && kernel)
      rows = emitConvolution(program, embeddings, rows);
  }
  return {rows, mask};
}

std::unique_ptr<Encoder> readDebertaV2(ConfigReader &config,
                                       const WeightTable &weights, Head head) {
  bool legacy = config.getBool("legacy", true);
  return std::make_unique<DebertaV2>(config, weights, head,
                                     legacy ? kLegacy : kNewer);
}

} // namespace attnc
