//===- TemplateSequences.cpp - filters of sequences -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What loops and filters read as a sequence: lists, the keys of a dict, the
// characters of a string, and nothing for what is undefined. The filters that
// leave elements out give generators in Python, which are used up by whoever
// reads them first: here they may not be kept (checkRead).
//
//===----------------------------------------------------------------------===//
#include "TemplateRenderer.h"

namespace attnrt {

#define NAME(slice) static_cast<int>((slice).size), (slice).text

bool TemplateRenderer::toSequence(const Value &value, TemplateList &list,
                                  bool &known) {
  known = true;
  Value made;
  if (value.is(Kind::List)) {
    list = value.list;
    return true;
  }
  if (value.is(Kind::Dict)) {
    bool good = applyToDict("keys", value, Arguments(), made, known);
    list = made.list;
    return good;
  }
  known = value.is(Kind::String) || value.is(Kind::Undefined);
  if (!value.is(Kind::String))
    return true;
  Slice text = value.text;
  if (!makeList(static_cast<size_t>(countCharacters(text)), made))
    return false;
  list = made.list;
  for (size_t at = 0, i = 0; at < text.size; ++i) {
    size_t size = characterSize(text, at);
    list.items[i] = Value::string({text.text + at, size});
    at += size;
  }
  return true;
}

bool TemplateRenderer::checkRead(const Value &value) {
  return !value.is(Kind::List) || !value.list.isReadOnce ||
         refuse("what filters leave of a sequence can be read one time only; "
                "the filter 'list' makes a list of it");
}

/// Elements that pass a test, or fail it; those of which an attribute does.
bool TemplateRenderer::select(Slice name, const TemplateList &list,
                              const Arguments &arguments, Value &value) {
  const bool keeps = name == "select" || name == "selectattr";
  const size_t first = name == "selectattr" || name == "rejectattr";
  Slice attribute, how;
  if ((first && !takeString(arguments, 0, name, attribute)) ||
      (arguments.count > first && !takeString(arguments, first, name, how)) ||
      !makeList(list.count, value))
    return false;
  if (!how.empty() && how != "==" && how != "!=" && !isKnownTest(how))
    return refuse("the test '%.*s' is not known; ChatTemplate.h lists those "
                  "that are",
                  NAME(how));
  const Value *argument =
      arguments.count > first + 1 ? &arguments.values[first + 1] : nullptr;
  value.list.count = 0;
  value.list.isReadOnce = true;
  for (size_t i = 0; i < list.count; ++i) {
    Value asked = list.items[i];
    if (first && !lookUp(list.items[i], attribute, asked))
      return false;
    bool holds = asked.isTrue();
    if (!how.empty() && !test(how, asked, argument, holds))
      return false;
    if (holds == keeps)
      value.list.items[value.list.count++] = list.items[i];
  }
  return true;
}

/// An attribute of each element.
bool TemplateRenderer::map(const TemplateList &list, const Arguments &arguments,
                           Value &value) {
  const Value *attribute = takeArgument(arguments, 1, "attribute");
  if (arguments.count != 1 || !attribute || !attribute->is(Kind::String))
    return refuse("the filter 'map' takes attribute = a string");
  if (!makeList(list.count, value))
    return false;
  value.list.isReadOnce = true;
  for (size_t i = 0; i < list.count; ++i)
    if (!lookUp(list.items[i], attribute->text, value.list.items[i]))
      return false;
  return true;
}

bool TemplateRenderer::applyToSequence(Slice name, const Value &object,
                                       const Arguments &arguments, Value &value,
                                       bool &known) {
  if (object.is(Kind::Dict) && name == "items")
    return applyToDict(name, object, arguments, value, known);
  const bool isEnd = name == "first" || name == "last";
  const bool selects = name == "select" || name == "reject" ||
                       name == "selectattr" || name == "rejectattr";
  const bool isAny = isEnd || selects || name == "list" || name == "join" ||
                     name == "map" ||
                     (name == "items" && object.is(Kind::Undefined));
  TemplateList list;
  if (!isAny)
    return true;
  if (!toSequence(object, list, known) || !known)
    return result == ATTN_OK;
  if (selects)
    return select(name, list, arguments, value);
  if (name == "map")
    return map(list, arguments, value);
  if (name == "join") {
    Slice separator;
    return (arguments.count == 0 ||
            takeString(arguments, 0, name, separator)) &&
           join(list, separator, value);
  }
  value = Value();
  if (!isEnd) {
    value.kind = Kind::List;
    value.list = list;
    value.list.isReadOnce = false;
    return true;
  }
  if (name == "last" && !checkRead(object))
    return false;
  value.text = "the element of an empty list";
  if (list.count)
    value = list.items[name == "first" ? 0 : list.count - 1];
  return true;
}

} // namespace attnrt
