//===- Electra.cpp - the ELECTRA encoder ----------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Clark et al., "ELECTRA", 2020: BERT whose tables may be narrower than its
// layers, without a pooler.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/BertLike.h"

namespace attnc {

// The summary belongs to multiple choice, which is not among the heads.
static constexpr llvm::StringLiteral kHarmless[] = {
    "summary_activation", "summary_first_dropout", "summary_last_dropout",
    "summary_type", "summary_use_proj"};

static constexpr BertFamily kElectra = {
    "electra",
    "electra.",
    "",
    {"hidden_size", "num_hidden_layers", "num_attention_heads",
     "intermediate_size", "hidden_act", "embedding_size"},
    {"generator_predictions.dense", "generator_predictions.LayerNorm",
     "generator_lm_head", "generator_lm_head.bias", "gelu", "classifier.dense",
     "gelu", "classifier.out_proj", ""}};

namespace {
class Electra : public BertLike {
public:
  Electra(ConfigReader &config, const WeightTable &weights, Head head)
      : BertLike(config, weights, head, kElectra) {
    config.ignore(kHarmless);
  }

private:
  mlir::Value emitProjection(ProgramBuilder &program,
                             mlir::Value rows) const override {
    if (embedding == hidden)
      return rows;
    return linear(program, "embeddings.project", "embeddings_project", rows,
                  embedding, hidden);
  }
};
} // namespace

std::unique_ptr<Encoder> readElectra(ConfigReader &config,
                                     const WeightTable &weights, Head head) {
  return std::make_unique<Electra>(config, weights, head);
}

} // namespace attnc
