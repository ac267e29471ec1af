//===- MlirFile.cpp - MLIR text becomes a module again --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Text of any stage: what a dump wrote or what somebody wrote by hand. The
// parser's messages have the file's lines; ours are about the weights, all of
// which are checked, digests included. The tokenizer's files are taken from
// beside the weights.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Adapter.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Folder.h"
#include "compiler/import/Import.h"
#include "compiler/import/LibraryName.h"
#include "compiler/import/MlirText.h"
#include "compiler/import/SeparateAdapters.h"
#include "dialects/kernel/Kernel.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace attnc {

static LogicalResult checkWeights(mlir::ModuleOp module,
                                  const WeightTable &weights) {
  bool good = true;
  for (auto weight : module.getOps<attn::WeightOp>())
    if (Error error = weights.check(weight))
      good &= succeeded(reportError(module.getContext(), std::move(error)));
  return success(good);
}

/// The folder that paths in a program's file begin at.
static StringRef getFolder(StringRef path) {
  StringRef folder = sys::path::parent_path(path);
  return folder.empty() ? "." : folder;
}

/// The adapter that is asked for, or the one that the program was dumped with.
static LogicalResult mergeAdapter(mlir::ModuleOp module, StringRef path,
                                  const ImportOptions &options,
                                  WeightTable &weights) {
  StringRef name = attn::AttnDialect::kAdapterAttr;
  SmallString<256> folder(options.adapter);
  if (auto given = module->getAttrOfType<mlir::StringAttr>(name);
      given && folder.empty()) {
    folder = given.getValue();
    if (sys::path::is_relative(folder)) {
      folder = getFolder(path);
      sys::path::append(folder, given.getValue());
    }
  }
  if (folder.empty())
    return success();
  folder = makeAbsolute(folder);
  module->setAttr(name, mlir::StringAttr::get(module.getContext(), folder));
  std::vector<std::string> changes;
  if (failed(addAdapter(*module.getContext(), folder, weights, changes)))
    return failure();
  return checkSharedTables(module, folder, weights, changes);
}

/// Adapters that sessions choose: those asked for, or those that a dumped
/// program was made with.
static LogicalResult keepAdapters(mlir::ModuleOp module, StringRef path,
                                  const ImportOptions &options,
                                  WeightTable &weights) {
  std::vector<std::string> adapters = options.adapters;
  auto given =
      module->getAttrOfType<mlir::ArrayAttr>(attn::AttnDialect::kAdaptersAttr);
  if (given && adapters.empty())
    for (auto adapter : given.getAsRange<mlir::StringAttr>()) {
      auto [name, folder] = adapter.getValue().split('=');
      SmallString<256> absolute(folder);
      if (sys::path::is_relative(folder)) {
        absolute = getFolder(path);
        sys::path::append(absolute, folder);
      }
      adapters.push_back((name + "=" + absolute).str());
    }
  return adapters.empty()
             ? success()
             : addSeparateAdapters(module, adapters, options, weights);
}

/// The tokenizer's files beside the weights, and how long their texts may be.
static LogicalResult findTextFiles(ImportedModel &model) {
  auto seq = model.module->lookupSymbol<attn::SizeOp>("seq");
  // A lowered program carries what it was lowered from as a nested module.
  for (auto nested : model.module->getOps<mlir::ModuleOp>())
    if (!seq)
      seq = nested.lookupSymbol<attn::SizeOp>("seq");
  if (model.weights.files().empty() || !seq || !seq.getMaximum())
    return success();
  // A GGUF file is its own folder.
  StringRef path = model.weights.files().front();
  if (sys::path::extension(path) != ".gguf")
    path = getFolder(path);
  ModelFolder folder(model.module->getContext(), path);
  if (failed(folder.open()))
    return failure();
  model.files = folder.findTravellers("");
  FailureOr<int64_t> length = folder.readTextLength("", *seq.getMaximum());
  if (failed(length))
    return failure();
  model.maxLength = *length;
  return success();
}

std::unique_ptr<ImportedModel> importMlir(mlir::MLIRContext &context,
                                          StringRef path,
                                          const ImportOptions &options) {
  context.loadDialect<attn::AttnDialect, kernel::KernelDialect,
                      mlir::arith::ArithDialect, mlir::math::MathDialect>();
  if (!sys::fs::is_regular_file(path)) {
    (void)reportError(
        &context, "A0192",
        path + (sys::fs::exists(path) ? " is not a file" : " does not exist"),
        "give the path of an MLIR text");
    return nullptr;
  }
  auto model = std::make_unique<ImportedModel>();
  // A file that cannot be opened has the parser's own message.
  if (auto text = MemoryBuffer::getFile(path))
    if (Error error = checkMlirText(path, (*text)->getBuffer())) {
      (void)reportError(&context, std::move(error));
      return nullptr;
    }
  model->module =
      mlir::parseSourceFile<mlir::ModuleOp>(path, mlir::ParserConfig(&context));
  if (!model->module) {
    (void)reportError(&context, "A0193",
                      path + " is not a program that attnc can read",
                      "the messages above say where; attn-opt checks a file "
                      "by itself");
    return nullptr;
  }
  mlir::ModuleOp module = *model->module;
  if (Error error = model->weights.addFiles(module, getFolder(path))) {
    (void)reportError(&context, std::move(error));
    return nullptr;
  }
  if (failed(mergeAdapter(module, path, options, model->weights)) ||
      failed(keepAdapters(module, path, options, model->weights)) ||
      failed(checkWeights(module, model->weights)))
    return nullptr;
  nameFiles(module, model->weights);
  StringRef nameAttr = attn::AttnDialect::kNameAttr;
  if (!options.name.empty() || !module->hasAttr(nameAttr)) {
    FailureOr<std::string> name =
        chooseLibraryName(context, options.name, path);
    if (failed(name))
      return nullptr;
    module->setAttr(nameAttr, mlir::StringAttr::get(&context, *name));
  }
  if (failed(findTextFiles(*model)))
    return nullptr;
  model->source = llvm::sys::path::filename(path).str();
  return model;
}

} // namespace attnc
