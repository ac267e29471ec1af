//===- TemplateParser.cpp - expressions become a tree ---------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From weakest to strongest: choice, or, and, not, comparison, sum, ~, product,
// sign, and what follows a value (members, calls, filters, tests).
//
//===----------------------------------------------------------------------===//
#include "TemplateParser.h"

namespace attnrt {

TemplateNode *TemplateParser::parseExpression() {
  Level level(depth);
  if (depth > kMaxDepth)
    return refuse(ATTN_ERROR_UNAVAILABLE, "the template", "",
                  "nests deeper than 64 levels");
  Node *value = parseOr();
  while (status == ATTN_OK && skipName("if")) {
    value = make(NodeKind::Choice, value, parseOr());
    if (value && skipName("else"))
      value->c = parseExpression();
  }
  return value;
}

TemplateNode *TemplateParser::parseOr() {
  Node *left = parseAnd();
  while (status == ATTN_OK && skipName("or"))
    left = make(NodeKind::Or, left, parseAnd());
  return left;
}

TemplateNode *TemplateParser::parseAnd() {
  Node *left = parseNot();
  while (status == ATTN_OK && skipName("and"))
    left = make(NodeKind::And, left, parseNot());
  return left;
}

TemplateNode *TemplateParser::parseNot() {
  Level level(depth);
  if (depth > kMaxDepth)
    return refuse(ATTN_ERROR_UNAVAILABLE, "the template", "",
                  "nests deeper than 64 levels");
  return skipName("not") ? make(NodeKind::Not, parseNot()) : parseComparison();
}

/// a < b < c is a < b and b < c.
TemplateNode *TemplateParser::parseComparison() {
  static const char *const words[] = {"==", "!=", "<=", ">=", "<", ">"};
  Node *left = parseSum(), *all = nullptr;
  while (status == ATTN_OK) {
    const char *found = nullptr;
    for (const char *word : words)
      if (!found && skipOperator(word))
        found = word;
    if (!found && skipName("in"))
      found = "in";
    // 'not' behind a value can only be 'not in'.
    if (!found && isName("not")) {
      advance();
      if (!skipName("in"))
        return unexpected("'in'");
      found = "not in";
    }
    if (!found)
      break;
    Node *right = parseSum();
    Node *comparison = make(NodeKind::Compare, left, right);
    if (!comparison)
      return nullptr;
    comparison->text = found;
    all = all ? make(NodeKind::And, all, comparison) : comparison;
    left = right;
  }
  return all ? all : left;
}

TemplateNode *TemplateParser::parseSum() {
  Node *left = parseConcatenation();
  while (status == ATTN_OK && (isOperator("+") || isOperator("-"))) {
    NodeKind kind = isOperator("+") ? NodeKind::Add : NodeKind::Subtract;
    advance();
    left = make(kind, left, parseConcatenation());
  }
  return left;
}

TemplateNode *TemplateParser::parseConcatenation() {
  Node *left = parseProduct();
  while (status == ATTN_OK && skipOperator("~"))
    left = make(NodeKind::Concatenate, left, parseProduct());
  return left;
}

TemplateNode *TemplateParser::parseProduct() {
  Node *left = parseSign();
  while (status == ATTN_OK) {
    NodeKind kind = NodeKind::Multiply;
    if (isOperator("//"))
      kind = NodeKind::Divide;
    else if (isOperator("%"))
      kind = NodeKind::Modulo;
    else if (isOperator("/"))
      return refuse(ATTN_ERROR_UNAVAILABLE, "the operator", "/",
                    "is not known: it makes numbers that are no integers");
    else if (!isOperator("*"))
      break;
    advance();
    left = make(kind, left, parseSign());
  }
  return left;
}

/// As in Jinja, filters and tests behind a sign are those of the signed value.
TemplateNode *TemplateParser::parseSign(bool takesFilters) {
  Level level(depth);
  if (depth > kMaxDepth)
    return refuse(ATTN_ERROR_UNAVAILABLE, "the template", "",
                  "nests deeper than 64 levels");
  Node *value;
  if (skipOperator("-"))
    value = make(NodeKind::Negate, parseSign(false));
  else if (skipOperator("+"))
    value = parseSign(false);
  else
    value = parsePrimary();
  value = parsePostfix(value);
  while (status == ATTN_OK && takesFilters) {
    if (skipOperator("|"))
      value = parseFilter(value);
    else if (skipName("is"))
      value = parseTest(value);
    else
      break;
    value = parsePostfix(value);
  }
  return value;
}

/// Members and elements of a value.
TemplateNode *TemplateParser::parsePostfix(Node *value) {
  while (status == ATTN_OK) {
    if (skipOperator("."))
      value = parseMember(value);
    else if (skipOperator("["))
      value = parseSubscript(value);
    else
      break;
  }
  return value;
}

TemplateNode *TemplateParser::parsePrimary() {
  if (token.kind == TokenKind::Name)
    return parseName();
  if (token.kind == TokenKind::Integer) {
    Node *node = make(NodeKind::Integer);
    if (node)
      node->number = token.number;
    advance();
    return node;
  }
  if (token.kind == TokenKind::String) {
    Node *node = make(NodeKind::String);
    if (node)
      node->text = copy(token.text);
    advance();
    // Strings that stand side by side are one.
    while (node && status == ATTN_OK && token.kind == TokenKind::String) {
      Node *more = parsePrimary();
      node = make(NodeKind::Concatenate, node, more);
    }
    return node;
  }
  if (skipOperator("(")) {
    Node *inner = parseExpression();
    if (isOperator(","))
      return refuse(ATTN_ERROR_UNAVAILABLE, "the tuple", "( , )",
                    "is not known; a list [ , ] is");
    return status == ATTN_OK && expectOperator(")") ? inner : nullptr;
  }
  if (skipOperator("["))
    return parseSequence("]", NodeKind::List);
  if (skipOperator("{"))
    return parseSequence("}", NodeKind::Dict);
  return unexpected("a value");
}

TemplateNode *TemplateParser::parseName() {
  static const struct {
    const char *name;
    NodeKind kind;
  } constants[] = {{"true", NodeKind::True},   {"True", NodeKind::True},
                   {"false", NodeKind::False}, {"False", NodeKind::False},
                   {"none", NodeKind::None},   {"None", NodeKind::None}};
  for (const auto &constant : constants)
    if (skipName(constant.name))
      return make(constant.kind);
  Node *node = make(NodeKind::Name);
  if (!node || !takeName(node->text, "a name"))
    return nullptr;
  if (!isOperator("("))
    return node;
  if (!isKnownFunction(node->text))
    return refuse(ATTN_ERROR_UNAVAILABLE, "the function", node->text,
                  "is not known; known are raise_exception, strftime_now, "
                  "range, namespace");
  node->kind = NodeKind::Call;
  advance();
  node->a = parseArguments();
  return status == ATTN_OK ? node : nullptr;
}

/// Elements, or keys and values, up to `close`.
TemplateNode *TemplateParser::parseSequence(const char *close, NodeKind kind) {
  Node *node = make(kind);
  Node **last = node ? &node->a : nullptr;
  while (status == ATTN_OK && !isOperator(close)) {
    Node *element = parseExpression();
    if (!element)
      return nullptr;
    *last = element;
    last = &element->next;
    if (kind == NodeKind::Dict) {
      if (!expectOperator(":"))
        return nullptr;
      Node *value = parseExpression();
      if (!value)
        return nullptr;
      *last = value;
      last = &value->next;
    }
    if (!skipOperator(","))
      break;
  }
  return status == ATTN_OK && expectOperator(close) ? node : nullptr;
}

/// Behind '['.
TemplateNode *TemplateParser::parseSubscript(Node *object) {
  Node *node = make(NodeKind::Element, object);
  if (!node)
    return nullptr;
  if (!isOperator(":"))
    node->b = parseExpression();
  if (status == ATTN_OK && skipOperator(":")) {
    node->kind = NodeKind::Range;
    if (!isOperator(":") && !isOperator("]"))
      node->c = parseExpression();
    if (status == ATTN_OK && skipOperator(":") && !isOperator("]"))
      node->d = parseExpression();
  }
  return status == ATTN_OK && expectOperator("]") ? node : nullptr;
}

/// Behind '.'.
TemplateNode *TemplateParser::parseMember(Node *object) {
  Node *node = make(NodeKind::Member, object);
  if (!node || !takeName(node->text, "a member's name"))
    return nullptr;
  if (!isOperator("("))
    return node;
  if (!isKnownMethod(node->text))
    return refuse(ATTN_ERROR_UNAVAILABLE, "the method", node->text,
                  "is not known; ChatTemplate.h lists those that are");
  node->kind = NodeKind::Method;
  advance();
  node->b = parseArguments();
  return status == ATTN_OK ? node : nullptr;
}

/// Behind '|'.
TemplateNode *TemplateParser::parseFilter(Node *value) {
  Node *node = make(NodeKind::Filter, value);
  if (!node || !takeName(node->text, "a filter's name"))
    return nullptr;
  if (!isKnownFilter(node->text))
    return refuse(ATTN_ERROR_UNAVAILABLE, "the filter", node->text,
                  "is not known; ChatTemplate.h lists those that are");
  if (skipOperator("("))
    node->b = parseArguments();
  return status == ATTN_OK ? node : nullptr;
}

/// Behind 'is'.
TemplateNode *TemplateParser::parseTest(Node *value) {
  bool isNegated = skipName("not");
  Node *node = make(NodeKind::Test, value);
  if (!node || !takeName(node->text, "a test's name"))
    return nullptr;
  if (!isKnownTest(node->text))
    return refuse(ATTN_ERROR_UNAVAILABLE, "the test", node->text,
                  "is not known; ChatTemplate.h lists those that are");
  if (skipOperator("("))
    node->b = parseArguments();
  else if (node->text == "equalto" || node->text == "eq" ||
           node->text == "ne" || node->text == "in")
    node->b = parsePostfix(parsePrimary());
  if (status != ATTN_OK)
    return nullptr;
  return isNegated ? make(NodeKind::Not, node) : node;
}

/// Behind '('; chained.
TemplateNode *TemplateParser::parseArguments() {
  Node *first = nullptr, **last = &first;
  while (status == ATTN_OK && !isOperator(")")) {
    Node *argument = parseExpression();
    if (argument && argument->kind == NodeKind::Name && skipOperator("=")) {
      argument->kind = NodeKind::Keyword;
      argument->a = parseExpression();
    }
    if (status != ATTN_OK)
      return nullptr;
    *last = argument;
    last = &argument->next;
    if (!skipOperator(","))
      break;
  }
  return status == ATTN_OK && expectOperator(")") ? first : nullptr;
}

} // namespace attnrt
