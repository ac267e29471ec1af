//===- TemplateFaultTest.cpp - parts of templates that fail ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each form of expression and statement with a part that raises an exception,
// with a part that is no expression, and with memory that runs out: the arena
// is filled byte by byte in front of it, so that its next block is due at each
// place once.
//
//===----------------------------------------------------------------------===//
#include "OpenedTokenizer.h"
#include "text/ChatTemplate.h"

#include <gtest/gtest.h>

using namespace attnrt;

namespace {

// X stands for the part.
const char *const forms[] = {
    "{{ X.a }}",
    "{{ X['a'] }}",
    "{{ {'a': 1}[X] }}",
    "{{ 'abc'[X:] }}",
    "{{ 'abc'[:X] }}",
    "{{ 'abc'[::X] }}",
    "{{ [X][1:2] }}",
    "{{ [1, X] | join(',') }}",
    "{{ {'k' ~ X: 1} | tojson }}",
    "{{ {'a': X} | tojson }}",
    "{{ X in ['a'] }}",
    "{{ 'a' in [X] }}",
    "{{ X ~ 'a' }}",
    "{{ 'a' ~ X }}",
    "{{ X + 1 }}",
    "{{ 1 + X }}",
    "{{ [X] + [1] | length }}",
    "{{ X * 2 }}",
    "{{ 2 // X }}",
    "{{ 2 % X }}",
    "{{ X < 1 }}",
    "{{ 1 < X }}",
    "{{ 1 == X }}",
    "{{ not X }}",
    "{{ -X }}",
    "{{ 1 if X else 2 }}",
    "{{ X if 1 else 2 }}",
    "{{ 1 if 0 else X }}",
    "{{ X and 1 }}",
    "{{ 1 and X }}",
    "{{ 0 or X }}",
    "{{ range(X) | length }}",
    "{{ range(1, X) | length }}",
    "{{ namespace(a=X).a }}",
    "{{ 'a'.replace('a', 'b' ~ X) }}",
    "{{ ('a' ~ X).strip() }}",
    "{{ 'a,b'.split(',', X) | join('|') }}",
    "{{ 'a' | replace('a' ~ X, 'b') }}",
    "{{ 'a' ~ X | upper }}",
    "{{ ('a' ~ X) | title }}",
    "{{ X is none }}",
    "{{ 1 is equalto(X) }}",
    "{{ {'a': 1}.get('a' ~ X) }}",
    "{{ {'a': X}.items() | list | length }}",
    "{{ {'a': X}.keys() | list | join }}",
    "{{ {'a': X}.values() | list | join }}",
    "{{ ['a' ~ X, 'b'] | join('-') }}",
    "{{ x | default(X) }}",
    "{{ [X, 'a\"b', none] | tojson }}",
    "{% for i in [X] %}{{ i }}{% endfor %}",
    "{% for i in [1] if X %}{{ loop.index }}{% endfor %}",
    "{% for i in [1] %}{{ X }}{% else %}{{ X }}{% endfor %}",
    "{% for a, b in [[1, X]] %}{{ a }}{{ b }}{% endfor %}",
    "{% set a = X %}{{ a }}",
    "{% set a %}{{ X }}{% endset %}{{ a }}",
    "{% if X %}a{% elif X %}b{% endif %}",
    "{% set ns = namespace() %}{% set ns.a = X %}{{ ns.a }}",
    "{{ strftime_now('%Y' ~ X) }}",
    "{% generation %}{{ X }}{% endgeneration %}",
};

std::string with(const std::string &form, const std::string &part) {
  std::string text = form;
  for (size_t at = 0; (at = text.find('X', at)) != std::string::npos;
       at += part.size())
    text.replace(at, 1, part);
  return text;
}

attn_status render(const std::string &source, const attn_allocator *allocator,
                   std::string &text) {
  Memory memory(allocator, 0);
  ChatTemplate chat(memory);
  attn_status status = chat.open(source.data(), source.size());
  if (status != ATTN_OK)
    return status;
  const ChatMessage messages[] = {{"user", "hello"}};
  ChatVariables variables;
  variables.bosToken = "<s>";
  TemplateArena scratch(memory, "the chat template");
  Buffer<char> out(memory, "the prompt");
  status = chat.render(messages, 1, variables, scratch, out);
  text.assign(out.begin(), out.end());
  return status;
}

TEST(TemplateFaults, APartThatRaises) {
  for (const char *form : forms) {
    std::string text;
    std::string source = with(form, "raise_exception('stopped here')");
    EXPECT_EQ(render(source, nullptr, text), ATTN_ERROR_INVALID_ARGUMENT)
        << source;
    EXPECT_NE(std::string(lastError()).find("stopped here"), std::string::npos)
        << source << ": " << lastError();
    EXPECT_EQ(text, "");
  }
}

TEST(TemplateFaults, APartThatIsNoExpression) {
  for (const char *form : forms)
    for (const char *part : {"%%", "'a", "a b c", "(1", "[1", "{1", "1.5", "f(",
                             "x |", "x is", "x.", "}}", "%}"}) {
      std::string text, source = with(form, part);
      attn_status status = render(source, nullptr, text);
      EXPECT_TRUE(status == ATTN_ERROR_WEIGHTS ||
                  status == ATTN_ERROR_UNAVAILABLE ||
                  status == ATTN_ERROR_INVALID_ARGUMENT || status == ATTN_OK)
          << source;
      if (status != ATTN_OK)
        EXPECT_GT(strlen(lastError()), 20u) << source;
    }
}

TEST(TemplateFaults, TemplatesThatEndAnywhere) {
  for (const char *form : forms) {
    std::string source = with(form, "1"), text;
    for (size_t size = 0; size < source.size(); ++size)
      // Most are no templates; none may be read beyond its end.
      render(std::string(source.data(), size), nullptr, text);
  }
}

TEST(TemplateFaults, MemoryThatRunsOut) {
  constexpr int chunk = 4096; // of TemplateArena
  int failures = 0;
  for (const char *form : forms) {
    std::string source = with(form, "1");
    for (int length = chunk - 700; length < chunk; length += 32) {
      std::string filled =
          "{% set pad = '" + std::string(length, 'x') + "' ~ '' %}" + source;
      for (int blocks = 0;; ++blocks) {
        ASSERT_LT(blocks, 100);
        Stingy stingy(blocks);
        std::string text;
        attn_status status = render(filled, &stingy.allocator, text);
        if (status != ATTN_ERROR_OUT_OF_MEMORY)
          break;
        EXPECT_EQ(text, "");
        ++failures;
      }
    }
  }
  EXPECT_GT(failures, 1000);
}

} // namespace
