//===- Albert.cpp - the ALBERT encoder ------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lan et al., "ALBERT", 2019: BERT whose tables are narrower than its layers,
// and whose layers share their weights within groups; shared weights are one
// symbol, and so one copy in the library.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/BertLike.h"

namespace attnc {

// The last five are of the original release and were never read.
static constexpr llvm::StringLiteral kHarmless[] = {
    "classifier_dropout_prob", "down_scale_factor", "gap_size",
    "net_structure_type",      "num_memory_blocks", "layers_to_keep"};

static constexpr int64_t kMaxGroups = 1000;

static constexpr BertFamily kAlbert = {
    "albert",
    "albert.",
    "pooler",
    {"hidden_size", "num_hidden_layers", "num_attention_heads",
     "intermediate_size", "hidden_act", "embedding_size"},
    {"predictions.dense", "predictions.LayerNorm", "predictions.decoder",
     "predictions.bias", "", "", "", "classifier",
     "sop_classifier.classifier"}};

namespace {
class Albert : public BertLike {
public:
  Albert(ConfigReader &config, const WeightTable &weights, Head head)
      : BertLike(config, weights, head, kAlbert) {
    groups = config.getInteger("num_hidden_groups", 1, kMaxGroups);
    inner = config.getInteger("inner_group_num", 1, kMaxGroups);
    config.ignore(kHarmless);
    if (!config.failed() && groups > layers)
      config.report("num_hidden_groups",
                    "is " + llvm::Twine(groups) + ", more than the " +
                        llvm::Twine(layers) + " layers ('num_hidden_layers')",
                    "correct one of the two", "A0107");
    runs = layers;
    layers *= inner; // each run of a group is this many layers
  }

private:
  BertLayer nameLayer(int64_t index) const override {
    // In floating point, as transformers cuts layers into groups.
    auto group = static_cast<int64_t>(
        static_cast<double>(index / inner) /
        (static_cast<double>(runs) / static_cast<double>(groups)));
    std::string layer = "encoder.albert_layer_groups." + std::to_string(group) +
                        ".albert_layers." + std::to_string(index % inner);
    return {layer + ".attention.query",     layer + ".attention.key",
            layer + ".attention.value",     layer + ".attention.dense",
            layer + ".attention.LayerNorm", layer + ".ffn",
            layer + ".ffn_output",          layer + ".full_layer_layer_norm"};
  }

  mlir::Value emitProjection(ProgramBuilder &program,
                             mlir::Value rows) const override {
    return linear(program, "embeddings.project",
                  "encoder.embedding_hidden_mapping_in", rows, embedding,
                  hidden);
  }

  int64_t groups, inner, runs;
};
} // namespace

std::unique_ptr<Encoder> readAlbert(ConfigReader &config,
                                    const WeightTable &weights, Head head) {
  return std::make_unique<Albert>(config, weights, head);
}

} // namespace attnc
