//===- FamilyTest.cpp - encoder families and heads ------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What families add to BERT's configuration, made wrong; which entries a
// checkpoint's class gives; weights that are shared.
//
//===----------------------------------------------------------------------===//
#include "ImportFixture.h"

using namespace attnc;
using llvm::json::Array;

namespace {
class Family : public ImportFixture {
protected:
  /// "encode:last_hidden_state predict:logits"
  static std::string listOutputs(ImportedModel &model) {
    std::string text;
    for (auto entry : model.module->getOps<attn::EntryOp>()) {
      text += (text.empty() ? "" : " ") + entry.getSymName().str() + ":";
      for (unsigned i = 0; i < entry.getResultTypes().size(); ++i)
        text += (i ? "," : "") + entry.getResultName(i).str();
    }
    return text;
  }

  void refuse(llvm::StringRef key, std::optional<llvm::json::Value> value,
              llvm::StringRef code, llvm::StringRef part) {
    std::string before = read("config.json");
    edit("config.json", key, std::move(value));
    expectRefused(code, {"config.json: field '" + key.str() + "'", part.str()});
    write("config.json", before);
  }

  void renameTensor(llvm::StringRef from, llvm::StringRef to) {
    std::string bytes = read("model.safetensors");
    size_t place = bytes.find("\"" + from.str() + "\"");
    ASSERT_NE(place, std::string::npos);
    ASSERT_EQ(from.size(), to.size());
    bytes.replace(place + 1, from.size(), to.str());
    write("model.safetensors", bytes);
  }
};
} // namespace

TEST_F(Family, ClassesGiveEntries) {
  const std::pair<const char *, const char *> expected[] = {
      {"roberta", "encode:last_hidden_state,pooler_output"},
      {"distilbert", "encode:last_hidden_state"},
      {"bert-pretraining", "encode:last_hidden_state,pooler_output "
                           "predict:logits,seq_relationship_logits"},
      {"electra-question",
       "encode:last_hidden_state predict:start_logits,end_logits"},
      {"albert-sequence",
       "encode:last_hidden_state,pooler_output predict:logits"}};
  for (auto [folder, outputs] : expected) {
    copy(std::string("families/") + folder);
    std::unique_ptr<ImportedModel> model = import();
    ASSERT_NE(model, nullptr) << messages;
    EXPECT_EQ(messages, "");
    EXPECT_EQ(listOutputs(*model), outputs) << folder;
    TearDown();
    llvm::sys::fs::create_directories(scratch);
  }
}

TEST_F(Family, AHeadWithoutTensorsIsAWarning) {
  copy("tiny-masked");
  std::unique_ptr<ImportedModel> model = import();
  ASSERT_NE(model, nullptr) << messages;
  EXPECT_NE(messages.find("[A0132]"), std::string::npos) << messages;
  EXPECT_NE(messages.find("'BertForMaskedLM'"), std::string::npos) << messages;
  EXPECT_EQ(listOutputs(*model), "encode:last_hidden_state");
}

TEST_F(Family, APartOfAHeadIsRefused) {
  copy("families/roberta-sequence");
  renameTensor("classifier.dense.weight", "classifier.dance.weight");
  expectRefused("A0220", {"classifier.dense.weight"});
  EXPECT_NE(messages.find("classifier.dance.weight"), std::string::npos);
}

TEST_F(Family, TheHeadOfAnotherClassIsExtra) {
  copy("families/bert-token");
  edit("config.json", "architectures", Array{"BertModel"});
  expectRefused("A0115", {"classifier.weight", "classifier.bias"});
}

TEST_F(Family, ATiedDecoderIsTheTable) {
  copy("families/bert-untied");
  refuse(
      "tie_word_embeddings", true, "A0109",
      "'cls.predictions.decoder.weight' is "
      "'bert.embeddings.word_embeddings.weight', but the two tensors differ");
  EXPECT_NE(messages.find("'cls.predictions.decoder.bias'"), std::string::npos);
  refuse("tie_word_embeddings", "no", "A0105", "expected true or false");
}

TEST_F(Family, PositionsStartAfterPadding) {
  copy("families/roberta");
  std::unique_ptr<ImportedModel> model = import();
  ASSERT_NE(model, nullptr) << messages;
  // 26 rows, of which 0 and 1 are no positions.
  EXPECT_EQ(model->maxLength, 24);
  EXPECT_NE(print(*model->module).find("attn.token_positions %arg0 padding 1"),
            std::string::npos);
  refuse("pad_token_id", std::nullopt, "A0104", "is missing");
  refuse("pad_token_id", 40, "A0106", "is 40; expected 0 to 39");
  edit("config.json", "pad_token_id", 25);
  expectRefused("A0107", {"'max_position_embeddings' is 26", "no position"});
}

TEST_F(Family, SharedLayersAreSharedWeights) {
  copy("families/albert");
  std::unique_ptr<ImportedModel> model = import();
  ASSERT_NE(model, nullptr) << messages;
  size_t weights = 0, layers = 0;
  for (attn::WeightOp weight : model->module->getOps<attn::WeightOp>())
    weights += weight.getSymName().contains("attention.query.weight");
  model->module->walk([&](attn::AttentionOp) { ++layers; });
  EXPECT_EQ(weights, 1u);
  EXPECT_EQ(layers, 3u);
  refuse("num_hidden_groups", 4, "A0107", "more than the 3 layers");
  refuse("inner_group_num", 0, "A0106", "is 0; expected 1 to");
  refuse("embedding_size", std::nullopt, "A0104", "is missing");
}

TEST_F(Family, MPNetReadsItsTableOfBuckets) {
  copy("families/mpnet");
  std::unique_ptr<ImportedModel> model = import();
  ASSERT_NE(model, nullptr) << messages;
  EXPECT_EQ(model->maxLength, 100); // of 102 rows
  refuse("relative_attention_num_buckets", std::nullopt, "A0104", "is missing");
  refuse("relative_attention_num_buckets", 31, "A0106", "is 31; expected 32");
  edit("config.json", "max_position_embeddings", 2);
  expectRefused("A0107", {"'max_position_embeddings' is 2", "no position"});
}

TEST_F(Family, DebertaLooksDistancesUp) {
  copy("families/deberta");
  std::unique_ptr<ImportedModel> model = import();
  ASSERT_NE(model, nullptr) << messages;
  EXPECT_EQ(model->maxLength, 102);
  EXPECT_EQ(listOutputs(*model), "encode:last_hidden_state");
  size_t products = 0, lookups = 0;
  model->module->walk([&](attn::HeadLinearOp) { ++products; });
  model->module->walk([&](attn::LookupOp) { ++lookups; });
  EXPECT_EQ(products, 4u); // two of each layer
  size_t projected = 0, linears = 0;
  for (auto weight : model->module->getOps<attn::WeightOp>())
    projected += weight->hasAttr("attn.projected");
  model->module->walk([&](attn::LinearOp) { ++linears; });
  EXPECT_EQ(projected, 4u);
  EXPECT_EQ(linears, 12u); // none of them for distances
  EXPECT_EQ(lookups, 6u);  // and the bucket
  refuse("relative_attention", std::nullopt, "A0104", "is missing");
  refuse("position_biased_input", std::nullopt, "A0104", "is missing");
  refuse("type_vocab_size", std::nullopt, "A0104", "is missing");
  refuse("pos_att_type", "c2p|p2p", "A0109", "asks for 'p2p' scores");
  refuse("norm_rel_ebd", "rms_norm", "A0109", "asks for 'rms_norm'");
  refuse("position_buckets", 1, "A0107", "nothing to cut");
  refuse("attention_head_size", 8, "A0109", "is 8; only hidden_size /");
  refuse("pooler_hidden_size", 8, "A0109", "but rows have 21 numbers");
  refuse("pooler_hidden_act", "twist", "A0109", "activation 'twist'");
  refuse("rotary_base", 10000, "A0108", "is not known");
  edit("config.json", "max_relative_positions", 7);
  expectRefused("A0107", {"'position_buckets' is 12 with distances up to 7"});
}

TEST_F(Family, DebertaWantsABucketTableThatIsAConstant) {
  copy("families/deberta-conv");
  edit("config.json", "position_buckets", 100000);
  edit("config.json", "max_position_embeddings", 60000);
  expectRefused("A0109", {"'position_buckets' needs a table of 119999"});
}

TEST_F(Family, DebertaKnowsOneKindOfConvolution) {
  copy("families/deberta-conv");
  refuse("conv_kernel_size", 4, "A0109", "is 4, which makes sequences shorter");
  refuse("conv_groups", 3, "A0109", "asks for 3 groups");
  refuse("conv_act", "twist", "A0109", "activation 'twist'");
  edit("config.json", "conv_kernel_size", 5);
  expectRefused("A0222", {"'encoder.conv.conv.weight'"});
}

TEST_F(Family, DebertaWithoutDistancesLeavesTheirTensorsOut) {
  copy("families/deberta");
  edit("config.json", "pos_att_type", "none");
  std::unique_ptr<ImportedModel> model = import();
  ASSERT_NE(model, nullptr) << messages;
  edit("config.json", "pos_att_type", llvm::json::Array{"c2p", 3});
  expectRefused("A0105", {"'pos_att_type'", "strings in the array"});
}

TEST_F(Family, ErnieKnowsNoTasks) {
  copy("families/ernie");
  refuse("use_task_id", true, "A0109", "asks for embeddings of tasks");
}

TEST_F(Family, DistilBertHasNamesOfItsOwn) {
  copy("families/distilbert");
  for (llvm::StringRef key : {"dim", "n_layers", "n_heads", "hidden_dim",
                              "activation", "max_position_embeddings"})
    refuse(key, std::nullopt, "A0104", "is missing");
  edit("config.json", "n_heads", 4);
  expectRefused("A0107", {"'dim' is 14, which 4 attention heads ('n_heads')"});
}

TEST_F(Family, UnknownFieldsAreRefused) {
  for (const char *folder :
       {"roberta", "distilbert", "electra", "albert", "mpnet"}) {
    copy(std::string("families/") + folder);
    refuse("rotary_base", 10000, "A0108", "is not known");
    refuse("is_decoder", true, "A0109", "asks for a decoder");
    TearDown();
    llvm::sys::fs::create_directories(scratch);
  }
}
