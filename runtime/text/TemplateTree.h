//===- TemplateTree.h - a chat template as a tree ---------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the parser makes and the renderer walks. Names of filters, tests and
// methods are checked by the parser.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_TEMPLATETREE_H
#define ATTN_RUNTIME_TEXT_TEMPLATETREE_H

#include "TemplateArena.h"
#include "attn/attn.h"

namespace attnrt {

enum class NodeKind : uint8_t {
  // Statements, chained by `next`.
  Text,     ///< text
  Output,   ///< a: expression
  If,       ///< a: condition, b: body, c: else (statements)
  For,      ///< text: name, second: second name; a: list, b: body, c: else,
            ///< d: condition of an element
  Set,      ///< text: name; a: value; second: attribute, or empty
  SetBlock, ///< text: name; b: body
  Break,
  Continue,
  // Expressions.
  String,  ///< text
  Integer, ///< number
  True,
  False,
  None,
  Name,    ///< text
  List,    ///< a: elements, chained
  Dict,    ///< a: keys and values in turns, chained
  Member,  ///< a: object, text: name
  Element, ///< a: object, b: index
  Range,   ///< a: object, b c d: begin, end, step or NULL
  Call,    ///< text: function; a: arguments
  Method,  ///< a: object, text: name, b: arguments
  Filter,  ///< a: value, text: name, b: arguments
  Test,    ///< a: value, text: name, b: arguments
  Keyword, ///< in arguments: text = a
  Not,     ///< a
  Negate,  ///< a
  And,     ///< a, b
  Or,      ///< a, b
  Choice,  ///< a: value, b: condition, c: otherwise or NULL
  Compare, ///< text: == != < <= > >= in, "not in"; a, b
  Add,     ///< a, b; likewise below
  Subtract,
  Multiply,
  Divide, ///< rounded down
  Modulo,
  Concatenate
};

struct TemplateNode {
  NodeKind kind = NodeKind::None;
  uint32_t line = 0;
  int64_t number = 0;
  Slice text, second;
  TemplateNode *a = nullptr, *b = nullptr, *c = nullptr, *d = nullptr;
  TemplateNode *next = nullptr;
};

/// What a template may name; the lists are in TemplateNames.cpp.
bool isKnownFilter(Slice name);
bool isKnownTest(Slice name);
bool isKnownMethod(Slice name);
bool isKnownFunction(Slice name);

/// Reads a template into `root` (NULL for an empty one), in `arena`.
attn_status parseTemplate(const char *text, size_t size, TemplateArena &arena,
                          TemplateNode *&root);

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_TEMPLATETREE_H
