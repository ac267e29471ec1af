//===- TowerTest.cpp - ModernBERT, ViT and CLIP made wrong ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fields that these models have and BERT has not, made wrong one by one; the
// entries that their classes give; older forms of the same configuration.
//
//===----------------------------------------------------------------------===//
#include "ImportFixture.h"
#include "compiler/import/ProgramBuilder.h"

using namespace attnc;
using llvm::json::Array;
using llvm::json::Object;
using llvm::json::Value;

namespace {
class Tower : public ImportFixture {
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

  void start(llvm::StringRef folder) {
    TearDown();
    llvm::sys::fs::create_directories(scratch);
    copy(folder);
  }

  void refuse(llvm::StringRef key, std::optional<Value> value,
              llvm::StringRef code, llvm::StringRef part) {
    SCOPED_TRACE(key.str());
    std::string before = read("config.json");
    edit("config.json", key, std::move(value));
    expectRefused(code, {"config.json: field '" + key.str() + "'", part.str()});
    write("config.json", before);
  }

  /// The same for a field of the object `outer`.
  void refuseInner(llvm::StringRef outer, llvm::StringRef key,
                   std::optional<Value> value, llvm::StringRef code,
                   llvm::StringRef part) {
    SCOPED_TRACE((outer + "." + key).str());
    std::string before = read("config.json");
    Value root = llvm::cantFail(llvm::json::parse(before));
    Object &inner = *root.getAsObject()->getObject(outer);
    inner.erase(key);
    if (value)
      inner[key] = std::move(*value);
    edit("config.json", outer, Value(std::move(inner)));
    expectRefused(
        code, {"config.json: " + outer.str() + ": field '" + key.str() + "'",
               part.str()});
    write("config.json", before);
  }

  std::unique_ptr<ImportedModel> importGood() {
    std::unique_ptr<ImportedModel> model = import();
    EXPECT_NE(model, nullptr) << messages;
    EXPECT_EQ(messages, "");
    return model;
  }
};
} // namespace

TEST_F(Tower, ClassesGiveEntries) {
  const std::pair<const char *, const char *> expected[] = {
      {"images/vit", "encode:last_hidden_state,pooler_output"},
      {"images/vit-classes", "encode:last_hidden_state predict:logits"},
      {"images/clip", "text_embed:text_embeds image_embed:image_embeds"},
      {"images/clip-text", "text_encode:last_hidden_state,pooler_output"},
      {"images/clip-text-projected", "text_embed:text_embeds"},
      {"images/clip-image", "image_encode:last_hidden_state,pooler_output"},
      {"images/clip-image-projected", "image_embed:image_embeds"},
      {"families/modernbert", "encode:last_hidden_state"},
      {"families/modernbert-question",
       "encode:last_hidden_state predict:start_logits,end_logits"}};
  for (auto [folder, outputs] : expected) {
    start(folder);
    std::unique_ptr<ImportedModel> model = importGood();
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(listOutputs(*model), outputs) << folder;
  }
}

TEST_F(Tower, OtherClassesAreRefused) {
  copy("images/vit");
  edit("config.json", "architectures", Array{"ViTForMaskedImageModeling"});
  expectRefused("A0110", {"the class 'ViTForMaskedImageModeling' of the type "
                          "'vit'",
                          "ViTModel, ViTForImageClassification"});
  edit("config.json", "model_type", "vit_mae");
  expectRefused("A0110", {"unknown architecture 'vit_mae'", "vit (ViTModel"});
}

TEST_F(Tower, AClassifierWithoutTensorsIsAWarning) {
  copy("images/vit");
  edit("config.json", "architectures", Array{"ViTForImageClassification"});
  std::unique_ptr<ImportedModel> model = import();
  ASSERT_NE(model, nullptr) << messages;
  EXPECT_NE(messages.find("[A0132]"), std::string::npos) << messages;
  EXPECT_EQ(listOutputs(*model), "encode:last_hidden_state,pooler_output");
}

TEST_F(Tower, TheHeadOfAnotherClassIsExtra) {
  copy("images/vit-classes");
  edit("config.json", "architectures", Array{"ViTModel"});
  expectRefused("A0115", {"classifier.weight", "classifier.bias"});
}

TEST_F(Tower, ImagesHaveSizes) {
  copy("images/vit");
  std::unique_ptr<ImportedModel> model = importGood();
  ASSERT_NE(model, nullptr);
  EXPECT_NE(print(*model->module)
                .find("tensor<?x2x10x14xf32, #attn.sizes<batch, 2, 10, 14>>"),
            std::string::npos);
  EXPECT_EQ(model->module->lookupSymbol("seq"), nullptr);
  refuse("image_size", Array{10, 14, 3}, "A0106", "expected 2 whole numbers");
  refuse("image_size", Array{10, "wide"}, "A0106", "expected 2 whole numbers");
  refuse("image_size", 20000, "A0106", "is 20000; expected 1 to 16384");
  refuse("image_size", std::nullopt, "A0104", "is missing");
  refuse("patch_size", Array{4, 15}, "A0107", "is larger than the image");
  refuse("num_channels", 0, "A0106", "is 0; expected 1 to");
  refuse("hidden_size", 22, "A0107", "which 3 attention heads");
  refuse("pooler_act", "softer", "A0109", "names the activation 'softer'");
  refuse("hidden_act", "softer", "A0109", "names the activation 'softer'");
  refuse("qkv_bias", "no", "A0105", "expected true or false");
  refuse("rotary", true, "A0108", "is not known");
  edit("config.json", "image_size", 16384);
  edit("config.json", "patch_size", 1);
  expectRefused("A0106", {"field 'patch_size' gives 268435456 patches"});
}

TEST_F(Tower, ImagesHaveThreeChannelsUnlessItIsSaid) {
  start("images/clip-image");
  std::unique_ptr<ImportedModel> model = importGood();
  ASSERT_NE(model, nullptr);
  std::string said = print(*model->module);
  edit("config.json", "num_channels", std::nullopt);
  model = importGood();
  ASSERT_NE(model, nullptr);
  EXPECT_TRUE(print(*model->module) == said);
  start("images/vit"); // of two
  edit("config.json", "num_channels", std::nullopt);
  expectRefused("A0222", {"embeddings.patch_embeddings.projection.weight"});
}

TEST_F(Tower, AnImageOfAnotherSizeNeedsOtherPositions) {
  copy("images/vit");
  edit("config.json", "image_size", Array{10, 17});
  expectRefused("A0222", {"'embeddings.position_embeddings' has the shape "
                          "[1, 9, 21]",
                          "[1, 11, 21]"});
}

TEST_F(Tower, TowersHaveConfigurationsOfTheirOwn) {
  copy("images/clip");
  refuse("projection_dim", std::nullopt, "A0104", "is missing");
  refuse("text_config", std::nullopt, "A0104", "is missing");
  refuse("vision_config", 3, "A0105", "expected an object");
  refuse("text_config_dict", Object{{"hidden_size", 3}}, "A0109",
         "a second configuration");
  refuseInner("text_config", "vocab_size", std::nullopt, "A0104", "is missing");
  refuseInner("text_config", "hidden_act", "softer", "A0109", "softer");
  refuseInner("text_config", "eos_token_id", 30, "A0107",
              "is 30, which is no id of 30");
  refuseInner("text_config", "rotary", true, "A0108", "is not known");
  refuseInner("vision_config", "patch_size", 12, "A0107",
              "is larger than the image");
  refuseInner("vision_config", "hidden_size", 22, "A0107",
              "which 3 attention heads");
}

TEST_F(Tower, LegacyEndTokensAreTheLargestId) {
  copy("images/clip"); // its configuration says 2, of 30 ids
  std::unique_ptr<ImportedModel> model = importGood();
  ASSERT_NE(model, nullptr);
  EXPECT_NE(print(*model->module).find("constant 29 : i32"), std::string::npos);
  start("images/clip-text");
  edit("config.json", "eos_token_id", 17);
  model = importGood();
  ASSERT_NE(model, nullptr);
  EXPECT_NE(print(*model->module).find("constant 17 : i32"), std::string::npos);
}

TEST_F(Tower, ModernBertReadsItsLayers) {
  copy("families/modernbert");
  for (llvm::StringRef key :
       {"local_attention", "norm_eps", "attention_bias", "mlp_bias",
        "norm_bias", "classifier_bias", "decoder_bias", "hidden_activation",
        "classifier_activation", "classifier_pooling"})
    refuse(key, std::nullopt, "A0104", "is missing");
  refuse("layer_types", Array{"full_attention"}, "A0107",
         "names 1 layers; the model has 4");
  refuse("layer_types",
         Array{"full_attention", "chunked_attention", "full_attention",
               "full_attention"},
         "A0109", "names 'chunked_attention'");
  refuse("classifier_pooling", "max", "A0109", "is 'max'");
  refuse("hidden_activation", "softer", "A0109", "softer");
  refuse("hidden_size", 25, "A0107", "heads of an even size");
  refuse("rope_scaling", Object{{"factor", 2}}, "A0109",
         "scaled rotary positions");
  refuseInner("rope_parameters", "sliding_attention", std::nullopt, "A0104",
              "is missing");
  refuseInner("rope_parameters", "chunked_attention", Object{{"x", 1}}, "A0108",
              "is not known");
}

TEST_F(Tower, ModernBertsDecoderThatIsNotTheTable) {
  copy("families/modernbert-biases");
  refuse("tie_word_embeddings", true, "A0109",
         "says that 'decoder.weight' is 'model.embeddings.tok_embeddings."
         "weight', but the two tensors differ");
}

TEST_F(Tower, ModernBertRefusesScaledPositions) {
  copy("families/modernbert");
  edit("config.json", "rope_parameters",
       Object{{"full_attention",
               Object{{"rope_theta", 160000.0}, {"rope_type", "yarn"}}},
              {"sliding_attention", Object{{"rope_theta", 1e4}}}});
  expectRefused("A0109", {"rope_parameters: full_attention: field 'rope_type' "
                          "asks for 'yarn' rotary positions"});
}

TEST_F(Tower, ModernBertReadsTheOlderForm) {
  copy("families/modernbert");
  std::unique_ptr<ImportedModel> model = importGood();
  ASSERT_NE(model, nullptr);
  std::string newer = print(*model->module);
  edit("config.json", "rope_parameters", std::nullopt);
  edit("config.json", "layer_types", std::nullopt);
  expectRefused("A0104", {"'global_rope_theta' is missing",
                          "'global_attn_every_n_layers' is missing"});
  edit("config.json", "global_rope_theta", 160000.0);
  edit("config.json", "local_rope_theta", 10000.0);
  edit("config.json", "global_attn_every_n_layers", 3);
  model = importGood();
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(print(*model->module), newer);
}

TEST_F(Tower, FrequenciesAreTheModels) {
  // transformers: 1 / 10000 ** (torch.arange(0, 6, 2) / 6), in f32.
  llvm::SmallVector<float> frequencies = getRotaryFrequencies(10000.0, 6);
  ASSERT_EQ(frequencies.size(), 3u);
  EXPECT_EQ(frequencies[0], 1.0f);
  EXPECT_FLOAT_EQ(frequencies[1], 0.046415888336127774f);
  EXPECT_FLOAT_EQ(frequencies[2], 0.002154434690031884f);
  EXPECT_EQ(getRotaryFrequencies(10000.0, 7).size(), 3u);
}
