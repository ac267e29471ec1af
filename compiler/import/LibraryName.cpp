//===- LibraryName.cpp - what the library is called -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A name that the user gives is taken as it is or refused; one that a path
// gives is bent until it is an identifier.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/LibraryName.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Folder.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace attnc {

static std::string makeIdentifier(StringRef path) {
  SmallString<256> absolute(makeAbsolute(path)); // "." has no name of its own
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
  // A keyword, or what is left of letters that C does not have.
  return isNameInC(name) ? name : "model_" + name;
}

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

bool isNameInC(StringRef name) {
  bool identifier = !name.empty() && !isDigit(name.front()) &&
                    all_of(name, [](char c) { return isAlnum(c) || c == '_'; });
  // Names that begin with two underscores, or one and a capital, are the
  // implementation's.
  bool reserved = name.starts_with("__") ||
                  (name.size() > 1 && name[0] == '_' && isUpper(name[1]));
  return identifier && !reserved && !is_contained(split(kKeywords, ' '), name);
}

FailureOr<std::string> chooseLibraryName(mlir::MLIRContext &context,
                                         StringRef wanted, StringRef path) {
  if (wanted.empty())
    return makeIdentifier(path);
  if (isNameInC(wanted))
    return wanted.str();
  return reportError(&context, "A0613",
                     "the library " + quote(wanted) +
                         " cannot be a name in the C header",
                     std::string(kNamesInC) + "; --name gives another name");
}

} // namespace attnc
