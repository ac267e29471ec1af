//===- gguf.cpp - hostile GGUF files --------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whatever the bytes, the reader answers with tensors that lie within them, or
// with an error that has a code; what it reads becomes a configuration and a
// tokenizer, or such an error; and the import of the file gives a module that
// is right, or says why there is none.
//
//===----------------------------------------------------------------------===//
#include "GgufMutator.h"
#include "compiler/import/GgufModel.h"
#include "compiler/import/Import.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include <fstream>

using attnc::fuzz::GgufMutator;

/// Vectors are filled, and pools used, by LLVM's library, which is not
/// instrumented.
extern "C" const char *__asan_default_options() {
  return "detect_container_overflow=0:allow_user_poisoning=0";
}

static void require(bool holds) {
  if (!holds)
    abort();
}

static void requireCode(llvm::Error error) {
  std::string text = llvm::toString(std::move(error));
  require(llvm::StringRef(text).starts_with("error[A02"));
}

template <typename T> static void checkMade(llvm::Expected<T> made) {
  if (!made)
    requireCode(made.takeError());
}

static void checkFile(attnc::GgufFile &file, llvm::ArrayRef<uint8_t> bytes) {
  for (const attnc::NamedWeight &tensor : file.tensors) {
    const attnc::WeightEntry &entry = tensor.entry;
    require(entry.bytes.empty() || (entry.bytes.begin() >= bytes.begin() &&
                                    entry.bytes.end() <= bytes.end()));
    int64_t expected = 1;
    for (int64_t dim : entry.shape)
      expected *= dim;
    require(expected == entry.numElements());
  }
  checkMade(attnc::makeConfig(file, "input"));
  checkMade(attnc::makeTokenizerJson(file, "input"));
  checkMade(attnc::makeTokenizerConfig(file, "input"));
  if (llvm::Error error =
          attnc::checkFinite(attnc::makeGenerationConfig(file), "input"))
    requireCode(std::move(error));
  attnc::renameTensors(file);
}

namespace {
/// A place for files that are imported.
struct Place {
  Place() {
    require(!llvm::sys::fs::createUniqueDirectory("attnc-fuzz-gguf", folder));
    path = (folder + "/model.gguf").str();
  }
  ~Place() { llvm::sys::fs::remove_directories(folder); }
  llvm::SmallString<128> folder;
  std::string path;
};
} // namespace

static void checkImport(llvm::ArrayRef<uint8_t> bytes) {
  static const Place place;
  std::ofstream(place.path, std::ios::binary)
      .write(reinterpret_cast<const char *>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  bool said = false;
  context.getDiagEngine().registerHandler([&](mlir::Diagnostic &diagnostic) {
    said |= diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error;
    return mlir::success();
  });
  std::unique_ptr<attnc::ImportedModel> model =
      attnc::importModel(context, place.path, {});
  require(said == !model);
  require(!model || succeeded(mlir::verify(*model->module)));
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  llvm::ArrayRef<uint8_t> bytes(data, size);
  llvm::Expected<attnc::GgufFile> file = attnc::readGguf(bytes, "input");
  if (!file) {
    requireCode(file.takeError());
    return 0;
  }
  checkFile(*file, bytes);
  checkImport(bytes);
  return 0;
}

static GgufMutator makeMutator() {
  std::vector<std::string> keys = {
      "general.architecture",         "general.alignment",
      "general.sampling.temp",        "tokenizer.ggml.model",
      "tokenizer.ggml.pre",           "tokenizer.ggml.tokens",
      "tokenizer.ggml.token_type",    "tokenizer.ggml.scores",
      "tokenizer.ggml.merges",        "tokenizer.ggml.bos_token_id",
      "tokenizer.ggml.eos_token_id",  "tokenizer.ggml.unknown_token_id",
      "tokenizer.ggml.add_bos_token", "tokenizer.chat_template"};
  const std::vector<std::string> architectures = {
      "llama", "qwen2", "qwen3",   "gemma",  "gemma2",
      "phi3",  "gpt2",  "gptneox", "falcon", "bloom"};
  for (const std::string &architecture : architectures)
    for (const char *key : {"block_count",
                            "embedding_length",
                            "feed_forward_length",
                            "context_length",
                            "attention.head_count",
                            "attention.head_count_kv",
                            "attention.key_length",
                            "attention.layer_norm_epsilon",
                            "attention.layer_norm_rms_epsilon",
                            "attention.sliding_window",
                            "attention.max_alibi_bias",
                            "attn_logit_softcapping",
                            "final_logit_softcapping",
                            "rope.dimension_count",
                            "rope.freq_base",
                            "rope.scaling.type",
                            "rope.scaling.factor",
                            "rope.scaling.original_context_length",
                            "use_parallel_residual",
                            "expert_count"})
      keys.push_back(architecture + "." + key);
  std::vector<std::string> tensors = {
      "token_embd.weight", "position_embd.weight",     "token_embd_norm.weight",
      "output.weight",     "output_norm.weight",       "output_norm.bias",
      "rope_freqs.weight", "rope_factors_long.weight", "blk.0.attn_q.bias"};
  for (const char *part :
       {"attn_norm", "attn_norm_2", "attn_q", "attn_k", "attn_v", "attn_qkv",
        "attn_output", "attn_q_norm", "ffn_norm", "ffn_gate", "ffn_up",
        "ffn_down", "post_attention_norm", "post_ffw_norm"})
    for (const char *ending : {".weight", ".bias"})
      tensors.push_back(std::string("blk.0.") + part + ending);
  std::vector<std::string> texts = architectures;
  for (const char *text :
       {"none", "linear", "yarn", "gpt-2", "llama-bpe", "smollm", "mpt", "a b",
        "a", "b", "ab", "<s>", "{{ messages }}", "\xE2\x96\x81", "\xFF"})
    texts.push_back(text);
  return {keys, tensors, texts};
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
                                          size_t most, unsigned seed) {
  static const GgufMutator mutator = makeMutator();
  attnc::fuzz::Random random(seed);
  std::string file(reinterpret_cast<char *>(data), size);
  file = mutator.mutate(file, most, random);
  memcpy(data, file.data(), file.size());
  return file.size();
}
