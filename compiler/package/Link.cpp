//===- Link.cpp - shared and static libraries ---------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// libNAME.so by lld in this process; libNAME.a as one relocatable object whose
// symbols other than NAME_* are local, so that two models link into one
// program.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/Package.h"
#include "lld/Common/Driver.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/ObjCopy/ConfigManager.h"
#include "llvm/ObjCopy/ObjCopy.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Object/Binary.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"

LLD_HAS_DRIVER(elf)

using namespace llvm;

namespace attnc {

static Error linkError(const Twine &what) {
  return createStringError(inconvertibleErrorCode(), "error[A0605]: " + what);
}

/// Removes what lld wrote on its way to `output`: LLVM's temporary beside it,
/// OUTPUT.tmpXXXXXXX, stays where renaming it failed and copying did not.
static void removeLeftovers(StringRef output) {
  std::string begin = (sys::path::filename(output) + ".tmp").str();
  std::error_code code;
  for (sys::fs::directory_iterator file(sys::path::parent_path(output), code),
       end;
       file != end && !code; file.increment(code))
    if (sys::path::filename(file->path()).starts_with(begin))
      sys::fs::remove(file->path());
}

/// Runs lld, which writes `output`; its messages become the error.
static Error runLld(ArrayRef<std::string> arguments,
                    const std::string &output) {
  SmallVector<const char *> argv{"ld.lld", "-o", output.c_str()};
  for (const std::string &argument : arguments)
    argv.push_back(argument.c_str());
  std::string messages;
  raw_string_ostream os(messages);
  lld::Result result =
      lld::lldMain(argv, os, os, {{lld::Gnu, &lld::elf::link}});
  removeLeftovers(output);
  if (result.retCode != 0)
    return linkError("linking failed:\n" + messages);
  return Error::success();
}

/// A library of the system by its run-time name: what is there on machines
/// without development packages too.
static Expected<std::string> findSystemLibrary(StringRef name,
                                               StringRef package) {
  for (StringRef directory :
       {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64",
        "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"}) {
    SmallString<128> path(directory);
    sys::path::append(path, name);
    if (sys::fs::exists(path))
      return std::string(path);
  }
  return linkError("'" + name + "' is needed to link the library and is in " +
                   "none of the system's library folders; install " + package);
}

namespace {
/// A file that goes with its scope, or with the process by a signal.
struct Temporary {
  explicit Temporary(const Twine &name) : path(name.str()) {
    sys::RemoveFileOnSignal(path);
  }
  ~Temporary() {
    sys::fs::remove(path);
    sys::DontRemoveFileOnSignal(path);
  }
  const std::string path;
};
} // namespace

/// Writes a file that the linker reads, beside the output.
static Error writeLinkInput(StringRef path, const Twine &contents) {
  return writeFile(path, [&](raw_fd_ostream &os) {
    os << contents;
    return Error::success();
  });
}

Error linkShared(const LinkInputs &inputs, StringRef output) {
  Temporary runtime(output + ".runtime.a"), exports(output + ".exports");
  if (Error error =
          writeLinkInput(runtime.path, getRuntimeArchive(inputs.sanitizer)))
    return error;
  // Exports NAME_* and nothing else.
  if (Error error = writeLinkInput(exports.path, "{ global: " + inputs.name +
                                                     "_*; local: *; };\n"))
    return error;
  Expected<std::string> libc = findSystemLibrary("libc.so.6", "libc6");
  if (!libc)
    return libc.takeError();
  Expected<std::string> loader =
      findSystemLibrary("ld-linux-x86-64.so.2", "libc6");
  if (!loader)
    return loader.takeError();

  std::vector<std::string> arguments{"-shared",
                                     "-soname",
                                     "lib" + inputs.name + ".so",
                                     "--gc-sections",
                                     "--build-id=sha1",
                                     "--hash-style=gnu",
                                     "-z",
                                     "relro",
                                     "-z",
                                     "now",
                                     "-z",
                                     "noexecstack",
                                     "--version-script",
                                     exports.path};
  // The host program brings the sanitizer's functions, and reports name ours.
  if (inputs.sanitizer == Sanitizer::None)
    arguments.insert(arguments.end(), {"--no-undefined", "-s"});
  arguments.insert(arguments.end(), inputs.objects.begin(),
                   inputs.objects.end());
  arguments.push_back(runtime.path);
  if (inputs.openblas) {
    Expected<std::string> blas =
        findSystemLibrary("libopenblas.so.0", "libopenblas0");
    if (!blas)
      return blas.takeError();
    arguments.push_back(*blas);
  }
  arguments.push_back(*libc);
  arguments.push_back("--as-needed");
  arguments.push_back(*loader);
  return runLld(arguments, output.str());
}

/// Makes every defined symbol but NAME_* local.
static Error localize(const LinkInputs &inputs, StringRef input,
                      StringRef output) {
  Expected<object::OwningBinary<object::Binary>> binary =
      object::createBinary(input);
  if (!binary)
    return binary.takeError();
  objcopy::ConfigManager config;
  config.Common.InputFilename = input;
  config.Common.OutputFilename = output;
  std::string exported = inputs.name + "_*"; // the pattern refers to it
  Expected<objcopy::NameOrPattern> pattern =
      objcopy::NameOrPattern::create(exported, objcopy::MatchStyle::Wildcard,
                                     [](Error error) { return error; });
  if (!pattern)
    return pattern.takeError();
  if (Error error =
          config.Common.SymbolsToKeepGlobal.addMatcher(std::move(pattern)))
    return error;
  config.Common.StripDebug = true;
  // Reports of a sanitizer name our functions.
  if (inputs.sanitizer == Sanitizer::None)
    config.Common.DiscardMode = objcopy::DiscardType::All;
  return writeFile(output, [&](raw_fd_ostream &os) {
    return objcopy::executeObjcopyOnBinary(config, *binary->getBinary(), os);
  });
}

Error linkStatic(const LinkInputs &inputs, StringRef output) {
  Temporary runtime(output + ".runtime.a"), merged(output + ".merged.o");
  Temporary local(output + ".local.o");
  if (Error error =
          writeLinkInput(runtime.path, getRuntimeArchive(inputs.sanitizer)))
    return error;
  std::vector<std::string> arguments{"-r", "--gc-sections", "-u",
                                     inputs.name + "_library"};
  arguments.insert(arguments.end(), inputs.objects.begin(),
                   inputs.objects.end());
  arguments.push_back(runtime.path);
  if (Error error = runLld(arguments, merged.path))
    return error;
  if (Error error = localize(inputs, merged.path, local.path))
    return linkError(toString(std::move(error)));

  Expected<NewArchiveMember> member =
      NewArchiveMember::getFile(local.path, /*Deterministic=*/true);
  if (!member)
    return member.takeError();
  std::string memberName = inputs.name + ".o";
  member->MemberName = memberName;
  if (Error error =
          writeArchive(output, *member, SymtabWritingMode::NormalSymtab,
                       object::Archive::K_GNU,
                       /*Deterministic=*/true, /*Thin=*/false))
    return linkError(toString(std::move(error)));
  return Error::success();
}

} // namespace attnc
