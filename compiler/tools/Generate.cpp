//===- Generate.cpp - manual page and completion ----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attnc --generate=man` prints the manual page, `attnc --generate=bash` the
// shell's completion, both from the options that `--help` shows, so that
// neither can fall behind. The build runs it; users get the files.
//
//===----------------------------------------------------------------------===//
#include "compiler/Compile.h"
#include "compiler/Pipelines.h"
#include "compiler/Target.h"
#include "compiler/tools/Commands.h"
#include "compiler/tools/Version.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace attnc::tools {
namespace {

/// The options of a command that its `--help` shows, by name.
std::vector<cl::Option *> shownOptions(const Command &command) {
  std::vector<cl::Option *> result;
  for (auto [name, option] : command.options.OptionsMap)
    if (option->getOptionHiddenFlag() == cl::NotHidden &&
        is_contained(option->Categories, &category()))
      result.push_back(option);
  llvm::sort(result, [](cl::Option *a, cl::Option *b) {
    int order = a->ArgStr.compare_insensitive(b->ArgStr);
    return order ? order < 0 : a->ArgStr < b->ArgStr;
  });
  return result;
}

bool takesValue(const cl::Option &option) {
  return option.getValueExpectedFlag() == cl::ValueRequired;
}

std::string spelling(const cl::Option &option) {
  return (option.ArgStr.size() == 1 ? "-" : "--") + option.ArgStr.str();
}

/// What lies between an option and its value.
StringRef separator(const cl::Option &option) {
  if (option.getFormattingFlag() == cl::Prefix)
    return "";
  return option.ArgStr.size() == 1 ? " " : "=";
}

// The manual page -------------------------------------------------------------

/// Text as roff prints it unchanged.
std::string roff(StringRef text) {
  std::string result;
  if (text.starts_with(".") || text.starts_with("'"))
    result = "\\&";
  for (char c : text) {
    switch (c) {
    case '\\':
      result += "\\e";
      break;
    case '-':
      result += "\\-";
      break;
    case '`':
      result += "\\(ga";
      break;
    case '\'':
      result += "\\(aq";
      break;
    case '"':
      result += "\\(dq";
      break;
    default:
      result += c;
    }
  }
  return result;
}

void printManCommand(const Command &command, raw_ostream &os) {
  os << ".SS \"attnc " << roff(command.options.getName()) << " [options]";
  for (const cl::Option *argument : command.options.PositionalOpts)
    os << " " << roff(argument->HelpStr);
  os << "\"\n" << roff(command.options.getDescription()) << ".\n";
  for (const cl::Option *option : shownOptions(command)) {
    os << ".TP\n\\fB" << roff(spelling(*option)) << "\\fR";
    if (takesValue(*option))
      os << separator(*option) << "\\fI" << roff(option->ValueStr) << "\\fR";
    else if (!option->ValueStr.empty()) // it may be left out
      os << "[=\\fI" << roff(option->ValueStr) << "\\fR]";
    os << "\n" << roff(option->HelpStr) << "\n";
  }
  os << ".PP\nExamples:\n.PP\n.nf\n.RS\n";
  SmallVector<StringRef> lines;
  command.examples.split(lines, '\n', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef line : lines)
    os << roff(line.trim()) << "\n";
  os << ".RE\n.fi\n";
}

void printMan(ArrayRef<Command> commands, raw_ostream &os) {
  os << ".\\\" Written by `attnc --generate=man`.\n"
     << ".TH ATTNC 1 \"\" \"attnc " << roff(kVersion)
     << "\" \"User Commands\"\n"
     << ".SH NAME\n"
     << "attnc \\- compile attention models ahead of time\n"
     << ".SH SYNOPSIS\n"
     << ".B attnc\n.I COMMAND\n[options] [arguments]\n"
     << ".PP\n.B attnc \\-\\-help\n.PP\n.B attnc \\-\\-version\n"
     << ".SH DESCRIPTION\n"
     << "A model folder (\\fIconfig.json\\fR and \\fI*.safetensors\\fR), a "
        "\\fI.gguf\\fR file or a program in the attn dialect (\\fI.mlir\\fR) "
        "becomes "
        "\\fIlibNAME.so\\fR, \\fIlibNAME.a\\fR, \\fINAME.h\\fR and "
        "\\fINAME.weights\\fR, which a C program links and calls.\n"
     << ".PP\nMODEL is such a folder or file, LIB a \\fIlibNAME.so\\fR that "
        "\\fBattnc compile\\fR wrote, CODE the code of an error message.\n"
     << ".SH COMMANDS\n"
     << "Each command also takes \\fB\\-\\-help\\fR.\n";
  for (const Command &command : commands)
    printManCommand(command, os);
  os << ".SH EXIT STATUS\n";
  const std::pair<ExitCode, StringRef> codes[] = {
      {kSuccess, "success"},
      {kFailure, "the work failed"},
      {kUsage, "the command line was wrong"},
      {kDifference, "verification found a difference"}};
  for (auto &[code, meaning] : codes)
    os << ".TP\n.B " << static_cast<int>(code) << "\n" << meaning << "\n";
  os << ".SH ENVIRONMENT\n.TP\n.B ATTN_PROFILE\n"
     << "Names a file. Every program that uses a compiled library writes to it "
        "when each worker began and ended each phase of a call, as events that "
        "Perfetto reads; \\fB%n\\fR in it is the library\\(aqs name, "
        "\\fB%p\\fR "
        "the process. \\fBattnc bench \\-\\-roofline\\fR wants it unset.\n"
     << ".SH DIAGNOSTICS\n"
     << "Messages go to standard error, as \\fBerror[A0101]: ...\\fR and a "
        "note on what to do; \\fBattnc explain A0101\\fR tells more.\n";
}

// Completion in bash ----------------------------------------------------------

/// What completes a value or an argument: "files", "folders", "libraries", or
/// words; empty for what the user alone knows.
std::string candidates(StringRef placeholder) {
  StringRef one = placeholder;
  bool isList = one.consume_back(",...");
  one.consume_front("[NAME=]");
  if (one.contains("FILE") || one.contains("MODEL"))
    return "files";
  if (one == "DIR")
    return "folders";
  if (one == "LIB")
    return "libraries";
  std::vector<std::string> words;
  if (one == "T" && isList) {
    words.push_back("native");
    for (const Target &target : Target::all())
      words.push_back(target.name.str());
  } else if (one == "STAGE") {
    // One is printed; a list is left out, of what may be.
    for (const Stage &stage : getStages({}, Target::native()))
      if (isList && stage.kind == Stage::Optimize)
        words.push_back(stage.name);
    for (auto &[stage, summary] : getEmitStages())
      if (!isList)
        words.push_back(stage);
    if (!isList)
      words.push_back("list");
  } else if (one == "CODE") {
#define ATTNC_ERROR(CODE, SUMMARY, REMEDY) words.push_back(#CODE);
#include "compiler/tools/ErrorCodes.def"
  } else if (one.contains('|')) {
    for (StringRef word : split(one, '|'))
      words.push_back(word.str());
  }
  return words.empty() ? "" : "words '" + join(words, " ") + "'";
}

/// One branch of the shell's `case COMMAND:OPTION`.
void printBranch(StringRef pattern, StringRef placeholder, raw_ostream &os) {
  if (std::string action = candidates(placeholder); !action.empty())
    os << "    " << pattern << ") _attnc_" << action << " ;;\n";
  else
    os << "    " << pattern << ") ;;\n";
}

/// The words that a command's options begin with; those that take the next
/// word or the text behind `=` are appended to `valued`.
std::string optionWords(const Command &command,
                        std::vector<std::string> &valued) {
  std::string words;
  for (const cl::Option *option : shownOptions(command)) {
    std::string word = spelling(*option);
    if (option->getFormattingFlag() == cl::Prefix) {
      for (StringRef value : split(option->ValueStr, '|'))
        words += word + value.str() + " ";
      continue;
    }
    words += word;
    if (takesValue(*option)) {
      valued.push_back(command.options.getName().str() + ":" + word);
      words += separator(*option) == "=" ? "=" : "";
    }
    words += " ";
  }
  return words + "--help";
}

void printBashCommand(const Command &command,
                      std::vector<std::string> &allValued, raw_ostream &os) {
  std::string name = command.options.getName().str();
  std::vector<std::string> valued;
  os << "    " << name << ":options) _attnc_words '"
     << optionWords(command, valued) << "' ;;\n";
  for (const cl::Option *option : shownOptions(command))
    if (std::string pattern = name + ":" + spelling(*option);
        is_contained(valued, pattern))
      printBranch(pattern, option->ValueStr, os);
  for (auto [index, argument] : enumerate(command.options.PositionalOpts))
    printBranch(name + ":" + std::to_string(index), argument->HelpStr, os);
  append_range(allValued, valued);
}

constexpr StringLiteral kBashBegin = R"(# Written by `attnc --generate=bash`.
# Candidates for the word in $current; those of a list follow its last comma.
_attnc_words() {
  local head=${current%"${current##*,}"}
  mapfile -t COMPREPLY < <(compgen -P "$head" -W "$1" -- "${current##*,}")
  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then
    compopt -o nospace
  fi
}
_attnc_files() {
  compopt -o filenames
  mapfile -t COMPREPLY < <(compgen -f -- "$current")
}
_attnc_folders() {
  compopt -o filenames
  mapfile -t COMPREPLY < <(compgen -d -- "$current")
}
_attnc_libraries() {
  compopt -o filenames
  mapfile -t COMPREPLY < <(compgen -d -- "$current"
                           compgen -f -X '!*.so' -- "$current")
}
# Completes by "COMMAND:OPTION", "COMMAND:options" or "COMMAND:ARGUMENT".
_attnc_complete() {
  case $1 in
)";

constexpr StringLiteral kBashEnd = R"(    *) return 1 ;;
  esac
}
_attnc() {
  local current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}
  local command=${COMP_WORDS[1]} argument=0 index
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    _attnc_complete commands
    return
  fi
  # The shell takes --name=value apart: three words.
  if [[ $current == = ]]; then
    current=
  elif [[ $option == = ]]; then
    option=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  [[ $option == -* ]] && _attnc_complete "$command:$option" && return
  if [[ $current == -* ]]; then
    _attnc_complete "$command:options"
    return
  fi
  for ((index = 2; index < COMP_CWORD; ++index)); do
    if [[ ${COMP_WORDS[index]} != -* ]]; then
      ((++argument))
    elif [[ ${COMP_WORDS[index + 1]} == = ]]; then
      ((index += 2))
    elif _attnc_takes_value "$command:${COMP_WORDS[index]}"; then
      ((++index))
    fi
  done
  _attnc_complete "$command:$argument"
}
complete -F _attnc attnc
)";

void printBash(ArrayRef<Command> commands, raw_ostream &os) {
  os << kBashBegin << "    commands) _attnc_words '";
  for (const Command &command : commands)
    os << command.options.getName() << " ";
  os << "--help --version' ;;\n";
  std::vector<std::string> valued;
  for (const Command &command : commands)
    printBashCommand(command, valued, os);
  os << "    *) return 1 ;;\n  esac\n}\n"
     << "_attnc_takes_value() { # COMMAND:OPTION\n  case $1 in\n    "
     << join(valued, " |\\\n      ") << ") ;;\n"
     << kBashEnd;
}

} // namespace

int generate(StringRef what, ArrayRef<Command> commands) {
  if (what == "man")
    printMan(commands, outs());
  else if (what == "bash")
    printBash(commands, outs());
  else
    return usage("--generate=" + what + " is not known; expected man or bash",
                 "COMMAND");
  return kSuccess;
}

} // namespace attnc::tools
