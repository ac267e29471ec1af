//===- DistilBert.cpp - the DistilBERT encoder ----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sanh et al., "DistilBERT", 2019: BERT without token types and pooler, under
// names of its own.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/BertLike.h"

namespace attnc {

// The sinusoidal table, where asked for, stands in the checkpoint.
static constexpr llvm::StringLiteral kHarmless[] = {
    "attention_dropout",    "dropout",     "qa_dropout", "seq_classif_dropout",
    "sinusoidal_pos_embds", "tie_weights_"};

static constexpr BertFamily kDistilBert = {
    "distilbert",
    "distilbert.",
    "",
    {"dim", "n_layers", "n_heads", "hidden_dim", "activation", "", "", ""},
    {"vocab_transform", "vocab_layer_norm", "vocab_projector",
     "vocab_projector.bias", "", "pre_classifier", "relu", "classifier", ""}};

namespace {
class DistilBert : public BertLike {
public:
  DistilBert(ConfigReader &config, const WeightTable &weights, Head head)
      : BertLike(config, weights, head, kDistilBert) {
    config.ignore(kHarmless);
  }

private:
  BertLayer nameLayer(int64_t index) const override {
    std::string layer = "transformer.layer." + std::to_string(index);
    return {layer + ".attention.q_lin", layer + ".attention.k_lin",
            layer + ".attention.v_lin", layer + ".attention.out_lin",
            layer + ".sa_layer_norm",   layer + ".ffn.lin1",
            layer + ".ffn.lin2",        layer + ".output_layer_norm"};
  }
};
} // namespace

std::unique_ptr<Encoder> readDistilBert(ConfigReader &config,
                                        const WeightTable &weights, Head head) {
  return std::make_unique<DistilBert>(config, weights, head);
}

} // namespace attnc
