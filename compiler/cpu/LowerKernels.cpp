//===- LowerKernels.cpp - kernels become loops over native vectors --------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before: `kernel.func @linear_0` in `kernel.variant @x86_64_v4`. After, beside
// it, at the end of the module:
//
//   func.func private @x86_64_v4_linear_0(%frame: !llvm.ptr, %worker: i32,
//                                         %workers: i32, %arg0: !llvm.ptr, ...)
//
// The kernel.func stays: LowerPrograms needs its signature, and erases the
// variant. Declined with an error: a variant of an unknown target, and a
// computing op that no CPU kernel exists for.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/cpu/Emitter.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_LOWERKERNELS
#include "compiler/Passes.h.inc"

namespace {
struct LowerKernels : impl::LowerKernelsBase<LowerKernels> {
  using LowerKernelsBase::LowerKernelsBase;

  LogicalResult lowerVariant(ModuleOp module, kernel::VariantOp variant) {
    const Target *target = Target::find(variant.getTarget());
    if (!target)
      return variant.emitError("error[A0411]: no target is named '")
             << variant.getTarget() << "'; `attnc targets` lists those known";
    for (auto kernel : variant.getBody().getOps<kernel::FuncOp>()) {
      std::string symbol =
          (variant.getSymName() + "_" + kernel.getSymName()).str();
      if (failed(cpu::KernelEmitter(module, kernel, *target, symbol).emit()))
        return failure();
    }
    return success();
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    // Functions are added to the module while it is walked.
    auto variants = llvm::to_vector(module.getOps<kernel::VariantOp>());
    for (kernel::VariantOp variant : variants)
      if (failed(lowerVariant(module, variant)))
        return signalPassFailure();
  }
};
} // namespace
} // namespace attnc
