//===- Diagnostics.h - diagnostics for people --------------------*- C++
//-*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Prints MLIR's diagnostics in the style of the tool: `error[A0123]: text`,
// then notes; remarks only where fusions are asked for.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_TOOLS_DIAGNOSTICS_H
#define ATTNC_COMPILER_TOOLS_DIAGNOSTICS_H

#include "mlir/IR/Diagnostics.h"

namespace attnc::tools {

class DiagnosticPrinter {
public:
  DiagnosticPrinter(mlir::MLIRContext &context, bool printRemarks);

private:
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace attnc::tools

#endif // ATTNC_COMPILER_TOOLS_DIAGNOSTICS_H
