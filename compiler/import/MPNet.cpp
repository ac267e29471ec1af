//===- MPNet.cpp - the MPNet encoder --------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Song et al., "MPNet", 2020: positions as RoBERTa counts them, no token types,
// and a bias of every score by head and by the distance of query and key. The
// bias is one table of rows per bucket of distances: exact below 8, then wider.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/BertLike.h"

using namespace mlir;

namespace attnc {

/// Rows of the table that are read: 16 for each direction.
static constexpr int32_t kBuckets = 32;
static constexpr int64_t kMaxBuckets = 65'536;
/// Distances up to here have buckets of their own.
static constexpr int32_t kExact = 8;
/// Where the next buckets begin: 8 + floor(8 log(n / 8) / log(128 / 8)), as the
/// reference computes it in f32.
static constexpr int32_t kWider[] = {12, 16, 23, 32, 46, 64, 91};
/// The encoder's own, whatever the tokenizer's is.
static constexpr int64_t kPadding = 1;

static constexpr BertFamily kMPNet = {
    "mpnet",
    "mpnet.",
    "pooler.dense",
    {"hidden_size", "num_hidden_layers", "num_attention_heads",
     "intermediate_size", "hidden_act", "", "", "layer_norm_eps"},
    {"lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias",
     "gelu", "classifier.dense", "tanh", "classifier.out_proj", ""}};

/// The bucket of key - query.
static int32_t getBucket(int32_t distance) {
  const int32_t far = std::abs(distance);
  int32_t bucket = std::min(far, kExact);
  for (int32_t begin : kWider)
    bucket += far >= begin;
  return bucket + (distance > 0 ? kBuckets / 2 : 0);
}

namespace {
class MPNet : public BertLike {
public:
  MPNet(ConfigReader &config, const WeightTable &weights, Head head)
      : BertLike(config, weights, head, kMPNet) {
    buckets = config.getInteger("relative_attention_num_buckets", kBuckets,
                                kMaxBuckets);
    positions = tableRows - kPadding - 1;
    if (!config.failed() && positions < 1)
      config.report("max_position_embeddings",
                    "is " + Twine(tableRows) +
                        ", which leaves no position after padding",
                    "correct it", "A0107");
  }

private:
  BertLayer nameLayer(int64_t index) const override {
    std::string layer = "encoder.layer." + std::to_string(index);
    return {layer + ".attention.attn.q",    layer + ".attention.attn.k",
            layer + ".attention.attn.v",    layer + ".attention.attn.o",
            layer + ".attention.LayerNorm", layer + ".intermediate.dense",
            layer + ".output.dense",        layer + ".output.LayerNorm"};
  }

  Value emitPositions(ProgramBuilder &program, Value ids) const override {
    return program.tokenPositions("embeddings.positions", ids, kPadding);
  }

  DistanceScores emitDistances(ProgramBuilder &program) const override {
    DistanceScores scores;
    // Farther ones are read at the table's ends.
    scores.offset = std::end(kWider)[-1];
    SmallVector<int32_t> rows;
    for (int64_t distance = -scores.offset; distance <= scores.offset;
         ++distance)
      rows.push_back(getBucket(static_cast<int32_t>(-distance)));
    scores.buckets = program.constant("distances.buckets", rows);
    scores.ofHead = weight(program, "encoder.relative_attention_bias.weight",
                           {buckets, heads});
    return scores;
  }

  int64_t buckets;
};
} // namespace

std::unique_ptr<Encoder> readMPNet(ConfigReader &config,
                                   const WeightTable &weights, Head head) {
  return std::make_unique<MPNet>(config, weights, head);
}

} // namespace attnc
