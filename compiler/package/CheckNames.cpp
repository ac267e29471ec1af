//===- CheckNames.cpp - names that C functions can be made of ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The header spells library, entries, sizes and arguments as C and C++ names.
// MLIR text may call them anything, so they are checked here: identifiers that
// are no keywords, distinct, and not those of the functions that every library
// has.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/LibraryName.h"
#include "compiler/package/Package.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;

namespace attnc {

static Error checkName(StringRef kind, StringRef name) {
  if (isNameInC(name))
    return Error::success();
  return createStringError(
      inconvertibleErrorCode(),
      "error[A0613]: the " + kind + " '" + name +
          "' cannot be a name in the C header\nnote: " + kNamesInC +
          (kind == "library" ? "; --name gives another name" : ""));
}

static Error clash(const Twine &what) {
  return createStringError(inconvertibleErrorCode(), "error[A0613]: " + what);
}

static Error checkEntry(const EntryDescription &entry) {
  static const StringSet<> taken = {
      "open",          "close",           "last_error",     "info",
      "session",       "session_open",    "session_close",  "cancel",
      "library",       "session_bytes",   "tokenize",       "encode_text",
      "describe",      "session_reset",   "session_length", "session_truncate",
      "session_fork",  "session_reserve", "session_save",   "session_load",
      "generate",      "generate_text",   "detokenize",     "generation",
      "session_feed",  "generate_batch",  "chat",           "chat_prompt",
      "chat_tokenize", "session_adapter"};
  if (Error error = checkName("entry", entry.name))
    return error;
  if (taken.contains(entry.name))
    return clash("the entry '" + entry.name +
                 "' has the name of a function that every library has\nnote: "
                 "give the entry another name");
  StringSet<> seen;
  seen.insert("session"); // the first parameter
  auto check = [&](StringRef kind, StringRef name) -> Error {
    if (Error error = checkName(kind, name))
      return error;
    if (!seen.insert(name).second)
      return clash("the entry '" + entry.name + "' has two parameters named '" +
                   name +
                   "'\nnote: sizes, inputs and outputs need distinct "
                   "names; 'session' is taken");
    return Error::success();
  };
  for (const std::string &size : entry.sizes)
    if (Error error = check("size", size))
      return error;
  for (const ArgumentDescription &input : entry.inputs)
    if (Error error = check("input", input.name))
      return error;
  for (const ArgumentDescription &output : entry.outputs)
    if (Error error = check("output", output.name))
      return error;
  return Error::success();
}

Error checkNames(const LibraryDescription &library) {
  if (Error error = checkName("library", library.name))
    return error;
  // NAME_session, NAME_status and so on would be the types of attn/attn.h.
  if (library.name == "attn" || library.name == "attnrt")
    return clash("the library cannot be named '" + library.name +
                 "', whose names are taken by attn/attn.h\nnote: --name gives "
                 "another name");
  for (const EntryDescription &entry : library.entries)
    if (Error error = checkEntry(entry))
      return error;
  return Error::success();
}

} // namespace attnc
