//===- VerifyCommand.cpp - attnc verify -------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs a compiled library and the reference semantics of its model side by
// side: on made-up inputs, or, with --texts, on texts, to see what precision
// costs in use.
//
//===----------------------------------------------------------------------===//
#include "compiler/Compile.h"
#include "compiler/interpret/Verify.h"
#include "compiler/package/Package.h"
#include "compiler/tools/Commands.h"
#include "compiler/tools/Diagnostics.h"
#include "compiler/tools/Library.h"
#include "compiler/tools/LibraryFormats.h"
#include "compiler/tools/VerifyTexts.h"
#include "llvm/Support/Path.h"
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
cl::opt<std::string>
    texts("texts",
          cl::desc("Compare embeddings of this file's lines instead: cosines, "
                   "and the nearest 10 in common"),
          cl::value_desc("FILE"), IN_VERIFY);
cl::list<double> atLeast("at-least", cl::CommaSeparated,
                         cl::desc("What --texts must give: mean and minimum of "
                                  "the cosine, share of the nearest in common "
                                  "(default: 0.99,0.97,0.95)"),
                         cl::value_desc("MEAN,MIN,SHARE"), IN_VERIFY);
cl::opt<bool> quick("quick", cl::desc("Fewer lengths and batches"), IN_VERIFY);
cl::opt<uint64_t> seed("seed", cl::init(1),
                       cl::desc("Seed of the random inputs (default: 1)"),
                       cl::value_desc("N"), IN_VERIFY);
cl::opt<int> threads("threads",
                     cl::desc("Threads of the library (default: all allowed)"),
                     cl::value_desc("N"), IN_VERIFY);
cl::opt<std::string>
    adapter("adapter",
            cl::desc("Merge a LoRA or DoRA adapter: a folder in PEFT's format; "
                     "a library with adapters computes with its own of this "
                     "name"),
            cl::value_desc("[NAME=]DIR"), IN_VERIFY);
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
  options.reset = [&library]() -> Error {
    const attn_library &functions = library.functions();
    if (!functions.session_reset)
      return createStringError("the model keeps states between calls, and the "
                               "library keeps none; was it compiled from "
                               "another model?");
    attn_status status = functions.session_reset(library.session());
    return status ? library.lastError("resetting the session", status)
                  : Error::success();
  };
  for (auto &[name, size] : library.sizes())
    options.sizeBounds[name] = {size.minimum, size.maximum};
  for (const LibraryEntry &entry : library.entries()) {
    std::vector<std::string> &outputs = options.outputs[entry.name];
    for (const LibraryArgument &output : entry.outputs)
      outputs.push_back(output.name);
  }
  return options;
}

/// `apart` is where roundings are repeated, or null.
Expected<VerifyReport> compare(const Library &library,
                               const ImportedModel &model,
                               const ChosenAdapter &chosen,
                               ImportedModel *apart) {
  Expected<NarrowFormats> formats = getFormats(library);
  if (!formats)
    return formats.takeError();
  VerifyOptions options = makeOptions(library);
  options.formats = *formats;
  if (apart)
    options.apart = {*apart->module, &apart->weights,
                     findChoice(*apart, chosen.name)};
  if (apart || !library.description().getArray("adapters")) {
    Expected<std::optional<ProductFormats>> products = getProducts(
        library, *formats, chosen.isApart, (*model.module)->getContext());
    if (!products)
      return products.takeError();
    options.products = std::move(*products);
  }
  if (formats->isNarrow() && !options.products)
    errs() << "note: the library's own roundings are not known: a mistake that "
              "its formats hide is not seen\n";
  bool terminal = sys::Process::StandardErrIsDisplayed() && !json;
  auto progress = [&](const VerifyCase &tried) {
    if (verbose)
      errs() << (tried.failure.empty() ? "ok      " : "FAILED  ") << tried.entry
             << ": " << tried.description << "\n";
    else if (terminal)
      errs() << "\r\x1b[K" << tried.entry << ": " << tried.description;
  };
  Expected<VerifyReport> report = verifyLibrary(
      *model.module, &model.weights, options,
      [&](StringRef entry, const std::map<std::string, int64_t> &sizes,
          ArrayRef<VerifyBuffer> inputs, ArrayRef<VerifyBuffer> outputs) {
        return callLibrary(library, entry, sizes, inputs, outputs);
      },
      progress);
  if (terminal && !verbose)
    errs() << "\r\x1b[K";
  return report;
}

/// Reads --adapter. A library that keeps adapters apart has to give the same
/// with the one of its name as the model with this one merged.
Expected<ChosenAdapter> chooseAdapter(Library &library) {
  ChosenAdapter chosen;
  auto [name, folder] = StringRef(adapter).split('=');
  chosen.folder = folder.empty() ? name : folder;
  chosen.name =
      folder.empty() ? sys::path::filename(name.rtrim('/')).str() : name.str();
  chosen.isApart = !adapter.empty() && library.functions().session_adapter;
  if (chosen.isApart)
    if (Error error = library.chooseAdapter(chosen.name))
      return std::move(error);
  return chosen;
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

/// The comparison of --texts; an exit code.
int runTexts(Library &library, const ImportedModel &model) {
  SimilarityBounds bounds;
  if (!atLeast.empty())
    bounds = {atLeast[0], atLeast[1], atLeast[2]};
  Expected<SimilarityReport> result = verifyTexts(library, model, texts);
  if (!result)
    return report(result.takeError());
  const bool passed = result->passes(bounds);
  if (json) {
    json::Object object = result->toJson();
    object["passed"] = passed;
    printJson(std::move(object));
  } else {
    result->print(outs());
    if (!passed)
      outs() << format("below what was asked for: mean %g, minimum %g, in "
                       "common %g%%\n",
                       bounds.meanCosine, bounds.minCosine,
                       100 * bounds.overlap);
  }
  return passed ? kSuccess : kDifference;
}

int run() {
  if (!atLeast.empty() && (atLeast.size() != 3 || texts.empty()))
    return usage("--at-least takes three numbers, beside --texts", "verify");
  if (!texts.empty() && (quick || seed.getNumOccurrences()))
    return usage("--quick and --seed do not go with --texts", "verify");
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
  Expected<ChosenAdapter> chosen = chooseAdapter(**library);
  if (!chosen)
    return report(chosen.takeError());
  ImportOptions options;
  options.allowExtraTensors = allowExtra;
  options.adapter = chosen->folder;
  for (const char *name : {"batch", "seq"})
    if (auto size = (*library)->sizes().find(name);
        size != (*library)->sizes().end())
      (StringRef(name) == "batch" ? options.maxBatch : options.maxSeq) =
          size->second.maximum;
  std::unique_ptr<ImportedModel> model =
      importModel(context, modelPath, options);
  if (!model || !model->module)
    return kFailure;
  if (!texts.empty())
    return runTexts(**library, *model);
  std::unique_ptr<ImportedModel> apart =
      importApart(**library, *model, modelPath, options, *chosen);
  Expected<VerifyReport> result =
      compare(**library, *model, *chosen, apart.get());
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
          "  attnc verify out/libminilm.so all-MiniLM-L6-v2 --quick --json\n"
          "  attnc verify int8/libminilm.so all-MiniLM-L6-v2 --texts FILE\n",
          run};
}

} // namespace attnc::tools
