//===- VerifyCommand.cpp - attnc verify -------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs a compiled library and the reference semantics of its model side by
// side.
//
//===----------------------------------------------------------------------===//
#include "compiler/Compile.h"
#include "compiler/interpret/Verify.h"
#include "compiler/package/Package.h"
#include "compiler/tools/Commands.h"
#include "compiler/tools/Diagnostics.h"
#include "compiler/tools/Library.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace attnc::tools {
namespace {

cl::SubCommand command("verify",
                       "Compare a library with the reference semantics");
#define IN_VERIFY cl::sub(command), cl::cat(category())

cl::opt<std::string> libraryPath(cl::Positional, cl::desc("LIB"), cl::Required,
                                 cl::sub(command));
cl::opt<std::string> modelPath(cl::Positional, cl::desc("MODEL"), cl::Required,
                               cl::sub(command));
cl::opt<bool> quick("quick", cl::desc("Fewer lengths and batches"), IN_VERIFY);
cl::opt<uint64_t> seed("seed", cl::init(1),
                       cl::desc("Seed of the random inputs (default: 1)"),
                       cl::value_desc("N"), IN_VERIFY);
cl::opt<int> threads("threads",
                     cl::desc("Threads of the library (default: all allowed)"),
                     cl::value_desc("N"), IN_VERIFY);
cl::opt<bool> allowExtra("allow-extra-tensors",
                         cl::desc("Ignore tensors that the model does not use"),
                         IN_VERIFY);
cl::opt<bool> json("json", cl::desc("Print one JSON object"), IN_VERIFY);
cl::opt<bool> verbose("v", cl::desc("Print every case"), IN_VERIFY);

/// Calls the library through its table, with the buffers of the comparison.
Error callLibrary(const Library &library, StringRef entryName,
                  const std::map<std::string, int64_t> &sizes,
                  ArrayRef<VerifyBuffer> inputs,
                  ArrayRef<VerifyBuffer> outputs) {
  const LibraryEntry *entry = library.findEntry(entryName);
  assert(entry && "entries that the library lacks are left out");
  std::vector<int64_t> values;
  for (const std::string &size : entry->sizes)
    values.push_back(sizes.at(size));
  auto toBuffers = [](ArrayRef<VerifyBuffer> list) {
    std::vector<attn_buffer> buffers;
    for (const VerifyBuffer &buffer : list)
      buffers.push_back({buffer.data, buffer.bytes});
    return buffers;
  };
  std::vector<attn_buffer> in = toBuffers(inputs), out = toBuffers(outputs);
  if (attn_status status = library.functions().call(
          library.session(), entry->name.c_str(), values.data(), values.size(),
          in.data(), in.size(), out.data(), out.size()))
    return library.lastError(("calling '" + entryName + "'").str(), status);
  return Error::success();
}

VerifyOptions makeOptions(const Library &library) {
  VerifyOptions options;
  options.quick = quick;
  options.seed = seed;
  for (auto &[name, size] : library.sizes())
    options.sizeBounds[name] = {size.minimum, size.maximum};
  for (const LibraryEntry &entry : library.entries()) {
    std::vector<std::string> &outputs = options.outputs[entry.name];
    for (const LibraryArgument &output : entry.outputs)
      outputs.push_back(output.name);
  }
  return options;
}

Expected<VerifyReport> compare(const Library &library,
                               const ImportedModel &model) {
  bool terminal = sys::Process::StandardErrIsDisplayed() && !json;
  auto progress = [&](const VerifyCase &tried) {
    if (verbose)
      errs() << (tried.failure.empty() ? "ok      " : "FAILED  ") << tried.entry
             << ": " << tried.description << "\n";
    else if (terminal)
      errs() << "\r\x1b[K" << tried.entry << ": " << tried.description;
  };
  Expected<VerifyReport> report = verifyLibrary(
      *model.module, &model.weights, makeOptions(library),
      [&](StringRef entry, const std::map<std::string, int64_t> &sizes,
          ArrayRef<VerifyBuffer> inputs, ArrayRef<VerifyBuffer> outputs) {
        return callLibrary(library, entry, sizes, inputs, outputs);
      },
      progress);
  if (terminal && !verbose)
    errs() << "\r\x1b[K";
  return report;
}

/// Weights in a file can be damaged apart from the library; those inside it
/// cannot.
Error checkWeights(const Library &library) {
  Expected<json::Value> info = library.info();
  if (!info)
    return info.takeError();
  const json::Object *weights = info->getAsObject()->getObject("weights");
  const json::Object *compiled = library.description().getObject("weights");
  if (!weights->getBoolean("mapped").value_or(false))
    return Error::success();
  return checkContent(*weights->getString("source"),
                      *compiled->getString("content"));
}

int run() {
  Expected<std::unique_ptr<Library>> library = Library::load(libraryPath);
  if (!library)
    return report(library.takeError());
  if (Error error = (*library)->open(threads))
    return report(std::move(error));
  if (Error error = checkWeights(**library))
    return report(std::move(error));
  mlir::DialectRegistry registry;
  registerDialects(registry);
  mlir::MLIRContext context(registry);
  context.loadAllAvailableDialects();
  DiagnosticPrinter diagnostics(context, /*printRemarks=*/false);
  ImportOptions options;
  options.allowExtraTensors = allowExtra;
  for (const char *name : {"batch", "seq"})
    if (auto size = (*library)->sizes().find(name);
        size != (*library)->sizes().end())
      (StringRef(name) == "batch" ? options.maxBatch : options.maxSeq) =
          size->second.maximum;
  std::unique_ptr<ImportedModel> model =
      importModel(context, modelPath, options);
  if (!model || !model->module)
    return kFailure;
  Expected<VerifyReport> result = compare(**library, *model);
  if (!result)
    return report(result.takeError());
  if (json)
    printJson(result->toJson());
  else
    result->print(outs());
  return result->passed() ? kSuccess : kDifference;
}

} // namespace

Command verifyCommand() {
  return {command,
          "  attnc verify out/libminilm.so all-MiniLM-L6-v2\n"
          "  attnc verify out/libminilm.so all-MiniLM-L6-v2 --quick --json\n",
          run};
}

} // namespace attnc::tools
