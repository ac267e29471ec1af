//===- JsonMutator.cpp - changes to JSON that leave it JSON ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A small parser that keeps spellings, a printer, and the changes.
//
//===----------------------------------------------------------------------===//
#include "JsonMutator.h"
#include <cstring>

/// libFuzzer's own mutations of bytes.
extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

namespace attnc::fuzz {

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

namespace {

class Parser {
public:
  explicit Parser(const std::string &text) : text(text) {}

  bool parseAll(Json &value) {
    if (!parse(value, 0))
      return false;
    skipBlanks();
    while (at < text.size() && (text[at] == '\0' || text[at] == ' '))
      ++at;
    return at == text.size();
  }

private:
  static constexpr int kDeepest = 200;

  void skipBlanks() {
    while (at < text.size() && strchr(" \t\r\n", text[at]) && text[at])
      ++at;
  }
  bool take(char c) {
    skipBlanks();
    if (at >= text.size() || text[at] != c)
      return false;
    ++at;
    return true;
  }
  bool parseString(std::string &value) {
    if (!take('"'))
      return false;
    size_t begin = at;
    while (at < text.size() && text[at] != '"')
      at += text[at] == '\\' ? 2 : 1;
    if (at >= text.size())
      return false;
    value = text.substr(begin, at++ - begin);
    return true;
  }
  bool parseMembers(Json &value, char end, int depth) {
    if (take(end))
      return true;
    do {
      if (value.kind == Json::Object &&
          (!parseString(value.keys.emplace_back()) || !take(':')))
        return false;
      if (!parse(value.items.emplace_back(), depth + 1))
        return false;
    } while (take(','));
    return take(end);
  }
  bool parse(Json &value, int depth) {
    if (depth > kDeepest)
      return false;
    skipBlanks();
    if (at >= text.size())
      return false;
    switch (text[at]) {
    case '"':
      value.kind = Json::String;
      return parseString(value.text);
    case '[':
      ++at;
      value.kind = Json::Array;
      return parseMembers(value, ']', depth);
    case '{':
      ++at;
      value.kind = Json::Object;
      return parseMembers(value, '}', depth);
    default: {
      size_t begin = at;
      while (at < text.size() &&
             (isalnum(text[at]) || strchr("+-.", text[at])) && text[at])
        ++at;
      value.text = text.substr(begin, at - begin);
      return at > begin;
    }
    }
  }

  const std::string &text;
  size_t at = 0;
};

} // namespace

bool Json::parse(const std::string &text, Json &value) {
  return Parser(text).parseAll(value);
}

std::string Json::print() const {
  switch (kind) {
  case Literal:
    return text;
  case String:
    return "\"" + text + "\"";
  case Array:
  case Object: {
    std::string list;
    for (size_t i = 0; i < items.size(); ++i) {
      list += i ? ", " : "";
      if (kind == Object)
        list += "\"" + keys[i] + "\": ";
      list += items[i].print();
    }
    return kind == Array ? "[" + list + "]" : "{" + list + "}";
  }
  }
  return "";
}

//===----------------------------------------------------------------------===//
// Changes
//===----------------------------------------------------------------------===//

static const char *const kNumbers[] = {"0",
                                       "1",
                                       "-1",
                                       "2",
                                       "3",
                                       "7",
                                       "8",
                                       "16",
                                       "64",
                                       "255",
                                       "65536",
                                       "2147483647",
                                       "2147483648",
                                       "-2147483649",
                                       "4294967296",
                                       "9007199254740993",
                                       "9223372036854775807",
                                       "9223372036854775808",
                                       "-9223372036854775808",
                                       "18446744073709551615",
                                       "18446744073709551616",
                                       "0.5",
                                       "1e-12",
                                       "1e308",
                                       "1e999",
                                       "-0.0",
                                       "1E+2"};
static const char *const kStrings[] = {
    "",      "\\u0000", "\\ud800",     "\\ud83d\\ude00", "\xc3\xa9",
    "\\\\n", "/",       "../../etc/x", "%s%n",           "\xe2\x96\x81",
    "\\n",   " ",       "a\\tb",       "\xff",           "[UNK]"};

Json JsonMutator::makeValue(Random &random) const {
  Json value;
  switch (random.below(8)) {
  case 0:
    value.text = random.pick({"true", "false", "null"});
    break;
  case 1:
  case 2:
    value.text = kNumbers[random.below(std::size(kNumbers))];
    break;
  case 3:
    value.kind = Json::String;
    value.text = kStrings[random.below(std::size(kStrings))];
    break;
  case 4:
    value.kind = Json::Array;
    for (int64_t i = random.below(4); i > 0; --i)
      value.items.push_back(makeValue(random));
    break;
  case 5:
    value.kind = Json::Object;
    for (int64_t i = random.below(3); i > 0; --i) {
      value.keys.push_back(random.pick(words));
      value.items.push_back(makeValue(random));
    }
    break;
  default:
    value.kind = Json::String;
    value.text = random.pick(words);
  }
  return value;
}

static void collect(Json &value, std::vector<Json *> &all) {
  all.push_back(&value);
  for (Json &item : value.items)
    collect(item, all);
}

/// A change of one container's members.
static void changeMembers(Json &value, const std::vector<std::string> &words,
                          Json fresh, Random &random) {
  bool object = value.kind == Json::Object;
  size_t count = value.items.size(), at = count ? random.below(count) : 0;
  int64_t kind = count ? random.below(6) : 0;
  switch (kind) {
  case 0: // one more
  case 1: {
    if (kind == 1)
      fresh = value.items[at];
    value.items.insert(value.items.begin() + at, fresh);
    if (object)
      value.keys.insert(value.keys.begin() + at, random.pick(words));
    break;
  }
  case 2: // one less
    value.items.erase(value.items.begin() + at);
    if (object)
      value.keys.erase(value.keys.begin() + at);
    break;
  case 3: // two change places
    std::swap(value.items[at], value.items[random.below(count)]);
    break;
  case 4: // a key of the dictionary, or one that another member has
    if (object)
      value.keys[at] = random.chance(0.5) ? random.pick(words)
                                          : value.keys[random.below(count)];
    break;
  default: // many
    for (int64_t i = random.between(2, 40); i > 0; --i) {
      Json copy = value.items[at];
      value.items.push_back(copy);
      if (object)
        value.keys.push_back(value.keys[at] + std::to_string(i));
    }
  }
}

void JsonMutator::change(Json &root, Random &random) const {
  std::vector<Json *> all;
  collect(root, all);
  Json &value = *random.pick(all);
  bool container = value.kind == Json::Array || value.kind == Json::Object;
  switch (random.below(8)) {
  case 0:
    value = makeValue(random);
    return;
  case 1: { // a copy of another place
    Json copy = *random.pick(all);
    value = std::move(copy);
    return;
  }
  case 2: { // one level deeper
    Json inner = value;
    value = {};
    value.kind = Json::Array;
    value.items.push_back(std::move(inner));
    return;
  }
  case 3: // its own spelling changes
    if (!container && !value.text.empty()) {
      value.text = mutateBytes(value.text, value.text.size() + 4, random);
      for (char &c : value.text)
        if (c == '"' || c == '\\')
          c = 'x';
      return;
    }
    [[fallthrough]];
  default:
    if (container)
      return changeMembers(value, words, makeValue(random), random);
    if (value.kind == Json::Literal)
      value.text = kNumbers[random.below(std::size(kNumbers))];
    else
      value.text = random.chance(0.7)
                       ? random.pick(words)
                       : kStrings[random.below(std::size(kStrings))];
  }
}

std::string JsonMutator::mutate(const std::string &text, Random &random) const {
  Json root;
  if (!Json::parse(text, root)) {
    root = {};
    root.kind = Json::Object;
    root.keys.push_back(random.pick(words));
    root.items.push_back(makeValue(random));
  }
  for (int64_t i = random.between(1, 4); i > 0; --i)
    change(root, random);
  return root.print();
}

std::string mutateBytes(std::string text, size_t most, Random &random) {
  size_t size = text.size();
  text.resize(std::max(most, size));
  if (random.chance(0.5) || size == 0)
    size = LLVMFuzzerMutate(reinterpret_cast<uint8_t *>(text.data()), size,
                            text.size());
  else
    text[random.below(size)] = random.next();
  text.resize(size);
  return text;
}

} // namespace attnc::fuzz
