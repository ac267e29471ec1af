//===- CompiledModule.h - programs compiled into this process ---*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The compiler's whole way, except that ORC links instead of lld: all stages,
// code, tables, weights file; then the runtime opens the table as a host does
// and calls by name. Executors run the workers in any order, and every buffer
// ends at a page that faults.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_FUZZ_PROGRAMS_COMPILEDMODULE_H
#define ATTNC_TEST_FUZZ_PROGRAMS_COMPILEDMODULE_H

#include "attn/attn.h"
#include "compiler/Pipelines.h"
#include "compiler/import/Weights.h"
#include "compiler/interpret/SessionSteps.h"
#include <memory>

namespace attnc::fuzz {

struct CompileChoices {
  PipelineOptions pipeline;
  const Target *target = nullptr;
  bool quick = true;  ///< less of LLVM's work
  bool plant = false; ///< a mistake in one kernel, which must be found
};

/// What compiling made, for statistics.
struct CompileFacts {
  unsigned kernels = 0;
};

class CompiledModule {
public:
  static constexpr int kMostWorkers = 3;

  /// Compiles `module`, which it changes. `scratch` is a folder for files.
  /// Diagnostics go to the context.
  static llvm::Expected<std::unique_ptr<CompiledModule>>
  compile(mlir::OwningOpRef<mlir::ModuleOp> module, const WeightTable &weights,
          const CompileChoices &choices, llvm::StringRef scratch,
          CompileFacts &facts);
  ~CompiledModule();

  /// Calls an entry with `workers` workers, in an order that `seed` decides.
  llvm::Error call(llvm::StringRef entry, llvm::ArrayRef<int64_t> sizes,
                   llvm::ArrayRef<VerifyBuffer> inputs,
                   llvm::ArrayRef<VerifyBuffer> outputs, int workers,
                   uint64_t seed);
  /// Forgets what the session with so many workers keeps.
  llvm::Error reset(int workers);
  /// Does another step than a call to that session.
  llvm::Error step(const interpret::SessionStep &step, int workers);
  /// What its products multiply in.
  NarrowFormats getFormats() const;

private:
  struct State;
  explicit CompiledModule(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

} // namespace attnc::fuzz

#endif // ATTNC_TEST_FUZZ_PROGRAMS_COMPILEDMODULE_H
