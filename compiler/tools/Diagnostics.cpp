//===- Diagnostics.cpp - diagnostics for people -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Locations print as file:line:column where there is a file, and as the name of
// the model's part ("layer.0.attention.query") where there is one.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/Diagnostics.h"
#include "compiler/tools/ErrorCodes.h"
#include "mlir/IR/Location.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace attnc::tools {

static std::string describe(Location location) {
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::TypeSwitch<LocationAttr>(location)
      .Case<FileLineColLoc>([&](FileLineColLoc loc) {
        os << loc.getFilename().getValue() << ":" << loc.getLine() << ":"
           << loc.getColumn() << ": ";
      })
      .Case<NameLoc>([&](NameLoc loc) {
        os << describe(loc.getChildLoc()) << loc.getName().getValue() << ": ";
      })
      .Case<FusedLoc>([&](FusedLoc loc) {
        if (!loc.getLocations().empty())
          os << describe(loc.getLocations().front());
      })
      .Case<CallSiteLoc>(
          [&](CallSiteLoc loc) { os << describe(loc.getCallee()); });
  return text;
}

static void print(const Diagnostic &diagnostic, llvm::StringRef kind) {
  std::string text = diagnostic.str();
  // Messages for users bring their own `error[A0123]: ` or `warning[...]: `.
  bool labelled = llvm::StringRef(text).starts_with("error[") ||
                  llvm::StringRef(text).starts_with("warning[");
  std::string message;
  llvm::raw_string_ostream os(message);
  os << (labelled ? "" : describe(diagnostic.getLocation()))
     << (labelled ? "" : kind) << text;
  for (const Diagnostic &note : diagnostic.getNotes())
    os << "\n" << describe(note.getLocation()) << "note: " << note.str();
  printMessage(message);
}

DiagnosticPrinter::DiagnosticPrinter(MLIRContext &context, bool printRemarks)
    : handler(&context, [this, printRemarks](Diagnostic &diagnostic) {
        switch (diagnostic.getSeverity()) {
        case DiagnosticSeverity::Error:
          print(diagnostic, "error: ");
          break;
        case DiagnosticSeverity::Warning:
          print(diagnostic, "warning: ");
          break;
        case DiagnosticSeverity::Remark:
          count(diagnostic.str());
          if (printRemarks)
            print(diagnostic, "");
          break;
        case DiagnosticSeverity::Note:
          break;
        }
        return success();
      }) {}

void DiagnosticPrinter::count(llvm::StringRef remark) {
  if (!remark.consume_front("["))
    return;
  auto [pass, rest] = remark.split("] ");
  bool applied = rest.starts_with("applied:");
  if (!applied && !rest.starts_with("missed:"))
    return;
  auto at = llvm::find_if(passes, [&pass = pass](const PassCounts &counts) {
    return counts.pass == pass;
  });
  PassCounts &counts =
      at == passes.end() ? passes.emplace_back(PassCounts{pass.str()}) : *at;
  ++(applied ? counts.applied : counts.missed);
}

} // namespace attnc::tools
