//===- Programs.h - kernels that become programs of blocks ------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A product and attention whose operands lie in memory as products want them,
// so that tiles are filled by asynchronous copies (sm_80) or tensor maps
// (sm_90a).
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_UNIT_GPU_PROGRAMS_H
#define ATTNC_TEST_UNIT_GPU_PROGRAMS_H

#include "compiler/Passes.h"
#include "dialects/warp/Warp.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include <gtest/gtest.h>
#include <string>

namespace attnc::test {

/// Kernels of a variant for `target`.
inline std::string kernelsFor(llvm::StringRef target) {
  return (R"mlir(
!q = tensor<?x?x2x64xf32, #attn.sizes<batch, seq, 2, 64>>
!k = tensor<?x?x1x64xf32, #attn.sizes<batch, seq, 1, 64>>
!x = tensor<?x?x640xf32, #attn.sizes<batch, seq, 640>>
!y = tensor<?x?x160xf32, #attn.sizes<batch, seq, 160>>
attn.size @batch min 1 max 64
attn.size @seq min 1 max 1024
kernel.variant @v target ")mlir" +
          target + R"mlir(" {
  kernel.func @attention(%q: !q {kernel.storage = bf16}, %k: !k {kernel.storage = bf16}, %v: !k {kernel.storage = bf16}) -> (!q) {
    %o = attn.attention %q, %k, %v mask() {
    ^bb0(%b: i32, %h: i32, %i: i32, %j: i32):
      %c = arith.cmpi sge, %i, %j : i32
      attn.yield %c : i1
    } : !q, !k, !k -> !q
    kernel.return %o : !q
  }
  kernel.func @linear(%x: !x {kernel.storage = bf16}, %w: tensor<160x640xf32>) -> (!y) {
    %y = attn.linear %x, %w : !x, tensor<160x640xf32> -> !y
    kernel.return %y : !y
  }
}
)mlir")
      .str();
}

class GpuTest : public testing::Test {
protected:
  GpuTest() {
    context.loadDialect<attn::AttnDialect, kernel::KernelDialect,
                        warp::WarpDialect>();
  }

  mlir::OwningOpRef<mlir::ModuleOp> parse(const std::string &text) {
    return mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  }
  /// Programs of the kernels above, as BuildPrograms leaves them.
  mlir::OwningOpRef<mlir::ModuleOp> build(llvm::StringRef target) {
    mlir::OwningOpRef<mlir::ModuleOp> module = parse(kernelsFor(target));
    mlir::PassManager passes(&context);
    passes.addPass(createChooseTiles());
    passes.addPass(createBuildPrograms());
    EXPECT_TRUE(module && succeeded(passes.run(*module)));
    return module;
  }

  mlir::MLIRContext context;
};

} // namespace attnc::test

#endif // ATTNC_TEST_UNIT_GPU_PROGRAMS_H
