//===- TemplateExpressions.cpp - expressions of a chat template -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values are Python's: `and` and `or` give one of their sides, comparisons of
// unequal types are false, indices may count from the end, and what is not
// there is undefined until somebody needs it.
//
//===----------------------------------------------------------------------===//
#include "TemplateRenderer.h"

namespace attnrt {

/// Of expressions and of values: sums of many terms are deep trees, and loops
/// can build lists of lists.
static constexpr uint32_t kMaxDepth = 256;

#define NAME(slice) static_cast<int>((slice).size), (slice).text

/// Every value that is looked at is a step: values that share others may be
/// far larger than the memory that holds them.
bool TemplateRenderer::areEqual(const Value &left, const Value &right,
                                uint32_t level) {
  auto isNumber = [](const Value &value) {
    return value.is(Kind::Integer) || value.is(Kind::Boolean);
  };
  if (++steps > kMaxSteps)
    return false;
  if (isNumber(left) && isNumber(right))
    return left.integer == right.integer;
  if (left.kind != right.kind || level > kMaxDepth)
    return false;
  switch (left.kind) {
  case Kind::String:
    return left.text == right.text;
  case Kind::List:
    if (left.list.count != right.list.count)
      return false;
    for (size_t i = 0; i < left.list.count; ++i)
      if (!areEqual(left.list.items[i], right.list.items[i], level + 1))
        return false;
    return true;
  case Kind::Dict: {
    size_t surplus = 0;
    for (TemplateEntry *entry = right.dict->first; entry; entry = entry->next)
      ++surplus;
    for (TemplateEntry *entry = left.dict->first; entry; entry = entry->next) {
      const Value *other = findIn(*right.dict, entry->key);
      if (!other || !areEqual(entry->value, *other, level + 1))
        return false;
      --surplus;
    }
    return surplus == 0;
  }
  case Kind::Namespace:
    return left.dict == right.dict;
  default:
    return true;
  }
}

bool TemplateRenderer::checkSteps() {
  return steps <= kMaxSteps ||
         refuse("more than %llu steps",
                static_cast<unsigned long long>(kMaxSteps));
}

bool TemplateRenderer::lookUp(const Value &object, Slice name, Value &value) {
  if (object.is(Kind::Undefined))
    return refuse("'%.*s' is undefined, so that it has no '%.*s'",
                  NAME(object.text), NAME(name));
  value = Value();
  value.text = name;
  if (object.is(Kind::Dict) || object.is(Kind::Namespace))
    if (const Value *found = findIn(*object.dict, name))
      value = *found;
  return true;
}

bool TemplateRenderer::evaluateMember(const Node &node, Value &value) {
  Value object;
  return evaluate(node.a, object) && lookUp(object, node.text, value);
}

bool TemplateRenderer::evaluateElement(const Node &node, Value &value) {
  Value object, key;
  if (!evaluate(node.a, object) || !evaluate(node.b, key))
    return false;
  if (key.is(Kind::String))
    return lookUp(object, key.text, value);
  if (!checkRead(object))
    return false;
  bool isList = object.is(Kind::List);
  if (!key.is(Kind::Integer) || (!isList && !object.is(Kind::String)))
    return refuse("%s is indexed by %s", describe(object.kind),
                  describe(key.kind));
  int64_t count = isList ? static_cast<int64_t>(object.list.count)
                         : countCharacters(object.text);
  int64_t at = key.integer < 0 ? key.integer + count : key.integer;
  value = Value();
  value.text = "the element";
  if (at < 0 || at >= count)
    return true;
  if (!isList)
    return slice(object.text, at, at + 1, 1, value);
  value = object.list.items[at];
  return true;
}

/// A bound of a range; NULL or none: `otherwise`.
bool TemplateRenderer::index(const Node *node, int64_t otherwise,
                             int64_t &number) {
  number = otherwise;
  Value value;
  if (!node)
    return true;
  if (!evaluate(node, value))
    return false;
  if (value.is(Kind::None))
    return true;
  if (!value.is(Kind::Integer))
    return refuse("a range is bounded by %s", describe(value.kind));
  number = value.integer;
  return true;
}

bool TemplateRenderer::evaluateRange(const Node &node, Value &value) {
  Value object;
  int64_t step = 0;
  if (!evaluate(node.a, object) || !checkRead(object) ||
      !index(node.d, 1, step))
    return false;
  if (step == 0)
    return refuse("a range of step 0");
  bool isList = object.is(Kind::List);
  if (!isList && !object.is(Kind::String))
    return refuse("a range of %s", describe(object.kind));
  int64_t count = isList ? static_cast<int64_t>(object.list.count)
                         : countCharacters(object.text);
  // As Python's slice.indices.
  int64_t least = step > 0 ? 0 : -1, most = step > 0 ? count : count - 1;
  int64_t begin = 0, end = 0;
  constexpr int64_t absent = INT64_MIN;
  if (!index(node.b, absent, begin) || !index(node.c, absent, end))
    return false;
  auto clamp = [&](int64_t at) {
    at = at < 0 ? (at < -count ? least : at + count) : at;
    return at < least ? least : at > most ? most : at;
  };
  begin = begin == absent ? (step > 0 ? 0 : count - 1) : clamp(begin);
  end = end == absent ? (step > 0 ? count : -1) : clamp(end);
  if (!isList)
    return slice(object.text, begin, end, step, value);
  int64_t taken = 0;
  for (int64_t at = begin; step > 0 ? at < end : at > end; ++taken)
    if (__builtin_add_overflow(at, step, &at))
      at = end;
  if (!makeList(static_cast<size_t>(taken), value))
    return false;
  for (int64_t i = 0; i < taken; ++i)
    value.list.items[i] = object.list.items[begin + i * step];
  return true;
}

bool TemplateRenderer::evaluateSequence(const Node &node, Value &value) {
  if (node.kind == NodeKind::List) {
    size_t count = 0;
    for (const Node *element = node.a; element; element = element->next)
      ++count;
    if (!makeList(count, value))
      return false;
    size_t i = 0;
    for (const Node *element = node.a; element; element = element->next)
      if (!evaluate(element, value.list.items[i++]))
        return false;
    return true;
  }
  value = Value();
  value.kind = Kind::Dict;
  value.dict = arena.make<TemplateDict>();
  if (!value.dict)
    return outOfMemory();
  for (const Node *key = node.a; key; key = key->next->next) {
    Value name, element;
    if (!evaluate(key, name) || !evaluate(key->next, element))
      return false;
    if (!name.is(Kind::String))
      return refuse("a dict has %s as a key", describe(name.kind));
    if (!put(*value.dict, name.text, element))
      return false;
  }
  return true;
}

bool TemplateRenderer::contains(const Value &whole, const Value &part,
                                bool &found) {
  found = false;
  if (whole.is(Kind::List)) {
    for (size_t i = 0; i < whole.list.count && !found; ++i)
      found = areEqual(whole.list.items[i], part);
    return checkSteps();
  }
  if (whole.is(Kind::String) && part.is(Kind::String)) {
    found = part.text.empty() ||
            (!whole.text.empty() &&
             memmem(whole.text.text, whole.text.size, part.text.text,
                    part.text.size) != nullptr);
    return true;
  }
  if ((whole.is(Kind::Dict) || whole.is(Kind::Namespace)) &&
      part.is(Kind::String)) {
    found = findIn(*whole.dict, part.text) != nullptr;
    return true;
  }
  return refuse("%s cannot be looked for in %s", describe(part.kind),
                describe(whole.kind));
}

bool TemplateRenderer::compare(const Node &node, Value &value) {
  Value left, right;
  if (!evaluate(node.a, left) || !evaluate(node.b, right))
    return false;
  bool holds = false;
  Slice how = node.text;
  if (how == "==" || how == "!=") {
    holds = areEqual(left, right) == (how == "==");
    if (!checkSteps())
      return false;
  } else if (how == "in" || how == "not in") {
    if (!contains(right, left, holds))
      return false;
    holds = holds == (how == "in");
  } else {
    int order = 0;
    if (left.is(Kind::Integer) && right.is(Kind::Integer)) {
      order = left.integer < right.integer ? -1 : left.integer > right.integer;
    } else if (left.is(Kind::String) && right.is(Kind::String)) {
      size_t common =
          left.text.size < right.text.size ? left.text.size : right.text.size;
      order = common ? memcmp(left.text.text, right.text.text, common) : 0;
      if (order == 0)
        order = left.text.size < right.text.size   ? -1
                : left.text.size > right.text.size ? 1
                                                   : 0;
    } else {
      return refuse("%s is compared with %s", describe(left.kind),
                    describe(right.kind));
    }
    holds = how == "<"    ? order < 0
            : how == "<=" ? order <= 0
            : how == ">"  ? order > 0
                          : order >= 0;
  }
  value = Value::boolean(holds);
  return true;
}

/// Of two sides.
bool TemplateRenderer::evaluateOperator(const Node &node, Value &value) {
  Value left, right;
  if (!evaluate(node.a, left) || !evaluate(node.b, right))
    return false;
  bool adds = node.kind == NodeKind::Add;
  if (node.kind == NodeKind::Concatenate ||
      (adds && left.is(Kind::String) && right.is(Kind::String))) {
    Slice first, second;
    if (!toText(left, first) || !toText(right, second))
      return false;
    char *both = static_cast<char *>(arena.allocate(first.size + second.size));
    if (!both)
      return outOfMemory();
    if (first.size)
      memcpy(both, first.text, first.size);
    if (second.size)
      memcpy(both + first.size, second.text, second.size);
    value = Value::string({both, first.size + second.size});
    return true;
  }
  if (adds && left.is(Kind::List) && right.is(Kind::List)) {
    if (!makeList(left.list.count + right.list.count, value))
      return false;
    for (size_t i = 0; i < value.list.count; ++i)
      value.list.items[i] = i < left.list.count
                                ? left.list.items[i]
                                : right.list.items[i - left.list.count];
    return true;
  }
  if (!left.is(Kind::Integer) || !right.is(Kind::Integer))
    return refuse("%s is %s %s", describe(left.kind),
                  adds ? "added to" : "combined by arithmetic with",
                  describe(right.kind));
  int64_t a = left.integer, b = right.integer, number = 0;
  bool overflows = false;
  switch (node.kind) {
  case NodeKind::Add:
    overflows = __builtin_add_overflow(a, b, &number);
    break;
  case NodeKind::Subtract:
    overflows = __builtin_sub_overflow(a, b, &number);
    break;
  case NodeKind::Multiply:
    overflows = __builtin_mul_overflow(a, b, &number);
    break;
  default: {
    if (b == 0)
      return refuse("a division by zero");
    overflows = a == INT64_MIN && b == -1;
    if (overflows)
      break;
    // Rounded down, and the remainder has the divisor's sign.
    int64_t quotient = a / b, rest = a % b;
    bool isBelow = rest != 0 && (rest < 0) != (b < 0);
    number = node.kind == NodeKind::Divide ? quotient - isBelow
                                           : rest + (isBelow ? b : 0);
  }
  }
  if (overflows)
    return refuse("a number beyond 2^63");
  value = Value::number(number);
  return true;
}

bool TemplateRenderer::evaluate(const Node *node, Value &value) {
  ++steps;
  if (!checkSteps())
    return false;
  if (depth == kMaxDepth)
    return refuse("an expression nests deeper than %u levels", kMaxDepth);
  ++depth;
  bool good = evaluateAny(node, value);
  --depth;
  return good;
}

bool TemplateRenderer::evaluateAny(const Node *node, Value &value) {
  switch (node->kind) {
  case NodeKind::String:
    value = Value::string(node->text);
    return true;
  case NodeKind::Integer:
    value = Value::number(node->number);
    return true;
  case NodeKind::True:
  case NodeKind::False:
    value = Value::boolean(node->kind == NodeKind::True);
    return true;
  case NodeKind::None:
    value = Value();
    value.kind = Kind::None;
    return true;
  case NodeKind::Name: {
    Value *found = find(node->text);
    value = found ? *found : Value();
    if (!found)
      value.text = node->text;
    return true;
  }
  case NodeKind::List:
  case NodeKind::Dict:
    return evaluateSequence(*node, value);
  case NodeKind::Member:
    return evaluateMember(*node, value);
  case NodeKind::Element:
    return evaluateElement(*node, value);
  case NodeKind::Range:
    return evaluateRange(*node, value);
  case NodeKind::Call:
    return call(*node, value);
  case NodeKind::Method:
    return callMethod(*node, value);
  case NodeKind::Filter:
    return applyFilter(*node, value);
  case NodeKind::Test:
    return applyTest(*node, value);
  case NodeKind::Not:
    if (!evaluate(node->a, value))
      return false;
    value = Value::boolean(!value.isTrue());
    return true;
  case NodeKind::Negate:
    if (!evaluate(node->a, value))
      return false;
    if (!value.is(Kind::Integer) || value.integer == INT64_MIN)
      return refuse("%s has no negative", describe(value.kind));
    value.integer = -value.integer;
    return true;
  case NodeKind::And:
  case NodeKind::Or:
    if (!evaluate(node->a, value))
      return false;
    return value.isTrue() == (node->kind == NodeKind::And)
               ? evaluate(node->b, value)
               : true;
  case NodeKind::Choice: {
    Value condition;
    if (!evaluate(node->b, condition))
      return false;
    if (condition.isTrue())
      return evaluate(node->a, value);
    value = Value();
    value.text = "the other choice";
    return node->c ? evaluate(node->c, value) : true;
  }
  case NodeKind::Compare:
    return compare(*node, value);
  default:
    return evaluateOperator(*node, value);
  }
}

} // namespace attnrt
