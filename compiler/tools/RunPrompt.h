//===- RunPrompt.h - attnc run --prompt -----------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of `attnc run` that continues a prompt.
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

/// Continues the prompt in an open library and prints what comes.
llvm::Error runPrompt(const Library &library, const PromptRequest &request);

} // namespace attnc::tools

#endif // ATTNC_COMPILER_TOOLS_RUNPROMPT_H
