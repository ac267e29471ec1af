//===- TemplateParser.h - a chat template becomes a tree -*- C++ -* -------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Recursive descent over Jinja's grammar, one token ahead. Whatever the tree
// cannot say is refused here, so that rendering meets nothing unknown.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_TEMPLATEPARSER_H
#define ATTN_RUNTIME_TEXT_TEMPLATEPARSER_H

#include "TemplateLexer.h"

namespace attnrt {

/// Deepest nesting of statements and expressions.
constexpr uint32_t kMaxDepth = 64;

class TemplateParser {
public:
  TemplateParser(const char *text, size_t size, TemplateArena &arena)
      : arena(arena), lexer(text, size, arena) {
    advance();
  }
  attn_status run(TemplateNode *&root);

private:
  using Node = TemplateNode;
  /// Ends of the bodies that are open: "endif", "else"...
  using Ends = const char *const *;

  // Every function that makes nodes returns NULL once something failed.
  Node *parseBody(Ends ends);
  Node *parseStatement();
  Node *parseIf();
  Node *parseFor();
  Node *parseSet();
  Node *parseGeneration();
  Node *closeBlock(Node *node);
  Node *parseOutput();
  Node *parseExpression();
  Node *parseOr();
  Node *parseAnd();
  Node *parseNot();
  Node *parseComparison();
  Node *parseSum();
  Node *parseConcatenation();
  Node *parseProduct();
  Node *parseSign(bool takesFilters = true);
  Node *parsePostfix(Node *value);
  Node *parsePrimary();
  Node *parseName();
  Node *parseSequence(const char *close, NodeKind kind);
  Node *parseSubscript(Node *object);
  Node *parseMember(Node *object);
  Node *parseFilter(Node *value);
  Node *parseTest(Node *value);
  Node *parseArguments();

  Node *make(NodeKind kind, Node *a = nullptr, Node *b = nullptr);
  void advance() { token = lexer.next(); }
  bool isOperator(const char *word) const {
    return token.is(TokenKind::Operator, word);
  }
  bool isName(const char *word) const {
    return token.is(TokenKind::Name, word);
  }
  bool skipOperator(const char *word) {
    bool found = isOperator(word);
    if (found)
      advance();
    return found;
  }
  bool skipName(const char *word) {
    bool found = isName(word);
    if (found)
      advance();
    return found;
  }
  bool expectOperator(const char *word);
  bool expectBlockEnd();
  bool takeName(Slice &name, const char *what);
  Slice copy(Slice text);
  Node *unexpected(const char *expected);
  Node *refuse(attn_status code, const char *what, Slice name,
               const char *hint);
  Node *outOfMemory() {
    status = status == ATTN_OK ? ATTN_ERROR_OUT_OF_MEMORY : status;
    return nullptr;
  }

  TemplateArena &arena;
  TemplateLexer lexer;
  TemplateToken token;
  attn_status status = ATTN_OK;
  uint32_t depth = 0;
  uint32_t loops = 0;

  /// Counts nesting for as long as it lives.
  struct Level {
    explicit Level(uint32_t &depth) : depth(++depth) {}
    ~Level() { --depth; }
    uint32_t &depth;
  };
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_TEMPLATEPARSER_H
