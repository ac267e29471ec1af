//===- DecoderTest.cpp - language models -----------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tiny language models in the interpreter against float64 values of
// transformers, and what their configurations may not ask for.
// test/numerics/decoders.test runs compiled libraries.
//
//===----------------------------------------------------------------------===//
#include "ImportFixture.h"
#include "compiler/interpret/Interpreter.h"

using namespace attnc;
using llvm::json::Array;
using llvm::json::Object;

namespace {
class DecoderGolden : public ImportFixture,
                      public ::testing::WithParamInterface<std::string> {};

class Decoders : public ImportFixture {
protected:
  void refuse(const char *folder, const char *key,
              std::optional<llvm::json::Value> value, llvm::StringRef code,
              const std::string &text) {
    copy(std::string("decoders/") + folder);
    edit("config.json", key, std::move(value));
    expectRefused(code, {text});
  }
};
} // namespace

static std::vector<std::string> listModels() {
  std::vector<std::string> names;
  std::error_code code;
  for (llvm::sys::fs::directory_iterator
           folder(std::string(ATTNC_TEST_DATA) + "/decoders", code),
       end;
       folder != end && !code; folder.increment(code))
    names.push_back(llvm::sys::path::filename(folder->path()).str());
  llvm::sort(names);
  return names;
}

TEST_P(DecoderGolden, LogitsOfAPrompt) {
  copy("decoders/" + GetParam());
  auto buffer = llvm::MemoryBuffer::getFile(
      std::string(ATTNC_TEST_GOLDENS) + "/decoders/" + GetParam() + ".json");
  ASSERT_TRUE(bool(buffer));
  llvm::json::Value parsed =
      llvm::cantFail(llvm::json::parse((*buffer)->getBuffer()));
  const Object &golden = *parsed.getAsObject();
  std::unique_ptr<ImportedModel> model = import();
  ASSERT_TRUE(model) << messages;
  TensorValue ids, mask;
  for (const llvm::json::Value &id : *golden.getArray("ids"))
    ids.integers.push_back(*id.getAsInteger());
  const auto count = static_cast<int64_t>(ids.integers.size());
  ids.shape = mask.shape = {1, count};
  ids.isInteger = mask.isInteger = true;
  mask.integers.assign(count, 1);
  Interpreter interpreter(*model->module, &model->weights, /*threads=*/1);
  auto results =
      interpreter.run("score", {{"batch", 1}, {"seq", count}}, {ids, mask});
  ASSERT_TRUE(bool(results)) << llvm::toString(results.takeError());
  // Norms and softmax are computed in f32 there, whatever the model's type.
  const double tolerance = 2 * *golden.getNumber("reference_max");
  EXPECT_LE(tolerance, 2e-5);
  size_t index = 0;
  for (const llvm::json::Value &row : *golden.getArray("logits"))
    for (const llvm::json::Value &logit : *row.getAsArray())
      ASSERT_NEAR(results->front().numbers[index++], *logit.getAsNumber(),
                  tolerance);
  EXPECT_EQ(index, results->front().numbers.size());
}

INSTANTIATE_TEST_SUITE_P(
    Families, DecoderGolden, ::testing::ValuesIn(listModels()),
    [](const ::testing::TestParamInfo<std::string> &parameter) {
      std::string name = parameter.param;
      std::replace_if(
          name.begin(), name.end(), [](char c) { return !llvm::isAlnum(c); },
          '_');
      return name;
    });

TEST_F(Decoders, ClassesThatAreNoLanguageModels) {
  refuse("gemma2", "architectures", Array{"Gemma2ForSequenceClassification"},
         "A0110",
         "the class 'Gemma2ForSequenceClassification' is no language model of "
         "'gemma2'");
}

TEST_F(Decoders, FieldsWithoutAMeaning) {
  for (const char *folder :
       {"gemma", "gemma2", "phi3", "gpt-neox", "falcon", "bloom"})
    refuse(folder, "some_field", 1, "A0108", "'some_field' is not known");
}

TEST_F(Decoders, Gemma) {
  refuse("gemma", "use_bidirectional_attention", true, "A0109",
         "attention in both directions");
  refuse("gemma", "hidden_activation", "relu", "A0109",
         "'hidden_activation' is 'relu', but hidden_act is "
         "'gelu_pytorch_tanh'");
  refuse("gemma2", "hidden_activation", "mish", "A0109", "names 'mish'");
  refuse("gemma2", "query_pre_attn_scalar", std::nullopt, "A0104",
         "'query_pre_attn_scalar' is missing");
  refuse("gemma2", "sliding_window", std::nullopt, "A0109",
         "names sliding_attention, but there is no window");
  refuse("gemma2", "layer_types", Array{"full_attention"}, "A0109",
         "names 1 layers of 3");
  refuse("gemma2", "layer_types",
         Array{"full_attention", "full_attention", "chunked_attention"},
         "A0109", "names 'chunked_attention'");
  refuse("gemma2", "attn_logit_softcapping", -1, "A0106",
         "'attn_logit_softcapping'");
  // Null is none; what is not there would be a number of the class.
  for (const char *key : {"attn_logit_softcapping", "final_logit_softcapping"})
    refuse("gemma2", key, std::nullopt, "A0104",
           "'" + std::string(key) + "' is missing");
  copy("decoders/gemma2");
  edit("config.json", "attn_logit_softcapping", nullptr);
  EXPECT_TRUE(import()) << messages;
}

TEST_F(Decoders, Phi3) {
  refuse("phi3", "attention_bias", true, "A0109", "biases of projections");
  refuse("phi3", "lm_head_bias", true, "A0109", "a bias of logits");
  refuse("phi3", "partial_rotary_factor", 0.5, "A0109",
         "rotates 5 of the 10 elements of a head");
  refuse("phi3", "rope_scaling",
         Object{{"type", "su"}, {"short_factor", Array{1.0}}}, "A0109",
         "are 1 numbers");
}

TEST_F(Decoders, Phi3sUsualNumbers) {
  copy("decoders/phi3");
  edit("config.json", "rms_norm_eps", std::nullopt);
  std::unique_ptr<ImportedModel> model = import();
  ASSERT_TRUE(model) << messages;
  EXPECT_NE(print(*model->module).find(" epsilon 1.000000e-05"),
            std::string::npos);
}

TEST_F(Decoders, LongRopeSaysForWhichLengthItWasTrained) {
  copy("decoders/phi3-long");
  edit("config.json", "original_max_position_embeddings", std::nullopt);
  EXPECT_TRUE(import()) << messages; // the scaling says it, too
  edit("config.json", "rope_parameters",
       Object{{"rope_type", "longrope"},
              {"partial_rotary_factor", 0.75},
              {"short_factor", Array{1.0, 1.25, 1.75}},
              {"long_factor", Array{1.5, 3.0, 6.0}}});
  expectRefused("A0104", {"'original_max_position_embeddings' is missing"});
}

TEST_F(Decoders, LongRopeEndsWhereItsFactorsChange) {
  copy("decoders/phi3-long");
  ImportOptions options;
  std::unique_ptr<ImportedModel> model = import(options);
  ASSERT_TRUE(model) << messages;
  EXPECT_NE(messages.find("warning[A0134]: of the model's 360 positions 90 are "
                          "compiled"),
            std::string::npos)
      << messages;
  options.maxSeq = 90;
  EXPECT_TRUE(import(options));
  EXPECT_EQ(messages, "");
  options.maxSeq = 91;
  expectRefused(
      "A0141",
      {"more than 90 positions, up to the 91 asked for", "--max-seq=90"},
      options);
}

TEST_F(Decoders, RotaryScaling) {
  refuse("llama", "rope_parameters",
         Object{{"rope_type", "proportional"}, {"rope_theta", 10000.0}},
         "A0109", "is 'proportional'");
  EXPECT_NE(
      messages.find("known: default, linear, dynamic, llama3, yarn, longrope"),
      std::string::npos);
  refuse("llama", "rope_parameters",
         Object{{"rope_type", "dynamic"}, {"rope_theta", 10000.0}}, "A0104",
         "'factor' is missing");
  refuse("llama", "rope_parameters",
         Object{{"rope_type", "default"}, {"partial_rotary_factor", 0.5}},
         "A0109", "rotates a part of each head");
  refuse("llama", "rope_parameters",
         Object{{"rope_type", "longrope"}, {"short_factor", Array{1, -1, 1}}},
         "A0109", "are 3 numbers");
}

TEST_F(Decoders, RotaryNumbersOutOfRange) {
  refuse(
      "llama", "rope_parameters",
      Object{{"rope_type", "longrope"}, {"short_factor", Array{1e-300, 1, 1}}},
      "A0109", "gives numbers beyond the range of f32");
  // The logarithm of one position is zero.
  refuse("llama", "rope_parameters",
         Object{{"rope_type", "longrope"},
                {"original_max_position_embeddings", 1},
                {"short_factor", Array{1, 1, 1}}},
         "A0109", "gives numbers beyond the range of f32");
  refuse("llama", "head_dim", 262144, "A0109",
         "rotates 262144 of the 262144 elements of a head; expected an even "
         "number from 2 to 131072");
}

TEST_F(Decoders, Windows) {
  refuse("qwen2-window", "sliding_window", std::nullopt, "A0109",
         "names sliding_attention, but there is no window");
  refuse("qwen2.5", "use_mrope", true, "A0109", "rotary positions of images");
}

TEST_F(Decoders, GptNeox) {
  refuse("gpt-neox", "num_attention_heads", 4, "A0109",
         "is 30, no multiple of the 4 heads");
  refuse("gpt-neox", "rotary_pct", 0.3, "A0109",
         "rotates 3 of the 10 elements of a head");
  refuse("gpt-neox", "hidden_act", "mish", "A0109", "names 'mish'");
}

TEST_F(Decoders, Falcon) {
  refuse("falcon-new", "parallel_attn", false, "A0109",
         "is false, but new_decoder_architecture is true");
  refuse("falcon-new", "num_kv_heads", 4, "A0109",
         "is 4, which does not divide the 6 heads");
  refuse("falcon", "num_ln_in_parallel_attn", 2, "A0109",
         "is 2, but new_decoder_architecture is false");
  refuse("falcon", "apply_residual_connection_post_layernorm", true, "A0109",
         "sums of norms");
  refuse("falcon-rw", "max_position_embeddings", 65537, "A0109",
         "is 65537 with alibi; known is up to 65536");
  copy("decoders/falcon-rw");
  edit("config.json", "hidden_size", 1200);
  edit("config.json", "num_attention_heads", 600);
  expectRefused("A0109", {"is 600 with alibi; known is up to 512"});
}

TEST_F(Decoders, Bloom) {
  refuse("bloom", "n_inner", 80, "A0109", "is 80; expected 4 * 21");
  refuse("bloom", "n_embed", std::nullopt, "A0104", "'hidden_size' is missing");
  refuse("bloom", "hidden_size", 42, "A0109", "is 21, but hidden_size is 42");
}

TEST_F(Decoders, TensorsThatDoNotFit) {
  copy("decoders/falcon-new");
  edit("config.json", "num_kv_heads", 3);
  expectRefused("A0222", {"'transformer.h.0.self_attention.query_key_value."
                          "weight' has the shape [60, 36]"});
}
