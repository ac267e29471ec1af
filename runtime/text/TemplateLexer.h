//===- TemplateLexer.h - the words of a chat template -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Cuts a template into text and, within its tags, words. Text comes with white
// space taken off as the tags around it ask for.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_TEMPLATELEXER_H
#define ATTN_RUNTIME_TEXT_TEMPLATELEXER_H

#include "TemplateTree.h"

namespace attnrt {

enum class TokenKind : uint8_t {
  Text,        ///< between tags
  OutputBegin, ///< {{
  OutputEnd,   ///< }}
  BlockBegin,  ///< {%
  BlockEnd,    ///< %}
  Name,
  String, ///< decoded
  Integer,
  Operator,
  End,
  Bad ///< `problem` says why
};

struct TemplateToken {
  TokenKind kind = TokenKind::End;
  uint32_t line = 1;
  Slice text;
  int64_t number = 0;

  bool is(TokenKind wanted, Slice word) const {
    return kind == wanted && text == word;
  }
};

class TemplateLexer {
public:
  /// `arena` takes the strings with escapes.
  TemplateLexer(const char *text, size_t size, TemplateArena &arena);
  TemplateToken next();
  const char *problem() const { return message; }

private:
  TemplateToken make(TokenKind kind, Slice text = {});
  TemplateToken bad(const char *why);
  TemplateToken nextText();
  TemplateToken nextWord();
  TemplateToken readString();
  TemplateToken readInteger();
  bool endTag(TemplateToken &token);
  void strip(bool all, bool newline);
  bool skipComment();
  void pass(size_t bytes);
  bool startsWith(const char *word) const {
    size_t length = strlen(word);
    return static_cast<size_t>(end - at) >= length && !memcmp(at, word, length);
  }

  TemplateArena &arena;
  const char *at, *end;
  uint32_t line = 1;
  const char *message = nullptr;
  const char *tag = nullptr; ///< how the tag we are in ends: "}}", "%}"
  uint32_t depth = 0;        ///< of brackets in it
  bool lineStarts = true;    ///< the last tag took the end of its line along
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_TEMPLATELEXER_H
