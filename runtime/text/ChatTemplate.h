//===- ChatTemplate.h - messages in, a prompt out ---------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The chat template of a model's folder (tokenizer_config.json's chat_template,
// or chat_template.jinja): the part of Jinja 3 that such templates use, with
// the settings of HuggingFace's transformers (trim_blocks, lstrip_blocks, no
// trailing newline). What is beyond it is refused by name when the template is
// opened. A template is immutable and may be used from any number of threads.
//
//   statements  if elif else, for (with if, else, break, continue), set, and
//               generation, which only marks
//   values      strings, integers, true, false, none, lists, dicts, namespace()
//   filters     trim length upper lower title capitalize replace join first
//               last list string int default items tojson safe select reject
//               selectattr rejectattr map (of an attribute)
//   tests       defined undefined none string mapping iterable sequence number
//               boolean true false odd even equalto ne in
//   methods     strip lstrip rstrip split startswith endswith upper lower title
//               capitalize replace join get items keys values
//   functions   raise_exception strftime_now range namespace
//
// Failures: ATTN_ERROR_UNAVAILABLE (the template is beyond this),
// ATTN_ERROR_WEIGHTS (it is no template), ATTN_ERROR_INVALID_ARGUMENT (it
// refuses these messages, or fails on them), ATTN_ERROR_OUT_OF_MEMORY.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_CHATTEMPLATE_H
#define ATTN_RUNTIME_TEXT_CHATTEMPLATE_H

#include "Buffer.h"
#include "TemplateArena.h"

namespace attnrt {

struct ChatMessage {
  Slice role, content; ///< UTF-8
};

/// What a template reads besides the messages.
struct ChatVariables {
  bool addGenerationPrompt = true;
  /// Text of the special tokens; empty: not defined.
  Slice bosToken, eosToken, padToken, unkToken;
  /// Seconds since 1970 in local time, for strftime_now.
  int64_t now = 0;
};

struct TemplateNode;

class ChatTemplate {
public:
  explicit ChatTemplate(Memory &memory) : arena(memory, "the chat template") {}

  /// Reads a template; `text` need not outlive the call.
  attn_status open(const char *text, size_t size);

  /// Appends the prompt for `count` messages to `out`. `scratch` holds what the
  /// rendering makes, until it is reset.
  attn_status render(const ChatMessage *messages, size_t count,
                     const ChatVariables &variables, TemplateArena &scratch,
                     Buffer<char> &out) const;

private:
  TemplateArena arena;
  TemplateNode *root = nullptr;
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_CHATTEMPLATE_H
