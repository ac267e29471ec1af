//===- Diagnostics.h - diagnostics for people ----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Prints MLIR's diagnostics in the style of the tool: `error[A0123]: text`,
// then notes; remarks only where fusions are asked for. Counts what they say.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_TOOLS_DIAGNOSTICS_H
#define ATTNC_COMPILER_TOOLS_DIAGNOSTICS_H

#include "mlir/IR/Diagnostics.h"
#include <string>
#include <vector>

namespace attnc::tools {

/// What a pass said that it did and declined.
struct PassCounts {
  std::string pass;
  int64_t applied = 0, missed = 0;
};

class DiagnosticPrinter {
public:
  DiagnosticPrinter(mlir::MLIRContext &context, bool printRemarks);

  /// Counts of the remarks "[pass] applied: ..." and "[pass] missed: ...", in
  /// the order in which passes first spoke. MLIR's own statistics are compiled
  /// out of LLVM's releases.
  llvm::ArrayRef<PassCounts> counts() const { return passes; }

private:
  void count(llvm::StringRef remark);

  std::vector<PassCounts> passes;
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace attnc::tools

#endif // ATTNC_COMPILER_TOOLS_DIAGNOSTICS_H
