//===- TemplateFunctions.cpp - functions, filters, tests, methods ---------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the names of TemplateNames.cpp do. Filters and methods of the same name
// are one. What a name cannot be applied to is an error of the rendering.
//
//===----------------------------------------------------------------------===//
#include "TemplateRenderer.h"

namespace attnrt {

#define NAME(slice) static_cast<int>((slice).size), (slice).text

bool TemplateRenderer::evaluateArguments(const Node *first,
                                         Arguments &arguments) {
  for (const Node *node = first; node; node = node->next) {
    if (arguments.count == 3)
      return refuse("more than 3 arguments");
    bool isKeyword = node->kind == NodeKind::Keyword;
    if (!evaluate(isKeyword ? node->a : node,
                  arguments.values[arguments.count]))
      return false;
    arguments.names[arguments.count++] = isKeyword ? node->text : Slice();
  }
  return true;
}

/// The argument of this name, or the one at `index`; NULL if it is not given.
const TemplateValue *TemplateRenderer::takeArgument(const Arguments &arguments,
                                                    size_t index, Slice name) {
  for (size_t i = 0; i < arguments.count; ++i)
    if (arguments.names[i] == name ||
        (i == index && arguments.names[i].empty()))
      return &arguments.values[i];
  return nullptr;
}

/// Refuses arguments by other names than these.
bool TemplateRenderer::checkNames(const Arguments &arguments, Slice of,
                                  std::initializer_list<const char *> known) {
  for (size_t i = 0; i < arguments.count; ++i) {
    bool isKnown = arguments.names[i].empty();
    for (const char *name : known)
      isKnown |= arguments.names[i] == name;
    if (!isKnown)
      return refuse("the argument '%.*s' of '%.*s' is not known by its name",
                    NAME(arguments.names[i]), NAME(of));
  }
  return true;
}

/// Argument `index` of `name`, which must be a string.
bool TemplateRenderer::takeString(const Arguments &arguments, size_t index,
                                  Slice name, Slice &text) {
  if (index >= arguments.count)
    return refuse("'%.*s' takes more arguments", NAME(name));
  if (!arguments.values[index].is(Kind::String))
    return refuse("'%.*s' takes a string, and got %s", NAME(name),
                  describe(arguments.values[index].kind));
  text = arguments.values[index].text;
  return true;
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

bool TemplateRenderer::callNamespace(const Node &node, Value &value) {
  value = Value();
  value.kind = Kind::Namespace;
  value.dict = arena.make<TemplateDict>();
  if (!value.dict)
    return outOfMemory();
  for (const Node *member = node.a; member; member = member->next) {
    if (member->kind != NodeKind::Keyword)
      return refuse("'namespace' takes name = value");
    Value element;
    if (!evaluate(member->a, element) ||
        !put(*value.dict, member->text, element))
      return false;
  }
  return true;
}

bool TemplateRenderer::callRange(const Arguments &arguments, Value &value) {
  constexpr int64_t kMost = 100'000; // as the sandbox of transformers has it
  int64_t numbers[3] = {0, 0, 1};
  for (size_t i = 0; i < arguments.count; ++i) {
    if (!arguments.values[i].is(Kind::Integer))
      return refuse("'range' takes numbers, and got %s",
                    describe(arguments.values[i].kind));
    numbers[arguments.count == 1 ? 1 : i] = arguments.values[i].integer;
  }
  auto [begin, end, step] = numbers;
  if (arguments.count == 0 || step == 0)
    return refuse("'range' takes an end, or begin, end and a step that is not "
                  "0");
  int64_t count = 0;
  for (int64_t at = begin; step > 0 ? at < end : at > end; ++count)
    if (count == kMost || __builtin_add_overflow(at, step, &at))
      return refuse("a range of more than %d numbers", int(kMost));
  if (!makeList(static_cast<size_t>(count), value))
    return false;
  for (int64_t i = 0; i < count; ++i)
    value.list.items[i] = Value::number(begin + i * step);
  return true;
}

bool TemplateRenderer::call(const Node &node, Value &value) {
  if (node.text == "namespace")
    return callNamespace(node, value);
  Arguments arguments;
  if (!evaluateArguments(node.a, arguments))
    return false;
  if (node.text == "range")
    return callRange(arguments, value);
  Slice text;
  if (!takeString(arguments, 0, node.text, text))
    return false;
  if (node.text == "strftime_now")
    return formatTime(text, value);
  line = node.line;
  return refuse("the template refuses these messages: %.*s", NAME(text));
}

//===----------------------------------------------------------------------===//
// Filters and methods
//===----------------------------------------------------------------------===//

bool TemplateRenderer::applyToString(Slice name, const Value &object,
                                     const Arguments &arguments, Value &value,
                                     bool &known) {
  Slice text = object.text, first, second;
  known = true;
  bool trims = name == "trim" || name == "strip";
  if (trims || name == "lstrip" || name == "rstrip") {
    if (arguments.count && !arguments.values[0].is(Kind::None) &&
        !takeString(arguments, 0, name, first))
      return false;
    return strip(text, first.text, first.size, trims || name == "lstrip",
                 trims || name == "rstrip", value);
  }
  if (name == "split") {
    Value separator = arguments.values[0];
    const Value &most = arguments.values[1];
    if (arguments.count > 1 && !most.is(Kind::Integer))
      return refuse("'split' takes a number, and got %s", describe(most.kind));
    return split(text, separator, arguments.count > 1 ? most.integer : -1,
                 value);
  }
  if (name == "startswith" || name == "endswith") {
    if (!takeString(arguments, 0, name, first))
      return false;
    bool fits = first.size <= text.size;
    size_t at = fits && name == "endswith" ? text.size - first.size : 0;
    value = Value::boolean(fits && Slice(text.text + at, first.size) == first);
    return true;
  }
  if (name == "replace") {
    if (!takeString(arguments, 0, name, first) ||
        !takeString(arguments, 1, name, second))
      return false;
    if (const Value &most = arguments.values[2];
        arguments.count > 2 && !most.is(Kind::Integer))
      return refuse("'replace' takes a number, and got %s",
                    describe(most.kind));
    return replace(text, first, second,
                   arguments.count > 2 ? arguments.values[2].integer : -1,
                   value);
  }
  if (name == "upper" || name == "lower" || name == "title" ||
      name == "capitalize")
    return changeCase(text, name, value);
  if (name == "join") { // the string between the elements
    if (arguments.count != 1 || !arguments.values[0].is(Kind::List))
      return refuse("the method 'join' takes a list");
    return join(arguments.values[0].list, text, value);
  }
  known = false;
  return true;
}

bool TemplateRenderer::applyToDict(Slice name, const Value &object,
                                   const Arguments &arguments, Value &value,
                                   bool &known) {
  known = true;
  if (name == "get") {
    Slice key;
    if (!takeString(arguments, 0, name, key) || !lookUp(object, key, value))
      return false;
    if (value.is(Kind::Undefined)) {
      value = arguments.values[1];
      if (arguments.count < 2)
        value.kind = Kind::None;
    }
    return true;
  }
  bool wantsKeys = name != "values", wantsValues = name != "keys";
  if (name != "items" && name != "keys" && name != "values") {
    known = false;
    return true;
  }
  size_t count = 0;
  for (TemplateEntry *entry = object.dict->first; entry; entry = entry->next)
    ++count;
  if (!makeList(count, value))
    return false;
  Value *element = value.list.items;
  for (TemplateEntry *entry = object.dict->first; entry;
       entry = entry->next, ++element) {
    Value key = Value::string(entry->key);
    if (!wantsKeys || !wantsValues) {
      *element = wantsKeys ? key : entry->value;
      continue;
    }
    if (!makeList(2, *element))
      return false;
    element->list.items[0] = key;
    element->list.items[1] = entry->value;
  }
  return true;
}

bool TemplateRenderer::callMethod(const Node &node, Value &value) {
  Value object;
  Arguments arguments;
  if (!evaluate(node.a, object) || !evaluateArguments(node.b, arguments) ||
      !checkNames(arguments, node.text))
    return false;
  bool known = false;
  bool good = true;
  if (object.is(Kind::String))
    good = applyToString(node.text, object, arguments, value, known);
  else if (object.is(Kind::Dict))
    good = applyToDict(node.text, object, arguments, value, known);
  if (good && !known)
    return refuse("%s has no method '%.*s'", describe(object.kind),
                  NAME(node.text));
  return good;
}

bool TemplateRenderer::applyFilter(const Node &node, Value &value) {
  Value object;
  Arguments arguments;
  if (!evaluate(node.a, object) || !evaluateArguments(node.b, arguments))
    return false;
  Slice name = node.text;
  if (name == "default" || name == "d") {
    const Value *other = takeArgument(arguments, 0, "default_value");
    const Value *also = takeArgument(arguments, 1, "boolean");
    bool stays =
        also && also->isTrue() ? object.isTrue() : !object.is(Kind::Undefined);
    value = stays ? object : other ? *other : Value::string("");
    return checkNames(arguments, name, {"default_value", "boolean"});
  }
  const bool isUndefined = object.is(Kind::Undefined);
  if (isUndefined && (name == "tojson" || name == "int"))
    return refuse("'%.*s' is undefined, and the filter '%.*s' takes its value",
                  NAME(object.text), NAME(name));
  if (name == "tojson") {
    if (arguments.count)
      return refuse("'tojson' with arguments is not known");
    Buffer<char> json(out->memory(), "the chat template");
    return toJson(object, json, 0) && keep(json, value);
  }
  if (!checkNames(arguments, name, {name == "map" ? "attribute" : ""}))
    return false;
  if (name == "string" || name == "safe") {
    Slice text;
    bool good = toText(object, text);
    value = Value::string(text);
    return good;
  }
  if (name == "length" || name == "count") {
    int64_t count = 0;
    if (object.is(Kind::String))
      count = countCharacters(object.text);
    else if (object.is(Kind::List) && !object.list.isReadOnce)
      count = static_cast<int64_t>(object.list.count);
    else if (object.is(Kind::Dict))
      for (TemplateEntry *entry = object.dict->first; entry;
           entry = entry->next)
        ++count;
    else if (!isUndefined)
      return refuse("%s has no length", describe(object.kind));
    value = Value::number(count);
    return true;
  }
  if (name == "int" && (object.is(Kind::Integer) || object.is(Kind::Boolean))) {
    value = Value::number(object.integer);
    return true;
  }
  // What is not there is an empty sequence, or text.
  bool known = false;
  bool good = applyToSequence(name, object, arguments, value, known);
  if (good && !known && (object.is(Kind::String) || isUndefined))
    good = applyToString(name, isUndefined ? Value::string("") : object,
                         arguments, value, known);
  if (good && !known)
    return refuse("the filter '%.*s' does not take %s", NAME(name),
                  describe(object.kind));
  return good;
}

bool TemplateRenderer::test(Slice name, const Value &object,
                            const Value *argument, bool &holds) {
  Kind kind = object.kind;
  bool isMapping = kind == Kind::Dict;
  bool isSequence = (kind == Kind::List && !object.list.isReadOnce) ||
                    kind == Kind::String || isMapping;
  holds = false;
  if (name == "defined" || name == "undefined")
    holds = (kind == Kind::Undefined) == (name == "undefined");
  else if (name == "none")
    holds = kind == Kind::None;
  else if (name == "string")
    holds = kind == Kind::String;
  else if (name == "mapping")
    holds = isMapping;
  else if (name == "iterable" || name == "sequence")
    // Jinja iterates over the undefined as over nothing.
    holds = isSequence || kind == Kind::Undefined ||
            (kind == Kind::List && name == "iterable");
  else if (name == "number" || name == "integer")
    holds =
        kind == Kind::Integer || (name == "number" && kind == Kind::Boolean);
  else if (name == "boolean")
    holds = kind == Kind::Boolean;
  else if (name == "true" || name == "false")
    holds = kind == Kind::Boolean && object.isTrue() == (name == "true");
  else if (name == "odd" || name == "even") {
    if (kind != Kind::Integer)
      return refuse("%s is neither odd nor even", describe(kind));
    holds = (object.integer % 2 == 0) == (name == "even");
  } else if (!argument) {
    return refuse("the test '%.*s' takes one argument", NAME(name));
  } else if (name == "in") {
    return contains(*argument, object, holds);
  } else {
    holds = areEqual(object, *argument) == (name != "ne" && name != "!=");
  }
  return checkSteps();
}

bool TemplateRenderer::applyTest(const Node &node, Value &value) {
  Value object;
  Arguments arguments;
  bool holds = false;
  if (!evaluate(node.a, object) || !evaluateArguments(node.b, arguments) ||
      !checkNames(arguments, node.text))
    return false;
  if (arguments.count > 1)
    return refuse("the test '%.*s' takes one argument", NAME(node.text));
  const Value *argument = arguments.count ? &arguments.values[0] : nullptr;
  if (!test(node.text, object, argument, holds))
    return false;
  value = Value::boolean(holds);
  return true;
}

} // namespace attnrt
