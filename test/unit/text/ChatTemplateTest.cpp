//===- ChatTemplateTest.cpp - prompts as Jinja makes them -----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every line of test/data/text/golden-chat.tsv, then what is refused, and
// memory that runs out at every allocation.
//
//===----------------------------------------------------------------------===//
#include "text/ChatTemplate.h"

#include "Errors.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>
#include <string>
#include <vector>

using namespace attnrt;
using testing::HasSubstr;

namespace {

std::string unhex(const std::string &digits) {
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

using Conversation = std::vector<std::string>; // role, content, role, content

/// Opens and renders; the prompt, or "!" with `error` and `status` set.
struct Rendering {
  attn_status status = ATTN_OK;
  std::string text, error;

  Rendering(const std::string &source, const Conversation &words,
            bool continues = true, const attn_allocator *allocator = nullptr) {
    Memory memory(allocator, 0);
    ChatTemplate chat(memory);
    status = chat.open(source.data(), source.size());
    if (status == ATTN_OK) {
      std::vector<ChatMessage> messages;
      for (size_t i = 0; i + 1 < words.size(); i += 2)
        messages.push_back({{words[i].data(), words[i].size()},
                            {words[i + 1].data(), words[i + 1].size()}});
      ChatVariables variables;
      variables.addGenerationPrompt = continues;
      variables.bosToken = "<s>";
      variables.eosToken = "</s>";
      variables.now = 1709211909; // 2024-02-29 13:05:09
      TemplateArena scratch(memory, "the chat template");
      Buffer<char> out(memory, "the prompt");
      status = chat.render(messages.data(), messages.size(), variables, scratch,
                           out);
      text = std::string(out.data() ? out.data() : "", out.size());
    }
    if (status != ATTN_OK) {
      EXPECT_EQ(text, "");
      error = lastError();
      text = "!";
    }
  }
};

const Conversation kTwo = {"user", "hello", "assistant", "hi"};

TEST(ChatTemplate, Golden) {
  std::ifstream in(ATTNC_TEXT_DATA "/golden-chat.tsv");
  int lines = 0;
  for (std::string line; std::getline(in, line); ++lines) {
    std::istringstream fields(line);
    std::string source, words, continues, prompt;
    std::getline(fields, source, '\t');
    std::getline(fields, words, '\t');
    std::getline(fields, continues, '\t');
    std::getline(fields, prompt, '\t');
    Conversation conversation;
    std::istringstream list(words);
    for (std::string word; list >> word;)
      conversation.push_back(unhex(word));
    Rendering rendering(unhex(source), conversation, continues == "1");
    std::string expected = prompt == "!" ? "!" : unhex(prompt);
    EXPECT_EQ(rendering.text, expected)
        << "line " << lines + 1 << ": " << unhex(source).substr(0, 300) << "\n"
        << rendering.error;
    EXPECT_TRUE(rendering.status == ATTN_OK ||
                rendering.status == ATTN_ERROR_INVALID_ARGUMENT);
  }
  EXPECT_GE(lines, 120);
}

TEST(ChatTemplate, RefusesByName) {
  auto expect = [](const std::string &source, const std::string &part,
                   attn_status status = ATTN_ERROR_UNAVAILABLE) {
    Rendering rendering(source, kTwo);
    EXPECT_EQ(rendering.status, status) << source;
    EXPECT_THAT(rendering.error, HasSubstr(part));
  };
  expect("a\n{% macro x() %}{% endmacro %}",
         "line 2: the statement 'macro' is not known; known are if");
  expect("{{ messages | sort }}", "the filter 'sort'");
  expect("{{ 'a'.zfill(3) }}", "the method 'zfill'");
  expect("{{ cycler(1) }}", "the function 'cycler'");
  expect("{{ 1 is divisibleby(3) }}", "the test 'divisibleby'");
  expect("{{ (1, 2) }}", "the tuple");
  expect("{{ 4 / 2 }}", "the operator '/'");
  expect("{% for x in [] recursive %}{% endfor %}", "'recursive'");
  std::string deep;
  for (int i = 0; i < 70; ++i)
    deep += "{% if 1 %}";
  expect(deep, "nests deeper than 64");
  expect("{{ " + std::string(70, '(') + "1" + std::string(70, ')') + " }}",
         "nests deeper than 64");
  expect("{{ " + std::string(70, '-') + "1 }}", "nests deeper than 64");
  std::string nots;
  for (int i = 0; i < 70; ++i)
    nots += "not ";
  expect("{{ " + nots + "1 }}", "nests deeper than 64");
}

TEST(ChatTemplate, RefusesWhatIsNoTemplate) {
  auto expect = [](const std::string &source, const std::string &part) {
    Rendering rendering(source, kTwo);
    EXPECT_EQ(rendering.status, ATTN_ERROR_WEIGHTS) << source;
    EXPECT_THAT(rendering.error, HasSubstr(part)) << source;
  };
  expect("x\n{{ 'a", "line 2: a string without its closing quote");
  expect("{{ 'a\\", "a string without its closing quote");
  expect("{{ 'a\\q' }}", "an escape in a string");
  expect("{{ a", "a tag without its end");
  expect("{# a", "a comment without its end");
  expect("{{ a $ b }}", "a character that no expression has");
  expect("{{ 99999999999999999999 }}", "a number beyond 2^63");
  expect("{{ 1.5 }}", "a number that is no integer");
  expect("{{ 1x }}", "a number that is no integer");
  expect("{% if a %}", "the end where elif was expected");
  expect("{% if a }}", "'}' where '%}' was expected");
  expect("{{ a b }}", "'b' where '}}' was expected");
  expect("{{ }}", "'}}' where a value was expected");
  expect("{{ a. }}", "where a member's name was expected");
  expect("{{ a['b' }}", "where ']' was expected");
  expect("{{ a | }}", "where a filter's name was expected");
  expect("{{ a is }}", "where a test's name was expected");
  expect("{{ a not b }}", "'b' where 'in' was expected");
  expect("{{ f'x' }}", "a string where '}}' was expected");
  expect("{{ range(1 2) }}", "'2' where ')' was expected");
  expect("{{ {'a' 1} }}", "'1' where ':' was expected");
  expect("{% for 1 in a %}{% endfor %}", "a variable's name was expected");
  expect("{% for a of b %}{% endfor %}", "'of' where 'in' was expected");
  expect("{% for a, in b %}{% endfor %}", "'b' where 'in' was expected");
  expect("{% for a in b %}x", "where else was expected");
  expect("{% for a in b %}{% else %}x", "where endfor was expected");
  expect("{% set 1 %}", "a variable's name was expected");
  expect("{% set a.b %}", "'%}' where '=' was expected");
  expect("{% set a 1 %}", "'1' where '%}' was expected");
  expect("{% set a %}x", "where endset was expected");
  expect("{% generation %}x", "where endgeneration was expected");
  expect("{% endif %}", "'endif' where a statement that may stand here");
  expect("{% break %}", "'break' where a statement that may stand here");
  expect("{% 1 %}", "'1' where a statement was expected");
  expect("{% if a %}{% else x %}{% endif %}", "'x' where '%}'");
}

TEST(ChatTemplate, MessagesThatATemplateFailsOn) {
  auto expect = [](const std::string &source, const std::string &part) {
    Rendering rendering(source, kTwo);
    EXPECT_EQ(rendering.status, ATTN_ERROR_INVALID_ARGUMENT) << source;
    EXPECT_THAT(rendering.error, HasSubstr(part)) << source;
  };
  expect(
      "\n{{ raise_exception('no roles') }}",
      "chat template, line 2: the template refuses these messages: no roles");
  expect("{{ a.b }}", "'a' is undefined, so that it has no 'b'");
  expect("{{ messages }}", "a list cannot stand in a prompt; 'tojson'");
  expect("{{ a | int }}", "'a' is undefined, and the filter 'int'");
  expect("{{ 'a' | trim(chars='a') }}", "'chars' of 'trim' is not known by");
  expect("{{ 'a'.split(sep='a') }}", "'sep' of 'split' is not known by");
  expect("{{ 'a'.replace('a', 'b', 'c') }}", "'replace' takes a number");
  expect("{{ [1] | select('x') }}", "the test 'x' is not known");
  expect("{{ [1] | map('upper') }}", "takes attribute = a string");
  expect("{% set x = [1] | select %}", "can be read one time only");
  expect("{{ ([1] | select)[0] }}", "can be read one time only");
  expect("{{ ([1] | select)[:1] }}", "can be read one time only");
  expect("{{ [1] | select | length }}", "a list has no length");
  expect("{{ 1 | trim }}", "the filter 'trim' does not take a number");
  expect("{{ 'a'.get('b') }}", "a string has no method 'get'");
  expect("{{ 1 | length }}", "a number has no length");
  expect("{{ [1] | tojson(indent=4) }}", "'tojson' with arguments");
  expect("{{ namespace() | tojson }}", "a namespace cannot be written as JSON");
  expect("{{ 'ä' | upper }}", "'upper' of text that is not ASCII");
  expect("{{ 'a'.split('') }}", "'split' takes a string that is not empty");
  expect("{{ 'a'.split('b', 'c') }}", "'split' takes a number");
  expect("{{ 'a'.replace('', 'c') }}", "'replace' takes a string that is not");
  expect("{{ 'a'.replace('b') }}", "'replace' takes more arguments");
  expect("{{ 'a'.startswith(1) }}", "'startswith' takes a string, and got");
  expect("{{ 'a'.join('b') }}", "the method 'join' takes a list");
  expect("{{ range('a') }}", "'range' takes numbers");
  expect("{{ range() }}", "'range' takes an end");
  expect("{{ range(0, 5, 0) }}", "'range' takes an end");
  expect("{{ range(1, 2, 3, 4) }}", "more than 3 arguments");
  expect("{{ namespace(1) }}", "'namespace' takes name = value");
  expect("{{ strftime_now('%j') }}", "'%j' is not known");
  expect("{{ strftime_now('%') }}", "'% ' is not known");
  expect("{{ messages['a':] }}", "a range is bounded by a string");
  expect("{{ 1[0] }}", "a number is indexed by a number");
  expect("{{ messages[none] }}", "a list is indexed by none");
  expect("{{ 1[1:] }}", "a range of a number");
  expect("{{ messages[::0] }}", "a range of step 0");
  expect("{{ {1: 2} }}", "a dict has a number as a key");
  expect("{{ 1 in 2 }}", "a number cannot be looked for in a number");
  expect("{{ none < 1 }}", "none is compared with a number");
  expect("{{ -'a' }}", "a string has no negative");
  expect("{{ 9223372036854775807 + 1 }}", "a number beyond 2^63");
  expect("{{ 9223372036854775807 * 2 }}", "a number beyond 2^63");
  expect("{{ 'a' is odd }}", "a string is neither odd nor even");
  expect("{{ 1 is equalto(1, 2) }}", "the test 'equalto' takes one argument");
  expect("{% set x = 1 %}{% set x.y = 2 %}", "'x' is no namespace");
  expect("{% for a, b in [1] %}{% endfor %}", "cannot be cut into two");
  expect("{% for a in 1 %}{% endfor %}", "a loop over a number");
}

TEST(ChatTemplate, EndlessTemplatesAreStopped) {
  Rendering steps("{% set n = range(99) %}{% for a in n %}{% for b in n %}"
                  "{% for c in n %}{{ 1 }}{% endfor %}{% endfor %}{% endfor %}",
                  kTwo);
  EXPECT_NE(steps.status, ATTN_OK);
  std::string sum = "1";
  for (int i = 0; i < 50; ++i)
    sum += " + 1";
  Rendering adding("{% for a in range(20000) %}{% if " + sum +
                       " %}{% endif %}{% endfor %}",
                   kTwo);
  EXPECT_EQ(adding.status, ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(adding.error, HasSubstr("more than 1000000 steps"));
  Rendering doubling("{% set ns = namespace(s='0123456789') %}"
                     "{% for a in range(99) %}{% set ns.s = ns.s + ns.s %}"
                     "{% endfor %}",
                     kTwo);
  EXPECT_EQ(doubling.status, ATTN_ERROR_OUT_OF_MEMORY);
  EXPECT_THAT(doubling.error, HasSubstr("needs more than 67108864 bytes"));
  // Lists of some sizes, until what is left is less than a chunk.
  Rendering loops("{% for a in range(99999) %}{% for b in range(99999) %}"
                  "{% endfor %}{% endfor %}",
                  kTwo);
  EXPECT_EQ(loops.status, ATTN_ERROR_OUT_OF_MEMORY);
  EXPECT_THAT(loops.error, HasSubstr("needs more than 67108864 bytes"));
  // Two values of 2^60 elements in the memory of 120.
  Rendering sharing("{% set ns = namespace(a=[1], b=[1]) %}"
                    "{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}"
                    "{% set ns.b = [ns.b, ns.b] %}{% endfor %}"
                    "{{ ns.a == ns.b }}",
                    kTwo);
  EXPECT_EQ(sharing.status, ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(sharing.error, HasSubstr("more than 1000000 steps"));
}

TEST(ChatTemplate, DeepValuesAreStopped) {
  std::string sum = "{{ 1";
  for (int i = 0; i < 5000; ++i)
    sum += " + 1";
  Rendering deep(sum + " }}", kTwo);
  EXPECT_THAT(deep.error, HasSubstr("nests deeper than 256"));
  Rendering lists("{% set ns = namespace(x=[]) %}{% for i in range(9999) %}"
                  "{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x == [ns.x] }}"
                  "{{ ns.x | tojson }}",
                  kTwo);
  EXPECT_THAT(lists.error, HasSubstr("deeper than 64 levels"));
}

TEST(ChatTemplate, TextsThatAreNoUtf8) {
  const std::string lone = "\xef\xbf\xbd";
  const std::string source =
      "{{ messages[0].content | trim }}|{{ messages[0].content.split() | "
      "join('-') }}|{{ messages[0].content | length }}|"
      "{{ messages[0].content[::-1] }}|{{ messages[0].content | list | last }}";
  for (const char *bytes : {"b \xe2", "b \xf0\x9f\x98", "b \x80", "b \xc3"}) {
    // Nothing may be read behind the last byte: sanitizers see it here.
    Rendering rendering(source, {"user", bytes});
    EXPECT_EQ(rendering.text,
              "b " + lone + "|b-" + lone + "|3|" + lone + " b|" + lone)
        << bytes;
  }
  Rendering role("{{ messages[0].role }}", {"us\xff", ""});
  EXPECT_EQ(role.text, "us" + lone);
  Rendering broken("{{ 'a\xe2' | trim }}", kTwo);
  EXPECT_EQ(broken.status, ATTN_ERROR_WEIGHTS);
  EXPECT_THAT(broken.error, HasSubstr("chat template: it is no UTF-8"));
}

/// Lets the first `granted` allocations pass.
struct Miser {
  int granted;
  attn_allocator allocator = {
      this,
      [](void *context, size_t bytes, size_t) -> void * {
        return static_cast<Miser *>(context)->granted-- > 0 ? malloc(bytes)
                                                            : nullptr;
      },
      [](void *, void *pointer, size_t) { free(pointer); }};
};

TEST(ChatTemplate, MemoryThatRunsOut) {
  std::string source =
      "{% set b %}{{ 1 }}\\n{% endset %}{{ 'a\\n' ~ b }}"
      "{% for m in messages if m.role %}{{ m | tojson }}{{ m.content[1:3] }}"
      "{{ m.role | title }}{{ 'a b'.split() | join('-') }}{{ [1] + [2] | list "
      "| length if false else 'x'.replace('x', 'y') }}{% endfor %}"
      "{{ strftime_now('%Y') }}{% set ns = namespace(a={'b': [1]}) %}"
      "{{ ns.a.items() | list | length }}{{ range(3) | join }}";
  int granted = 0;
  for (;; ++granted) {
    Miser miser{granted};
    Rendering rendering(source, kTwo, true, &miser.allocator);
    if (rendering.status == ATTN_OK)
      break;
    EXPECT_EQ(rendering.status, ATTN_ERROR_OUT_OF_MEMORY) << granted;
    ASSERT_LT(granted, 1000);
  }
  EXPECT_GT(granted, 3);
}

} // namespace
