//===- RunChat.cpp - attnc run --chat -----------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Answers messages, those of the command line or the lines of stdin. A
// conversation that no longer fits loses its oldest turns; the system's message
// stays. In a conversation by lines "/reset" begins a new one and "/quit" ends.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/Commands.h"
#include "compiler/tools/RunPrompt.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>
#include <iostream>

using namespace llvm;

namespace attnc::tools {
namespace {

struct Turn {
  std::string role, content;
};

class Conversation {
public:
  Conversation(const Library &library, const ChatRequest &request)
      : library(library), request(request), options(request.options) {
    for (const std::string &stop : request.stops)
      stops.push_back(stop.c_str());
    options.stop_strings = stops.data();
    options.stop_string_count = stops.size();
    reset();
  }

  void reset() {
    turns.clear();
    if (!request.system.empty())
      turns.push_back({"system", request.system});
  }

  /// Answers a message of the user.
  Error answer(StringRef message);

  json::Array describeTurns() const;
  json::Array takeAnswers() { return std::move(answers); }

private:
  attn_status call(Continuation &continuation, attn_generate_result &result);
  bool dropOldest();

  const Library &library;
  const ChatRequest &request;
  attn_generate_options options;
  std::vector<const char *> stops;
  std::vector<Turn> turns;
  json::Array answers;
};

attn_status Conversation::call(Continuation &continuation,
                               attn_generate_result &result) {
  std::vector<attn_message> messages;
  for (const Turn &turn : turns)
    messages.push_back({turn.role.c_str(), turn.content.c_str()});
  return library.functions().chat(library.session(), &options, messages.data(),
                                  messages.size(), Continuation::take,
                                  &continuation, &result);
}

/// Leaves out the oldest question with its answer; false if there is none.
bool Conversation::dropOldest() {
  size_t first = turns.front().role == "system";
  if (turns.size() < first + 3)
    return false;
  turns.erase(turns.begin() + first, turns.begin() + first + 2);
  return true;
}

Error Conversation::answer(StringRef message) {
  turns.push_back({"user", message.str()});
  Continuation continuation = {!request.asJson, {}, {}};
  attn_generate_result result = {
      sizeof(result), 0, 0, ATTN_STOP_ERROR, 0, 0, 0};
  auto before = std::chrono::steady_clock::now();
  attn_status status = call(continuation, result);
  while (status == ATTN_ERROR_CONTEXT_FULL && dropOldest()) {
    errs() << "note: the conversation is too long; its oldest turn is left "
              "out\n";
    status = call(continuation, result);
  }
  if (status) {
    turns.pop_back();
    return library.lastError("answering", status);
  }
  std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - before;
  turns.push_back({"assistant", continuation.text});
  if (continuation.prints)
    outs() << "\n";
  if (result.stop == ATTN_STOP_CONTEXT)
    errs() << "note: the answer ends where the model's positions do\n";
  answers.push_back(json::Object{{"text", continuation.text},
                                 {"ids", json::Array(continuation.ids)},
                                 {"prompt_tokens", result.prompt_tokens},
                                 {"reused_tokens", result.reused_tokens},
                                 {"draft_tokens", result.draft_tokens},
                                 {"draft_accepted", result.draft_accepted},
                                 {"stop", getName(result.stop)},
                                 {"seconds", seconds.count()}});
  return Error::success();
}

json::Array Conversation::describeTurns() const {
  json::Array list;
  for (const Turn &turn : turns)
    list.push_back(
        json::Object{{"role", turn.role}, {"content", turn.content}});
  return list;
}

/// Lines of stdin, one answered after the other.
Error answerLines(Conversation &conversation) {
  bool isTerminal = sys::Process::StandardInIsUserInput();
  std::string line;
  while (true) {
    if (isTerminal) {
      outs() << "> ";
      outs().flush();
    }
    if (!std::getline(std::cin, line) || line == "/quit")
      return Error::success();
    if (line == "/reset") {
      conversation.reset();
      continue;
    }
    if (line.empty())
      continue;
    if (Error error = conversation.answer(line)) {
      // A message that is refused ends nothing.
      if (!isTerminal)
        return error;
      report(std::move(error));
    }
  }
}

} // namespace

Error runChat(const Library &library, const ChatRequest &request) {
  if (!library.functions().chat)
    return createStringError(
        "error[A0734]: the library has no chat template, so --chat cannot be "
        "used\nnote: the model's folder had none, or compiling it said why it "
        "was left out (A0805); use --prompt");
  Conversation conversation(library, request);
  if (request.messages.empty())
    return answerLines(conversation);
  for (const std::string &message : request.messages)
    if (Error error = conversation.answer(message))
      return error;
  if (request.asJson)
    printJson(json::Object{{"messages", conversation.describeTurns()},
                           {"answers", conversation.takeAnswers()}});
  return Error::success();
}

} // namespace attnc::tools
