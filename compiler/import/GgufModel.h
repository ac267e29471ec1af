//===- GgufModel.h - a GGUF file as a model folder ---------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a GGUF file says of its model and tokenizer, in the words of a
// HuggingFace folder, so that everything behind reads both alike.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_GGUFMODEL_H
#define ATTNC_COMPILER_IMPORT_GGUFMODEL_H

#include "compiler/import/Gguf.h"

namespace attnc {

/// The fields of config.json. Architectures: llama, qwen2, qwen3, gemma,
/// gemma2, phi3, gpt2, gptneox, falcon, bloom. Errors are A0236 (not known) and
/// A0237 (absent or of another kind).
llvm::Expected<llvm::json::Object> makeConfig(const GgufFile &file,
                                              llvm::StringRef path);

/// The fields of generation_config.json: how its authors draw tokens, if the
/// file says it.
llvm::json::Object makeGenerationConfig(const GgufFile &file);

/// A0237 if a number of these fields is none that JSON has: infinite or NaN.
llvm::Error checkFinite(const llvm::json::Object &fields, llvm::StringRef path);

/// The text of tokenizer.json; empty if the file has no tokenizer. Known are
/// byte-level BPE ("gpt2") with the splits of some families, and
/// SentencePiece's BPE ("llama"). Errors as above.
llvm::Expected<std::string> makeTokenizerJson(const GgufFile &file,
                                              llvm::StringRef path);
/// The text of tokenizer_config.json: special tokens and chat template.
llvm::Expected<std::string> makeTokenizerConfig(const GgufFile &file,
                                                llvm::StringRef path);

/// The tensor's name in a HuggingFace checkpoint of that architecture; the same
/// name if it has none. `hasTwoNorms`: before a layer of Falcon.
std::string renameTensor(llvm::StringRef architecture, llvm::StringRef name,
                         bool hasTwoNorms = false);
/// Renames all tensors of a file so.
void renameTensors(GgufFile &file);

/// How a file keeps a tensor that a checkpoint keeps otherwise. (GgufRows.cpp)
enum class RowOrder {
  Same,
  Queries,    ///< halves of a head by turns
  Keys,       ///< likewise
  Joint,      ///< queries, keys and values of all heads, one after the other
  Transposed, ///< rows are the checkpoint's columns
  PlusOne     ///< one was added to its numbers
};

/// Of a tensor, by its new name, in files of an architecture.
RowOrder getRowOrder(llvm::StringRef architecture, llvm::StringRef name);

/// For each of a file's rows, which are in an order of their own, its row in
/// the checkpoint; empty if there are no such rows for so many heads.
std::vector<int64_t> getCheckpointRows(RowOrder order, int64_t heads,
                                       int64_t keyHeads, int64_t rows);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_GGUFMODEL_H
