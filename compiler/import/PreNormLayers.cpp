//===- PreNormLayers.cpp - layers of image and text towers ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// x + attention(norm(x)), then x + feed-forward(norm(x)); and how an image
// becomes rows: the patches are rows of numbers, their embedding is a product,
// and a row of zeros before them becomes the row of the class.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Json.h"
#include "compiler/import/Towers.h"
#include <cmath>

using namespace mlir;

namespace attnc {

// Beyond these a number in a config is a mistake, not a model.
static constexpr int64_t kMaxLayers = 1000;
static constexpr int64_t kMaxHeads = 1024;
static constexpr int64_t kMaxWidth = 65'536;
static constexpr int64_t kMaxChannels = 1024;
static constexpr int64_t kMaxPixels = 16'384; ///< of a side
// What the program writes down as a constant has no more elements.
static constexpr int64_t kMaxConstant = 65'536;

PreNormLayers::PreNormLayers(ConfigReader &config, const WeightTable &weights,
                             const PreNormNames &names, StringRef prefix,
                             StringRef symbols)
    : weights(weights), names(names), prefix(prefix), symbols(symbols) {
  hidden = config.getInteger("hidden_size", 1, kMaxWidth);
  layers = config.getInteger("num_hidden_layers", 1, kMaxLayers);
  heads = config.getInteger("num_attention_heads", 1, kMaxHeads);
  intermediate = config.getInteger("intermediate_size", 1, kMaxWidth);
  epsilon = config.getNumber("layer_norm_eps", 0.0, 1.0);
  std::string name = config.getString("hidden_act");
  activation = findActivation(name);
  if (!activation && (!name.empty() || !config.failed()))
    config.report("hidden_act",
                  "names the activation " + quote(name) +
                      ", which is not known",
                  "known activations: " + listActivations());
  if (!config.failed() && hidden % heads != 0)
    config.report("hidden_size",
                  "is " + Twine(hidden) + ", which " + Twine(heads) +
                      " attention heads ('num_attention_heads') do not divide",
                  "correct one of the two", "A0107");
  config.refuseIfSet("auto_map", "custom code");
  config.refuseIfSet("quantization_config", "quantized weights");
  config.refuseIfSet("pruned_heads", "heads to be removed");
  config.refuseIfSet("add_cross_attention", "cross-attention");
  config.refuseIfSet("is_decoder", "a decoder");
  config.refuseIfSet("is_encoder_decoder", "an encoder and a decoder");
  config.ignoreHarmless();
  config.ignore({"attention_dropout", "dropout"});
}

PatchGrid PreNormLayers::readGrid(ConfigReader &config) {
  PatchGrid grid;
  // Configurations of 2022 are silent; the projection's shape has the last
  // word.
  constexpr int64_t kUsualChannels = 3;
  grid.channels =
      config.getInteger("num_channels", 1, kMaxChannels, kUsualChannels);
  std::vector<int64_t> image =
      config.getIntegers("image_size", 2, 1, kMaxPixels);
  std::vector<int64_t> patch =
      config.getIntegers("patch_size", 2, 1, kMaxPixels);
  grid.height = image[0], grid.width = image[1];
  grid.patchHeight = patch[0], grid.patchWidth = patch[1];
  if (config.failed())
    return grid;
  if (patch[0] > image[0] || patch[1] > image[1])
    config.report("patch_size", "is larger than the image ('image_size')",
                  "correct one of the two", "A0107");
  else if (grid.count() >= kMaxConstant ||
           grid.channels * patch[0] * patch[1] > kMaxConstant)
    config.report("patch_size",
                  "gives " + Twine(grid.count()) + " patches of " +
                      Twine(grid.channels * patch[0] * patch[1]) +
                      " numbers; expected fewer than " + Twine(kMaxConstant) +
                      " of either",
                  "correct the file", "A0106");
  return grid;
}

bool PreNormLayers::has(StringRef tensor) const {
  return weights.find(prefix + tensor.str());
}

std::string PreNormLayers::describe() const {
  return std::to_string(layers) + " layers, hidden size " +
         std::to_string(hidden) + ", " + std::to_string(heads) + " heads";
}

Value PreNormLayers::weight(ProgramBuilder &program, StringRef tensor,
                            ArrayRef<int64_t> shape) const {
  StringRef symbol = tensor;
  symbol.consume_front("encoder.");
  std::string full = at(symbol);
  return program.weight(full, full, prefix + tensor.str(), shape);
}

Value PreNormLayers::linear(ProgramBuilder &program, StringRef name,
                            StringRef tensor, Value rows, int64_t inputs,
                            int64_t outputs, bool hasBias) const {
  Value matrix = weight(program, (tensor + ".weight").str(), {outputs, inputs});
  Value product = program.linear(at(name), rows, matrix);
  if (!hasBias)
    return product;
  Value bias = weight(program, (tensor + ".bias").str(), {outputs});
  return program.addBias(at((name + ".bias").str()), product, bias);
}

Value PreNormLayers::norm(ProgramBuilder &program, StringRef name,
                          StringRef tensor, Value rows) const {
  Value scale = weight(program, (tensor + ".weight").str(), {hidden});
  Value shift = weight(program, (tensor + ".bias").str(), {hidden});
  return program.layerNorm(at(name), rows, scale, shift, epsilon);
}

Value PreNormLayers::embedPatches(ProgramBuilder &program, Value image,
                                  const PatchGrid &grid, Value matrix,
                                  Value bias, Value classRow,
                                  Value positions) const {
  Value patches =
      program.patches(at("embeddings.patches"), image, grid.patchHeight,
                      grid.patchWidth, /*leadingRows=*/1);
  Value rows = program.linear(at("embeddings.projection"), patches, matrix);
  if (bias)
    rows = program.addBias(at("embeddings.projection.bias"), rows, bias);
  rows = program.replaceRow(at("embeddings.class"), rows, 0, classRow);
  return program.addToRows(at("embeddings.position"), rows, positions);
}

Value PreNormLayers::emitLayer(ProgramBuilder &program, int64_t index,
                               Value rows, Value mask,
                               const KeyReach &reach) const {
  std::string name = "layer." + std::to_string(index);
  std::string tensor = names.layer.str() + std::to_string(index) + ".";
  std::string step = name + ".attention";
  Value normed =
      norm(program, step + ".norm", tensor + names.attentionNorm.str(), rows);
  auto project = [&](StringRef which, StringRef from) -> Value {
    std::string part = step + "." + which.str();
    Value x = linear(program, part, tensor + from.str(), normed, hidden, hidden,
                     qkvBias);
    return program.splitHeads(at(part + ".heads"), x, heads);
  };
  ProjectedHeads parts = {project("query", names.query),
                          project("key", names.key),
                          project("value", names.value)};
  parts.query =
      program.scale(at(step + ".scale"), parts.query,
                    1.0 / std::sqrt(static_cast<double>(hidden / heads)));
  Value context = program.maskedAttention(at(step), parts, mask, reach);
  context = program.mergeHeads(at(step + ".merge"), context);
  Value output =
      linear(program, step + ".output", tensor + names.attentionOutput.str(),
             context, hidden, hidden);
  rows = program.add(at(step + ".residual"), output, rows);

  normed = norm(program, name + ".norm", tensor + names.outputNorm.str(), rows);
  Value wide =
      linear(program, name + ".intermediate", tensor + names.intermediate.str(),
             normed, hidden, intermediate);
  wide = program.activate(at(name + ".activation"), wide, activation);
  output = linear(program, name + ".output", tensor + names.output.str(), wide,
                  intermediate, hidden);
  return program.add(at(name + ".residual"), output, rows);
}

Value PreNormLayers::emit(ProgramBuilder &program, Value rows, Value mask,
                          const KeyReach &reach) const {
  for (int64_t index = 0; index < layers; ++index)
    rows = emitLayer(program, index, rows, mask, reach);
  return rows;
}

} // namespace attnc
