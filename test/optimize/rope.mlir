// RUN: attn-opt %s --attn-fuse-qkv --attn-pack-tokens --verify-diagnostics | FileCheck %s
// RUN: attn-opt %s --attn-fuse-qkv --attn-pack-tokens "--attn-select-kernels=target=x86-64-v3" --verify-diagnostics | FileCheck %s --check-prefix=KERNELS

// Projections become one behind rotations of query and key; the tables, of
// positions in the padded batch, are packed like rows.

attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
attn.weight @q.w from ["q"] : tensor<8x8xf32>
attn.weight @k.w from ["k"] : tensor<8x8xf32>
attn.weight @v.w from ["v"] : tensor<8x8xf32>

// CHECK-LABEL: attn.entry @rotated
// CHECK: %[[ROWS:.*]], %[[OFFSETS:.*]] = attn.pack_index
// CHECK: %[[COS:.*]] = attn.map element (%{{.*}} : tensor<?xi32, #attn.sizes<tokens>>, %{{.*}} : tensor<2xf32>)
// CHECK: math.cos
// CHECK: %[[SIN:.*]] = attn.map
// CHECK: math.sin
// CHECK: %[[Q:.*]], %[[K:.*]], %[[V:.*]] = attn.qkv_projection
// CHECK: %[[RQ:.*]] = attn.rope %[[Q]], %[[COS]], %[[SIN]] : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<?x2xf32, #attn.sizes<tokens, 2>>
// CHECK: %[[RK:.*]] = attn.rope %[[K]], %[[COS]], %[[SIN]] interleaved
// CHECK: attn.attention %[[RQ]], %[[RK]], %[[V]] offsets(%[[OFFSETS]]

// Query and key are read where the product wrote them.
// KERNELS-DAG: kernel.func @rope(%{{.*}}: tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>> {kernel.layout = #kernel.rows<24>}
// KERNELS-DAG: kernel.func @rope_{{[0-9]+}}(%{{.*}}: tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>> {kernel.layout = #kernel.rows<24>}
// expected-remark @+1 {{[pack-tokens] applied}}
attn.entry @rotated(%x: tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>> {attn.name = "x"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}) -> (tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>> {attn.name = "y"}) sizes ["batch", "seq"] {
  %f = attn.constant dense<[1.0, 0.01]> : tensor<2xf32>
  %p = attn.positions : tensor<?x?xi32, #attn.sizes<batch, seq>>
  %cos = attn.map element(%p at affine_map<(d0, d1, d2) -> (d0, d1)> : tensor<?x?xi32, #attn.sizes<batch, seq>>, %f at affine_map<(d0, d1, d2) -> (d2)> : tensor<2xf32>) {
  ^bb0(%i: i32, %a: f32):
    %n = arith.sitofp %i : i32 to f32
    %t = arith.mulf %n, %a : f32
    %c = math.cos %t : f32
    attn.yield %c : f32
  } : tensor<?x?x2xf32, #attn.sizes<batch, seq, 2>>
  %sin = attn.map element(%p at affine_map<(d0, d1, d2) -> (d0, d1)> : tensor<?x?xi32, #attn.sizes<batch, seq>>, %f at affine_map<(d0, d1, d2) -> (d2)> : tensor<2xf32>) {
  ^bb0(%i: i32, %a: f32):
    %n = arith.sitofp %i : i32 to f32
    %t = arith.mulf %n, %a : f32
    %c = math.sin %t : f32
    attn.yield %c : f32
  } : tensor<?x?x2xf32, #attn.sizes<batch, seq, 2>>
  // expected-remark @+2 {{[fuse-qkv] applied}}
  %wq = attn.get_weight @q.w : tensor<8x8xf32>
  %q0 = attn.linear %x, %wq : tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>>, tensor<8x8xf32> -> tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>>
  %q1 = attn.split_heads %q0 : tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>> -> tensor<?x?x2x4xf32, #attn.sizes<batch, seq, 2, 4>>
  %wk = attn.get_weight @k.w : tensor<8x8xf32>
  %k0 = attn.linear %x, %wk : tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>>, tensor<8x8xf32> -> tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>>
  %k1 = attn.split_heads %k0 : tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>> -> tensor<?x?x2x4xf32, #attn.sizes<batch, seq, 2, 4>>
  %wv = attn.get_weight @v.w : tensor<8x8xf32>
  %v0 = attn.linear %x, %wv : tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>>, tensor<8x8xf32> -> tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>>
  %v1 = attn.split_heads %v0 : tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>> -> tensor<?x?x2x4xf32, #attn.sizes<batch, seq, 2, 4>>
  %rq = attn.rope %q1, %cos, %sin : tensor<?x?x2x4xf32, #attn.sizes<batch, seq, 2, 4>>, tensor<?x?x2xf32, #attn.sizes<batch, seq, 2>>
  %rk = attn.rope %k1, %cos, %sin interleaved : tensor<?x?x2x4xf32, #attn.sizes<batch, seq, 2, 4>>, tensor<?x?x2xf32, #attn.sizes<batch, seq, 2>>
  %o = attn.attention %rq, %rk, %v1 mask(%m at affine_map<(b, h, q, kv) -> (b, kv)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%b: i32, %h: i32, %i: i32, %j: i32, %keep: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %keep, %z : i32
    attn.yield %c : i1
  } : tensor<?x?x2x4xf32, #attn.sizes<batch, seq, 2, 4>>, tensor<?x?x2x4xf32, #attn.sizes<batch, seq, 2, 4>>, tensor<?x?x2x4xf32, #attn.sizes<batch, seq, 2, 4>> -> tensor<?x?x2x4xf32, #attn.sizes<batch, seq, 2, 4>>
  %g = attn.merge_heads %o : tensor<?x?x2x4xf32, #attn.sizes<batch, seq, 2, 4>> -> tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>>
  %y = attn.map element(%g at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>>, %m at affine_map<(d0, d1, d2) -> (d0, d1)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%a: f32, %b: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %b, %z : i32
    %e = arith.constant 0.0 : f32
    %s = arith.select %c, %a, %e : f32
    attn.yield %s : f32
  } : tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>>
  attn.return %y : tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>>
}
