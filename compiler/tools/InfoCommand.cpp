//===- InfoCommand.cpp - attnc info, attnc targets --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a library or a model is, and which processors can be compiled for.
//
//===----------------------------------------------------------------------===//
#include "compiler/Compile.h"
#include "compiler/tools/Commands.h"
#include "compiler/tools/Diagnostics.h"
#include "compiler/tools/Library.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace attnc::tools {
namespace {

cl::SubCommand infoSub("info", "Describe a library or a model");
cl::SubCommand targetsSub("targets", "List the targets");
cl::opt<std::string> path(cl::Positional, cl::desc("LIB|MODEL"), cl::Required,
                          cl::sub(infoSub));
cl::opt<bool> infoJson("json", cl::desc("Print one JSON object"),
                       cl::sub(infoSub), cl::cat(category()));
cl::opt<bool> targetsJson("json", cl::desc("Print one JSON object"),
                          cl::sub(targetsSub), cl::cat(category()));

std::string signature(const LibraryArgument &argument) {
  std::string text = argument.name + ": " + argument.dtype;
  for (const SizeExpr &dim : argument.dims)
    text += "[" + dim.str() + "]";
  if (argument.range)
    text += " in [" + std::to_string(argument.range->first) + ", " +
            std::to_string(argument.range->second) + "]";
  if (argument.defaultValue)
    text += ", optional (" + std::to_string(*argument.defaultValue) + ")";
  return text;
}

Error describeLibraryFile() {
  Expected<std::unique_ptr<Library>> loaded = Library::load(path);
  if (!loaded)
    return loaded.takeError();
  Library &library = **loaded;
  // What it does here, if its weights are at hand.
  json::Value open = nullptr;
  std::string refusal;
  if (Error error = library.open(0))
    refusal = toString(std::move(error));
  else if (Expected<json::Value> info = library.info())
    open = std::move(*info);
  else
    return info.takeError();
  if (infoJson) {
    json::Object result = library.description();
    result["open"] = open;
    if (!refusal.empty())
      result["open_error"] = refusal;
    printJson(std::move(result));
    return Error::success();
  }
  outs() << library.name() << ", from "
         << library.description().getString("source").value_or("?") << "\n";
  for (auto &[name, size] : library.sizes())
    outs() << "  size   " << name << ": " << size.minimum << " to "
           << size.maximum << "\n";
  for (const LibraryEntry &entry : library.entries()) {
    outs() << "  entry  " << entry.name << "(";
    interleaveComma(entry.sizes, outs());
    outs() << ")\n";
    for (const LibraryArgument &input : entry.inputs)
      outs() << "    in   " << signature(input) << "\n";
    for (const LibraryArgument &output : entry.outputs)
      outs() << "    out  " << signature(output) << "\n";
  }
  for (const json::Value &variant : *library.description().getArray("variants"))
    outs() << "  variant " << *variant.getAsObject()->getString("name") << "\n";
  if (const json::Object *weights = library.description().getObject("weights"))
    outs() << "  weights " << *weights->getInteger("bytes") << " bytes in "
           << *weights->getInteger("tensors") << " tensors, digest "
           << *weights->getString("content") << "\n";
  if (const json::Array *adapters = library.description().getArray("adapters"))
    for (const json::Value &adapter : *adapters)
      outs() << "  adapter " << *adapter.getAsString() << "\n";
  if (library.hasText())
    outs() << "  text   tokenizer inside"
           << (library.hasTextEntry() ? ", encode_text" : "") << "\n";
  outs() << "  here   "
         << (refusal.empty() ? formatv("{0}", open).str() : refusal) << "\n";
  return Error::success();
}

int describeModel() {
  mlir::DialectRegistry registry;
  registerDialects(registry);
  mlir::MLIRContext context(registry);
  context.loadAllAvailableDialects();
  context.printOpOnDiagnostic(false);
  DiagnosticPrinter diagnostics(context, /*printRemarks=*/false);
  std::unique_ptr<ImportedModel> model = importModel(context, path, {});
  if (!model || !model->module)
    return kFailure;
  // Of the tensors that weights are made of: some are computed of several.
  int64_t parameters = 0;
  StringSet<> weights;
  for (auto weight : model->module->getOps<attn::WeightOp>())
    for (auto name : weight.getSources().getAsValueRange<mlir::StringAttr>())
      if (weights.insert(name).second)
        parameters += model->weights.find(name)->numElements();
  json::Array entries, files;
  for (auto entry : model->module->getOps<attn::EntryOp>())
    if (!entry->hasAttr(attn::AttnDialect::kStandsForAttr))
      entries.push_back(entry.getSymName());
  for (const std::string &file : model->weights.files())
    files.push_back(file);
  if (infoJson) {
    printJson(json::Object{{"source", model->source},
                           {"parameters", parameters},
                           {"weights", int64_t(weights.size())},
                           {"entries", std::move(entries)},
                           {"files", std::move(files)},
                           {"max_length", model->maxLength}});
    return kSuccess;
  }
  outs() << model->source << "\n  parameters " << parameters << " in "
         << weights.size() << " tensors\n  entries   ";
  for (const json::Value &entry : entries)
    outs() << " " << *entry.getAsString();
  outs() << "\n";
  for (const json::Value &file : files)
    outs() << "  file       " << *file.getAsString() << "\n";
  return kSuccess;
}

int runInfo() {
  if (!StringRef(path).ends_with(".so"))
    return describeModel();
  if (Error error = describeLibraryFile())
    return report(std::move(error));
  return kSuccess;
}

int runTargets() {
  json::Array list;
  for (const Target &target : Target::all()) {
    bool native = &target == &Target::native();
    list.push_back(json::Object{{"name", target.name},
                                {"description", target.description},
                                {"native", native},
                                {"runs_here", target.runsHere()}});
    if (!targetsJson)
      outs() << format("%-15s ", target.name.data()) << target.description
             << (native              ? " (native)"
                 : target.runsHere() ? ""
                                     : " (does not run here)")
             << "\n";
  }
  if (targetsJson)
    printJson(json::Object{{"targets", std::move(list)}});
  return kSuccess;
}

} // namespace

Command infoCommand() {
  return {infoSub, "  attnc info out/libminilm.so\n  attnc info model --json\n",
          runInfo};
}

Command targetsCommand() {
  return {targetsSub, "  attnc targets\n", runTargets};
}

} // namespace attnc::tools
