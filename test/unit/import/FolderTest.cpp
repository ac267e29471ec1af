//===- FolderTest.cpp - model folders, whole and broken -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What import makes of a good folder, and what it says of folders with absent,
// extra, foreign or misplaced files.
//
//===----------------------------------------------------------------------===//
#include "ImportFixture.h"

using namespace attnc;
using llvm::json::Object;

namespace {
class Folder : public ImportFixture {
protected:
  static std::vector<std::string> getFileNames(const ImportedModel &model) {
    std::vector<std::string> names;
    for (const ModelFile &file : model.files)
      names.push_back(file.name);
    return names;
  }
};
} // namespace

TEST_F(Folder, BecomesAModule) {
  copy("tiny-bert");
  ImportOptions options;
  options.name = "tiny";
  options.maxBatch = 7;
  std::unique_ptr<ImportedModel> model = import(options);
  ASSERT_NE(model, nullptr) << messages;
  EXPECT_EQ(messages, "");
  std::string text = print(*model->module);
  for (llvm::StringRef part :
       {"attn.name = \"tiny\"", "/model.safetensors\"]",
        "attn.size @batch min 1 max 7", "attn.size @seq min 1 max 40",
        "attn.weight @layer.1.attention.self.query.weight from "
        "[\"encoder.layer.1.attention.self.query.weight\"] : tensor<20x20xf32>",
        "attn.entry @encode(",
        "{attn.name = \"input_ids\", attn.range = array<i64: 0, 49>}",
        "{attn.default = 1 : i32, attn.name = \"attention_mask\", attn.range = "
        "array<i64: 0, 1>}",
        "{attn.default = 0 : i32, attn.name = \"token_type_ids\", attn.range = "
        "array<i64: 0, 1>}",
        "(tensor<?x?x20xf32, #attn.sizes<batch, seq, 20>> {attn.name = "
        "\"last_hidden_state\"}, tensor<?x20xf32, #attn.sizes<batch, 20>> "
        "{attn.name = \"pooler_output\"}) sizes [\"batch\", \"seq\"]"})
    EXPECT_NE(text.find(part.str()), std::string::npos)
        << part.str() << " in:\n"
        << text;
  unsigned attentions = 0;
  model->module->walk([&](attn::AttentionOp op) {
    ++attentions;
    EXPECT_FALSE(op.getScore().empty());
    EXPECT_TRUE(op.getMask().empty());
    EXPECT_TRUE(llvm::isa<mlir::NameLoc>(op.getLoc()));
  });
  EXPECT_EQ(attentions, 2u);
  EXPECT_EQ(model->maxLength, 40);
  EXPECT_EQ(model->source, "bert, 2 layers, hidden size 20, 5 heads, from " +
                               llvm::sys::path::filename(scratch).str());
  EXPECT_EQ(getFileNames(*model),
            (std::vector<std::string>{"tokenizer/vocab.txt",
                                      "tokenizer/tokenizer_config.json"}));
}

TEST_F(Folder, GivesTheSameModuleTwice) {
  copy("tiny-bert");
  std::unique_ptr<ImportedModel> first = import(), second = import();
  ASSERT_TRUE(first && second) << messages;
  EXPECT_EQ(print(*first->module), print(*second->module));
}

TEST_F(Folder, WithShardsPrefixAndOldNames) {
  copy("tiny-masked");
  std::unique_ptr<ImportedModel> model = import();
  ASSERT_NE(model, nullptr) << messages;
  EXPECT_EQ(model->weights.files().size(), 2u);
  std::string text = print(*model->module);
  EXPECT_NE(text.find("attn.weight @embeddings.LayerNorm.weight from "
                      "[\"bert.embeddings.LayerNorm.gamma\"]"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("pooler"), std::string::npos);
  // Without the index every file counts.
  llvm::sys::fs::remove(path("model.safetensors.index.json"));
  EXPECT_NE(import(), nullptr) << messages;
}

TEST_F(Folder, BoundsFollowTheOptions) {
  copy("tiny-bert");
  ImportOptions options;
  options.maxSeq = 16;
  std::unique_ptr<ImportedModel> model = import(options);
  ASSERT_NE(model, nullptr) << messages;
  EXPECT_EQ(*model->module->lookupSymbol<attn::SizeOp>("seq").getMaximum(), 16);
  EXPECT_EQ(model->maxLength, 16);
  options.maxSeq = 41;
  model = import(options);
  ASSERT_NE(model, nullptr) << messages;
  EXPECT_EQ(*model->module->lookupSymbol<attn::SizeOp>("seq").getMaximum(), 40);
  EXPECT_NE(messages.find("warning[A0131]: the model has 40 positions"),
            std::string::npos)
      << messages;
  options.maxBatch = 0;
  expectRefused("A0140", {"0 and 41; expected 1 to 1099511627776"}, options);
  options.maxBatch = INT64_MAX;
  expectRefused("A0140", {"9223372036854775807 and 41; expected 1 to"},
                options);
}

TEST_F(Folder, TextsAreAsLongAsTheTokenizerAllows) {
  copy("tiny-bert");
  llvm::StringRef file = "tokenizer_config.json";
  for (auto [limit, expected] :
       {std::pair("12", 12), std::pair("400", 40),
        // How transformers writes that there is no limit.
        std::pair("1000000000000000019884624838656", 40)}) {
    write(file, std::string("{\"model_max_length\": ") + limit + "}");
    std::unique_ptr<ImportedModel> model = import();
    ASSERT_NE(model, nullptr) << messages;
    EXPECT_EQ(model->maxLength, expected);
  }
  edit(file, "model_max_length", 0);
  expectRefused("A0106", {"tokenizer_config.json: field 'model_max_length'"});
}

TEST_F(Folder, TheNameIsACIdentifier) {
  copy("tiny-bert", "2-layer.model");
  auto getName = [&](const ImportOptions &options) -> std::string {
    auto model = importModel(context, path("2-layer.model/"), options);
    return model ? (*model->module)
                       ->getAttrOfType<mlir::StringAttr>("attn.name")
                       .str()
                 : "";
  };
  EXPECT_EQ(getName({}), "_2_layer_model") << messages;
  for (auto [folder, name] :
       {std::pair("int", "model_int"),
        std::pair("\xE6\x97\xA5", "model____"), // a letter of three bytes
        std::pair("_Layers", "model__Layers")}) {
    copy("tiny-bert", folder);
    auto model = importModel(context, path(folder), {});
    ASSERT_NE(model, nullptr) << messages;
    EXPECT_EQ(
        (*model->module)->getAttrOfType<mlir::StringAttr>("attn.name").str(),
        name);
  }
  ImportOptions options;
  options.name = "a-b";
  EXPECT_EQ(getName(options), "");
  expectSaid("A0613", {"the library 'a-b' cannot be a name in the C header"});
}

TEST_F(Folder, ThatIsNone) {
  EXPECT_EQ(importModel(context, path("nothing"), {}), nullptr);
  expectSaid("A0101", {path("nothing") + " does not exist"});
  write("file.txt", "text");
  EXPECT_EQ(importFolder(context, path("file.txt"), {}), nullptr);
  expectSaid("A0101", {"file.txt is not a folder"});
  EXPECT_EQ(importModel(context, path("file.txt"), {}), nullptr);
  expectSaid("A0191",
             {"file.txt is neither a folder nor a .gguf or .mlir file"});
  write("model.onnx", "text");
  EXPECT_EQ(importModel(context, path("model.onnx"), {}), nullptr);
  expectSaid("A0190", {"model.onnx: ONNX is not read yet"});
}

TEST_F(Folder, WithoutConfig) {
  expectRefused("A0102", {"cannot read " + path("config.json")});
  write("config.json", "{\"model_type\": \"bert\"");
  expectRefused("A0103", {"config.json is not valid JSON"});
  write("config.json", "[]");
  expectRefused("A0103", {"config.json holds an array; expected an object"});
  write("config.json", std::string(100'000, '['));
  expectRefused("A0103", {"nested deeper than 64 levels"});
  write("config.json", R"({"hidden_size": 20, "hidden_size": 24})");
  expectRefused("A0103", {"the key 'hidden_size' stands twice"});
}

TEST_F(Folder, WithoutWeights) {
  copy("tiny-bert");
  llvm::sys::fs::remove(path("model.safetensors"));
  expectRefused("A0111", {"has no *.safetensors file"});
  write("tf_model.h5", "");
  expectRefused("A0111", {"in tf_model.h5 only", "from_tf=True"});
  write("pytorch_model.bin", "");
  expectRefused("A0111", {"in pytorch_model.bin only",
                          "cd '" + scratch + "' && python3 -c \"import torch",
                          "s.save_file("});
  // A line that a shell can take, whatever the folder's name.
  copy("tiny-bert", "it's mine");
  llvm::sys::fs::remove(path("it's mine/model.safetensors"));
  write("it's mine/pytorch_model.bin", "");
  messages.clear();
  EXPECT_EQ(importModel(context, path("it's mine"), {}), nullptr);
  expectSaid("A0111", {"cd '" + scratch + "/it'\\''s mine' && python3"});
}

TEST_F(Folder, WithBrokenWeights) {
  copy("tiny-bert");
  write("model.safetensors", read("model.safetensors").substr(0, 20'000));
  expectRefused("A0208", {"model.safetensors: tensor '", "of which the file"});
  write("model.safetensors", "");
  expectRefused("A0202", {"model.safetensors: "});
}

TEST_F(Folder, WithTheWeightsOfAnotherModel) {
  copy("tiny-bert");
  copy("tiny-sentence", "other");
  llvm::sys::fs::copy_file(path("other/2_Dense/model.safetensors"),
                           path("model.safetensors"));
  expectRefused("A0220", {"the weight @embeddings.word_embeddings.weight needs "
                          "the tensor 'embeddings.word_embeddings.weight'"});
  expectSaid("A0115", {"holds 2 tensors", "'linear.bias', 'linear.weight'"});
}

TEST_F(Folder, WithTensorsOfAnotherShape) {
  copy("tiny-bert");
  edit("config.json", "vocab_size", 51);
  expectRefused("A0222", {"'embeddings.word_embeddings.weight' has the shape "
                          "[50, 20]; the weight "
                          "@embeddings.word_embeddings.weight needs [51, 20]"});
}

TEST_F(Folder, WithFewerLayersThanItsWeights) {
  copy("tiny-bert");
  edit("config.json", "num_hidden_layers", 1);
  expectRefused("A0115", {"holds 16 tensors that the encoder does not use: "
                          "'encoder.layer.1.attention.output.LayerNorm.bias'",
                          "and 8 more", "--allow-extra-tensors"});
  ImportOptions options;
  options.allowExtraTensors = true;
  EXPECT_NE(import(options), nullptr) << messages;
}

TEST_F(Folder, WithABadIndex) {
  copy("tiny-masked");
  llvm::StringRef index = "model.safetensors.index.json";
  std::string good = read(index);
  write(index, "{}");
  expectRefused("A0112", {"no object 'weight_map'"});
  edit(index, "weight_map", Object{{"a", 5}});
  expectRefused("A0112", {"a number for tensor 'a'"});
  for (llvm::StringRef outside : {"../model.safetensors", "/etc/passwd",
                                  "a/b.safetensors", "..", "model.bin", ""}) {
    edit(index, "weight_map", Object{{"a", outside}});
    expectRefused("A0113", {"tensor 'a' is said to be in '" + outside.str()});
  }
  edit(index, "weight_map", Object{{"a", "absent.safetensors"}});
  expectRefused("A0201", {"absent.safetensors"});
  write(index, good);
  edit(index, "weight_map",
       Object{{"bert.x", "model-00001-of-00002.safetensors"}});
  expectRefused("A0114", {"tensor 'bert.x' is said to be in ", "but is not"});
}
