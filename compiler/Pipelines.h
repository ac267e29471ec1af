//===- Pipelines.h - every stage, in order -------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The only place that knows the order of passes. A stage is one or a few passes
// with a name; IR is dumped, stopped at and taken up again between stages.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_PIPELINES_H
#define ATTNC_COMPILER_PIPELINES_H

#include "compiler/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace attnc {

struct PipelineOptions {
  bool optimize = true;                 ///< false: -O0
  std::set<std::string> disabledPasses; ///< stage names, e.g. "fuse-qkv"
  std::vector<std::string> outputs;     ///< outputs to keep; all if empty
  std::string gemm;                     ///< "" or "openblas"
  std::string products = "bf16";        ///< on GPUs: bf16, f16, tf32, f32
  std::string weights = "f32";          ///< f32, bf16, i8, i4, stored
  std::string activations;              ///< f32, bf16, i8; "": as the weights
  int64_t group = 0; ///< steps that share a scale; 0: 32 of i4, all of i8
  std::string cache = "f32"; ///< of states: f32, bf16, i8
  bool redzones = false;     ///< for code under AddressSanitizer

  /// Whether products may be multiplied in less than f32.
  bool isNarrow() const {
    return weights != "f32" && (weights != "stored" || !activations.empty());
  }
  /// The target whose kernels are laid out for the caches of this machine.
  const Target *native = nullptr;
};

struct Stage {
  enum Kind {
    Optimize, ///< attn -> attn; left out by -O0
    Required, ///< attn -> attn; always runs
    Schedule, ///< attn -> kernel, per target
    Lower     ///< kernel -> LLVM dialect, per target
  };
  std::string name;
  Kind kind;
  std::string summary;
  std::function<void(mlir::OpPassManager &)> populate;
};

/// Every stage for one target, first to last, whether enabled or not.
std::vector<Stage> getStages(const PipelineOptions &options,
                             const Target &target);

/// The name that an imported, untouched module has as its stage.
inline constexpr llvm::StringLiteral kImportStage = "import";

/// Runs the stages after the one that the module's `attn.stage` names, up to
/// and including the last one for which `wanted` is true. `afterStage` sees the
/// module after each stage that ran (and, if the module is fresh, after
/// import). A crash, or a failure without an error that has a code, writes
/// `reproducer` and prints the line that repeats it.
struct StageRunner {
  PipelineOptions options;
  const Target *target;
  std::function<mlir::LogicalResult(const Stage &, mlir::ModuleOp)> afterStage;
  std::string reproducer = "attnc-reproducer.mlir"; ///< empty: none

  /// Stages of these kinds.
  mlir::LogicalResult run(mlir::ModuleOp module,
                          llvm::ArrayRef<Stage::Kind> kinds,
                          llvm::StringRef stopAfter = "") const;
};

} // namespace attnc

#endif // ATTNC_COMPILER_PIPELINES_H
