//===- TemplateRenderer.cpp - statements of a chat template ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Scopes are Jinja's: a loop's turn has one of its own, an if has none, so that
// only members of a namespace outlive a turn.
//
//===----------------------------------------------------------------------===//
#include "TemplateRenderer.h"

#include "Errors.h"
#include "Utf8.h"

#include <stdarg.h>
#include <stdio.h>

namespace attnrt {

TemplateValue TemplateValue::boolean(bool value) {
  TemplateValue result;
  result.kind = Kind::Boolean;
  result.integer = value;
  return result;
}

TemplateValue TemplateValue::number(int64_t value) {
  TemplateValue result;
  result.kind = Kind::Integer;
  result.integer = value;
  return result;
}

TemplateValue TemplateValue::string(Slice value) {
  TemplateValue result;
  result.kind = Kind::String;
  result.text = value;
  return result;
}

bool TemplateValue::isTrue() const {
  switch (kind) {
  case Kind::Undefined:
  case Kind::None:
    return false;
  case Kind::Boolean:
  case Kind::Integer:
    return integer != 0;
  case Kind::String:
    return !text.empty();
  case Kind::List:
    return list.isReadOnce || list.count != 0;
  case Kind::Dict:
    return dict->first != nullptr;
  case Kind::Namespace:
    return true;
  }
  return false;
}

const char *describe(TemplateValue::Kind kind) {
  switch (kind) {
  case TemplateValue::Kind::Undefined:
    return "something undefined";
  case TemplateValue::Kind::None:
    return "none";
  case TemplateValue::Kind::Boolean:
    return "a truth value";
  case TemplateValue::Kind::Integer:
    return "a number";
  case TemplateValue::Kind::String:
    return "a string";
  case TemplateValue::Kind::List:
    return "a list";
  case TemplateValue::Kind::Dict:
    return "a dict";
  case TemplateValue::Kind::Namespace:
    return "a namespace";
  }
  return "a value";
}

bool TemplateRenderer::refuse(const char *format, ...) {
  if (result != ATTN_OK)
    return false;
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  result = fail(ATTN_ERROR_INVALID_ARGUMENT, "chat template, line %u: %s", line,
                text);
  return false;
}

bool TemplateRenderer::outOfMemory() {
  if (result == ATTN_OK)
    result = ATTN_ERROR_OUT_OF_MEMORY; // the allocator has said why
  return false;
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

/// Adds an entry, or sets the one there is.
bool TemplateRenderer::put(TemplateDict &dict, Slice key, const Value &value) {
  TemplateEntry **last = &dict.first;
  for (; *last; last = &(*last)->next)
    if ((*last)->key == key) {
      (*last)->value = value;
      return true;
    }
  *last = arena.make(TemplateEntry{key, value, nullptr});
  return *last || outOfMemory();
}

TemplateValue *TemplateRenderer::findIn(const TemplateDict &dict, Slice key) {
  for (TemplateEntry *entry = dict.first; entry; entry = entry->next)
    if (entry->key == key)
      return &entry->value;
  return nullptr;
}

TemplateValue *TemplateRenderer::find(Slice name) {
  for (TemplateScope *around = scope; around; around = around->outer)
    if (Value *found = findIn(around->names, name))
      return found;
  return nullptr;
}

bool TemplateRenderer::makeList(size_t count, Value &value) {
  if (count > SIZE_MAX / sizeof(Value) / 2)
    return refuse("a list of too many elements");
  value = Value();
  value.kind = Kind::List;
  value.list.count = count;
  value.list.items =
      static_cast<Value *>(arena.allocate(count ? sizeof(Value) * count : 1));
  if (!value.list.items)
    return outOfMemory();
  for (size_t i = 0; i < count; ++i)
    new (&value.list.items[i]) Value();
  return true;
}

/// Puts a text of the caller's, which may be no UTF-8.
bool TemplateRenderer::putText(TemplateDict &dict, Slice key, Slice text) {
  if (validPrefix(text.text, text.size) == text.size)
    return put(dict, key, Value::string(text));
  Buffer<char> valid(out->memory(), "the messages");
  Value value;
  if (!appendValid(text.text, text.size, valid))
    return outOfMemory();
  return keep(valid, value) && put(dict, key, value);
}

bool TemplateRenderer::start(const ChatMessage *messages, size_t count) {
  Value list;
  if (!makeList(count, list))
    return false;
  for (size_t i = 0; i < count; ++i) {
    Value &message = list.list.items[i];
    message.kind = Kind::Dict;
    message.dict = arena.make<TemplateDict>();
    if (!message.dict)
      return outOfMemory();
    if (!putText(*message.dict, "role", messages[i].role) ||
        !putText(*message.dict, "content", messages[i].content))
      return false;
  }
  Value none;
  none.kind = Kind::None;
  const struct {
    const char *name;
    Slice text;
  } tokens[] = {{"bos_token", variables.bosToken},
                {"eos_token", variables.eosToken},
                {"pad_token", variables.padToken},
                {"unk_token", variables.unkToken}};
  for (const auto &token : tokens)
    if (!token.text.empty() &&
        !put(global.names, token.name, Value::string(token.text)))
      return false;
  // Templates ask whether these are defined before they call them.
  for (const char *name :
       {"strftime_now", "raise_exception", "range", "namespace"})
    if (!put(global.names, name, none))
      return false;
  return put(global.names, "messages", list) &&
         put(global.names, "add_generation_prompt",
             Value::boolean(variables.addGenerationPrompt)) &&
         put(global.names, "tools", none) &&
         put(global.names, "documents", none);
}

//===----------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------===//

bool TemplateRenderer::run(const Node *statements) {
  return runBody(statements) != Flow::Failed;
}

TemplateRenderer::Flow TemplateRenderer::runBody(const Node *first) {
  for (const Node *node = first; node; node = node->next) {
    Flow flow = runStatement(*node);
    if (flow != Flow::Next)
      return flow;
  }
  return Flow::Next;
}

TemplateRenderer::Flow TemplateRenderer::runStatement(const Node &node) {
  line = node.line;
  ++steps;
  if (!checkSteps())
    return Flow::Failed;
  Value value;
  switch (node.kind) {
  case NodeKind::Text:
    return out->append(node.text.text, node.text.size) || outOfMemory()
               ? Flow::Next
               : Flow::Failed;
  case NodeKind::Output: {
    Slice text;
    if (!evaluate(node.a, value) || !toText(value, text))
      return Flow::Failed;
    return out->append(text.text, text.size) || outOfMemory() ? Flow::Next
                                                              : Flow::Failed;
  }
  case NodeKind::If:
    if (!evaluate(node.a, value))
      return Flow::Failed;
    return runBody(value.isTrue() ? node.b : node.c);
  case NodeKind::For:
    return runFor(node);
  case NodeKind::Break:
    return Flow::Break;
  case NodeKind::Continue:
    return Flow::Continue;
  default:
    return runSet(node) ? Flow::Next : Flow::Failed;
  }
}

bool TemplateRenderer::runSet(const Node &node) {
  Value value;
  if (node.kind == NodeKind::SetBlock) {
    Buffer<char> block(out->memory(), "the chat template");
    Buffer<char> *before = out;
    out = &block;
    bool good = runBody(node.b) != Flow::Failed;
    out = before;
    if (!good || !keep(block, value))
      return false;
  } else if (!evaluate(node.a, value)) {
    return false;
  }
  if (!checkRead(value))
    return false;
  if (node.second.empty())
    return put(scope->names, node.text, value);
  Value *object = find(node.text);
  if (!object || !object->is(Kind::Namespace))
    return refuse("'%.*s' is no namespace, so that its members cannot be set",
                  static_cast<int>(node.text.size), node.text.text);
  return put(*object->dict, node.second, value);
}

/// Gives an element of a loop its name, or its two parts theirs.
bool TemplateRenderer::bindTargets(const Node &node, const Value &element,
                                   TemplateDict &names) {
  if (node.second.empty())
    return put(names, node.text, element);
  if (!element.is(Kind::List) || element.list.count != 2)
    return refuse("an element of the loop is %s and cannot be cut into two",
                  describe(element.kind));
  return put(names, node.text, element.list.items[0]) &&
         put(names, node.second, element.list.items[1]);
}

/// Jinja's `loop`.
bool TemplateRenderer::makeLoop(size_t index, const TemplateList &list,
                                Value &loop) {
  auto at = static_cast<int64_t>(index);
  auto count = static_cast<int64_t>(list.count);
  loop = Value();
  loop.kind = Kind::Dict;
  loop.dict = arena.make<TemplateDict>();
  if (!loop.dict)
    return outOfMemory();
  TemplateDict &dict = *loop.dict;
  bool good = put(dict, "index", Value::number(at + 1)) &&
              put(dict, "index0", Value::number(at)) &&
              put(dict, "revindex", Value::number(count - at)) &&
              put(dict, "revindex0", Value::number(count - at - 1)) &&
              put(dict, "first", Value::boolean(at == 0)) &&
              put(dict, "last", Value::boolean(at + 1 == count)) &&
              put(dict, "length", Value::number(count)) &&
              put(dict, "depth", Value::number(1)) && // none is recursive
              put(dict, "depth0", Value::number(0));
  if (good && at > 0)
    good = put(dict, "previtem", list.items[index - 1]);
  if (good && at + 1 < count)
    good = put(dict, "nextitem", list.items[index + 1]);
  return good;
}

TemplateRenderer::Flow TemplateRenderer::runFor(const Node &node) {
  Value all;
  TemplateList list;
  bool known = false;
  if (!evaluate(node.a, all) || !toSequence(all, list, known))
    return Flow::Failed;
  if (!known) {
    refuse("a loop over %s", describe(all.kind));
    return Flow::Failed;
  }
  // The elements that meet the condition are what `loop` counts.
  if (node.d) {
    Value kept;
    if (!makeList(list.count, kept))
      return Flow::Failed;
    kept.list.count = 0;
    for (size_t i = 0; i < list.count; ++i) {
      TemplateScope inner;
      inner.outer = scope;
      Value holds;
      if (!bindTargets(node, list.items[i], inner.names))
        return Flow::Failed;
      scope = &inner;
      bool good = evaluate(node.d, holds);
      scope = inner.outer;
      if (!good)
        return Flow::Failed;
      if (holds.isTrue())
        kept.list.items[kept.list.count++] = list.items[i];
    }
    list = kept.list;
  }
  if (list.count == 0)
    return runBody(node.c);
  for (size_t i = 0; i < list.count; ++i) {
    TemplateScope inner;
    inner.outer = scope;
    Value loop;
    if (!bindTargets(node, list.items[i], inner.names) ||
        !makeLoop(i, list, loop) || !put(inner.names, "loop", loop))
      return Flow::Failed;
    scope = &inner;
    Flow flow = runBody(node.b);
    scope = inner.outer;
    if (flow == Flow::Failed)
      return flow;
    if (flow == Flow::Break)
      break;
  }
  return Flow::Next;
}

//===----------------------------------------------------------------------===//
// The template
//===----------------------------------------------------------------------===//

attn_status ChatTemplate::open(const char *text, size_t size) {
  arena.reset();
  root = nullptr;
  if (validPrefix(text, size) != size)
    return fail(ATTN_ERROR_WEIGHTS, "chat template: it is no UTF-8");
  // As Jinja does: every end of a line becomes \n, within strings too.
  char *lines = arena.copy(text, size);
  if (!lines)
    return ATTN_ERROR_OUT_OF_MEMORY;
  size_t length = 0;
  for (size_t i = 0; i < size; ++i)
    if (text[i] != '\r')
      lines[length++] = text[i];
    else if (i + 1 == size || text[i + 1] != '\n')
      lines[length++] = '\n';
  return parseTemplate(lines, length, arena, root);
}

attn_status ChatTemplate::render(const ChatMessage *messages, size_t count,
                                 const ChatVariables &variables,
                                 TemplateArena &scratch,
                                 Buffer<char> &out) const {
  size_t before = out.size();
  TemplateRenderer renderer(variables, scratch, out);
  if (!renderer.start(messages, count) || !renderer.run(root))
    out.resize(before);
  return renderer.status();
}

} // namespace attnrt
