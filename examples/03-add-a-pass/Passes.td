//===- Passes.td - the example's table of passes -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"

def ApproximateGelu : Pass<"attn-approximate-gelu", "::mlir::ModuleOp"> {
  let summary = "GELU by tanh instead of erf";
  let description = [{
    Rewrites erf(x * 0.7071) in element regions to
    tanh(0.7979 * (x + 0.044715 * x^3)). The result differs from the exact GELU
    by at most 5e-4 (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016).
    Declines an erf of anything else.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
  let statistics = [
    Statistic<"applied", "applied", "sites rewritten">,
    Statistic<"missed", "missed", "sites declined; a remark names the op">
  ];
}
