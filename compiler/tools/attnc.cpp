//===- attnc.cpp - the command line ----------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Picks the command and runs it.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/Commands.h"
#include "compiler/tools/ErrorCodes.h"
#include "compiler/tools/Version.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/PrettyStackTrace.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include <csignal>

using namespace llvm;

namespace attnc::tools {

cl::OptionCategory &category() {
  static cl::OptionCategory instance("Options");
  return instance;
}

int report(Error error) {
  handleAllErrors(std::move(error), [](const ErrorInfoBase &info) {
    // Diagnostics that were printed already leave an empty message.
    if (std::string message = info.message(); !message.empty())
      printMessage(message);
  });
  return kFailure;
}

int usage(const Twine &message, StringRef command) {
  printMessage(("error[A0001]: " + message + "\nnote: see `attnc " + command +
                " --help`")
                   .str());
  return kUsage;
}

void printJson(json::Value value) { outs() << formatv("{0:2}", value) << "\n"; }

static void printVersion(raw_ostream &os) {
  os << "attnc " << kVersion << "\nLLVM " << LLVM_VERSION_STRING << "\n";
}

static constexpr StringLiteral kOverview =
    R"(attnc compiles attention models ahead of time

A model folder (config.json and *.safetensors) or a GGUF file becomes
libNAME.so, libNAME.a, NAME.h and NAME.weights, which a C program links and
calls.

  attnc compile MODEL -o DIR          compile a folder, a .gguf or an .mlir file
  attnc run LIB --text "some text"    run a compiled library
  attnc run LIB --prompt "Once upon"  continue a text
  attnc run LIB --chat                talk to a model that has a chat template
  attnc verify LIB MODEL              compare it with the reference semantics
  attnc bench LIB --batch 1 --seq 128 time it
  attnc info LIB|MODEL                what it is
  attnc targets                       processors that can be compiled for
  attnc explain A0101                 more about an error

`attnc COMMAND --help` lists a command's options, with examples. Exit codes:
0 success, 1 failure, 2 wrong command line, 3 verification found a difference.
)";

/// LLVM's messages about a command line, in our form.
static int reportMistakes(StringRef messages, StringRef program) {
  SmallVector<StringRef> lines;
  messages.split(lines, '\n', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  std::string text;
  for (StringRef line : lines) {
    // "attnc: Unknown ...", "attnc: for the --seq option: ..."
    line.consume_front((sys::path::filename(program) + ": ").str());
    text += (text.empty() ? "error[A0001]: " : "\nnote: ") + line.str();
  }
  printMessage(text);
  return kUsage;
}

static int runMain(int argc, char **argv) {
  setBugReportMsg("attnc crashed. Please report it with the command line, the "
                  "input and the lines below.\n");
  InitLLVM init(argc, argv);
  // A file-size limit makes writing fail, which is reported like a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
  InitializeNativeTarget();
  InitializeNativeTargetAsmPrinter();
  InitializeNativeTargetAsmParser();
  const Command commands[] = {compileCommand(), runCommand(),  benchCommand(),
                              verifyCommand(),  infoCommand(), targetsCommand(),
                              explainCommand()};
  for (const Command &command : commands)
    cl::HideUnrelatedOptions(category(), command.options);
  cl::HideUnrelatedOptions(category());
  cl::SetVersionPrinter(printVersion);
  // LLVM's list of every command's options is no help to a newcomer.
  if (argc == 1 || (argc == 2 && (StringRef(argv[1]) == "--help" ||
                                  StringRef(argv[1]) == "-h" ||
                                  StringRef(argv[1]) == "help"))) {
    (argc == 1 ? errs() : outs()) << kOverview;
    return argc == 1 ? kUsage : kSuccess;
  }
  if (StringRef what = argv[1]; what.consume_front("--generate="))
    return generate(what, commands);
  if (!StringRef(argv[1]).starts_with("-") &&
      none_of(commands, [&](const Command &command) {
        return command.options.getName() == argv[1];
      })) {
    std::string text = "error[A0002]: '" + std::string(argv[1]) +
                       "' is not a command\nnote: the commands are";
    for (const Command &command : commands)
      text += " " + command.options.getName().str();
    printMessage(text);
    return kUsage;
  }
  std::string examples;
  for (const Command &command : commands)
    if (command.options.getName() == argv[1])
      examples = "\nEXAMPLES:\n" + command.examples.str();
  cl::extrahelp extra(examples);
  std::string mistakes;
  raw_string_ostream os(mistakes);
  if (!cl::ParseCommandLineOptions(argc, argv, "", &os))
    return reportMistakes(mistakes, argv[0]);
  for (const Command &command : commands)
    if (command.options)
      return command.run();
  outs() << kOverview;
  return kUsage;
}

} // namespace attnc::tools

int main(int argc, char **argv) { return attnc::tools::runMain(argc, argv); }
