// RUN: attn-opt %s --attn-lower-kernels | FileCheck %s

attn.size @tokens min 1 max 64
kernel.variant @v target "x86-64-v3" {
  kernel.func @halves(%x: tensor<?x3x20xf32, #attn.sizes<tokens, 3, 20>> {kernel.layout = #kernel.rows<180>}, %c: tensor<?x9xf32, #attn.sizes<tokens, 9>>, %s: tensor<?x9xf32, #attn.sizes<tokens, 9>>) -> tensor<?x3x20xf32, #attn.sizes<tokens, 3, 20>> {
    %y = attn.rope %x, %c, %s : tensor<?x3x20xf32, #attn.sizes<tokens, 3, 20>>, tensor<?x9xf32, #attn.sizes<tokens, 9>>
    kernel.return %y : tensor<?x3x20xf32, #attn.sizes<tokens, 3, 20>>
  }
  kernel.func @pairs(%x: tensor<?x3x12xf32, #attn.sizes<tokens, 3, 12>>, %c: tensor<?x6xf32, #attn.sizes<tokens, 6>>, %s: tensor<?x6xf32, #attn.sizes<tokens, 6>>) -> tensor<?x3x12xf32, #attn.sizes<tokens, 3, 12>> {
    %y = attn.rope %x, %c, %s interleaved : tensor<?x3x12xf32, #attn.sizes<tokens, 3, 12>>, tensor<?x6xf32, #attn.sizes<tokens, 6>>
    kernel.return %y : tensor<?x3x12xf32, #attn.sizes<tokens, 3, 12>>
  }
}

// A row of the product is 180 wide, one of the result 60; eight angles at once
// for every head, then one under a mask, then the two elements of a head that
// are not rotated.
// CHECK-LABEL: func.func private @v_halves(
// CHECK-DAG: arith.constant 180 : i64
// CHECK-DAG: arith.constant 60 : i64
// CHECK: scf.for
// CHECK: %[[COS:.*]] = llvm.load {{.*}} -> vector<8xf32>
// CHECK: %[[SIN:.*]] = llvm.load {{.*}} -> vector<8xf32>
// CHECK: scf.for
// CHECK: %[[X:.*]] = llvm.load {{.*}} -> vector<8xf32>
// CHECK: %[[Y:.*]] = llvm.load {{.*}} -> vector<8xf32>
// CHECK: %[[YS:.*]] = arith.mulf %[[Y]], %[[SIN]]
// CHECK: %[[MINUS:.*]] = arith.negf %[[YS]]
// CHECK: %[[XS:.*]] = arith.mulf %[[X]], %[[SIN]]
// CHECK: llvm.intr.fma(%[[X]], %[[COS]], %[[MINUS]])
// CHECK: llvm.intr.fma(%[[Y]], %[[COS]], %[[XS]])
// CHECK-COUNT-2: llvm.intr.masked.load
// CHECK: scf.for
// CHECK-COUNT-2: llvm.intr.masked.store
// CHECK: scf.for
// CHECK: llvm.intr.masked.load
// CHECK: llvm.intr.masked.store
// CHECK: return

// Neighbours are taken apart and put together again.
// CHECK-LABEL: func.func private @v_pairs(
// CHECK: scf.for
// CHECK: vector.shuffle {{.*}} [0, 2, 4, 6, 8, 10, 12, 14]
// CHECK: vector.shuffle {{.*}} [1, 3, 5, 7, 9, 11, 13, 15]
// CHECK: vector.shuffle {{.*}} [0, 8, 1, 9, 2, 10, 3, 11]
// CHECK: vector.shuffle {{.*}} [4, 12, 5, 13, 6, 14, 7, 15]
