//===- ErrorCodes.cpp - what the codes of messages mean ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See ErrorCodes.h.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/ErrorCodes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace attnc::tools {

static constexpr ErrorCode kCodes[] = {
#define ATTNC_ERROR(CODE, SUMMARY, REMEDY) {#CODE, SUMMARY, REMEDY},
#include "compiler/tools/ErrorCodes.def"
};

ArrayRef<ErrorCode> errorCodes() { return kCodes; }

const ErrorCode *findErrorCode(StringRef code) {
  for (const ErrorCode &entry : kCodes)
    if (code.equals_insensitive(entry.code))
      return &entry;
  return nullptr;
}

/// The entry of "error[A0123]: ..." or "warning[A0123]: ...".
static const ErrorCode *codeOf(StringRef message) {
  if (!message.consume_front("error[") && !message.consume_front("warning["))
    return nullptr;
  return findErrorCode(message.take_until([](char c) { return c == ']'; }));
}

/// A remedy as a note: it begins small and ends without a full stop.
static std::string noteOf(const ErrorCode &entry) {
  std::string note = entry.remedy.rtrim('.').str();
  note[0] = toLower(note[0]);
  return note;
}

void printMessage(StringRef message) {
  SmallVector<StringRef> lines;
  message.rtrim('\n').split(lines, '\n');
  bool hasNote = false;
  for (StringRef line : lines) {
    // "note: ..." or "file.mlir:3:5: note: ..."
    bool isNote = line.starts_with("note: ") || line.contains(": note: ");
    hasNote |= isNote;
    errs() << (isNote ? "  " : "") << line << "\n";
  }
  if (const ErrorCode *entry = hasNote ? nullptr : codeOf(message))
    errs() << "  note: " << noteOf(*entry) << "\n";
}

} // namespace attnc::tools
