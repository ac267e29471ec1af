//===- Tune.h - tiles by measurement ------------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attnc compile --tune`: where the cost model cannot tell a few tiles apart,
// the model is compiled with each of them, and the phases of whole calls are
// timed in turn: what a kernel costs among the others, not in a loop of its
// own.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_TOOLS_TUNE_H
#define ATTNC_COMPILER_TOOLS_TUNE_H

#include "compiler/Compile.h"
#include "compiler/TuningFile.h"

namespace attnc::tools {

/// Sizes to measure at.
struct TuningShape {
  int64_t batch, seq;
};

/// "1x16,1x128,8x128" as shapes; nothing if it is no such list.
std::optional<std::vector<TuningShape>> parseShapes(llvm::StringRef text);

/// Measures for the one target of `options`, which must run here (A0420).
/// Prints what it found to `log`.
llvm::Expected<TuningFile> tune(mlir::MLIRContext &context,
                                CompileOptions options,
                                llvm::ArrayRef<TuningShape> shapes,
                                llvm::raw_ostream &log);

} // namespace attnc::tools

#endif // ATTNC_COMPILER_TOOLS_TUNE_H
