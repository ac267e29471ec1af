// RUN: attn-opt %s --attn-lower-kernels | FileCheck %s

// Tables are added from left to right; rows of a large table are fetched one
// row ahead.

attn.size @rows min 1 max 64
kernel.variant @v target "x86-64-v4" {
  kernel.func @embedding(%a: tensor<?xi32, #attn.sizes<rows>>, %b: tensor<?xi32, #attn.sizes<rows>>, %words: tensor<30000x40xf32>, %types: tensor<2x40xf32>) -> tensor<?x40xf32, #attn.sizes<rows, 40>> {
    %y = attn.embedding(%a, %b), (%words, %types) row() {
    ^bb0(%r: tensor<40xf32>):
      %n = attn.norm rms %r epsilon 1.000000e-12 : tensor<40xf32>
      attn.yield %n : tensor<40xf32>
    } : (tensor<?xi32, #attn.sizes<rows>>, tensor<?xi32, #attn.sizes<rows>>), (tensor<30000x40xf32>, tensor<2x40xf32>) -> tensor<?x40xf32, #attn.sizes<rows, 40>>
    kernel.return %y : tensor<?x40xf32, #attn.sizes<rows, 40>>
  }
}

// CHECK-LABEL: func.func private @v_embedding(
// CHECK-SAME: i32, %[[A:.*]]: !llvm.ptr, %[[B:.*]]: !llvm.ptr, %[[WORDS:.*]]: !llvm.ptr, %[[TYPES:.*]]: !llvm.ptr, %[[OUT:.*]]: !llvm.ptr {llvm.noalias}
// CHECK: scf.for %[[ROW:.*]] =
// CHECK: %[[WORD:.*]] = llvm.getelementptr %[[WORDS]]
// CHECK-COUNT-3: llvm.intr.prefetch
// CHECK-NOT: llvm.intr.prefetch
// CHECK: %[[TYPE:.*]] = llvm.getelementptr %[[TYPES]]
// CHECK: scf.for %{{.*}} = %c0_i64 to %c32_i64 step %c16_i64
// CHECK: llvm.getelementptr %[[WORD]]
// CHECK: llvm.getelementptr %[[TYPE]]
// CHECK: arith.addf %{{.*}} : vector<16xf32>
// CHECK: llvm.intr.masked.store
// CHECK: math.sqrt
