// RUN: attn-opt %s --attn-lower-kernels | FileCheck %s

attn.size @batch min 1 max 64
attn.size @seq min 1 max 512
kernel.variant @v target "x86-64-v3" {
  kernel.func @positions(%ids: tensor<?x?xi32, #attn.sizes<batch, seq>>) -> tensor<?x?xi32, #attn.sizes<batch, seq>> {
    %p = attn.token_positions %ids padding 1 : tensor<?x?xi32, #attn.sizes<batch, seq>>
    kernel.return %p : tensor<?x?xi32, #attn.sizes<batch, seq>>
  }
}

// Sequences are split over the workers; the count is carried along one.
// CHECK-LABEL: func.func private @v_positions(
// CHECK-DAG: %[[PADDING:.*]] = arith.constant 1 : i32
// CHECK: scf.for
// CHECK: scf.for {{.*}} iter_args(%[[LAST:.*]] = %{{.*}}) -> (i32)
// CHECK: %[[ID:.*]] = llvm.load %{{.*}} -> i32
// CHECK: %[[IS:.*]] = arith.cmpi eq, %[[ID]], %{{.*}} : i32
// CHECK: %[[NEXT:.*]] = arith.addi %[[LAST]], %{{.*}} : i32
// CHECK: arith.select %[[IS]], %{{.*}}, %[[NEXT]] : i32
// CHECK: llvm.store
// CHECK: %[[CARRIED:.*]] = arith.select %[[IS]], %[[LAST]], %[[NEXT]] : i32
// CHECK: scf.yield %[[CARRIED]] : i32
