//===- ModernBert.cpp - the ModernBERT encoder ----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Warner et al., "Smarter, Better, Faster, Longer", 2024. Norms before the
// layers, rotary positions, gated feed-forward layers, few biases. Some layers
// see the whole sequence, the others a window; each kind has its own
// frequencies. Every head begins with one dense layer, activation and norm.
//
// Declined by name: scaled rotary positions, custom code, quantized weights.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Encoder.h"
#include "compiler/import/Json.h"
#include "compiler/import/TiedTensors.h"
#include <cmath>

using namespace mlir;

namespace attnc {

// Fields without an effect on inference.
static constexpr llvm::StringLiteral kUnused[] = {
    "attention_dropout",         "deterministic_flash_attn",
    "embedding_dropout",         "mlp_dropout",
    "initializer_cutoff_factor", "layer_norm_eps",
    "reference_compile",         "repad_logits_with_grad",
    "sparse_prediction",         "sparse_pred_ignore_index",
    "position_embedding_type"};

// Beyond these a number in a config is a mistake, not a model.
static constexpr int64_t kMaxLayers = 1000;
static constexpr int64_t kMaxHeads = 1024;
static constexpr int64_t kMaxWidth = 65'536;
static constexpr int64_t kMaxVocabulary = 1 << 24;
static constexpr int64_t kMaxPositions = 1 << 20;
static constexpr double kMaxTheta = 1e12;

static constexpr llvm::StringLiteral kWordTable =
    "embeddings.tok_embeddings.weight";

namespace {
class ModernBert : public Encoder {
public:
  ModernBert(ConfigReader &config, const WeightTable &weights, Head head);

  std::string describe() const override;
  int64_t getHiddenSize() const override { return hidden; }
  int64_t getMaxPositions() const override { return positions; }
  SmallVector<EntryInput> getInputs() const override;
  EncoderOutput emit(ProgramBuilder &program) const override;
  Value emitPooler(ProgramBuilder &, const EncoderOutput &) const override {
    return {};
  }
  Head getHead() const override { return head; }
  SmallVector<EntryOutput> emitHead(ProgramBuilder &program,
                                    const EncoderOutput &output) const override;
  bool isOptional(StringRef tensor) const override;
  bool isOfHead(StringRef tensor) const override;

private:
  void readNumbers(ConfigReader &config);
  void readLayerKinds(ConfigReader &config);
  void readThetas(ConfigReader &config);
  Activation readActivation(ConfigReader &config, StringRef key);

  Value weight(ProgramBuilder &program, StringRef name,
               ArrayRef<int64_t> shape) const;
  Value linear(ProgramBuilder &program, StringRef name, StringRef tensor,
               Value rows, int64_t inputs, int64_t outputs, bool hasBias) const;
  Value norm(ProgramBuilder &program, StringRef name, StringRef tensor,
             Value rows) const;
  Value emitLayer(ProgramBuilder &program, int64_t index, Value rows,
                  Value mask, const RotaryTables &tables) const;
  Value emitHeadRows(ProgramBuilder &program, Value rows) const;
  int64_t countLabels() const;

  const WeightTable &weights;
  Head head;
  std::string prefix;
  int64_t hidden, layers, heads, intermediate, vocabulary, positions;
  int64_t window; ///< how far local layers see, to either side
  double epsilon, globalTheta = 0, localTheta = 0;
  bool attentionBias, feedForwardBias, normBias, classifierBias, decoderBias;
  bool tiedDecoder = true;
  attn::PoolKind pooling = attn::PoolKind::first;
  Activation activation = nullptr, headActivation = nullptr;
  SmallVector<bool> isLocal; ///< by layer
};
} // namespace

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

ModernBert::ModernBert(ConfigReader &config, const WeightTable &weights,
                       Head head)
    : weights(weights), head(head) {
  readNumbers(config);
  readLayerKinds(config);
  readThetas(config);
  config.refuseIfSet("auto_map", "custom code");
  config.refuseIfSet("quantization_config", "quantized weights");
  config.ignoreHarmless();
  config.ignore(kUnused);
  if (weights.find(("model." + kWordTable).str()))
    prefix = "model.";
  bool anywhere = llvm::any_of(
      weights.names(), [&](StringRef tensor) { return isOfHead(tensor); });
  if (!anywhere)
    this->head = Head::None;
  if (this->head == Head::MaskedLM && tiedDecoder)
    checkTied(config, weights, "decoder.weight", prefix + kWordTable.str());
}

Activation ModernBert::readActivation(ConfigReader &config, StringRef key) {
  std::string name = config.getString(key);
  Activation function = findActivation(name);
  if (!function && (!name.empty() || !config.failed()))
    config.report(
        key, "names the activation " + quote(name) + ", which is not known",
        "known activations: " + listActivations());
  return function;
}

void ModernBert::readNumbers(ConfigReader &config) {
  hidden = config.getInteger("hidden_size", 1, kMaxWidth);
  layers = config.getInteger("num_hidden_layers", 1, kMaxLayers);
  heads = config.getInteger("num_attention_heads", 1, kMaxHeads);
  intermediate = config.getInteger("intermediate_size", 1, kMaxWidth);
  vocabulary = config.getInteger("vocab_size", 1, kMaxVocabulary);
  positions = config.getInteger("max_position_embeddings", 1, kMaxPositions);
  window = config.getInteger("local_attention", 0, kMaxPositions) / 2;
  epsilon = config.getNumber("norm_eps", 0.0, 1.0);
  attentionBias = config.getBool("attention_bias");
  feedForwardBias = config.getBool("mlp_bias");
  normBias = config.getBool("norm_bias");
  classifierBias = config.getBool("classifier_bias");
  decoderBias = config.getBool("decoder_bias");
  tiedDecoder = config.getBool("tie_word_embeddings", true);
  activation = readActivation(config, "hidden_activation");
  headActivation = readActivation(config, "classifier_activation");
  std::string pool = config.getString("classifier_pooling");
  if (pool == "mean")
    pooling = attn::PoolKind::mean;
  else if (pool != "cls" && !config.failed())
    config.report("classifier_pooling", "is " + quote(pool),
                  "known are 'cls' and 'mean'");
  if (!config.failed() && hidden % (2 * heads) != 0)
    config.report("hidden_size",
                  "is " + Twine(hidden) + ", which " + Twine(heads) +
                      " attention heads ('num_attention_heads') do not cut "
                      "into heads of an even size",
                  "correct one of the two", "A0107");
}

void ModernBert::readLayerKinds(ConfigReader &config) {
  std::vector<std::string> kinds = config.getStrings("layer_types");
  if (kinds.empty()) {
    int64_t every =
        config.getInteger("global_attn_every_n_layers", 1, kMaxLayers);
    for (int64_t index = 0; index < layers; ++index)
      isLocal.push_back(index % every != 0);
    return;
  }
  config.ignore({"global_attn_every_n_layers"});
  for (const std::string &kind : kinds) {
    if (kind != "full_attention" && kind != "sliding_attention")
      config.report("layer_types", "names " + quote(kind),
                    "known are 'full_attention' and 'sliding_attention'");
    isLocal.push_back(kind == "sliding_attention");
  }
  if (!config.failed() && static_cast<int64_t>(kinds.size()) != layers)
    config.report("layer_types",
                  "names " + Twine(kinds.size()) + " layers; the model has " +
                      Twine(layers) + " ('num_hidden_layers')",
                  "correct one of the two", "A0107");
}

/// In one object per kind, or two fields of their own.
void ModernBert::readThetas(ConfigReader &config) {
  config.refuseIfSet("rope_scaling", "scaled rotary positions");
  std::optional<ConfigFile> kinds = config.getObject("rope_parameters");
  if (!kinds) {
    globalTheta = config.getNumber("global_rope_theta", 1.0, kMaxTheta);
    localTheta = config.getNumber("local_rope_theta", 1.0, kMaxTheta);
    return;
  }
  config.ignore({"global_rope_theta", "local_rope_theta"});
  ConfigReader inner(config.getContext(), *kinds);
  auto read = [&](StringRef kind) -> double {
    std::optional<ConfigFile> fields = inner.getObject(kind);
    if (!fields) {
      if (!inner.failed())
        inner.report(kind, "is missing", "add it with 'rope_theta'", "A0104");
      return 0;
    }
    ConfigReader reader(config.getContext(), *fields);
    double theta = reader.getNumber("rope_theta", 1.0, kMaxTheta);
    std::string type = reader.getString("rope_type", "default");
    if (type != "default")
      reader.report("rope_type",
                    "asks for " + quote(type) +
                        " rotary positions; only 'default' ones are "
                        "implemented",
                    "give a model with default ones");
    inner.adopt(reader.finish());
    return theta;
  };
  globalTheta = read("full_attention");
  localTheta = read("sliding_attention");
  config.adopt(inner.finish());
}

std::string ModernBert::describe() const {
  return "modernbert, " + std::to_string(layers) + " layers, hidden size " +
         std::to_string(hidden) + ", " + std::to_string(heads) + " heads";
}

bool ModernBert::isOfHead(StringRef tensor) const {
  SmallVector<StringRef> stems;
  if (head == Head::MaskedLM)
    stems = {"head.dense", "head.norm", "decoder"};
  else if (head != Head::None)
    stems = {"head.dense", "head.norm", "classifier"};
  return llvm::any_of(stems, [&](StringRef stem) {
    StringRef rest = tensor;
    return rest.consume_front(stem) && (rest == ".weight" || rest == ".bias");
  });
}

bool ModernBert::isOptional(StringRef tensor) const {
  // A copy of the table.
  return head == Head::MaskedLM && tiedDecoder && tensor == "decoder.weight";
}

//===----------------------------------------------------------------------===//
// Emitting
//===----------------------------------------------------------------------===//

SmallVector<EntryInput> ModernBert::getInputs() const {
  SmallVector<SizeExpr> shape = {SizeExpr::name("batch"),
                                 SizeExpr::name("seq")};
  return {{"input_ids", shape, 0, vocabulary - 1, std::nullopt},
          {"attention_mask", shape, 0, 1, 1}};
}

Value ModernBert::weight(ProgramBuilder &program, StringRef name,
                         ArrayRef<int64_t> shape) const {
  std::string source = (isOfHead(name) ? "" : prefix) + name.str();
  StringRef symbol = name;
  std::string layer;
  if (symbol.consume_front("layers."))
    layer = ("layer." + symbol).str(), symbol = layer;
  return program.weight(symbol, symbol, source, shape);
}

Value ModernBert::linear(ProgramBuilder &program, StringRef name,
                         StringRef tensor, Value rows, int64_t inputs,
                         int64_t outputs, bool hasBias) const {
  Value matrix = weight(program, (tensor + ".weight").str(), {outputs, inputs});
  Value product = program.linear(name, rows, matrix);
  if (!hasBias)
    return product;
  return program.addBias((name + ".bias").str(), product,
                         weight(program, (tensor + ".bias").str(), {outputs}));
}

Value ModernBert::norm(ProgramBuilder &program, StringRef name,
                       StringRef tensor, Value rows) const {
  Value scale = weight(program, (tensor + ".weight").str(), {hidden});
  Value shift;
  if (normBias)
    shift = weight(program, (tensor + ".bias").str(), {hidden});
  return program.layerNorm(name, rows, scale, shift, epsilon);
}

Value ModernBert::emitLayer(ProgramBuilder &program, int64_t index, Value rows,
                            Value mask, const RotaryTables &tables) const {
  std::string name = "layer." + std::to_string(index);
  std::string tensor = "layers." + std::to_string(index);
  std::string step = name + ".attention";
  // The embeddings' norm serves the first layer.
  Value normed =
      index == 0 ? rows
                 : norm(program, step + ".norm", tensor + ".attn_norm", rows);
  Value matrix =
      weight(program, tensor + ".attn.Wqkv.weight", {3 * hidden, hidden});
  Value bias;
  if (attentionBias)
    bias = weight(program, tensor + ".attn.Wqkv.bias", {3 * hidden});
  ProjectedHeads parts =
      program.qkvProjection(step + ".qkv", normed, matrix, bias, heads);
  parts.query = program.rope(step + ".query.rope", parts.query, tables);
  parts.key = program.rope(step + ".key.rope", parts.key, tables);
  parts.query =
      program.scale(step + ".scale", parts.query,
                    1.0 / std::sqrt(static_cast<double>(hidden / heads)));
  KeyReach reach;
  if (isLocal[index])
    reach.window = window;
  Value context = program.maskedAttention(step, parts, mask, reach);
  context = program.mergeHeads(step + ".merge", context);
  Value output = linear(program, step + ".output", tensor + ".attn.Wo", context,
                        hidden, hidden, attentionBias);
  rows = program.add(step + ".residual", output, rows);

  normed = norm(program, name + ".norm", tensor + ".mlp_norm", rows);
  Value wide = linear(program, name + ".intermediate", tensor + ".mlp.Wi",
                      normed, hidden, 2 * intermediate, feedForwardBias);
  wide = program.gate(name + ".gate", wide, activation);
  output = linear(program, name + ".output", tensor + ".mlp.Wo", wide,
                  intermediate, hidden, feedForwardBias);
  return program.add(name + ".residual", output, rows);
}

EncoderOutput ModernBert::emit(ProgramBuilder &program) const {
  Value ids = program.getInput("input_ids");
  Value mask = program.getInput("attention_mask");
  Value table = weight(program, kWordTable, {vocabulary, hidden});
  Value rows = program.embedding("embeddings.word", ids, table);
  rows = norm(program, "embeddings.norm", "embeddings.norm", rows);
  Value places = program.positionsLike("positions", ids);
  auto makeTables = [&](StringRef name, double theta) {
    return program.rotaryTables(name, places, positions,
                                getRotaryFrequencies(theta, hidden / heads));
  };
  RotaryTables tables[2];
  if (llvm::is_contained(isLocal, false))
    tables[0] = makeTables("rotary.global", globalTheta);
  if (llvm::is_contained(isLocal, true))
    tables[1] = makeTables("rotary.local", localTheta);
  for (int64_t index = 0; index < layers; ++index)
    rows = emitLayer(program, index, rows, mask, tables[isLocal[index]]);
  return {norm(program, "norm", "final_norm", rows), mask};
}

Value ModernBert::emitHeadRows(ProgramBuilder &program, Value rows) const {
  rows = linear(program, "head.dense", "head.dense", rows, hidden, hidden,
                classifierBias);
  rows = program.activate("head.activation", rows, headActivation);
  return norm(program, "head.norm", "head.norm", rows);
}

int64_t ModernBert::countLabels() const {
  const WeightEntry *entry = weights.find("classifier.weight");
  // Without one the declaration of the weight says what is wrong.
  return entry && !entry->shape.empty() && entry->shape[0] > 0 ? entry->shape[0]
                                                               : 1;
}

SmallVector<EntryOutput>
ModernBert::emitHead(ProgramBuilder &program,
                     const EncoderOutput &output) const {
  if (head == Head::Sequence) {
    Value row = program.pool("head.pool", pooling, output.hidden, output.mask);
    row = emitHeadRows(program, row);
    return {{"logits", linear(program, "head.output", "classifier", row, hidden,
                              countLabels(), /*hasBias=*/true)}};
  }
  Value rows = emitHeadRows(program, output.hidden);
  auto mask = [&](const Twine &name, Value x) {
    return program.zeroPadding(name.str(), x, output.mask);
  };
  if (head == Head::MaskedLM) {
    Value matrix = weight(program, tiedDecoder ? kWordTable : "decoder.weight",
                          {vocabulary, hidden});
    rows = program.linear("head.decoder", rows, matrix);
    if (decoderBias)
      rows = program.addBias("head.decoder.bias", rows,
                             weight(program, "decoder.bias", {vocabulary}));
    return {{"logits", mask("head.padding", rows)}};
  }
  bool isQuestion = head == Head::Question;
  Value logits = linear(program, "head.output", "classifier", rows, hidden,
                        isQuestion ? 2 : countLabels(), /*hasBias=*/true);
  if (!isQuestion)
    return {{"logits", mask("head.padding", logits)}};
  static constexpr const char *kEnds[] = {"start", "end"};
  SmallVector<EntryOutput> outputs;
  for (auto [index, name] : llvm::enumerate(kEnds)) {
    std::string step = std::string("head.") + name;
    Value column = program.column(step, logits, index);
    outputs.push_back(
        {std::string(name) + "_logits", mask(step + ".padding", column)});
  }
  return outputs;
}

std::unique_ptr<Encoder> readModernBert(ConfigReader &config,
                                        const WeightTable &weights, Head head) {
  return std::make_unique<ModernBert>(config, weights, head);
}

} // namespace attnc
