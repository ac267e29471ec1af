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
  LLVMContext context;
  std::unique_ptr<Module> module =
      emitTables(library, embeddedWeights, context);
  std::error_code code;
  raw_fd_ostream os(path, code);
  if (code)
    return createStringError(code,
                             "error[A0602]: '" + path +
                                 "' cannot be written: " + code.message());
  return emitObject(*module, *Target::find("x86-64"), os);
}

Expected<std::vector<std::string>>
writePackage(LibraryDescription &library, const ImportedModel &model,
             ArrayRef<SmallString<0>> objects, const PackageOptions &options) {
  OutputSet outputs(options.directory);
  if (Error error = outputs.prepare())
    return std::move(error);

  Expected<std::string> weights = outputs.create(library.name + ".weights");
  if (!weights)
    return weights.takeError();
  if (Error error = writeWeights(library, *model.module, model.weights,
                                 model.files, *weights))
    return std::move(error);
  if (Error error = outputs.write(library.name + ".h", emitHeader(library)))
    return std::move(error);
  for (StringRef header : {"attn.h", "text.h"})
    if (Error error =
            outputs.write(("attn/" + header).str(), getPublicHeader(header)))
      return std::move(error);

  // Objects are temporaries that are never committed.
  OutputSet temporaries(options.directory);
  LinkInputs inputs;
  inputs.name = library.name;
  inputs.openblas = !library.gemm.empty();
  Expected<std::string> tables = temporaries.create(library.name + ".tables.o");
  if (!tables)
    return tables.takeError();
  if (Error error =
          writeTables(library, options.embedWeights ? *weights : "", *tables))
    return std::move(error);
  inputs.objects.push_back(*tables);
  for (auto [index, object] : enumerate(objects)) {
    std::string name = library.name + "." + std::to_string(index) + ".o";
    Expected<std::string> path = temporaries.create(name);
    if (!path)
      return path.takeError();
    std::error_code code;
    raw_fd_ostream os(*path, code);
    if (!code) {
      os << object;
      os.close();
      code = os.error();
      os.clear_error();
    }
    if (code)
      return createStringError(code,
                               "error[A0602]: '" + *path +
                                   "' cannot be written: " + code.message());
    inputs.objects.push_back(*path);
  }

  Expected<std::string> shared = outputs.create("lib" + library.name + ".so");
  if (!shared)
    return shared.takeError();
  if (Error error = linkShared(inputs, *shared))
    return std::move(error);
  sys::fs::setPermissions(*shared, sys::fs::all_read | sys::fs::all_exe |
                                       sys::fs::owner_write);
  Expected<std::string> archive = outputs.create("lib" + library.name + ".a");
  if (!archive)
    return archive.takeError();
  if (Error error = linkStatic(inputs, *archive))
    return std::move(error);
  if (Error error = outputs.commit())
    return std::move(error);
  return outputs.paths();
}

} // namespace attnc
