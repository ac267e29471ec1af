//===- RunPrompt.cpp - attnc run --prompt -------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Continues a prompt through the library's table. Text goes to stdout as it is
// made; with --json, all of it at the end.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/RunPrompt.h"
#include "compiler/tools/Commands.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>
#include <iterator>

using namespace llvm;

namespace attnc::tools {

int32_t Continuation::take(void *context, int32_t token, const char *text,
                           size_t length) {
  auto &continuation = *static_cast<Continuation *>(context);
  if (token >= 0)
    continuation.ids.push_back(token);
  continuation.text.append(text ? text : "", length);
  if (continuation.prints && length) {
    outs().write(text, length);
    outs().flush();
  }
  return 0;
}

StringRef getName(attn_stop stop) {
  static constexpr StringLiteral names[] = {"length",   "token",   "string",
                                            "callback", "context", "error"};
  // A library of a later attnc may stop for reasons of its own.
  return size_t(stop) < std::size(names) ? names[stop]
                                         : StringLiteral("unknown");
}

Error runPrompt(const Library &library, const PromptRequest &request) {
  const attn_library &functions = library.functions();
  if (!functions.generate)
    return createStringError(
        "error[A0730]: --prompt needs a library of a model "
        "that generates text; this one does not. Use "
        "--text or --input");
  if (request.ids.empty() && !functions.generate_text)
    return createStringError(
        "error[A0721]: the library holds no tokenizer, so --prompt cannot be "
        "used; the model folder had no tokenizer.json. Give --prompt-ids");
  attn_generate_options options = request.options;
  std::vector<const char *> stops;
  for (const std::string &stop : request.stops)
    stops.push_back(stop.c_str());
  options.stop_strings = stops.data();
  options.stop_string_count = stops.size();
  Continuation continuation = {!request.asJson, {}, {}};
  attn_generate_result result = {
      sizeof(result), 0, 0, ATTN_STOP_ERROR, 0, 0, 0};
  auto before = std::chrono::steady_clock::now();
  attn_status status =
      request.ids.empty()
          ? functions.generate_text(library.session(), &options,
                                    request.text.data(), request.text.size(),
                                    Continuation::take, &continuation, &result)
          : functions.generate(library.session(), &options, request.ids.data(),
                               request.ids.size(), Continuation::take,
                               &continuation, &result);
  if (status)
    return library.lastError("generating", status);
  std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - before;
  if (!request.asJson) {
    if (continuation.text.empty())
      for (int32_t id : continuation.ids)
        outs() << id << " ";
    outs() << "\n";
    return Error::success();
  }
  printJson(json::Object{{"text", continuation.text},
                         {"ids", json::Array(continuation.ids)},
                         {"prompt_tokens", result.prompt_tokens},
                         {"stop", getName(result.stop)},
                         {"draft_tokens", result.draft_tokens},
                         {"draft_accepted", result.draft_accepted},
                         {"seconds", seconds.count()}});
  return Error::success();
}

} // namespace attnc::tools
