//===- Ptx.h - from the LLVM dialect to PTX and cubins ----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything runs in process but `ptxas`, which is NVIDIA's and optional: the
// driver compiles PTX where there is no cubin.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_GPU_PTX_H
#define ATTNC_COMPILER_GPU_PTX_H

#include "compiler/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include <optional>

namespace attnc::gpu {

/// Passes from what LowerWarp made to the LLVM dialect alone.
void populateLowerToNvvm(mlir::OpPassManager &passes);

/// The kernels of `module`, in the LLVM dialect, as LLVM IR for NVPTX. Whatever
/// is no function or global is left out.
std::unique_ptr<llvm::Module> translateToNvvm(mlir::ModuleOp module,
                                              llvm::LLVMContext &context);
/// LLVM's optimizer, as the back end wants it.
void optimizeNvvm(llvm::Module &module, const Target &target);
/// PTX of an optimized module.
std::string emitPtx(llvm::Module &module, const Target &target);

/// ptxas: $ATTNC_PTXAS, by PATH, or in CUDA's usual folder; empty if there is
/// none.
std::string findPtxas();
/// What ptxas says of a kernel.
struct Cubin {
  llvm::SmallString<0> bytes;
  std::string report; ///< registers, spills, warnings: ptxas -v
};
llvm::Expected<Cubin> assemblePtx(llvm::StringRef ptxas, llvm::StringRef ptx,
                                  const Target &target);

} // namespace attnc::gpu

#endif // ATTNC_COMPILER_GPU_PTX_H
