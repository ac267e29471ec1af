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
#include "compiler/import/Import.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <fstream>

/// Vectors are filled by LLVM's library, which is not instrumented.
extern "C" const char *__asan_default_options() {
  return "detect_container_overflow=0";
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
