//===- ExplainCommand.cpp - attnc explain ------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Cause and remedy of an error code, from ErrorCodes.def.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/Commands.h"
#include "compiler/tools/ErrorCodes.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace attnc::tools {
namespace {

cl::SubCommand command("explain", "Tell more about an error code");
cl::opt<std::string> code(cl::Positional, cl::desc("CODE"), cl::sub(command));
cl::opt<bool> json("json", cl::desc("Print one JSON object"), cl::sub(command),
                   cl::cat(category()));

int run() {
  if (code.empty()) {
    json::Array list;
    for (const ErrorCode &entry : errorCodes()) {
      list.push_back(json::Object{{"code", entry.code},
                                  {"summary", entry.summary},
                                  {"remedy", entry.remedy}});
      if (!json)
        outs() << entry.code << "  " << entry.summary << "\n";
    }
    if (json)
      printJson(json::Object{{"codes", std::move(list)}});
    return kSuccess;
  }
  if (const ErrorCode *entry = findErrorCode(code)) {
    if (json)
      printJson(json::Object{{"code", entry->code},
                             {"summary", entry->summary},
                             {"remedy", entry->remedy}});
    else
      outs() << entry->code << ": " << entry->summary
             << "\n\nWhat to do: " << entry->remedy << "\n";
    return kSuccess;
  }
  return usage("'" + code +
                   "' is not an error code; `attnc explain` lists them",
               "explain");
}

} // namespace

Command explainCommand() { return {command, "  attnc explain A0101\n", run}; }

} // namespace attnc::tools
