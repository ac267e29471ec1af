// attn.lookup: indices are held to the table, then one gather reads.
// RUN: attn-opt %s --attn-lower-kernels | FileCheck %s

attn.size @seq min 1 max 64
kernel.variant @v target "x86-64-v3" {
  kernel.func @distances(%q: tensor<?x8xf32, #attn.sizes<seq, 8>>, %table: tensor<9xf32>) -> tensor<?x8xf32, #attn.sizes<seq, 8>> {
    %o = attn.attention %q, %q, %q score(%table at affine_map<(b, h, i, j) -> ()> : tensor<9xf32>) {
    ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32, %t: tensor<9xf32>):
      %d = arith.subi %i, %j : i32
      %x = attn.lookup %t[%d] : tensor<9xf32>
      %r = arith.addf %s, %x : f32
      attn.yield %r : f32
    } : tensor<?x8xf32, #attn.sizes<seq, 8>>, tensor<?x8xf32, #attn.sizes<seq, 8>>, tensor<?x8xf32, #attn.sizes<seq, 8>> -> tensor<?x8xf32, #attn.sizes<seq, 8>>
    kernel.return %o : tensor<?x8xf32, #attn.sizes<seq, 8>>
  }
  kernel.func @rows(%x: tensor<?x?xf32, #attn.sizes<seq, seq>>) -> tensor<?xf32, #attn.sizes<seq>> {
    %y = attn.map element(%x at affine_map<(s) -> (s)> : tensor<?x?xf32, #attn.sizes<seq, seq>>) {
    ^bb0(%t: tensor<?xf32, #attn.sizes<seq>>):
      %s = attn.index 0 : i32
      %e = attn.lookup %t[%s] : tensor<?xf32, #attn.sizes<seq>>
      attn.yield %e : f32
    } : tensor<?xf32, #attn.sizes<seq>>
    kernel.return %y : tensor<?xf32, #attn.sizes<seq>>
  }
}

// The region runs row by row, behind the products: a gather in each whole
// vector of a panel, and in the tail under its mask. Offsets of 32 bits.
// CHECK-LABEL: func.func private @v_distances(
// CHECK-DAG: %[[ZERO:.*]] = arith.constant dense<0> : vector<8xi32>
// CHECK-DAG: %[[LAST:.*]] = arith.constant dense<8> : vector<8xi32>
// CHECK: %[[D:.*]] = arith.subi %{{.*}}, %{{.*}} : vector<8xi32>
// CHECK: %[[LOW:.*]] = arith.maxsi %[[D]], %[[ZERO]] : vector<8xi32>
// CHECK: %[[HELD:.*]] = arith.minsi %[[LOW]], %[[LAST]] : vector<8xi32>
// CHECK: %[[PLACES:.*]] = llvm.getelementptr %{{.*}}[%[[HELD]]] : (!llvm.ptr, vector<8xi32>)
// CHECK: llvm.intr.masked.gather %[[PLACES]]
// CHECK-COUNT-3: llvm.intr.masked.gather

// One table per lane, of dynamic size: 64 bits, and the distance between them.
// CHECK-LABEL: func.func private @v_rows(
// CHECK: arith.maxsi {{.*}} : vector<8xi32>
// CHECK: %[[HELD:.*]] = arith.minsi {{.*}} : vector<8xi32>
// CHECK: %[[WIDE:.*]] = arith.extsi %[[HELD]] : vector<8xi32> to vector<8xi64>
// CHECK: %[[BETWEEN:.*]] = arith.muli {{.*}} : vector<8xi64>
// CHECK: %[[SUM:.*]] = arith.addi %[[WIDE]], %[[BETWEEN]] : vector<8xi64>
// CHECK: llvm.getelementptr %{{.*}}[%[[SUM]]]
// CHECK: llvm.intr.masked.gather
