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
#include "compiler/package/Package.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;

namespace attnc {

// C11, C++20, their alternative tokens, and what attn/attn.h's headers make
// macros or types of.
static constexpr StringLiteral kKeywords(
    "alignas alignof and and_eq asm auto bitand bitor bool break case catch "
    "char char8_t char16_t char32_t class co_await co_return co_yield compl "
    "concept const const_cast consteval constexpr constinit continue "
    "decltype default delete do double dynamic_cast else enum explicit "
    "export extern false float for friend goto if inline int linux long "
    "mutable namespace new noexcept not not_eq operator or or_eq private "
    "protected public register reinterpret_cast requires restrict return "
    "short signed sizeof static static_assert static_cast struct switch "
    "template this thread_local throw true try typedef typeid typename "
    "typeof union unix unsigned using virtual void volatile wchar_t while "
    "xor xor_eq NULL int8_t int16_t int32_t int64_t uint8_t uint16_t "
    "uint32_t uint64_t size_t attn_status");

static bool isKeyword(StringRef name) {
  return is_contained(split(kKeywords, ' '), name);
}

static Error checkName(StringRef kind, StringRef name) {
  bool identifier = !name.empty() && !isDigit(name.front()) &&
                    all_of(name, [](char c) { return isAlnum(c) || c == '_'; });
  // Names that begin with two underscores, or one and a capital, are the
  // implementation's.
  bool reserved = name.starts_with("__") ||
                  (name.size() > 1 && name[0] == '_' && isUpper(name[1]));
  if (identifier && !reserved && !isKeyword(name))
    return Error::success();
  return createStringError(
      inconvertibleErrorCode(),
      "error[A0613]: the " + kind + " '" + name +
          "' cannot be a name in the C header\nnote: take letters, digits and "
          "'_', not starting with a digit, and no keyword of C or C++" +
          (kind == "library" ? "; --name gives another name" : ""));
}

static Error clash(const Twine &what) {
  return createStringError(inconvertibleErrorCode(), "error[A0613]: " + what);
}

static Error checkEntry(const EntryDescription &entry) {
  static const StringSet<> taken = {
      "open",         "close",           "last_error",     "info",
      "session",      "session_open",    "session_close",  "cancel",
      "library",      "session_bytes",   "tokenize",       "encode_text",
      "describe",     "session_reset",   "session_length", "session_truncate",
      "session_fork", "session_reserve", "session_save",   "session_load",
      "generate",     "generate_text",   "detokenize"};
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
