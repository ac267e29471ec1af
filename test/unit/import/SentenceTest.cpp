//===- SentenceTest.cpp - sentence-transformers folders -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The modules behind the encoder: what they become, and what is refused.
//
//===----------------------------------------------------------------------===//
#include "ImportFixture.h"

using namespace attnc;
using llvm::json::Array;
using llvm::json::Object;
using llvm::json::Value;

namespace {
class Sentence : public ImportFixture {
protected:
  void SetUp() override {
    ImportFixture::SetUp();
    copy("tiny-sentence");
  }

  /// modules.json with these classes, at their usual paths.
  void writeModules(const std::vector<std::string> &classes) const {
    Array modules;
    for (auto [index, name] : llvm::enumerate(classes))
      modules.push_back(
          Object{{"path", index ? std::to_string(index) + "_" + name : ""},
                 {"type", "sentence_transformers.models." + name}});
    std::string text;
    llvm::raw_string_ostream(text) << Value(std::move(modules));
    write("modules.json", text);
  }

  /// The kind of the one pooling of a good folder.
  std::optional<attn::PoolKind> getPoolKind() {
    std::unique_ptr<ImportedModel> model = import();
    std::optional<attn::PoolKind> kind;
    if (model)
      model->module->walk([&](attn::PoolOp op) { kind = op.getKind(); });
    return kind;
  }

  const std::string pooling = "1_Pooling/config.json";
  const std::string dense = "2_Dense/config.json";
};
} // namespace

TEST_F(Sentence, BecomesTwoEntries) {
  std::unique_ptr<ImportedModel> model = import();
  ASSERT_NE(model, nullptr) << messages;
  EXPECT_EQ(messages, "");
  auto encode = model->module->lookupSymbol<attn::EntryOp>("encode");
  auto embed = model->module->lookupSymbol<attn::EntryOp>("embed");
  ASSERT_TRUE(encode && embed);
  ASSERT_EQ(encode.getResultTypes().size(), 1u);
  EXPECT_EQ(encode.getResultName(0), "last_hidden_state");
  ASSERT_EQ(embed.getResultTypes().size(), 1u);
  EXPECT_EQ(embed.getResultName(0), "sentence_embedding");
  std::string text = print(*model->module);
  EXPECT_NE(text.find("attn.weight @sentence.dense.weight from "
                      "[\"linear.weight\"] : tensor<12x20xf32>"),
            std::string::npos);
  unsigned norms = 0;
  embed.walk([&](attn::NormOp op) {
    if (op.getKind() != attn::NormKind::l2)
      return;
    ++norms;
    EXPECT_EQ(op.getEpsilon().convertToDouble(), 1e-12);
  });
  EXPECT_EQ(norms, 1u);
  // min(40 positions, 40 of the tokenizer, 24 of the sentence encoder)
  EXPECT_EQ(model->maxLength, 24);
  ASSERT_EQ(model->files.size(), 4u);
  EXPECT_EQ(model->files.back().name, "license/LICENSE");
}

TEST_F(Sentence, PoolsAsItsFlagsSay) {
  EXPECT_EQ(getPoolKind(), attn::PoolKind::mean);
  edit(pooling, "pooling_mode_mean_tokens", false);
  for (auto [flag, kind] :
       {std::pair("pooling_mode_cls_token", attn::PoolKind::first),
        std::pair("pooling_mode_max_tokens", attn::PoolKind::max),
        std::pair("pooling_mode_mean_sqrt_len_tokens",
                  attn::PoolKind::mean_sqrt_len),
        std::pair("pooling_mode_weightedmean_tokens",
                  attn::PoolKind::weighted_mean),
        std::pair("pooling_mode_lasttoken", attn::PoolKind::last)}) {
    edit(pooling, flag, true);
    EXPECT_EQ(getPoolKind(), kind) << flag << ": " << messages;
    edit(pooling, flag, false);
  }
  expectRefused("A0121", {"is not given, nor is a flag"});
  edit(pooling, "pooling_mode_cls_token", true);
  edit(pooling, "pooling_mode_max_tokens", true);
  expectRefused("A0121", {"asks for several modes, 'cls', 'max'"});
}

TEST_F(Sentence, PoolsAsNewerFilesSay) {
  write(pooling, R"({"embedding_dimension": 20, "pooling_mode": "lasttoken",
                     "include_prompt": true})");
  EXPECT_EQ(getPoolKind(), attn::PoolKind::last) << messages;
  edit(pooling, "pooling_mode", Array{"max"});
  EXPECT_EQ(getPoolKind(), attn::PoolKind::max) << messages;
  edit(pooling, "pooling_mode", Array{"max", "mean"});
  expectRefused("A0121", {"several modes, 'max', 'mean'"});
  edit(pooling, "pooling_mode", "median");
  expectRefused("A0121", {"is 'median', which is not known", "known modes:"});
}

TEST_F(Sentence, RefusesPoolingThatDoesNotFit) {
  edit(pooling, "word_embedding_dimension", 24);
  expectRefused("A0123",
                {"field 'in_features' is 20, but the pooling gives 24"});
  writeModules({"Transformer", "Pooling"});
  expectRefused("A0123", {"takes rows of 24 numbers, but the encoder's rows "
                          "have 20"});
  edit(pooling, "word_embedding_dimension", std::nullopt);
  expectRefused("A0104", {"field 'word_embedding_dimension' is missing"});
  edit(pooling, "word_embedding_dimension", 20);
  edit(pooling, "surprise", 1);
  expectRefused("A0108", {"field 'surprise' is not known"});
}

TEST_F(Sentence, ReadsTheDenseLayer) {
  edit(dense, "activation_function", "torch.nn.modules.activation.PReLU");
  expectRefused("A0122", {"names 'torch.nn.modules.activation.PReLU'"});
  edit(dense, "activation_function", "");
  expectRefused("A0122", {"names ''"});
  edit(dense, "activation_function", "torch.nn.modules.linear.Identity");
  EXPECT_NE(import(), nullptr) << messages;
  edit(dense, "out_features", 13);
  expectRefused("A0222", {"'linear.weight' has the shape [12, 20]"});
  edit(dense, "out_features", 12);
  edit(dense, "bias", false);
  expectRefused("A0115", {"holds 1 tensors", "'linear.bias'"});
  edit(dense, "bias", true);
  edit(dense, "use_residual", true);
  expectRefused("A0109", {"asks for a residual connection"});
  edit(dense, "use_residual", false);
  edit(dense, "module_input_name", "token_embeddings");
  expectRefused("A0122", {"is 'token_embeddings'"});
  llvm::sys::fs::remove(path("2_Dense/model.safetensors"));
  edit(dense, "module_input_name", std::nullopt);
  expectRefused("A0111", {"2_Dense has no *.safetensors file"});
}

TEST_F(Sentence, RefusesModulesByNameAndOrder) {
  writeModules({"Transformer", "Pooling", "LSTM"});
  expectRefused("A0120", {"the module 'sentence_transformers.models.LSTM'"});
  writeModules({"Pooling", "Transformer"});
  expectRefused("A0120", {"the order of the modules"});
  writeModules({"Transformer"});
  expectRefused("A0120", {"the order of the modules"});
  writeModules({"Transformer", "Pooling", "Dense", "Dense"});
  expectRefused("A0120", {"the order of the modules"});
  write("modules.json", "{}");
  expectRefused("A0120", {"holds an object; expected an array"});
  write("modules.json", R"([{"type": "x"}])");
  expectRefused("A0120", {"not an object with 'type' and 'path'"});
  write("modules.json", R"([{"type": "my.Transformer", "path": ""}])");
  expectRefused("A0120", {"the module 'my.Transformer' is not known"});
  write("modules.json",
        R"([{"type": "sentence_transformers.models.Transformer",
             "path": "../elsewhere"}])");
  expectRefused("A0113", {"'../elsewhere' leads out of the folder"});
}

TEST_F(Sentence, FindsTheTransformerInAFolderOfItsOwn) {
  for (llvm::StringRef name :
       {"config.json", "model.safetensors", "vocab.txt",
        "tokenizer_config.json", "sentence_bert_config.json"}) {
    write("0_Transformer/" + name.str(), read(name));
    llvm::sys::fs::remove(path(name));
  }
  std::string modules = read("modules.json");
  size_t at = modules.find("\"path\": \"\"");
  ASSERT_NE(at, std::string::npos);
  modules.replace(at, 10, "\"path\": \"0_Transformer\"");
  write("modules.json", modules);
  std::unique_ptr<ImportedModel> model = import();
  ASSERT_NE(model, nullptr) << messages;
  EXPECT_EQ(model->maxLength, 24);
  EXPECT_EQ(model->files.size(), 4u);
}

TEST_F(Sentence, SaysWhatBecomesOfPrompts) {
  llvm::StringRef name = "config_sentence_transformers.json";
  write(name, R"({"prompts": {"query": "query: "}, "default_prompt_name": null,
                  "similarity_fn_name": "cosine"})");
  EXPECT_NE(import(), nullptr) << messages;
  EXPECT_EQ(messages, "");
  edit(name, "default_prompt_name", "query");
  EXPECT_NE(import(), nullptr) << messages;
  EXPECT_NE(messages.find("warning[A0130]: "), std::string::npos) << messages;
  edit(pooling, "include_prompt", false);
  expectRefused("A0121", {"asks for the prompt 'query' that pooling"});
  edit(name, "default_prompt_name", std::nullopt);
  EXPECT_NE(import(), nullptr) << messages;
  edit(name, "model_type", "SparseEncoder");
  expectRefused("A0120", {"is 'SparseEncoder'"});
}
