//===- Clip.cpp - CLIP's towers of texts and of images --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Radford et al., "Learning Transferable Visual Models From Natural Language
// Supervision", 2021. An entry per tower: `@text_embed` and `@image_embed` give
// projected rows, not normalized, as `get_text_features` and
// `get_image_features` do; a tower without its projection gives rows and the
// pooled one by `@text_encode` or `@image_encode`. Of a text the row of its
// first end token that the mask keeps is taken.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Towers.h"
#include <optional>

using namespace mlir;

namespace attnc {

static constexpr PreNormNames kLayer = {"encoder.layers.",
                                        "self_attn.q_proj",
                                        "self_attn.k_proj",
                                        "self_attn.v_proj",
                                        "self_attn.out_proj",
                                        "layer_norm1",
                                        "mlp.fc1",
                                        "mlp.fc2",
                                        "layer_norm2"};

static constexpr int64_t kMaxProjection = 65'536;
static constexpr int64_t kMaxVocabulary = 1 << 24;
static constexpr int64_t kMaxPositions = 1 << 20;
// A checkpoint of 2021 names this id where it means the largest one.
static constexpr int64_t kLegacyEndToken = 2;

namespace {

/// "text_model." where tensors have it.
std::string findPrefix(const WeightTable &weights, StringRef prefix,
                       StringRef tensor) {
  return weights.find((prefix + tensor).str()) ? prefix.str() : "";
}

class TextTower {
public:
  TextTower(ConfigReader &config, const WeightTable &weights)
      : layers(config, weights, kLayer,
               findPrefix(weights, "text_model.",
                          "embeddings.token_embedding.weight"),
               "text.") {
    vocabulary = config.getInteger("vocab_size", 1, kMaxVocabulary);
    positions = config.getInteger("max_position_embeddings", 1, kMaxPositions);
    endToken = config.getInteger("eos_token_id", 0, kMaxVocabulary);
    if (endToken == kLegacyEndToken)
      endToken = vocabulary - 1;
    if (!config.failed() && endToken >= vocabulary)
      config.report("eos_token_id",
                    "is " + Twine(endToken) + ", which is no id of " +
                        Twine(vocabulary) + " ('vocab_size')",
                    "correct one of the two", "A0107");
  }

  /// The rows and the row of the end token.
  std::pair<Value, Value> emit(ProgramBuilder &program, StringRef entry) const {
    SmallVector<SizeExpr> shape = {SizeExpr::name("batch"),
                                   SizeExpr::name("seq")};
    program.beginEntry(entry,
                       {{"input_ids", shape, 0, vocabulary - 1, std::nullopt},
                        {"attention_mask", shape, 0, 1, 1}});
    Value ids = program.getInput("input_ids");
    Value mask = program.getInput("attention_mask");
    Value words = layers.weight(program, "embeddings.token_embedding.weight",
                                {vocabulary, layers.hidden});
    Value places =
        layers.weight(program, "embeddings.position_embedding.weight",
                      {positions, layers.hidden});
    Value rows = program.embedding(layers.at("embeddings.word"), ids, words);
    Value index = program.positionsLike(layers.at("embeddings.positions"), ids);
    rows = program.add(
        layers.at("embeddings.add_position"), rows,
        program.embedding(layers.at("embeddings.position"), index, places));
    KeyReach reach;
    reach.causal = true;
    rows = layers.emit(program, rows, mask, reach);
    rows = layers.norm(program, "norm", "final_layer_norm", rows);
    Value ends = program.equals(layers.at("pooler.ends"), ids, endToken, mask);
    Value row =
        program.pool(layers.at("pooler"), attn::PoolKind::first, rows, ends);
    return {program.zeroPadding(layers.at("output"), rows, mask), row};
  }

  bool isBuffer(StringRef tensor) const {
    tensor.consume_front("text_model.");
    return tensor == "embeddings.position_ids";
  }

  PreNormLayers layers;
  int64_t vocabulary = 0, positions = 0, endToken = 0;
};

class ImageTower {
public:
  ImageTower(ConfigReader &config, const WeightTable &weights)
      : layers(
            config, weights, kLayer,
            findPrefix(weights, "vision_model.", "embeddings.class_embedding"),
            "image."),
        grid(PreNormLayers::readGrid(config)) {}

  /// The rows and the normed row of the class.
  std::pair<Value, Value> emit(ProgramBuilder &program, StringRef entry) const {
    program.beginEntry(
        entry, {EntryInput::pixels(grid.channels, grid.height, grid.width)});
    int64_t numbers = grid.channels * grid.patchHeight * grid.patchWidth;
    Value matrix = layers.weight(program, "embeddings.patch_embedding.weight",
                                 {layers.hidden, numbers});
    Value first =
        layers.weight(program, "embeddings.class_embedding", {layers.hidden});
    Value positions =
        layers.weight(program, "embeddings.position_embedding.weight",
                      {grid.count() + 1, layers.hidden});
    Value rows =
        layers.embedPatches(program, program.getInput("pixel_values"), grid,
                            matrix, /*bias=*/{}, first, positions);
    // The checkpoints spell it so.
    rows = layers.norm(program, "embeddings.norm", "pre_layrnorm", rows);
    rows = layers.emit(program, rows, /*mask=*/{}, {});
    Value row = program.row(layers.at("pooler.first"), rows, 0);
    return {rows, layers.norm(program, "norm", "post_layernorm", row)};
  }

  bool isBuffer(StringRef tensor) const {
    tensor.consume_front("vision_model.");
    return tensor == "embeddings.position_ids";
  }

  PreNormLayers layers;
  PatchGrid grid;
};

class Clip : public TowerModel {
public:
  explicit Clip(StringRef name) : name(name) {}

  std::string describe() const override {
    std::string text = name;
    if (textTower)
      text += ", texts: " + textTower->layers.describe();
    if (imageTower)
      text += ", images of " + std::to_string(imageTower->grid.height) + " x " +
              std::to_string(imageTower->grid.width) + ": " +
              imageTower->layers.describe();
    return text;
  }
  int64_t getMaxPositions() const override {
    return textTower ? textTower->positions : 0;
  }
  bool isOptional(StringRef tensor) const override {
    // The scale of similarities, for whoever compares embeddings.
    return tensor == "logit_scale" ||
           (textTower && textTower->isBuffer(tensor)) ||
           (imageTower && imageTower->isBuffer(tensor));
  }

  void emit(ProgramBuilder &program) const override {
    if (textTower)
      emitTower(program, *textTower, "text");
    if (imageTower)
      emitTower(program, *imageTower, "image");
  }

  std::optional<TextTower> textTower;
  std::optional<ImageTower> imageTower;
  int64_t projection = 0; ///< 0: towers without one

private:
  template <typename Tower>
  void emitTower(ProgramBuilder &program, const Tower &tower,
                 StringRef what) const {
    auto [rows, row] =
        tower.emit(program, (what + (projection ? "_embed" : "_encode")).str());
    if (!projection)
      return program.endEntry(
          {{"last_hidden_state", rows}, {"pooler_output", row}});
    std::string tensor =
        what == "text" ? "text_projection.weight" : "visual_projection.weight";
    Value matrix = program.weight(tensor, tensor, tensor,
                                  {projection, tower.layers.hidden});
    Value embedding = program.linear((what + ".projection").str(), row, matrix);
    program.endEntry({{(what + "_embeds").str(), embedding}});
  }

  std::string name;
};

} // namespace

/// Numbers of the projection are read by whoever has one.
static int64_t readProjection(ConfigReader &config, bool projects) {
  if (projects)
    return config.getInteger("projection_dim", 1, kMaxProjection);
  config.ignore({"projection_dim"});
  return 0;
}

std::unique_ptr<TowerModel>
readClipText(ConfigReader &config, const WeightTable &weights, bool isHeaded) {
  auto model = std::make_unique<Clip>("clip_text_model");
  model->textTower.emplace(config, weights);
  model->projection = readProjection(config, isHeaded);
  return model;
}

std::unique_ptr<TowerModel>
readClipImage(ConfigReader &config, const WeightTable &weights, bool isHeaded) {
  auto model = std::make_unique<Clip>("clip_vision_model");
  model->imageTower.emplace(config, weights);
  model->projection = readProjection(config, isHeaded);
  return model;
}

std::unique_ptr<TowerModel> readClip(ConfigReader &config,
                                     const WeightTable &weights, bool) {
  auto model = std::make_unique<Clip>("clip");
  model->projection = readProjection(config, /*projects=*/true);
  config.ignoreHarmless();
  config.ignore({"logit_scale_init_value"});
  config.refuseIfSet("text_config_dict", "a second configuration of texts");
  config.refuseIfSet("vision_config_dict", "a second configuration of images");
  config.refuseIfSet("quantization_config", "quantized weights");
  config.refuseIfSet("auto_map", "custom code");
  auto readInner = [&](StringRef key, auto &tower) {
    std::optional<ConfigFile> fields = config.getObject(key);
    if (!fields) {
      if (!config.failed())
        config.report(key, "is missing", "add the numbers of the tower",
                      "A0104");
      return;
    }
    ConfigReader inner(config.getContext(), *fields);
    inner.ignore({"model_type", "architectures", "projection_dim"});
    tower.emplace(inner, weights);
    config.adopt(inner.finish());
  };
  readInner("text_config", model->textTower);
  readInner("vision_config", model->imageTower);
  return model;
}

} // namespace attnc
