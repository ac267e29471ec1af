//===- Package.cpp - writing the files --------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Objects, libraries, header and weights of one library, all or none.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/Package.h"
#include "compiler/cpu/Codegen.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FileSystem.h"

using namespace llvm;

namespace attnc {

/// The tables as an object file, for the plainest target: they hold no loops.
static Error writeTables(const LibraryDescription &library,
                         StringRef embeddedWeights, StringRef path) {
  uint64_t embeddedBytes = 0;
  if (!embeddedWeights.empty())
    if (std::error_code code =
            sys::fs::file_size(embeddedWeights, embeddedBytes))
      return createStringError(code,
                               "error[A0601]: '" + embeddedWeights +
                                   "' cannot be read again: " + code.message());
  LLVMContext context;
  std::unique_ptr<Module> module =
      emitTables(library, embeddedWeights, context, embeddedBytes);
  return writeFile(path, [&](raw_fd_ostream &os) {
    return emitObject(*module, *Target::find("x86-64"), os);
  });
}

/// Weights, whose path is returned in `weights`, and headers.
static Error writeData(LibraryDescription &library, const ImportedModel &model,
                       OutputSet &weightsSet, OutputSet &outputs,
                       std::string &weights) {
  Expected<std::string> path = weightsSet.create(library.name + ".weights");
  if (!path)
    return path.takeError();
  weights = *path;
  if (Error error = writeWeights(library, *model.module, model.weights,
                                 model.files, weights))
    return error;
  if (Error error = outputs.write(library.name + ".h", emitHeader(library)))
    return error;
  for (StringRef header : {"attn.h", "text.h"})
    if (Error error =
            outputs.write(("attn/" + header).str(), getPublicHeader(header)))
      return error;
  return Error::success();
}

Expected<std::vector<std::string>>
writePackage(LibraryDescription &library, const ImportedModel &model,
             ArrayRef<SmallString<0>> objects, const PackageOptions &options) {
  // Temporaries are never committed.
  OutputSet outputs(options.directory), temporaries(options.directory);
  if (Error error = outputs.prepare())
    return error;

  const bool isAlone = !options.knownContent.empty();
  OutputSet &weightsSet = options.embedWeights ? temporaries : outputs;
  std::string weights;
  if (isAlone)
    library.contentDigest = options.knownContent;
  else if (Error error =
               writeData(library, model, weightsSet, outputs, weights))
    return error;

  LinkInputs inputs;
  inputs.name = library.name;
  inputs.openblas = !library.gemm.empty();
  inputs.sanitizer = options.sanitizer;
  Expected<std::string> tables = temporaries.create(library.name + ".tables.o");
  if (!tables)
    return tables.takeError();
  if (Error error =
          writeTables(library, options.embedWeights ? weights : "", *tables))
    return error;
  inputs.objects.push_back(*tables);
  for (auto [index, object] : enumerate(objects)) {
    std::string name = library.name + "." + std::to_string(index) + ".o";
    Expected<std::string> path = temporaries.create(name);
    if (!path)
      return path.takeError();
    if (Error error = writeFile(*path, [&](raw_fd_ostream &os) {
          os << object;
          return Error::success();
        }))
      return error;
    inputs.objects.push_back(*path);
  }

  Expected<std::string> shared = outputs.create("lib" + library.name + ".so");
  if (!shared)
    return shared.takeError();
  if (Error error = linkShared(inputs, *shared))
    return error;
  if (!isAlone) {
    Expected<std::string> archive = outputs.create("lib" + library.name + ".a");
    if (!archive)
      return archive.takeError();
    if (Error error = linkStatic(inputs, *archive))
      return error;
  }
  if (Error error = outputs.commit())
    return error;
  return outputs.paths();
}

} // namespace attnc
