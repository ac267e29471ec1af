//===- MlirFileTest.cpp - programs from MLIR text -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Dumps are taken up again with their weights; broken texts are refused.
//
//===----------------------------------------------------------------------===//
#include "ImportFixture.h"

using namespace attnc;

namespace {
class MlirFile : public ImportFixture {
protected:
  std::unique_ptr<ImportedModel> importText(llvm::StringRef name,
                                            llvm::StringRef text,
                                            const ImportOptions &options = {}) {
    write(name, text);
    messages.clear();
    return importModel(context, path(name), options);
  }
};
} // namespace

TEST_F(MlirFile, ADumpIsTakenUpAgain) {
  copy("tiny-sentence");
  std::unique_ptr<ImportedModel> model = import();
  ASSERT_NE(model, nullptr) << messages;
  model->module->walk([&](attn::WeightOp weight) {
    weight.setDigest(llvm::cantFail(model->weights.digest(weight)));
  });
  std::string text = print(*model->module);
  std::unique_ptr<ImportedModel> again = importText("elsewhere/x.mlir", text);
  ASSERT_NE(again, nullptr) << messages;
  EXPECT_EQ(print(*again->module), text);
  EXPECT_EQ(again->weights.names(), model->weights.names());
  EXPECT_EQ(again->maxLength, model->maxLength);
  EXPECT_EQ(again->files.size(), model->files.size());
  // A weight that changed since is found out.
  std::string bytes = read("2_Dense/model.safetensors");
  bytes.back() ^= 1;
  write("2_Dense/model.safetensors", bytes);
  EXPECT_EQ(importText("elsewhere/x.mlir", text), nullptr);
  expectSaid("A0223", {"the sources of @sentence.dense.bias have the digest"});
}

TEST_F(MlirFile, WeightsAreFoundFromTheFilesFolder) {
  copy("tiny-bert", "model");
  llvm::StringRef text = R"mlir(
    module attributes {attn.files = ["../model/model.safetensors"]} {
      attn.weight @b from ["pooler.dense.bias"] : tensor<20xf32>
    })mlir";
  ImportOptions options;
  options.name = "mine";
  std::unique_ptr<ImportedModel> model =
      importText("text/p.mlir", text, options);
  ASSERT_NE(model, nullptr) << messages;
  EXPECT_NE(model->weights.find("pooler.dense.bias"), nullptr);
  std::string printed = print(*model->module);
  EXPECT_NE(printed.find("attn.name = \"mine\""), std::string::npos) << printed;
  EXPECT_NE(printed.find("attn.files = [\"/"), std::string::npos) << printed;
}

TEST_F(MlirFile, WithoutWeightsIsNamedAfterItself) {
  std::unique_ptr<ImportedModel> model =
      importText("01 attention.mlir", "attn.size @batch min 1 max 2\n");
  ASSERT_NE(model, nullptr) << messages;
  EXPECT_EQ((*model->module)->getAttrOfType<mlir::StringAttr>("attn.name"),
            "_01_attention");
}

TEST_F(MlirFile, RefusesWhatItCannotRead) {
  EXPECT_EQ(importModel(context, path("no.mlir"), {}), nullptr);
  expectSaid("A0192", {"no.mlir does not exist"});
  EXPECT_EQ(importText("x.mlir", "attn.what"), nullptr);
  expectSaid("A0193", {"x.mlir is not a program that attnc can read"});
}

TEST_F(MlirFile, RefusesWeightsThatAreNotThere) {
  EXPECT_EQ(importText("x.mlir", "attn.weight @w from [\"t\"] : tensor<2xf32>"),
            nullptr);
  expectSaid("A0220", {"the weight @w needs the tensor 't', which is in none "
                       "of the 0 weights files"});
  EXPECT_EQ(
      importText("x.mlir", "module attributes {attn.files = [\"no\"]} {}"),
      nullptr);
  expectSaid("A0201", {"cannot read the weights file " + path("no")});
}
