// RUN: attn-opt %s --attn-lower-kernels --canonicalize --cse | FileCheck %s

// Tiles of six rows; every vector of the right side is loaded once for them.

attn.size @n min 1 max 512
kernel.variant @v target "x86-64-v3" {
  kernel.func @plain(%a: tensor<2x12x64xf32>, %b: tensor<2x64x?xf32, #attn.sizes<2, 64, n>>) -> tensor<2x12x?xf32, #attn.sizes<2, 12, n>> {
    %y = attn.matmul %a, %b : tensor<2x12x64xf32>, tensor<2x64x?xf32, #attn.sizes<2, 64, n>> -> tensor<2x12x?xf32, #attn.sizes<2, 12, n>>
    kernel.return %y : tensor<2x12x?xf32, #attn.sizes<2, 12, n>>
  }
  kernel.func @transposed(%a: tensor<12x60xf32>, %b: tensor<5x60xf32>) -> tensor<12x5xf32> {
    %y = attn.matmul %a, %b transpose_rhs : tensor<12x60xf32>, tensor<5x60xf32> -> tensor<12x5xf32>
    kernel.return %y : tensor<12x5xf32>
  }
}

// Lanes along the columns, one accumulator per row.
// CHECK-LABEL: func.func private @v_plain(
// CHECK: scf.for
// CHECK: } else {
// CHECK: scf.for {{.*}} step %c8_i64
// CHECK: %[[SUMS:.*]]:6 = scf.for
// CHECK: llvm.load {{.*}} -> vector<8xf32>
// CHECK-COUNT-6: llvm.intr.fma
// CHECK: scf.yield
// CHECK-COUNT-6: llvm.store {{.*}} : vector<8xf32>
// CHECK: llvm.intr.masked.load
// CHECK-COUNT-6: llvm.intr.masked.store

// Lanes along the depth, one sum per element at the end.
// CHECK-LABEL: func.func private @v_transposed(
// CHECK: } else {
// CHECK: scf.for {{.*}} step %c8_i64 iter_args
// CHECK-COUNT-6: llvm.intr.fma
// CHECK: llvm.intr.masked.load
// CHECK-COUNT-6: llvm.intr.fma
// CHECK: vector.shuffle
// CHECK: vector.extract
// CHECK: llvm.store {{.*}} : f32
