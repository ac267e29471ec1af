//===- ExtraTensorsTest.cpp - tensors beside those of the model -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Checkpoints hold buffers, copies of shared tables and parts of other heads
// that the program has no use for: each family knows its own. Whatever else
// there is makes the model another one, and is refused. GGUF files as models,
// from the file to its tokenizer.
//
//===----------------------------------------------------------------------===//
#include "ImportFixture.h"

using namespace attnc;

namespace {
class ExtraTensors : public ImportFixture {
protected:
  void start(const std::string &folder) {
    TearDown();
    llvm::sys::fs::create_directories(scratch);
    copy(folder);
  }

  /// `known` changes nothing; `other` is refused.
  void check(const std::string &folder, const std::vector<std::string> &known,
             const std::string &other) {
    SCOPED_TRACE(folder);
    start(folder);
    std::unique_ptr<ImportedModel> model = import();
    ASSERT_NE(model, nullptr) << messages;
    std::string plain = print(*model->module);
    for (const std::string &name : known)
      EXPECT_TRUE(addTensor("model.safetensors", name)) << name;
    model = import();
    ASSERT_NE(model, nullptr) << messages;
    EXPECT_EQ(messages, "");
    EXPECT_TRUE(print(*model->module) == plain);
    EXPECT_TRUE(addTensor("model.safetensors", other));
    expectRefused("A0115", {"'" + other + "'"});
    ImportOptions options;
    options.allowExtraTensors = true;
    model = import(options);
    ASSERT_NE(model, nullptr) << messages;
    EXPECT_TRUE(print(*model->module) == plain);
  }
};
} // namespace

TEST_F(ExtraTensors, OfEncoders) {
  check("tiny-bert", {"embeddings.token_type_ids"}, "pooler.dense.scale");
  check("families/bert-masked",
        {"cls.predictions.decoder.weight = "
         "bert.embeddings.word_embeddings.weight",
         "cls.seq_relationship.weight", "cls.seq_relationship.bias",
         "bert.embeddings.position_ids"},
        "cls.other.weight");
  check("families/bert-pretraining",
        {"cls.predictions.decoder.weight = "
         "bert.embeddings.word_embeddings.weight"},
        "bert.other");
  check("families/roberta-masked",
        {"lm_head.decoder.weight = "
         "roberta.embeddings.word_embeddings.weight"},
        "lm_head.other");
  check("families/modernbert-masked",
        {"decoder.weight = model.embeddings.tok_embeddings.weight"},
        "decoder.scale");
  check("families/modernbert-question", {}, "decoder.weight");
}

TEST_F(ExtraTensors, OfDeberta) {
  check("families/deberta",
        {"mask_predictions.dense.weight",
         "embeddings.position_embeddings.weight"},
        "encoder.conv.conv.weight");
  check("families/deberta-absolute",
        {"encoder.rel_embeddings.weight", "encoder.LayerNorm.weight",
         "encoder.LayerNorm.bias"},
        "encoder.LayerNorm.scale");
}

TEST_F(ExtraTensors, OfTowers) {
  check("images/clip",
        {"text_model.embeddings.position_ids",
         "vision_model.embeddings.position_ids"},
        "logit_bias");
  check("images/clip-text", {"logit_scale", "embeddings.position_ids"},
        "text_model.other");
  check("images/clip-image", {"logit_scale", "embeddings.position_ids"},
        "vision_model.other");
}

TEST_F(ExtraTensors, OfLanguageModels) {
  check("decoders/gpt2",
        {"transformer.h.0.attn.bias", "transformer.h.1.attn.masked_bias",
         "lm_head.weight = transformer.wte.weight"},
        "transformer.h.0.attn.other");
  check("decoders/gpt2-untied", {}, "transformer.h.2.ln_1.weight");
  check("decoders/llama", {"model.layers.0.self_attn.rotary_emb.inv_freq"},
        "model.layers.0.self_attn.rotary_emb.other");
  check("decoders/llama-tied", {"lm_head.weight = model.embed_tokens.weight"},
        "lm_head.bias");
  check("decoders/gpt-neox",
        {"gpt_neox.layers.0.attention.bias",
         "gpt_neox.layers.0.attention.masked_bias",
         "gpt_neox.layers.0.attention.rotary_emb.inv_freq"},
        "gpt_neox.layers.0.attention.other");
  check("decoders/bloom",
        {"lm_head.weight = transformer.word_embeddings.weight"},
        "lm_head.bias");
}

namespace {
class GgufModels : public ImportFixture {
protected:
  std::unique_ptr<ImportedModel> importFile(const std::string &file) {
    messages.clear();
    return importModel(context, file, {});
  }
};
} // namespace

TEST_F(GgufModels, AFileIsAModelWithItsTokenizer) {
  for (const char *name :
       {"llama", "llama3", "llama-linear", "qwen2", "qwen3", "gemma", "phi3"}) {
    SCOPED_TRACE(name);
    const std::string file =
        std::string(ATTNC_TEST_DATA) + "/gguf/" + name + ".gguf";
    std::unique_ptr<ImportedModel> model = importFile(file);
    ASSERT_NE(model, nullptr) << messages;
    std::string text = print(*model->module);
    EXPECT_NE(text.find("attn.entry @decode("), std::string::npos);
    EXPECT_NE(text.find(file), std::string::npos);
    std::set<std::string> travellers;
    for (const ModelFile &traveller : model->files) {
      travellers.insert(traveller.name);
      auto bytes = traveller.read();
      ASSERT_TRUE(bool(bytes));
      EXPECT_EQ((*bytes)->getBuffer().front(), '{') << traveller.name;
    }
    EXPECT_TRUE(travellers.empty() || travellers.count("tokenizer/tokenizer."
                                                       "json"));
    // What was imported is taken up again from its text.
    write("dumped.mlir", text);
    std::unique_ptr<ImportedModel> again = importFile(path("dumped.mlir"));
    ASSERT_NE(again, nullptr) << messages;
    EXPECT_TRUE(print(*again->module) == text);
    EXPECT_EQ(again->files.size(), model->files.size());
  }
}

TEST_F(GgufModels, FilesThatCannotBeRead) {
  EXPECT_EQ(importFile(path("none.gguf")), nullptr);
  expectSaid("A0101", {"none.gguf does not exist"});
  llvm::sys::fs::create_directories(path("folder.gguf"));
  EXPECT_EQ(importFile(path("folder.gguf")), nullptr);
  expectSaid("A0102", {"config.json"});
  // A file in which one word of the header is another.
  auto whole = llvm::MemoryBuffer::getFile(std::string(ATTNC_TEST_DATA) +
                                           "/gguf/llama.gguf");
  ASSERT_TRUE(bool(whole));
  const std::string good = (*whole)->getBuffer().str();
  auto bend = [&](const std::string &from, const std::string &to) {
    std::string bytes = good;
    size_t at = bytes.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    ASSERT_EQ(from.size(), to.size());
    bytes.replace(at, from.size(), to);
    write("bent.gguf", bytes);
    EXPECT_EQ(importFile(path("bent.gguf")), nullptr) << to;
    EXPECT_NE(messages.find("error[A02"), std::string::npos) << messages;
    EXPECT_NE(messages.find("bent.gguf"), std::string::npos) << messages;
  };
  bend("general.architecture", "general.architectura");
  bend("llama.embedding_length", "llama.embedding_widths");
}
