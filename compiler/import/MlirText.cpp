//===- MlirText.cpp - text that MLIR's parser does not survive ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// MLIR's tokens, as far as they decide where a name begins and ends: `array`
// `<` `index`, or `array` `<` `!t` where somewhere `!t` `=` `index`. Aliases
// are taken from anywhere in the text: one that comes too late is an error
// anyway.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/MlirText.h"
#include "compiler/import/Diagnostics.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;

namespace attnc {

namespace {
/// One token after the other; text that is no MLIR gives tokens of one byte.
class Tokens {
public:
  explicit Tokens(StringRef text) : text(text) {}

  /// Empty at the end of the text.
  StringRef next() {
    skipBlanks();
    start = position;
    if (position == text.size())
      return {};
    char first = text[position];
    if (first == '"')
      takeString();
    else if (isAlpha(first) || first == '_')
      takeWhile(
          [](char c) { return isAlnum(c) || StringRef("_$.").contains(c); });
    else if (isDigit(first))
      takeNumber();
    else if (StringRef("@%#!^").contains(first))
      takePrefixed();
    else
      ++position;
    return text.slice(start, position);
  }

  size_t getStart() const { return start; }

private:
  template <typename Predicate> void takeWhile(Predicate holds) {
    while (position < text.size() && holds(text[position]))
      ++position;
  }

  void skipBlanks() {
    while (position < text.size()) {
      if (text.substr(position).starts_with("//"))
        takeWhile([](char c) { return c != '\n' && c != '\r'; });
      else if (StringRef(" \t\n\r\0", 5).contains(text[position]))
        ++position;
      else
        return;
    }
  }

  /// A string ends with its line at the latest; `\` takes the next byte along.
  void takeString() {
    ++position;
    while (position < text.size()) {
      char c = text[position++];
      if (c == '"')
        return;
      if (c == '\n' || c == '\v' || c == '\f')
        return;
      if (c == '\\' && position < text.size() && text[position] != '\n')
        ++position;
    }
  }

  /// 12, 0x1F, 1.5e-3: letters behind a number begin a new token.
  void takeNumber() {
    StringRef rest = text.substr(position);
    if (rest.starts_with("0x") && rest.size() > 2 && isHexDigit(rest[2])) {
      position += 2;
      return takeWhile(isHexDigit);
    }
    takeWhile(isDigit);
    if (!text.substr(position).starts_with("."))
      return;
    ++position;
    takeWhile(isDigit);
    rest = text.substr(position);
    if (rest.empty() || toLower(rest[0]) != 'e')
      return;
    rest = rest.drop_front();
    size_t sign = rest.starts_with("+") || rest.starts_with("-");
    if (sign < rest.size() && isDigit(rest[sign])) {
      position += 1 + sign;
      takeWhile(isDigit);
    }
  }

  /// @name, @"name", %name, %12, #name, !name, ^name
  void takePrefixed() {
    char prefix = text[position++];
    if (position == text.size())
      return;
    if (prefix == '@' && text[position] == '"')
      return takeString();
    if (isDigit(text[position]))
      return takeWhile(isDigit);
    takeWhile(
        [](char c) { return isAlnum(c) || StringRef("_$.-").contains(c); });
  }

  StringRef text;
  size_t position = 0;
  size_t start = 0;
};

/// Which names stand for `index`.
class Aliases {
public:
  void add(StringRef alias, StringRef meaning) {
    aliases[meaning].push_back(alias);
  }

  /// All names, `index` itself among them.
  StringSet<> findNames() const {
    StringSet<> names;
    SmallVector<StringRef> open = {"index"};
    while (!open.empty()) {
      StringRef one = open.pop_back_val();
      if (!names.insert(one).second)
        continue;
      if (auto found = aliases.find(one); found != aliases.end())
        append_range(open, found->second);
    }
    return names;
  }

private:
  StringMap<SmallVector<StringRef, 1>> aliases; ///< by what they stand for
};
} // namespace

std::optional<size_t> findIndexArray(StringRef text) {
  // What MLIR writes with --emit-bytecode has no tokens.
  if (text.starts_with("ML\xefR"))
    return std::nullopt;
  Aliases aliases;
  SmallVector<std::pair<StringRef, size_t>> arrays;
  Tokens tokens(text);
  StringRef before, last;
  size_t beforeStart = 0, lastStart = 0;
  for (StringRef token = tokens.next(); !token.empty(); token = tokens.next()) {
    if (last == "=" && before.starts_with("!"))
      aliases.add(before, token);
    if (last == "<" && before == "array" &&
        (token == "index" || token.starts_with("!")))
      arrays.emplace_back(token, beforeStart);
    before = last;
    beforeStart = lastStart;
    last = token;
    lastStart = tokens.getStart();
  }
  const StringSet<> names = aliases.findNames();
  for (auto [element, start] : arrays)
    if (names.contains(element))
      return start;
  return std::nullopt;
}

Error checkMlirText(StringRef name, StringRef text) {
  std::optional<size_t> found = findIndexArray(text);
  if (!found)
    return Error::success();
  StringRef above = text.take_front(*found);
  size_t column = above.size() - (above.rfind('\n') + 1) + 1;
  return makeError("A0194",
                   name + ":" + Twine(above.count('\n') + 1) + ":" +
                       Twine(column) +
                       ": expected an array of integers or floats, got one of "
                       "'index'",
                   "write array<i64: ...>; MLIR's parser cannot read arrays of "
                   "'index'");
}

} // namespace attnc
