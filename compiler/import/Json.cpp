//===- Json.cpp - strict JSON of files we did not write -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A scan over brackets and strings runs before LLVM's parser: it bounds the
// nesting and collects the keys of every object. The scan does not judge
// grammar; the parser does.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Json.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/raw_ostream.h"
#include <optional>

using llvm::StringRef;

namespace attnc {

namespace {
/// What the scan found.
struct Scan {
  bool tooDeep = false;
  std::optional<std::string> repeatedKey;
};

/// One open bracket.
struct Level {
  bool isObject;
  bool atKey; ///< the next string is a key
  llvm::StringSet<> keys;
};
} // namespace

/// The index after the string that opens at `begin`.
static size_t skipString(StringRef text, size_t begin) {
  for (size_t i = begin + 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return i + 1;
  }
  return text.size();
}

/// The key as the parser will read it; `quoted` includes the quotation marks.
static std::string decodeKey(StringRef quoted) {
  if (!quoted.contains('\\'))
    return quoted.trim('"').str();
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(quoted);
  if (!value) {
    llvm::consumeError(value.takeError()); // the parser will say it again
    return quoted.str();
  }
  return value->getAsString().value_or(quoted).str();
}

static Scan scanJson(StringRef text) {
  Scan scan;
  std::vector<Level> levels;
  for (size_t i = 0; i < text.size();) {
    switch (text[i]) {
    case '"': {
      size_t end = skipString(text, i);
      if (!levels.empty() && levels.back().atKey) {
        levels.back().atKey = false;
        std::string key = decodeKey(text.slice(i, end));
        if (!levels.back().keys.insert(key).second && !scan.repeatedKey)
          scan.repeatedKey = key;
      }
      i = end;
      continue;
    }
    case '{':
    case '[':
      if (levels.size() == kMaxJsonDepth) {
        scan.tooDeep = true;
        return scan;
      }
      levels.push_back({text[i] == '{', text[i] == '{', {}});
      break;
    case '}':
    case ']':
      if (!levels.empty())
        levels.pop_back();
      break;
    case ',':
      if (!levels.empty())
        levels.back().atKey = levels.back().isObject;
      break;
    default:
      break;
    }
    ++i;
  }
  return scan;
}

llvm::Expected<llvm::json::Value> parseJson(StringRef text) {
  Scan scan = scanJson(text);
  if (scan.tooDeep)
    return llvm::createStringError("nested deeper than " +
                                   llvm::Twine(kMaxJsonDepth) + " levels");
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(text);
  if (value && scan.repeatedKey)
    return llvm::createStringError("the key " + quote(*scan.repeatedKey) +
                                   " stands twice in one object");
  return value;
}

StringRef describeKind(const llvm::json::Value &value) {
  switch (value.kind()) {
  case llvm::json::Value::Null:
    return "null";
  case llvm::json::Value::Boolean:
    return "true or false";
  case llvm::json::Value::Number:
    return "a number";
  case llvm::json::Value::String:
    return "a string";
  case llvm::json::Value::Array:
    return "an array";
  case llvm::json::Value::Object:
    return "an object";
  }
  llvm_unreachable("every kind is listed");
}

std::string quote(StringRef text) {
  constexpr size_t kLongest = 120;
  std::string result;
  llvm::raw_string_ostream stream(result);
  stream << '\'';
  llvm::printEscapedString(text.take_front(kLongest), stream);
  if (text.size() > kLongest)
    stream << "...";
  stream << '\'';
  return result;
}

} // namespace attnc
