// RUN: attn-opt %s --attn-pack-tokens --verify-diagnostics | FileCheck %s

// CHECK-DAG: #[[ROW:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[COL:.*]] = affine_map<(d0, d1) -> (d1)>
attn.size @batch min 1 max 4
// CHECK: attn.size @seq
// CHECK-NEXT: attn.size @tokens derived "batch * seq"
attn.size @seq min 1 max 16

// CHECK-LABEL: attn.entry @encode
// CHECK-SAME: (%[[IDS:.*]]: tensor<{{.*}}> {{.*}}, %[[MASK:.*]]: tensor<{{.*}}> {{.*}}, %[[T:.*]]: tensor<9x4xf32> {{.*}}, %[[W:.*]]: tensor<4x4xf32> {{.*}}, %[[B:.*]]: tensor<4xf32>
// expected-remark @+1 {{[pack-tokens] applied: masked positions take no rows}}
attn.entry @encode(%ids: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "ids"}, %mask: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "mask"}, %table: tensor<9x4xf32> {attn.name = "t"}, %w: tensor<4x4xf32> {attn.name = "w"}, %b: tensor<4xf32> {attn.name = "b"}, %slopes: tensor<2xf32> {attn.name = "slopes"})
    -> (tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "hidden"}, tensor<?x4xf32, #attn.sizes<batch, 4>> {attn.name = "pooled"}, tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "echo"})
    sizes ["batch", "seq"] {
  // CHECK-NEXT: %[[ROWS:.*]], %[[OFFS:.*]] = attn.pack_index %[[MASK]] : {{.*}} -> tensor<?xi32, #attn.sizes<tokens>>, tensor<?xi32, #attn.sizes<batch + 1>>
  // CHECK: %[[POS:.*]] = attn.positions
  // CHECK-DAG: %[[PI:.*]] = attn.pack %[[IDS]], %[[ROWS]]
  // CHECK-DAG: %[[PP:.*]] = attn.pack %[[POS]], %[[ROWS]]
  // CHECK: %[[E:.*]] = attn.embedding(%[[PI]], %[[PP]]), {{.*}} -> tensor<?x4xf32, #attn.sizes<tokens, 4>>
  %pos = attn.positions : tensor<?x?xi32, #attn.sizes<batch, seq>>
  %e = attn.embedding(%ids, %pos), (%table, %table) : (tensor<?x?xi32, #attn.sizes<batch, seq>>, tensor<?x?xi32, #attn.sizes<batch, seq>>), (tensor<9x4xf32>, tensor<9x4xf32>) -> tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>

  // CHECK: %[[L:.*]] = attn.linear %[[E]], %[[W]] element (%[[B]] at #[[COL]] : tensor<4xf32>, %[[E]] at #[[ROW]] : tensor<?x4xf32, #attn.sizes<tokens, 4>>)
  // CHECK: attn.index 1
  %l = attn.linear %e, %w element(%b at affine_map<(d0, d1, d2) -> (d2)> : tensor<4xf32>, %e at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>) {
  ^bb0(%acc: f32, %p: f32, %r: f32):
    %i = attn.index 2 : i32
    %f = arith.sitofp %i : i32 to f32
    %s = arith.addf %acc, %p : f32
    %t = arith.addf %s, %r : f32
    %u = arith.addf %t, %f : f32
    attn.yield %u : f32
  } : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, tensor<4x4xf32> -> tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>

  // CHECK: %[[Q:.*]] = attn.split_heads %[[L]] : {{.*}} -> tensor<?x2x2xf32, #attn.sizes<tokens, 2, 2>>
  // CHECK: %[[A:.*]] = attn.attention %[[Q]], %[[Q]], %[[Q]] offsets(%[[OFFS]] : {{.*}}) score (%{{.*}} at
  // CHECK-NOT: mask
  // CHECK: length_bound "seq"
  %q = attn.split_heads %l : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>>
  %a = attn.attention %q, %q, %q score(%slopes at affine_map<(b, h, q, kv) -> (h)> : tensor<2xf32>) {
  ^bb0(%s: f32, %d0: i32, %d1: i32, %d2: i32, %d3: i32, %slope: f32):
    %r = arith.mulf %s, %slope : f32
    attn.yield %r : f32
  } mask(%mask at affine_map<(b, h, q, kv) -> (b, kv)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%d0: i32, %d1: i32, %d2: i32, %d3: i32, %m: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %m, %z : i32
    attn.yield %c : i1
  } : tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>>, tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>>, tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>> -> tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>>

  // CHECK: %[[Y:.*]] = attn.output_projection %[[A]]
  // CHECK: row (%[[B]] at
  // CHECK: : tensor<?x2x2xf32, #attn.sizes<tokens, 2, 2>>, tensor<4x4xf32> -> tensor<?x4xf32, #attn.sizes<tokens, 4>>
  %y = attn.output_projection %a, %w row(%b at affine_map<(d0, d1) -> ()> : tensor<4xf32>) {
  ^bb0(%row: tensor<4xf32>, %g: tensor<4xf32>):
    %n = attn.norm rms %row weight(%g : tensor<4xf32>) epsilon 1.0e-06 : tensor<4xf32>
    attn.yield %n : tensor<4xf32>
  } : tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>>, tensor<4x4xf32> -> tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>

  // The guard goes; what it guarded is unpacked. Pooling takes offsets. An
  // input goes back as it came.
  // CHECK-NOT: attn.map
  // CHECK: %[[P:.*]] = attn.pool mean %[[Y]] offsets(%[[OFFS]]
  // CHECK: %[[U:.*]] = attn.unpack %[[Y]], %[[ROWS]] : {{.*}} -> tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  // CHECK: attn.return %[[U]], %[[P]], %[[IDS]]
  %o = attn.map element(%y at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, %mask at affine_map<(d0, d1, d2) -> (d0, d1)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%x: f32, %m: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi eq, %m, %z : i32
    %f = arith.constant 0.0 : f32
    %s = arith.select %c, %f, %x : f32
    attn.yield %s : f32
  } : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  %p = attn.pool mean %y mask(%mask : tensor<?x?xi32, #attn.sizes<batch, seq>>) : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x4xf32, #attn.sizes<batch, 4>>
  attn.return %o, %p, %ids : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, tensor<?x4xf32, #attn.sizes<batch, 4>>, tensor<?x?xi32, #attn.sizes<batch, seq>>
}
