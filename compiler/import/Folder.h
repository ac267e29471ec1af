//===- Folder.h - the files of a HuggingFace folder -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds and reads the files of a model folder. Paths that stand in files of the
// folder (shards, modules) never lead out of it.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_FOLDER_H
#define ATTNC_COMPILER_IMPORT_FOLDER_H

#include "compiler/import/Config.h"
#include "compiler/import/Import.h"
#include "llvm/Support/JSON.h"
#include <map>

namespace attnc {

class ModelFolder {
public:
  /// `path` must be a folder or a GGUF file; open() says so otherwise.
  ModelFolder(mlir::MLIRContext *context, llvm::StringRef path)
      : context(context), root(path.str()) {}
  llvm::LogicalResult open();

  llvm::StringRef getPath() const { return root; }
  std::string getPath(llvm::StringRef relative) const;
  bool has(llvm::StringRef relative) const;

  /// Reads a JSON file; nothing if that fails, which is reported.
  std::optional<llvm::json::Value> readJson(llvm::StringRef relative) const;
  /// The same for a file whose value must be an object.
  std::optional<ConfigFile> readConfig(llvm::StringRef relative) const;

  /// Adds the safetensors files that `subfolder` (may be empty) holds.
  llvm::LogicalResult addWeights(llvm::StringRef subfolder,
                                 WeightTable &weights) const;
  /// The tokenizer's files and the licences.
  std::vector<ModelFile> findTravellers(llvm::StringRef subfolder) const;
  /// Tokens of the longest text: the smallest of `bound` and what the
  /// tokenizer's and the sentence encoder's configurations say.
  llvm::FailureOr<int64_t> readTextLength(llvm::StringRef subfolder,
                                          int64_t bound) const;

private:
  llvm::LogicalResult addShards(llvm::StringRef index,
                                llvm::StringRef subfolder,
                                WeightTable &weights) const;
  llvm::LogicalResult reportNoWeights(llvm::StringRef subfolder) const;
  /// Names of the plain files of a subfolder, sorted.
  std::vector<std::string> list(llvm::StringRef subfolder) const;

  /// Reads the GGUF file that stands in the place of a folder.
  llvm::LogicalResult openGguf();

  mlir::MLIRContext *context;
  std::string root;
  /// Files that a GGUF file stands for, by name.
  std::map<std::string, std::string> made;
};

/// "a/b"; the other one if one of the two is empty.
std::string joinPath(llvm::StringRef folder, llvm::StringRef name);

/// The path from the root on; as it is where no current folder is known.
std::string makeAbsolute(llvm::StringRef path);

/// Names the weights' files in the module (attn.files), by absolute paths:
/// where it is dumped is not known.
void nameFiles(mlir::ModuleOp module, const WeightTable &weights);

/// True for a relative path that stays below where it starts.
bool staysInside(llvm::StringRef relative);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_FOLDER_H
