//===- OutputSet.cpp - files that appear together -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Temporaries beside the final files, renamed at the end.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/Package.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Signals.h"

using namespace llvm;

namespace attnc {

static Error failed(const Twine &what, std::error_code code) {
  return createStringError(
      code, "error[A0601]: " + what + ": " + code.message() +
                "\nnote: check -o, the rights of the folder and the space on "
                "the disk; nothing was changed");
}

Error unreadable(StringRef path, std::error_code code) {
  return createStringError(
      code, "error[A0603]: '" + path + "' cannot be read: " + code.message() +
                "\nnote: check that you may read it, or take it out of the "
                "model's folder");
}

OutputSet::~OutputSet() {
  for (const File &file : files)
    if (!file.temporary.empty()) {
      (void)sys::fs::remove(file.temporary);
      sys::DontRemoveFileOnSignal(file.temporary);
    }
}

Error OutputSet::prepare() {
  // All permissions that the process's mask leaves.
  if (std::error_code code = sys::fs::create_directories(
          directory, /*IgnoreExisting=*/true, sys::fs::all_all))
    return failed("the output directory '" + directory +
                      "' cannot be created; give another one with -o",
                  code);
  if (std::error_code code =
          sys::fs::access(directory, sys::fs::AccessMode::Write))
    return failed("the output directory '" + directory +
                      "' cannot be written to; give another one with -o",
                  code);
  return Error::success();
}

Expected<std::string> OutputSet::create(StringRef name) {
  SmallString<128> final(directory);
  sys::path::append(final, name);
  StringRef parent = sys::path::parent_path(final);
  if (std::error_code code = sys::fs::create_directories(
          parent, /*IgnoreExisting=*/true, sys::fs::all_all))
    return failed("'" + parent + "' cannot be created", code);
  // Found now, not when half of the files have been replaced.
  if (sys::fs::is_directory(final))
    return failed("'" + final + "' cannot be replaced",
                  std::make_error_code(std::errc::is_a_directory));
  SmallString<128> model(parent), temporary;
  sys::path::append(model, "." + sys::path::filename(name) + ".%%%%%%.tmp");
  int descriptor;
  if (std::error_code code = sys::fs::createUniqueFile(
          model, descriptor, temporary, sys::fs::OF_None,
          sys::fs::all_read | sys::fs::all_write))
    return failed("a file in '" + parent + "' cannot be created", code);
  (void)sys::Process::SafelyCloseFileDescriptor(descriptor);
  sys::RemoveFileOnSignal(temporary);
  files.push_back({std::string(temporary), std::string(final)});
  return std::string(temporary);
}

Error OutputSet::write(StringRef name, StringRef contents) {
  Expected<std::string> path = create(name);
  if (!path)
    return path.takeError();
  return writeFile(*path, [&](raw_fd_ostream &os) {
    os << contents;
    return Error::success();
  });
}

void removeUnfinished(StringRef path) {
  if (sys::fs::is_regular_file(path))
    (void)sys::fs::remove(path);
}

Error writeFile(StringRef path, function_ref<Error(raw_fd_ostream &os)> write) {
  std::error_code code;
  raw_fd_ostream os(path, code, sys::fs::OF_None);
  if (code)
    return failed("'" + path + "' cannot be written", code);
  Error error = write(os);
  os.close();
  // A stream that goes with an error that nobody has seen ends the program.
  code = os.error();
  os.clear_error();
  if (error || code)
    removeUnfinished(path);
  if (error)
    return error;
  if (code)
    return failed("'" + path + "' cannot be written", code);
  return Error::success();
}

Error OutputSet::commit() {
  for (File &file : files) {
    if (std::error_code code = sys::fs::rename(file.temporary, file.final))
      return failed("'" + file.final + "' cannot be replaced", code);
    sys::DontRemoveFileOnSignal(file.temporary);
    file.temporary.clear();
  }
  return Error::success();
}

std::vector<std::string> OutputSet::paths() const {
  std::vector<std::string> result;
  for (const File &file : files)
    result.push_back(file.final);
  return result;
}

} // namespace attnc
