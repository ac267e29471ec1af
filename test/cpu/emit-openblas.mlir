// RUN: attn-opt %s --attn-lower-kernels --canonicalize --cse --split-input-file --verify-diagnostics | FileCheck %s

// Eight rows per call, on one thread; the last rows are padded in scratch. Then
// the element region passes over the rows.

attn.size @tokens min 1 max 512
kernel.variant @v target "x86-64" {
  kernel.func @linear(%x: tensor<?x64xf32, #attn.sizes<tokens, 64>>, %w: tensor<10x64xf32>, %b: tensor<10xf32>) -> tensor<?x10xf32, #attn.sizes<tokens, 10>> tile #kernel.tile<rows = 8, columns = 48, depth = 0, provider = "openblas"> scratch "2368" {
    %y = attn.linear %x, %w element(%b at affine_map<(d0, d1) -> (d1)> : tensor<10xf32>) {
    ^bb0(%acc: f32, %bias: f32):
      %s = arith.addf %acc, %bias : f32
      attn.yield %s : f32
    } : tensor<?x64xf32, #attn.sizes<tokens, 64>>, tensor<10x64xf32> -> tensor<?x10xf32, #attn.sizes<tokens, 10>>
    kernel.return %y : tensor<?x10xf32, #attn.sizes<tokens, 10>>
  }
}

// CHECK-DAG: func.func private @openblas_set_num_threads(i32)
// CHECK-DAG: func.func private @cblas_sgemm(
// CHECK-LABEL: func.func private @v_linear(
// CHECK: call @openblas_set_num_threads(%c1_i32)
// CHECK: scf.for
// CHECK: scf.if
// CHECK: scf.for
// CHECK: call @cblas_sgemm(%c101_i32, %c111_i32, %c112_i32, %c8_i32, %c10_i32, %c64_i32,
// CHECK: } else {
// CHECK: call @cblas_sgemm(%c101_i32, %c111_i32, %c112_i32, %c8_i32, %c10_i32, %c64_i32,
// CHECK: arith.addf {{.*}} : vector<4xf32>
// CHECK: llvm.intr.masked.store

// -----

kernel.variant @v target "x86-64" {
  kernel.func @packed(%x: tensor<2x64xf32>, %w: tensor<10x64xf32> {kernel.layout = #kernel.panels<48>}) -> tensor<2x10xf32> tile #kernel.tile<rows = 8, columns = 48, depth = 0, provider = "openblas"> {
    // expected-error @below {{error[A0506]: the provider openblas reads plain row-major weights, but the weight has a layout}}
    %y = attn.linear %x, %w : tensor<2x64xf32>, tensor<10x64xf32> -> tensor<2x10xf32>
    kernel.return %y : tensor<2x10xf32>
  }
}

// -----

kernel.variant @v target "x86-64" {
  kernel.func @cramped(%x: tensor<2x64xf32>, %w: tensor<10x64xf32>) -> tensor<2x10xf32> tile #kernel.tile<rows = 8, columns = 48, depth = 0, provider = "openblas"> scratch "100" {
    // expected-error @below {{error[A0507]: the provider openblas needs 2368 bytes of scratch; run --attn-choose-tiles}}
    %y = attn.linear %x, %w : tensor<2x64xf32>, tensor<10x64xf32> -> tensor<2x10xf32>
    kernel.return %y : tensor<2x10xf32>
  }
}
