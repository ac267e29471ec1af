// attn.lookup in a score region on a GPU: one load per score, by indices held
// to the table; captures of packed attention are read at rows.
// RUN: attn-opt %s --attn-choose-tiles --attn-build-programs --canonicalize --cse | FileCheck %s

attn.size @batch min 1 max 4
attn.size @seq min 1 max 64
attn.size @tokens derived "batch * seq"
kernel.variant @v target "sm_80" {
  kernel.func @attention(%q: tensor<?x2x64xf32, #attn.sizes<tokens, 2, 64>>, %offsets: tensor<?xi32, #attn.sizes<batch + 1>>, %table: tensor<2x9xf32>, %p: tensor<?xi32, #attn.sizes<tokens>>) -> tensor<?x2x64xf32, #attn.sizes<tokens, 2, 64>> {
    %o = attn.attention %q, %q, %q offsets(%offsets : tensor<?xi32, #attn.sizes<batch + 1>>) score(%table at affine_map<(b, h, i, j) -> (h)> : tensor<2x9xf32>, %p at affine_map<(b, h, i, j) -> (i)> : tensor<?xi32, #attn.sizes<tokens>>, %p at affine_map<(b, h, i, j) -> (j)> : tensor<?xi32, #attn.sizes<tokens>>) {
    ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32, %t: tensor<9xf32>, %x: i32, %y: i32):
      %d = arith.subi %x, %y : i32
      %e = attn.lookup %t[%d] : tensor<9xf32>
      %r = arith.addf %s, %e : f32
      attn.yield %r : f32
    } length_bound "seq" : tensor<?x2x64xf32, #attn.sizes<tokens, 2, 64>>, tensor<?x2x64xf32, #attn.sizes<tokens, 2, 64>>, tensor<?x2x64xf32, #attn.sizes<tokens, 2, 64>> -> tensor<?x2x64xf32, #attn.sizes<tokens, 2, 64>>
    kernel.return %o : tensor<?x2x64xf32, #attn.sizes<tokens, 2, 64>>
  }
}

// CHECK: warp.program @v_attention(
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : i32
// CHECK-DAG: %[[LAST:.*]] = arith.constant 8 : i32
// CHECK: warp.map
// The row of the query, then that of the key.
// CHECK: arith.minsi
// CHECK: arith.minsi
// CHECK: arith.addi
// CHECK: arith.addi
// CHECK: %[[X:.*]] = llvm.load {{.*}} -> i32
// CHECK: %[[Y:.*]] = llvm.load {{.*}} -> i32
// CHECK: %[[D:.*]] = arith.subi %[[X]], %[[Y]] : i32
// CHECK: %[[LOW:.*]] = arith.minsi %[[D]], %[[LAST]] : i32
// CHECK: arith.maxsi %[[LOW]], %[[ZERO]] : i32
// CHECK: llvm.load {{.*}} -> f32
