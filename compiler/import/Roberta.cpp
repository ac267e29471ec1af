//===- Roberta.cpp - RoBERTa and its likes --------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Liu et al., "RoBERTa", 2019; Conneau et al., "XLM-R", 2019. BERT with
// positions that are counted over the ids other than padding, from
// `pad_token_id` + 1 on, so that many rows of the table stand for no position.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/BertLike.h"

namespace attnc {

static constexpr BertFamily kRoberta = {
    "roberta",
    "roberta.",
    "pooler.dense",
    {},
    {"lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias",
     "gelu", "classifier.dense", "tanh", "classifier.out_proj", ""}};

// Baevski et al., "data2vec", 2022: RoBERTa that was trained otherwise.
static constexpr BertFamily kData2VecText = {"data2vec-text", "data2vec_text.",
                                             kRoberta.pooler, kRoberta.fields,
                                             kRoberta.heads};

namespace {
class Roberta : public BertLike {
public:
  Roberta(ConfigReader &config, const WeightTable &weights, Head head,
          const BertFamily &family = kRoberta)
      : BertLike(config, weights, head, family) {
    padding = config.getInteger("pad_token_id", 0, vocabulary - 1);
    positions = tableRows - padding - 1;
    if (!config.failed() && positions < 1)
      config.report("max_position_embeddings",
                    "is " + llvm::Twine(tableRows) +
                        ", which leaves no position after padding "
                        "('pad_token_id' " +
                        llvm::Twine(padding) + ")",
                    "correct one of the two", "A0107");
  }

private:
  mlir::Value emitPositions(ProgramBuilder &program,
                            mlir::Value ids) const override {
    return program.tokenPositions("embeddings.positions", ids, padding);
  }

  int64_t padding;
};
} // namespace

std::unique_ptr<Encoder> readRoberta(ConfigReader &config,
                                     const WeightTable &weights, Head head) {
  return std::make_unique<Roberta>(config, weights, head);
}

std::unique_ptr<Encoder>
readData2VecText(ConfigReader &config, const WeightTable &weights, Head head) {
  return std::make_unique<Roberta>(config, weights, head, kData2VecText);
}

} // namespace attnc
