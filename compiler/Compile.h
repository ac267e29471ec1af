//===- Compile.h - a model becomes a library -----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The whole way of the data, for the command line and for tests: import,
// stages, code, package. Flags live in tools/.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_COMPILE_H
#define ATTNC_COMPILER_COMPILE_H

#include "compiler/Pipelines.h"
#include "compiler/cpu/Codegen.h"
#include "compiler/import/Import.h"
#include "dialects/kernel/Kernel.h"
#include "llvm/Support/Error.h"

namespace attnc {

struct TuningFile;

struct CompileOptions {
  std::string model; ///< folder or .mlir
  std::string outputDirectory;
  ImportOptions import;
  PipelineOptions pipeline;
  std::vector<const Target *> targets; ///< empty: native
  bool embedWeights = false;
  CodegenOptions codegen;
  std::string dumpDirectory; ///< --dump-ir, or empty
  std::string emit;          ///< --emit: a stage, "ll", "s", or empty
  bool printSchedule = false;
  /// Tiles to take instead of the cost model's, or null.
  const TuningFile *tuning = nullptr;
  /// Called with the kernels of each variant before they get their tiles.
  std::function<void(kernel::VariantOp)> sawKernels = [](kernel::VariantOp) {};
  /// And with its chains, once phases are cut.
  std::function<void(kernel::VariantOp)> sawChains = [](kernel::VariantOp) {};
  /// The content's digest of a weights file that stands elsewhere: of the
  /// library, only libNAME.so is written.
  std::string knownContent;
  /// Called when a part of the work begins: "import", "optimize", ...
  std::function<void(llvm::StringRef what)> progress = [](llvm::StringRef) {};
};

struct CompileResult {
  std::vector<std::string> files; ///< paths written
  std::string name;               ///< of the library
  std::string contentDigest;      ///< of its weights
  uint64_t codeBytes = 0;
};

/// Compiles. Errors that the IR's diagnostics already told are returned with an
/// empty message. With `emit`, the text of the stage goes to `emitted` and
/// nothing is written.
llvm::Expected<CompileResult> compileModel(mlir::MLIRContext &context,
                                           const CompileOptions &options,
                                           llvm::raw_ostream &emitted);

/// Names that --emit takes, in order, with their summaries.
std::vector<std::pair<std::string, std::string>> getEmitStages();

/// A context with every dialect that any stage needs.
void registerDialects(mlir::DialectRegistry &registry);

} // namespace attnc

#endif // ATTNC_COMPILER_COMPILE_H
