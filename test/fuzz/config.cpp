//===- config.cpp - hostile configurations of a model ---------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Imports a good sentence-transformers folder in which the input takes the
// place of one JSON file; the input's first byte says of which. Import must
// either give a module that verifies or say what is wrong.
//
//===----------------------------------------------------------------------===//
#include "JsonMutator.h"
#include "compiler/import/Import.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <fstream>

/// Vectors are filled, and pools used, by LLVM's library, which is not
/// instrumented.
extern "C" const char *__asan_default_options() {
  return "detect_container_overflow=0:allow_user_poisoning=0";
}

static constexpr const char *kFiles[] = {"config.json",
                                         "modules.json",
                                         "1_Pooling/config.json",
                                         "2_Dense/config.json",
                                         "3_Normalize/config.json",
                                         "sentence_bert_config.json",
                                         "tokenizer_config.json",
                                         "config_sentence_transformers.json",
                                         "model.safetensors.index.json"};

static void require(bool holds) {
  if (!holds)
    abort();
}

static std::string makePath(llvm::StringRef folder, llvm::StringRef name) {
  return (folder + "/" + name).str();
}

static void write(const std::string &path, llvm::StringRef text) {
  std::ofstream(path, std::ios::binary).write(text.data(), text.size());
}

namespace {
/// The good folder, and a copy of it whose files change.
class Folder {
public:
  Folder() {
    llvm::SmallString<128> unique;
    require(!llvm::sys::fs::createUniqueDirectory("attnc-fuzz", unique));
    copy = std::string(unique);
    for (const char *name : kFiles)
      llvm::sys::fs::create_directories(
          llvm::sys::path::parent_path(makePath(copy, name)));
    for (const char *name : {"model.safetensors", "2_Dense/model.safetensors"})
      require(!llvm::sys::fs::copy_file(makePath(good, name),
                                        makePath(copy, name)));
    for (const char *name : kFiles)
      restore(name);
  }
  ~Folder() { llvm::sys::fs::remove_directories(copy); }

  void restore(llvm::StringRef name) const {
    if (llvm::sys::fs::exists(makePath(good, name)))
      require(!llvm::sys::fs::copy_file(makePath(good, name),
                                        makePath(copy, name)));
    else
      llvm::sys::fs::remove(makePath(copy, name));
  }
  void replace(llvm::StringRef name, llvm::StringRef text) const {
    write(makePath(copy, name), text);
    // The index counts only where there is no single file.
    if (name == kFiles[std::size(kFiles) - 1])
      llvm::sys::fs::rename(makePath(copy, "model.safetensors"),
                            makePath(copy, "model-1.safetensors"));
  }
  void undo(llvm::StringRef name) const {
    restore(name);
    if (name == kFiles[std::size(kFiles) - 1])
      llvm::sys::fs::rename(makePath(copy, "model-1.safetensors"),
                            makePath(copy, "model.safetensors"));
  }

  const std::string good = ATTNC_TEST_DATA "/tiny-sentence";
  std::string copy;
};
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static Folder folder;
  if (size == 0)
    return 0;
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  bool said = false;
  context.getDiagEngine().registerHandler([&](mlir::Diagnostic &diagnostic) {
    said |= diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error;
    return mlir::success();
  });
  llvm::StringRef name = kFiles[bytes[0] % std::size(kFiles)];
  folder.replace(name, {reinterpret_cast<const char *>(bytes) + 1, size - 1});
  std::unique_ptr<attnc::ImportedModel> model =
      attnc::importFolder(context, folder.copy, {});
  require(said == !model);
  require(!model || succeeded(mlir::verify(*model->module)));
  folder.undo(name);
  return 0;
}

/// The first byte, which picks the file, stays or changes alone.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
                                          size_t most, unsigned seed) {
  static const attnc::fuzz::JsonMutator json(
      {"bert",
       "roberta",
       "xlm-roberta",
       "distilbert",
       "albert",
       "electra",
       "mpnet",
       "deberta-v2",
       "modernbert",
       "vit",
       "clip",
       "BertModel",
       "BertForMaskedLM",
       "RobertaModel",
       "XLMRobertaModel",
       "DistilBertModel",
       "AlbertModel",
       "ElectraModel",
       "MPNetModel",
       "DebertaV2Model",
       "ModernBertModel",
       "BertForSequenceClassification",
       "BertForTokenClassification",
       "BertForQuestionAnswering",
       "gelu",
       "gelu_new",
       "relu",
       "silu",
       "tanh",
       "absolute",
       "relative_key",
       "float16",
       "bfloat16",
       "sentence_transformers.models.Transformer",
       "sentence_transformers.models.Pooling",
       "sentence_transformers.models.Dense",
       "sentence_transformers.models.Normalize",
       "torch.nn.modules.activation.Tanh",
       "model.safetensors",
       "model-1.safetensors",
       "idx",
       "name",
       "path",
       "type",
       "architectures",
       "model_type",
       "hidden_act",
       "hidden_size",
       "pooling_mode_cls_token",
       "pooling_mode_mean_tokens",
       "pooling_mode_max_tokens",
       "pooling_mode_weightedmean_tokens",
       "pooling_mode_lasttoken",
       "prompts",
       "max_seq_length",
       "do_lower_case",
       "activation_function",
       "attention_bias",
       "attention_factor",
       "attention_head_size",
       "beta_fast",
       "beta_slow",
       "bias",
       "classifier_bias",
       "classifier_pooling",
       "conv_act",
       "conv_groups",
       "conv_kernel_size",
       "data_offsets",
       "decoder_bias",
       "default_prompt_name",
       "dtype",
       "embedding_dimension",
       "embedding_size",
       "eos_token_id",
       "factor",
       "global_attn_every_n_layers",
       "global_rope_theta",
       "head_dim",
       "high_freq_factor",
       "image_size",
       "in_features",
       "include_prompt",
       "inner_group_num",
       "intermediate_size",
       "layer_norm_eps",
       "layer_norm_epsilon",
       "layer_types",
       "legacy",
       "local_attention",
       "local_rope_theta",
       "low_freq_factor",
       "max_position_embeddings",
       "max_relative_positions",
       "mlp_bias",
       "n_embd",
       "n_head",
       "n_inner",
       "n_layer",
       "n_positions",
       "norm_bias",
       "norm_eps",
       "num_attention_heads",
       "num_channels",
       "num_hidden_groups",
       "num_hidden_layers",
       "num_key_value_heads",
       "out_features",
       "pad_token_id",
       "patch_size",
       "pooler_act",
       "pooler_hidden_act",
       "pooler_hidden_size",
       "pooler_output_size",
       "position_biased_input",
       "position_buckets",
       "position_embedding_type",
       "projection_dim",
       "qkv_bias",
       "relative_attention",
       "relative_attention_num_buckets",
       "rms_norm_eps",
       "rope_parameters",
       "rope_scaling",
       "rope_theta",
       "rope_type",
       "scale_attn_weights",
       "shape",
       "share_att_key",
       "sliding_window",
       "tie_word_embeddings",
       "truncate",
       "type_vocab_size",
       "use_sliding_window",
       "vocab_size",
       "weight_map"});
  attnc::fuzz::Random random(seed);
  if (size < 2 || random.chance(0.1)) {
    std::string bytes = attnc::fuzz::mutateBytes(
        std::string(reinterpret_cast<char *>(data), size), most, random);
    memcpy(data, bytes.data(), std::min(bytes.size(), most));
    return std::min(bytes.size(), most);
  }
  std::string text = json.mutate(
      std::string(reinterpret_cast<char *>(data) + 1, size - 1), random);
  size_t length = std::min(text.size(), most - 1);
  memcpy(data + 1, text.data(), length);
  if (random.chance(0.05))
    data[0] = random.below(std::size(kFiles));
  return 1 + length;
}
