//===- LibraryName.cpp - what the library is called -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A name that the user gives is taken as it is or refused; one that a path
// gives is bent until it fits.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/LibraryName.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace attnc {

static std::string makeIdentifier(StringRef path) {
  SmallString<256> absolute(path);
  (void)sys::fs::make_absolute(absolute); // "." has no name of its own
  sys::path::remove_dots(absolute, /*remove_dot_dot=*/true);
  StringRef last = StringRef(absolute).rtrim('/');
  std::string name = sys::path::filename(last).str();
  if (StringRef(name).ends_with(".mlir"))
    name.resize(name.size() - StringRef(".mlir").size());
  for (char &c : name)
    if (!isAlnum(c))
      c = '_';
  if (name.empty() || isDigit(name.front()))
    name.insert(name.begin(), '_');
  return name;
}

static bool isIdentifier(StringRef name) {
  return !name.empty() && !isDigit(name.front()) &&
         all_of(name, [](char c) { return isAlnum(c) || c == '_'; });
}

FailureOr<std::string> chooseLibraryName(mlir::MLIRContext &context,
                                         StringRef wanted, StringRef path) {
  if (wanted.empty())
    return makeIdentifier(path);
  if (isIdentifier(wanted))
    return wanted.str();
  return reportError(&context, "A0141",
                     quote(wanted) +
                         " cannot be the name of a library's functions",
                     "take letters, digits and '_', not starting with a digit");
}

} // namespace attnc
