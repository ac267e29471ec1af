//===- RunPrompt.h - attnc run --prompt -----------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of `attnc run` that continues a prompt or answers messages.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_TOOLS_RUNPROMPT_H
#define ATTNC_COMPILER_TOOLS_RUNPROMPT_H

#include "compiler/tools/Library.h"

namespace attnc::tools {

/// What the command line asks for.
struct PromptRequest {
  std::string text;
  std::vector<int32_t> ids; ///< instead of the text, if not empty
  bool asJson;              ///< one object at the end, else text as it comes
  std::vector<std::string> stops;
  attn_generate_options options; ///< but for stop strings
};

/// What the library's callback has told.
struct Continuation {
  bool prints; ///< text goes to stdout as it comes
  std::string text;
  std::vector<int32_t> ids;

  /// An attn_token_callback whose context is a Continuation.
  static int32_t take(void *context, int32_t token, const char *text,
                      size_t length);
};

/// "length", "token"...: why generation ended.
llvm::StringRef getName(attn_stop stop);

/// Continues the prompt in an open library and prints what comes.
llvm::Error runPrompt(const Library &library, const PromptRequest &request);

/// A conversation with an open library.
struct ChatRequest {
  std::vector<std::string> messages; ///< of the user, one answered after the
                                     ///< other; empty: lines of stdin are
  std::string system;                ///< empty: none
  bool asJson;
  std::vector<std::string> stops;
  attn_generate_options options; ///< but for stop strings
};
llvm::Error runChat(const Library &library, const ChatRequest &request);

} // namespace attnc::tools

#endif // ATTNC_COMPILER_TOOLS_RUNPROMPT_H
