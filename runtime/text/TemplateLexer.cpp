//===- TemplateLexer.cpp - the words of a chat template -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// White space, as Jinja has it with trim_blocks and lstrip_blocks: the newline
// behind a block or comment goes; so do the blanks before one that is first in
// its line; a minus takes all white space on its side, a plus keeps it.
//
//===----------------------------------------------------------------------===//
#include "TemplateLexer.h"

namespace attnrt {

static bool isBlank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' ||
         c == '\v';
}
static bool isDigit(char c) { return c >= '0' && c <= '9'; }
static bool isWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         isDigit(c);
}

TemplateLexer::TemplateLexer(const char *text, size_t size,
                             TemplateArena &arena)
    : arena(arena), at(text), end(text + size) {
  // The file's last newline is not part of the prompt.
  if (at != end && end[-1] == '\n')
    --end;
}

TemplateToken TemplateLexer::make(TokenKind kind, Slice text) {
  TemplateToken token;
  token.kind = kind;
  token.line = line;
  token.text = text;
  return token;
}

TemplateToken TemplateLexer::bad(const char *why) {
  message = why;
  at = end;
  tag = nullptr;
  return make(TokenKind::Bad);
}

void TemplateLexer::pass(size_t bytes) {
  for (; bytes; --bytes, ++at)
    line += *at == '\n';
}

/// Behind a tag: passes all white space, or one newline.
void TemplateLexer::strip(bool all, bool newline) {
  const char *begin = at;
  if (all)
    while (at != end && isBlank(*at))
      pass(1);
  else if (newline && at != end && *at == '\n')
    pass(1);
  lineStarts = at != begin && at[-1] == '\n';
}

/// Behind `{#`.
bool TemplateLexer::skipComment() {
  while (at != end && !startsWith("#}"))
    pass(1);
  if (at == end)
    return false;
  bool takesAll = at[-1] == '-', keeps = at[-1] == '+';
  pass(2);
  strip(takesAll, !keeps);
  return true;
}

TemplateToken TemplateLexer::nextText() {
  const char *begin = at;
  while (at != end && !(*at == '{' && (startsWith("{{") || startsWith("{%") ||
                                       startsWith("{#"))))
    pass(1);
  Slice text(begin, at - begin);
  if (at == end)
    return text.empty() ? make(TokenKind::End) : make(TokenKind::Text, text);
  bool isOutput = at[1] == '{';
  char sign = end - at > 2 ? at[2] : '\0';
  if (sign == '-') {
    while (text.size && isBlank(text.text[text.size - 1]))
      --text.size;
  } else if (sign != '+' && !isOutput) {
    size_t blanks = text.size;
    while (blanks && text.text[blanks - 1] != '\n' &&
           isBlank(text.text[blanks - 1]))
      --blanks;
    if (blanks ? text.text[blanks - 1] == '\n' : lineStarts)
      text.size = blanks;
  }
  // The tag itself comes with the next call, if there is text before it.
  if (!text.empty()) {
    TemplateToken token = make(TokenKind::Text, text);
    lineStarts = false;
    return token;
  }
  char kind = at[1];
  pass(sign == '-' || sign == '+' ? 3 : 2);
  lineStarts = false;
  if (kind == '#')
    return skipComment() ? nextText() : bad("a comment without its end '#}'");
  tag = isOutput ? "}}" : "%}";
  depth = 0;
  return make(isOutput ? TokenKind::OutputBegin : TokenKind::BlockBegin);
}

/// Takes the end of the tag we are in, if it stands here.
bool TemplateLexer::endTag(TemplateToken &token) {
  bool isOutput = tag[0] == '}';
  bool hasSign = at != end && (*at == '-' || (*at == '+' && !isOutput));
  char sign = hasSign ? *at : '\0';
  const char *close = at + hasSign;
  if (depth || end - close < 2 || memcmp(close, tag, 2) != 0)
    return false;
  token = make(isOutput ? TokenKind::OutputEnd : TokenKind::BlockEnd);
  pass(hasSign + 2);
  tag = nullptr;
  strip(sign == '-', !isOutput && sign != '+');
  return true;
}

TemplateToken TemplateLexer::readString() {
  char quote = *at;
  const char *begin = at + 1, *stop = begin;
  bool hasEscapes = false;
  for (; stop != end && *stop != quote; ++stop)
    if (*stop == '\\') {
      hasEscapes = true;
      if (++stop == end)
        break;
    }
  if (stop == end)
    return bad("a string without its closing quote");
  TemplateToken token = make(TokenKind::String, {begin, size_t(stop - begin)});
  pass(stop + 1 - at);
  if (!hasEscapes)
    return token;
  char *decoded = static_cast<char *>(arena.allocate(token.text.size));
  if (!decoded)
    return bad(nullptr);
  size_t size = 0;
  for (const char *from = begin; from != stop; ++from) {
    char c = *from;
    if (c == '\\') {
      switch (c = *++from) {
      case 'n':
        c = '\n';
        break;
      case 't':
        c = '\t';
        break;
      case 'r':
        c = '\r';
        break;
      case '\\':
      case '\'':
      case '"':
        break;
      default:
        return bad("an escape in a string that is none of \\n \\t \\r \\\\ "
                   "\\' \\\"");
      }
    }
    decoded[size++] = c;
  }
  token.text = {decoded, size};
  return token;
}

TemplateToken TemplateLexer::readInteger() {
  TemplateToken token = make(TokenKind::Integer);
  const char *begin = at;
  while (at != end && isDigit(*at)) {
    int64_t digit = *at++ - '0';
    if (__builtin_mul_overflow(token.number, 10, &token.number) ||
        __builtin_add_overflow(token.number, digit, &token.number))
      return bad("a number beyond 2^63");
  }
  if (at != end &&
      (isWord(*at) || (*at == '.' && end - at > 1 && isDigit(at[1]))))
    return bad("a number that is no integer");
  token.text = {begin, size_t(at - begin)};
  return token;
}

TemplateToken TemplateLexer::nextWord() {
  while (at != end && isBlank(*at))
    pass(1);
  TemplateToken token;
  if (endTag(token))
    return token;
  if (at == end)
    return bad("a tag without its end");
  if (*at == '\'' || *at == '"')
    return readString();
  if (isDigit(*at))
    return readInteger();
  if (isWord(*at)) {
    const char *begin = at;
    while (at != end && isWord(*at))
      ++at;
    return make(TokenKind::Name, {begin, size_t(at - begin)});
  }
  static const char *const operators[] = {
      "==", "!=", "<=", ">=", "//", "<", ">", "=", "+", "-", "*", "/",
      "%",  "~",  "|",  "(",  ")",  "[", "]", "{", "}", ",", ":", "."};
  for (const char *word : operators)
    if (startsWith(word)) {
      token = make(TokenKind::Operator, {at, strlen(word)});
      at += strlen(word);
      depth += strchr("([{", word[0]) != nullptr;
      // One too many is the parser's to report.
      depth -= depth && strchr(")]}", word[0]) != nullptr;
      return token;
    }
  return bad("a character that no expression has");
}

TemplateToken TemplateLexer::next() { return tag ? nextWord() : nextText(); }

} // namespace attnrt
