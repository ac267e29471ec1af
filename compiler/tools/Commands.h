//===- Commands.h - what the commands share -------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// attnc is one program of several commands; each has a file, which owns its
// options. Exit codes: 0 success, 1 the work failed, 2 the command line was
// wrong, 3 verification found a difference.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_TOOLS_COMMANDS_H
#define ATTNC_COMPILER_TOOLS_COMMANDS_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace attnc::tools {

enum ExitCode { kSuccess = 0, kFailure = 1, kUsage = 2, kDifference = 3 };

/// The category that `--help` shows; LLVM's own options are hidden.
llvm::cl::OptionCategory &category();

/// A command: its name, one line, and what runs it.
struct Command {
  llvm::cl::SubCommand &options;
  llvm::StringRef examples; ///< shown below `attnc COMMAND --help`
  int (*run)();
};
Command compileCommand();
Command runCommand();
Command benchCommand();
Command verifyCommand();
Command infoCommand();
Command targetsCommand();
Command explainCommand();

/// Prints the manual page ("man") or the shell's completion ("bash").
int generate(llvm::StringRef what, llvm::ArrayRef<Command> commands);

/// Prints an error (its text already holds `error[A....]`) and returns
/// kFailure.
int report(llvm::Error error);
/// Prints `error[A0001]: message` and a note; returns kUsage.
int usage(const llvm::Twine &message, llvm::StringRef command);
/// Prints one JSON value and a newline on stdout.
void printJson(llvm::json::Value value);

} // namespace attnc::tools

#endif // ATTNC_COMPILER_TOOLS_COMMANDS_H
