//===- Import.h - a model folder becomes an attn module ---*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the rest of the compiler calls to read a model.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_IMPORT_H
#define ATTNC_COMPILER_IMPORT_IMPORT_H

#include "compiler/import/Weights.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace attnc {

struct ImportOptions {
  std::string name;      ///< library name; empty: from the folder's name
  int64_t maxBatch = 64; ///< upper bound of `batch`
  int64_t maxSeq = 0;    ///< upper bound of `seq`; 0: the model's own
  bool allowExtraTensors = false;
  std::string adapter;               ///< a PEFT folder to merge; empty: none
  std::vector<std::string> adapters; ///< kept apart: "DIR" or "NAME=DIR"
  /// Ranks that adapters have at least, by tensor: those of a library that
  /// keeps others apart, too.
  std::optional<std::map<std::string, int64_t>> adapterRanks;
  bool joinsProjections = true; ///< the pass fuse-qkv will run
};

/// A file that travels in the weights: the tokenizer's, the licence.
struct ModelFile {
  std::string name; ///< key in the weights file: "tokenizer/vocab.txt"
  std::string path; ///< where it is, or what it was made from
  /// What it holds, if no file of its own does.
  std::optional<std::string> text;

  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> read() const;
};

/// How the model's authors choose tokens: attn_generate_options of attn/attn.h.
struct GenerationDefaults {
  int64_t maxTokens = 0, topK = 0;
  double temperature = 0, topP = 0, minP = 0, repetitionPenalty = 0;
};

struct ImportedModel {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  WeightTable weights;
  std::vector<ModelFile> files;
  int64_t maxLength = 0; ///< tokens of a text, by the folder's own limits
  GenerationDefaults generation; ///< of a language model
  std::string source;            ///< what was read, for messages and `describe`
};

/// Reads a HuggingFace folder, or a GGUF file in its place. Diagnostics go to
/// the context's engine with codes A01xx and A02xx; null module on failure.
std::unique_ptr<ImportedModel> importFolder(mlir::MLIRContext &context,
                                            llvm::StringRef folder,
                                            const ImportOptions &options);

/// Reads MLIR text (any stage) and maps the files its weights name.
std::unique_ptr<ImportedModel> importMlir(mlir::MLIRContext &context,
                                          llvm::StringRef path,
                                          const ImportOptions &options);

/// By what the path is: a folder, .gguf, .mlir or .onnx (refused by name for
/// now).
std::unique_ptr<ImportedModel> importModel(mlir::MLIRContext &context,
                                           llvm::StringRef path,
                                           const ImportOptions &options);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_IMPORT_H
