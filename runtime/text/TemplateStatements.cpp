//===- TemplateStatements.cpp - statements become a tree ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bodies go on to a block that ends them; messages say what was expected there.
//
//===----------------------------------------------------------------------===//
#include "Errors.h"
#include "TemplateParser.h"

namespace attnrt {

static const char *describe(TokenKind kind) {
  switch (kind) {
  case TokenKind::Text:
    return "text";
  case TokenKind::OutputBegin:
    return "'{{'";
  case TokenKind::OutputEnd:
    return "'}}'";
  case TokenKind::BlockBegin:
    return "'{%'";
  case TokenKind::BlockEnd:
    return "'%}'";
  default:
    return "the end";
  }
}

TemplateNode *TemplateParser::unexpected(const char *expected) {
  if (status != ATTN_OK)
    return nullptr;
  if (token.kind == TokenKind::Bad) {
    status = lexer.problem()
                 ? fail(ATTN_ERROR_WEIGHTS, "chat template, line %u: %s",
                        token.line, lexer.problem())
                 : ATTN_ERROR_OUT_OF_MEMORY;
    return nullptr;
  }
  bool isWord = token.kind == TokenKind::Name ||
                token.kind == TokenKind::Operator ||
                token.kind == TokenKind::Integer;
  status = isWord ? fail(ATTN_ERROR_WEIGHTS,
                         "chat template, line %u: '%.*s' where %s was expected",
                         token.line, static_cast<int>(token.text.size),
                         token.text.text, expected)
                  : fail(ATTN_ERROR_WEIGHTS,
                         "chat template, line %u: %s where %s was expected",
                         token.line,
                         token.kind == TokenKind::String ? "a string"
                                                         : describe(token.kind),
                         expected);
  return nullptr;
}

TemplateNode *TemplateParser::refuse(attn_status code, const char *what,
                                     Slice name, const char *hint) {
  if (status == ATTN_OK)
    status = fail(code, "chat template, line %u: %s '%.*s' %s", token.line,
                  what, static_cast<int>(name.size), name.text, hint);
  return nullptr;
}

TemplateNode *TemplateParser::make(NodeKind kind, Node *a, Node *b) {
  Node *node = status == ATTN_OK ? arena.make<Node>() : nullptr;
  if (!node)
    return outOfMemory();
  node->kind = kind;
  node->line = token.line;
  node->a = a;
  node->b = b;
  return node;
}

/// The template's text goes away; what nodes name stays.
Slice TemplateParser::copy(Slice text) {
  char *place = arena.copy(text.text, text.size);
  if (!place)
    outOfMemory();
  return {place, place ? text.size : 0};
}

bool TemplateParser::expectOperator(const char *word) {
  if (skipOperator(word))
    return true;
  char expected[8] = {'\'', word[0], '\'', 0};
  unexpected(expected);
  return false;
}

bool TemplateParser::expectBlockEnd() {
  if (token.kind != TokenKind::BlockEnd) {
    unexpected("'%}'");
    return false;
  }
  advance();
  return true;
}

bool TemplateParser::takeName(Slice &name, const char *what) {
  if (token.kind != TokenKind::Name) {
    unexpected(what);
    return false;
  }
  name = copy(token.text);
  advance();
  return status == ATTN_OK;
}

//===----------------------------------------------------------------------===//
// Bodies and blocks
//===----------------------------------------------------------------------===//

attn_status TemplateParser::run(TemplateNode *&root) {
  static const char *const none[] = {nullptr};
  root = parseBody(none);
  if (status == ATTN_OK && token.kind != TokenKind::End)
    unexpected("a statement");
  if (status != ATTN_OK)
    root = nullptr;
  return status;
}

/// Statements up to a block that begins with one of `ends`; stands behind its
/// '{%' then. NULL for an empty body too.
TemplateNode *TemplateParser::parseBody(Ends ends) {
  Level level(depth);
  if (depth > kMaxDepth)
    return refuse(ATTN_ERROR_UNAVAILABLE, "the template", "",
                  "nests deeper than 64 levels");
  Node *first = nullptr, **last = &first;
  while (status == ATTN_OK) {
    Node *node = nullptr;
    if (token.kind == TokenKind::Text) {
      node = make(NodeKind::Text);
      if (node)
        node->text = copy(token.text);
      advance();
    } else if (token.kind == TokenKind::OutputBegin) {
      node = parseOutput();
    } else if (token.kind == TokenKind::BlockBegin) {
      advance();
      for (Ends name = ends; *name; ++name)
        if (isName(*name))
          return first;
      node = parseStatement();
    } else if (token.kind == TokenKind::End && !*ends) {
      return first;
    } else {
      return unexpected(*ends ? *ends : "text or a tag");
    }
    if (!node)
      continue; // failed, or an empty body
    *last = node;
    while (*last)
      last = &(*last)->next;
  }
  return nullptr;
}

TemplateNode *TemplateParser::parseOutput() {
  advance();
  Node *node = make(NodeKind::Output, parseExpression());
  if (status == ATTN_OK && token.kind != TokenKind::OutputEnd)
    return unexpected("'}}'");
  advance();
  return node;
}

/// Behind '{%'.
TemplateNode *TemplateParser::parseStatement() {
  if (skipName("if"))
    return parseIf();
  if (skipName("for"))
    return parseFor();
  if (skipName("set"))
    return parseSet();
  if (skipName("generation"))
    return parseGeneration();
  if (loops && (isName("break") || isName("continue"))) {
    Node *node = make(isName("break") ? NodeKind::Break : NodeKind::Continue);
    advance();
    return expectBlockEnd() ? node : nullptr;
  }
  if (token.kind != TokenKind::Name)
    return unexpected("a statement");
  static const char *const misplaced[] = {
      "else", "elif", "endif", "endfor", "endset", "break", "continue"};
  for (const char *name : misplaced)
    if (isName(name))
      return unexpected("a statement that may stand here");
  return refuse(ATTN_ERROR_UNAVAILABLE, "the statement", token.text,
                "is not known; known are if, for, set, break, continue, "
                "generation");
}

/// At the name that ends a body: passes it; `node` unless something failed.
TemplateNode *TemplateParser::closeBlock(Node *node) {
  if (status != ATTN_OK)
    return nullptr;
  advance();
  return expectBlockEnd() ? node : nullptr;
}

/// Behind 'if' or 'elif'.
TemplateNode *TemplateParser::parseIf() {
  static const char *const ends[] = {"elif", "else", "endif", nullptr};
  static const char *const last[] = {"endif", nullptr};
  Level level(depth);
  Node *node = make(NodeKind::If, parseExpression());
  if (!node || !expectBlockEnd())
    return nullptr;
  node->b = parseBody(ends);
  if (skipName("elif")) {
    node->c = parseIf();
    return status == ATTN_OK ? node : nullptr;
  }
  if (skipName("else")) {
    if (!expectBlockEnd())
      return nullptr;
    node->c = parseBody(last);
  }
  return closeBlock(node);
}

TemplateNode *TemplateParser::parseFor() {
  static const char *const ends[] = {"else", "endfor", nullptr};
  static const char *const last[] = {"endfor", nullptr};
  Node *node = make(NodeKind::For);
  if (!node || !takeName(node->text, "a variable's name"))
    return nullptr;
  if (skipOperator(",") && !takeName(node->second, "a variable's name"))
    return nullptr;
  if (!skipName("in"))
    return unexpected("'in'");
  node->a = parseOr(); // no choice: its 'if' would be the loop's
  if (skipName("if"))
    node->d = parseExpression();
  if (isName("recursive"))
    return refuse(ATTN_ERROR_UNAVAILABLE, "the loop", "recursive",
                  "is not known");
  if (!expectBlockEnd())
    return nullptr;
  ++loops;
  node->b = parseBody(ends);
  --loops;
  if (skipName("else")) {
    if (!expectBlockEnd())
      return nullptr;
    node->c = parseBody(last);
  }
  return closeBlock(node);
}

TemplateNode *TemplateParser::parseSet() {
  static const char *const ends[] = {"endset", nullptr};
  Node *node = make(NodeKind::Set);
  if (!node || !takeName(node->text, "a variable's name"))
    return nullptr;
  if (skipOperator(".") && !takeName(node->second, "an attribute's name"))
    return nullptr;
  if (skipOperator("=")) {
    node->a = parseExpression();
    return status == ATTN_OK && expectBlockEnd() ? node : nullptr;
  }
  if (!node->second.empty())
    return unexpected("'='");
  node->kind = NodeKind::SetBlock;
  if (!expectBlockEnd())
    return nullptr;
  node->b = parseBody(ends);
  return closeBlock(node);
}

/// Marks what an assistant says, for training; here it is what it holds.
TemplateNode *TemplateParser::parseGeneration() {
  static const char *const ends[] = {"endgeneration", nullptr};
  if (!expectBlockEnd())
    return nullptr;
  Node *body = parseBody(ends);
  return closeBlock(body);
}

attn_status parseTemplate(const char *text, size_t size, TemplateArena &arena,
                          TemplateNode *&root) {
  return TemplateParser(text, size, arena).run(root);
}

} // namespace attnrt
