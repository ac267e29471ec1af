// RUN: attn-opt %s --attn-lower-kernels | FileCheck %s

attn.size @batch min 1 max 64
attn.size @seq min 1 max 512
attn.size @tokens derived "batch * seq"
kernel.variant @v target "x86-64-v3" {
  kernel.func @mean(%x: tensor<?x?x16xf32, #attn.sizes<batch, seq, 16>>, %m: tensor<?x?xi32, #attn.sizes<batch, seq>>) -> tensor<?x16xf32, #attn.sizes<batch, 16>> {
    %y = attn.pool mean %x mask(%m : tensor<?x?xi32, #attn.sizes<batch, seq>>) : tensor<?x?x16xf32, #attn.sizes<batch, seq, 16>> -> tensor<?x16xf32, #attn.sizes<batch, 16>>
    kernel.return %y : tensor<?x16xf32, #attn.sizes<batch, 16>>
  }
  kernel.func @first(%x: tensor<?x5xf32, #attn.sizes<tokens, 5>>, %o: tensor<?xi32, #attn.sizes<batch + 1>>) -> tensor<?x5xf32, #attn.sizes<batch, 5>> {
    %y = attn.pool first %x offsets(%o : tensor<?xi32, #attn.sizes<batch + 1>>) : tensor<?x5xf32, #attn.sizes<tokens, 5>> -> tensor<?x5xf32, #attn.sizes<batch, 5>>
    kernel.return %y : tensor<?x5xf32, #attn.sizes<batch, 5>>
  }
}

// Two vectors at a time; only rows that the mask keeps are read; sums are
// compensated.
// CHECK-LABEL: func.func private @v_mean(
// CHECK: scf.for
// CHECK: scf.for %{{.*}} iter_args(
// CHECK: %[[KEPT:.*]] = arith.cmpi ne
// CHECK: scf.if %[[KEPT]]
// CHECK: %[[X:.*]] = llvm.load %{{.*}} -> vector<8xf32>
// CHECK: %[[CORRECTED:.*]] = arith.subf %[[X]], %[[EXCESS:.*]]
// CHECK: %[[TOTAL:.*]] = arith.addf %[[SUM:.*]], %[[CORRECTED]]
// CHECK: %[[ADDED:.*]] = arith.subf %[[TOTAL]], %[[SUM]]
// CHECK: arith.subf %[[ADDED]], %[[CORRECTED]]
// CHECK: arith.divf %{{.*}} : vector<8xf32>

// No search with offsets; an empty sequence gives zeros.
// CHECK-LABEL: func.func private @v_first(
// CHECK: scf.for
// CHECK-NOT: scf.for
// CHECK: scf.if
// CHECK: llvm.intr.masked.store %cst
// CHECK: } else {
// CHECK: llvm.intr.masked.load
