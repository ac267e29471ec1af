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

// Sun et al., "ERNIE", 2019: BERT that was trained otherwise.
static constexpr BertFamily kErnie = {"ernie", "ernie.", kBert.pooler,
                                      kBert.fields, kBert.heads};

// The table of tasks is there if 'use_task_id' says so.
static constexpr llvm::StringLiteral kTasks[] = {"task_type_vocab_size"};

namespace {
class Bert : public BertLike {
public:
  Bert(ConfigReader &config, const WeightTable &weights, Head head,
       const BertFamily &family = kBert)
      : BertLike(config, weights, head, family) {}
};

class Ernie : public Bert {
public:
  Ernie(ConfigReader &config, const WeightTable &weights, Head head)
      : Bert(config, weights, head, kErnie) {
    config.ignore(kTasks);
    config.refuseIfSet("use_task_id", "embeddings of tasks");
  }
};
} // namespace

std::unique_ptr<Encoder> readBert(ConfigReader &config,
                                  const WeightTable &weights, Head head) {
  return std::make_unique<Bert>(config, weights, head);
}

std::unique_ptr<Encoder> readErnie(ConfigReader &config,
                                   const WeightTable &weights, Head head) {
  return std::make_unique<Ernie>(config, weights, head);
}

} // namespace attnc
