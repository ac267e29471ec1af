//===- first-pass-opt.cpp - runs the example's pass -----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The smallest tool that can run a pass of ours: our dialects, one pass.
//
//===----------------------------------------------------------------------===//
#include "compiler/OptMain.h"
#include "dialects/kernel/Kernel.h"

namespace attnc {
void registerExamplePasses();
} // namespace attnc

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<attnc::attn::AttnDialect, attnc::kernel::KernelDialect,
                  mlir::arith::ArithDialect, mlir::math::MathDialect>();
  attnc::registerExamplePasses();
  return attnc::optMain(argc, argv, "a first pass\n", registry);
}
