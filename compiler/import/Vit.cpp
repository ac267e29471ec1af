//===- Vit.cpp - the ViT encoder of images --------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021. `@encode` gives
// the rows and the pooler's; `@predict` the logits of a classifier, which reads
// the row of the class.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Json.h"
#include "compiler/import/Towers.h"

using namespace mlir;

namespace attnc {

static constexpr PreNormNames kLayer = {
    "encoder.layer.",          "attention.attention.query",
    "attention.attention.key", "attention.attention.value",
    "attention.output.dense",  "layernorm_before",
    "intermediate.dense",      "output.dense",
    "layernorm_after"};

static constexpr llvm::StringLiteral kClassToken = "embeddings.cls_token";
static constexpr llvm::StringLiteral kClassifier = "classifier.weight";
static constexpr int64_t kMaxPooled = 65'536;

namespace {
class Vit : public TowerModel {
public:
  Vit(ConfigReader &config, const WeightTable &weights, bool isHeaded)
      : weights(weights), layers(config, weights, kLayer,
                                 weights.find(kClassToken) ? "" : "vit.", ""),
        grid(PreNormLayers::readGrid(config)) {
    layers.qkvBias = config.getBool("qkv_bias");
    pooled =
        config.getInteger("pooler_output_size", 1, kMaxPooled, layers.hidden);
    std::string name = config.getString("pooler_act", "tanh");
    poolerActivation = findActivation(name);
    if (!poolerActivation)
      config.report("pooler_act",
                    "names the activation " + quote(name) +
                        ", which is not known",
                    "known activations: " + listActivations());
    // Of another head, and how images were made.
    config.ignore({"encoder_stride"});
    classifies = isHeaded && weights.find(kClassifier);
    if (isHeaded && !classifies)
      missingHead = "ViTForImageClassification";
  }

  std::string describe() const override {
    return "vit, " + layers.describe() + ", images of " +
           std::to_string(grid.height) + " x " + std::to_string(grid.width);
  }
  int64_t getMaxPositions() const override { return 0; }
  bool isOptional(StringRef tensor) const override {
    // Of training with masked patches.
    tensor.consume_front("vit.");
    return tensor == "embeddings.mask_token";
  }

  void emit(ProgramBuilder &program) const override {
    Value rows = emitRows(program, "encode");
    SmallVector<EntryOutput> outputs = {{"last_hidden_state", rows}};
    if (layers.has("pooler.dense.weight")) {
      Value row = program.row("pooler.first", rows, 0);
      row = layers.linear(program, "pooler.dense", "pooler.dense", row,
                          layers.hidden, pooled);
      row = program.activate("pooler.activation", row, poolerActivation);
      outputs.push_back({"pooler_output", row});
    }
    program.endEntry(outputs);
    if (!classifies)
      return;
    Value row = program.row("head.first", emitRows(program, "predict"), 0);
    const WeightEntry *entry = weights.find(kClassifier);
    int64_t labels =
        entry->shape.empty() ? 1 : std::max<int64_t>(entry->shape[0], 1);
    Value matrix = program.weight("classifier.weight", "classifier.weight",
                                  "classifier.weight", {labels, layers.hidden});
    Value bias = program.weight("classifier.bias", "classifier.bias",
                                "classifier.bias", {labels});
    Value logits = program.linear("head.output", row, matrix);
    program.endEntry(
        {{"logits", program.addBias("head.output.bias", logits, bias)}});
  }

private:
  Value emitRows(ProgramBuilder &program, StringRef entry) const {
    program.beginEntry(
        entry, {EntryInput::pixels(grid.channels, grid.height, grid.width)});
    StringRef patch = "embeddings.patch_embeddings.projection";
    int64_t numbers = grid.channels * grid.patchHeight * grid.patchWidth;
    Value matrix = layers.weight(program, (patch + ".weight").str(),
                                 {layers.hidden, numbers});
    Value bias =
        layers.weight(program, (patch + ".bias").str(), {layers.hidden});
    Value first = layers.weight(program, kClassToken, {layers.hidden});
    Value positions = layers.weight(program, "embeddings.position_embeddings",
                                    {1, grid.count() + 1, layers.hidden});
    Value rows = layers.embedPatches(program, program.getInput("pixel_values"),
                                     grid, matrix, bias, first, positions);
    rows = layers.emit(program, rows, /*mask=*/{}, {});
    return layers.norm(program, "norm", "layernorm", rows);
  }

  const WeightTable &weights;
  PreNormLayers layers;
  PatchGrid grid;
  int64_t pooled = 0;
  Activation poolerActivation = nullptr;
  bool classifies = false;
};
} // namespace

std::unique_ptr<TowerModel> readVit(ConfigReader &config,
                                    const WeightTable &weights, bool isHeaded) {
  return std::make_unique<Vit>(config, weights, isHeaded);
}

} // namespace attnc
