// Scores that read captures by query and key, and positions.
// RUN: attn-opt %s --attn-pack-tokens --split-input-file | FileCheck %s

attn.size @batch min 1 max 4
attn.size @seq min 1 max 16

// CHECK-DAG: #[[QUERY:.*]] = affine_map<(d0, d1, d2, d3) -> (d2, d1)>
// CHECK-DAG: #[[KEY:.*]] = affine_map<(d0, d1, d2, d3) -> (d3, d1)>
// CHECK-DAG: #[[OF_QUERY:.*]] = affine_map<(d0, d1, d2, d3) -> (d2)>
// CHECK-DAG: #[[OF_KEY:.*]] = affine_map<(d0, d1, d2, d3) -> (d3)>

// Positions are those in the padded sequence: the mask may have holes.
// CHECK-LABEL: attn.entry @disentangled
// CHECK: %[[ROWS:.*]], %[[OFFSETS:.*]] = attn.pack_index
// CHECK: %[[PADDED:.*]] = attn.positions
// CHECK: %[[POSITIONS:.*]] = attn.pack %[[PADDED]], %[[ROWS]] {{.*}} -> tensor<?xi32, #attn.sizes<tokens>>
// CHECK: %[[Q:.*]] = attn.head_linear {{.*}} : tensor<?x2x2xf32, #attn.sizes<tokens, 2, 2>>
// CHECK: %[[K:.*]] = attn.head_linear
// CHECK: attn.attention {{.*}} offsets(%[[OFFSETS]] {{.*}} score (%[[Q]] at #[[QUERY]] : {{.*}}, %[[K]] at #[[KEY]] : {{.*}}, %[[POSITIONS]] at #[[OF_QUERY]] : {{.*}}, %[[POSITIONS]] at #[[OF_KEY]]
// CHECK-NEXT: ^bb0(%{{.*}}: f32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: tensor<5xf32>, %{{.*}}: tensor<5xf32>, %[[A:.*]]: i32, %[[B:.*]]: i32):
// CHECK-NEXT: arith.subi %[[A]], %[[B]]
attn.entry @disentangled(%x: tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "x"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}, %w: tensor<2x2x5xf32> {attn.name = "w"}) -> (tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "y"}) sizes ["batch", "seq"] {
  %h = attn.split_heads %x : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>>
  %p = attn.head_linear %h, %w : tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>>, tensor<2x2x5xf32> -> tensor<?x?x2x5xf32, #attn.sizes<batch, seq, 2, 5>>
  %k = attn.head_linear %h, %w : tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>>, tensor<2x2x5xf32> -> tensor<?x?x2x5xf32, #attn.sizes<batch, seq, 2, 5>>
  %o = attn.attention %h, %h, %h score(%p at affine_map<(b, h, q, kv) -> (b, q, h)> : tensor<?x?x2x5xf32, #attn.sizes<batch, seq, 2, 5>>, %k at affine_map<(b, h, q, kv) -> (b, kv, h)> : tensor<?x?x2x5xf32, #attn.sizes<batch, seq, 2, 5>>) {
  ^bb0(%s: f32, %d0: i32, %d1: i32, %d2: i32, %d3: i32, %t: tensor<5xf32>, %u: tensor<5xf32>):
    %n = arith.subi %d2, %d3 : i32
    %e = attn.lookup %t[%n] : tensor<5xf32>
    %f = attn.lookup %u[%n] : tensor<5xf32>
    %r = arith.addf %e, %f : f32
    %v = arith.addf %s, %r : f32
    attn.yield %v : f32
  } mask(%m at affine_map<(b, h, q, kv) -> (b, kv)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%d0: i32, %d1: i32, %d2: i32, %d3: i32, %a: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %a, %z : i32
    attn.yield %c : i1
  } : tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>>, tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>>, tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>> -> tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>>
  %g = attn.merge_heads %o : tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>> -> tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  %y = attn.map element(%g at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, %m at affine_map<(d0, d1, d2) -> (d0, d1)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%a: f32, %b: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %b, %z : i32
    %f = arith.constant 0.0 : f32
    %s = arith.select %c, %a, %f : f32
    attn.yield %s : f32
  } : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  attn.return %y : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
}

// -----

attn.size @batch min 1 max 4
attn.size @seq min 1 max 16

// One number for a token: nothing is read behind its row.
// CHECK: #[[ROW:.*]] = affine_map<(d0, d1, d2, d3) -> (d3)>
// CHECK-LABEL: attn.entry @numbers
// CHECK: %[[ROWS:.*]], %[[OFFSETS:.*]] = attn.pack_index
// CHECK: %[[B:.*]] = attn.pack %{{.*}}, %[[ROWS]] {{.*}}-> tensor<?xf32, #attn.sizes<tokens>>
// CHECK: attn.attention {{.*}} offsets(%[[OFFSETS]] {{.*}} score (%[[B]] at #[[ROW]] : tensor<?xf32, #attn.sizes<tokens>>)
attn.entry @numbers(%x: tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "x"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}, %b: tensor<?x?xf32, #attn.sizes<batch, seq>> {attn.name = "b"}) -> (tensor<?x4xf32, #attn.sizes<batch, 4>> {attn.name = "y"}) sizes ["batch", "seq"] {
  %h = attn.split_heads %x : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>>
  %o = attn.attention %h, %h, %h score(%b at affine_map<(b, h, q, kv) -> (b, kv)> : tensor<?x?xf32, #attn.sizes<batch, seq>>) {
  ^bb0(%s: f32, %d0: i32, %d1: i32, %d2: i32, %d3: i32, %t: f32):
    %v = arith.addf %s, %t : f32
    attn.yield %v : f32
  } mask(%m at affine_map<(b, h, q, kv) -> (b, kv)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%d0: i32, %d1: i32, %d2: i32, %d3: i32, %a: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %a, %z : i32
    attn.yield %c : i1
  } : tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>>, tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>>, tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>> -> tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>>
  %g = attn.merge_heads %o : tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>> -> tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  %y = attn.pool mean %g mask(%m : tensor<?x?xi32, #attn.sizes<batch, seq>>) : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x4xf32, #attn.sizes<batch, 4>>
  attn.return %y : tensor<?x4xf32, #attn.sizes<batch, 4>>
}
