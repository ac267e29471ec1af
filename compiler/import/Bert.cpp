//===- Bert.cpp - the BERT encoder ----------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Devlin et al., "BERT", 2018, as `transformers.BertModel` computes it.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/BertLike.h"

namespace attnc {

static constexpr BertFamily kBert = {
    "bert",
    "bert.",
    "pooler.dense",
    {},
    {"cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm",
     "cls.predictions.decoder", "cls.predictions.bias", "", "", "",
     "classifier", "cls.seq_relationship"}};

namespace {
class Bert : public BertLike {
public:
  Bert(ConfigReader &config, const WeightTable &weights, Head head)
      : BertLike(config, weights, head, kBert) {}
};
} // namespace

std::unique_ptr<Encoder> readBert(ConfigReader &config,
                                  const WeightTable &weights, Head head) {
  return std::make_unique<Bert>(config, weights, head);
}

} // namespace attnc
