// RUN: not attn-opt %s --attn-select-kernels=target=sparc 2>&1 | FileCheck %s --check-prefix=TARGET
// RUN: not attn-opt %s --attn-select-kernels="target=x86-64-v3 gemm=mkl" 2>&1 | FileCheck %s --check-prefix=GEMM
// RUN: not attn-opt %s --attn-select-kernels=target=x86-64-v3 2>&1 | FileCheck %s --check-prefix=OP

// TARGET: error[A0411]: no target is named 'sparc'; `attnc targets` lists those known
// GEMM: error[A0412]: no provider of matrix products is named 'mkl'; expected 'openblas' or nothing
// OP: error[A0410]: no kernel computes 'arith.addf'
attn.entry @f(%x: tensor<4xf32> {attn.name = "x"}) -> (tensor<4xf32> {attn.name = "y"}) sizes [] {
  %y = arith.addf %x, %x : tensor<4xf32>
  attn.return %y : tensor<4xf32>
}
