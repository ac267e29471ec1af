//===- TemplateRenderer.h - values and names of a rendering -----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A rendering walks the tree with values that live in its arena. Functions that
// can fail return false; what failed is in status() and the last error.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_TEMPLATERENDERER_H
#define ATTN_RUNTIME_TEXT_TEMPLATERENDERER_H

#include "ChatTemplate.h"
#include "TemplateTree.h"

#include <initializer_list>

namespace attnrt {

/// A template that does not end is stopped after as many.
constexpr uint64_t kMaxSteps = 1'000'000;

struct TemplateValue;

struct TemplateList {
  TemplateValue *items = nullptr;
  size_t count = 0;
  /// One of Python's generators: it is true, has no length and may be read one
  /// time, by a loop or a filter.
  bool isReadOnce = false;
};

struct TemplateEntry;
struct TemplateDict {
  TemplateEntry *first = nullptr;
};

struct TemplateValue {
  enum class Kind : uint8_t {
    Undefined, ///< text: the name that is not there
    None,
    Boolean, ///< integer: 0 or 1
    Integer,
    String,
    List,
    Dict,
    Namespace ///< a dict whose members may be set
  };
  Kind kind = Kind::Undefined;
  int64_t integer = 0;
  Slice text;
  TemplateList list;
  TemplateDict *dict = nullptr;

  static TemplateValue boolean(bool value);
  static TemplateValue number(int64_t value);
  static TemplateValue string(Slice value);
  bool is(Kind other) const { return kind == other; }
  bool isTrue() const;
};

struct TemplateEntry {
  Slice key;
  TemplateValue value;
  TemplateEntry *next = nullptr;
};

/// The names of a block, and those around it.
struct TemplateScope {
  TemplateDict names;
  TemplateScope *outer = nullptr;
};

class TemplateRenderer {
public:
  TemplateRenderer(const ChatVariables &variables, TemplateArena &arena,
                   Buffer<char> &out)
      : variables(variables), arena(arena), out(&out) {}

  bool start(const ChatMessage *messages, size_t count);
  bool run(const TemplateNode *statements);
  attn_status status() const { return result; }

private:
  using Node = TemplateNode;
  using Value = TemplateValue;
  using Kind = TemplateValue::Kind;
  enum class Flow : uint8_t { Next, Break, Continue, Failed };

  // Statements: TemplateRenderer.cpp.
  Flow runBody(const Node *first);
  Flow runStatement(const Node &node);
  Flow runFor(const Node &node);
  bool runSet(const Node &node);
  bool bindTargets(const Node &node, const Value &element, TemplateDict &names);
  bool makeLoop(size_t index, const TemplateList &list, Value &loop);

  // Expressions: TemplateExpressions.cpp.
  bool evaluate(const Node *node, Value &value);
  bool evaluateAny(const Node *node, Value &value);
  bool evaluateMember(const Node &node, Value &value);
  bool evaluateElement(const Node &node, Value &value);
  bool evaluateRange(const Node &node, Value &value);
  bool evaluateSequence(const Node &node, Value &value);
  bool evaluateOperator(const Node &node, Value &value);
  bool compare(const Node &node, Value &value);
  bool contains(const Value &whole, const Value &part, bool &found);
  bool lookUp(const Value &object, Slice name, Value &value);
  bool index(const Node *node, int64_t otherwise, int64_t &number);

  bool areEqual(const Value &left, const Value &right, uint32_t level = 0);
  bool checkSteps();

  // Functions, filters, tests and methods: TemplateFunctions.cpp.
  struct Arguments {
    Value values[3];
    Slice names[3]; ///< empty for those by position
    size_t count = 0;
  };
  bool evaluateArguments(const Node *first, Arguments &arguments);
  bool call(const Node &node, Value &value);
  bool callNamespace(const Node &node, Value &value);
  bool callRange(const Arguments &arguments, Value &value);
  bool callMethod(const Node &node, Value &value);
  bool applyFilter(const Node &node, Value &value);
  bool applyTest(const Node &node, Value &value);
  bool test(Slice name, const Value &object, const Value *argument,
            bool &holds);
  bool applyToString(Slice name, const Value &object,
                     const Arguments &arguments, Value &value, bool &known);
  bool applyToDict(Slice name, const Value &object, const Arguments &arguments,
                   Value &value, bool &known);
  static const Value *takeArgument(const Arguments &arguments, size_t index,
                                   Slice name);
  bool checkNames(const Arguments &arguments, Slice of,
                  std::initializer_list<const char *> known = {});
  bool takeString(const Arguments &arguments, size_t index, Slice name,
                  Slice &text);

  // Sequences: TemplateSequences.cpp.
  bool toSequence(const Value &value, TemplateList &list, bool &known);
  bool checkRead(const Value &value);
  bool applyToSequence(Slice name, const Value &object,
                       const Arguments &arguments, Value &value, bool &known);
  bool select(Slice name, const TemplateList &list, const Arguments &arguments,
              Value &value);
  bool map(const TemplateList &list, const Arguments &arguments, Value &value);

  // Text: TemplateText.cpp.
  bool strip(Slice text, const char *blanks, size_t blankCount, bool left,
             bool right, Value &value);
  bool split(Slice text, const Value &separator, int64_t most, Value &value);
  bool replace(Slice text, Slice from, Slice to, int64_t most, Value &value);
  bool join(const TemplateList &list, Slice separator, Value &value);
  bool changeCase(Slice text, Slice how, Value &value);
  bool slice(Slice text, int64_t begin, int64_t end, int64_t step,
             Value &value);
  bool toText(const Value &value, Slice &text);
  bool toJson(const Value &value, Buffer<char> &json, uint32_t depth);
  bool formatTime(Slice format, Value &value);
  bool keep(const Buffer<char> &text, Value &value);

  static Value *findIn(const TemplateDict &dict, Slice key);
  Value *find(Slice name);
  bool put(TemplateDict &dict, Slice key, const Value &value);
  bool putText(TemplateDict &dict, Slice key, Slice text);
  bool makeList(size_t count, Value &value);
  bool refuse(const char *format, ...) __attribute__((format(printf, 2, 3)));
  bool outOfMemory();

  const ChatVariables &variables;
  TemplateArena &arena;
  Buffer<char> *out; ///< where text goes: the prompt, or a {% set %}'s
  TemplateScope global;
  TemplateScope *scope = &global;
  attn_status result = ATTN_OK;
  uint32_t line = 0;  ///< for messages
  uint32_t depth = 0; ///< of values
  uint64_t steps = 0;
};

/// "a string", "a list"...: for messages.
const char *describe(TemplateValue::Kind kind);
/// Characters of UTF-8 text, and the bytes of the one at `at`.
int64_t countCharacters(Slice text);
size_t characterSize(Slice text, size_t at);

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_TEMPLATERENDERER_H
