//===- Codegen.h - LLVM dialect to object code ---------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The way from lowered kernels and programs to assembly and object files.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_CPU_CODEGEN_H
#define ATTNC_COMPILER_CPU_CODEGEN_H

#include "compiler/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"
#include <memory>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace attnc {

/// What checks generated code while it runs; the host program brings the
/// sanitizer's runtime.
enum class Sanitizer { None, Address, Thread };

/// How code is made.
struct CodegenOptions {
  Sanitizer sanitizer = Sanitizer::None;
  /// Half the time to compile, slower code; for tests that compile much.
  bool quick = false;
};

/// Interfaces that convert-to-llvm needs for the dialects that our passes emit.
void registerCodegenInterfaces(mlir::DialectRegistry &registry);

/// scf, cf, arith, vector and func to the LLVM dialect.
void populateLowerToLLVM(mlir::OpPassManager &passes);

/// The LLVM dialect to LLVM IR; null after a diagnostic. `context` must outlive
/// the result.
std::unique_ptr<llvm::Module> translateToLLVM(mlir::ModuleOp module,
                                              llvm::LLVMContext &context);

/// Sets the target's triple, layout and attributes on every function and runs
/// LLVM's optimizations (kernels are unrolled and vectorized already).
llvm::Error optimizeLLVM(llvm::Module &module, const Target &target,
                         const CodegenOptions &options = {});

llvm::Error emitObject(llvm::Module &module, const Target &target,
                       llvm::raw_pwrite_stream &os,
                       const CodegenOptions &options = {});
llvm::Error emitAssembly(llvm::Module &module, const Target &target,
                         llvm::raw_pwrite_stream &os);

} // namespace attnc

#endif // ATTNC_COMPILER_CPU_CODEGEN_H
