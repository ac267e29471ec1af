// RUN: attn-opt %s --attn-fuse-qkv --split-input-file --verify-diagnostics | FileCheck %s

// Biases as maps, grouped heads; the new weights' names share what the parts'
// names share. A map after the heads stays.

// CHECK-DAG: attn.weight @l.qkv.w from ["wq", "wk", "wv"] concat 0 : tensor<16x8xf32>
// CHECK-DAG: attn.weight @l.qkv.b from ["bq", "bk1", "bk2", "bv"] concat 0 : tensor<16xf32>
// CHECK-LABEL: attn.entry @maps
attn.weight @l.q.w from ["wq"] digest "0123" : tensor<8x8xf32>
attn.weight @l.k.w from ["wk"] digest "4567" : tensor<4x8xf32>
attn.weight @l.v.w from ["wv"] digest "89ab" : tensor<4x8xf32>
attn.weight @l.q.b from ["bq"] : tensor<8xf32>
attn.weight @l.k.b from ["bk1", "bk2"] concat 0 : tensor<4xf32>
attn.weight @l.v.b from ["bv"] : tensor<4xf32>
attn.entry @maps(%x: tensor<1x3x8xf32> {attn.name = "x"}) -> (tensor<1x3x2x4xf32> {attn.name = "o"}) sizes [] {
  // CHECK-DAG: %[[W:.*]] = attn.get_weight @l.qkv.w
  // CHECK-DAG: %[[B:.*]] = attn.get_weight @l.qkv.b
  // CHECK: %[[Q:.*]], %[[K:.*]], %[[V:.*]] = attn.qkv_projection %{{.*}}, %[[W]] element (%[[B]] at #{{.*}} : tensor<16xf32>)
  // CHECK: arith.addf
  // CHECK: tensor<1x3x8xf32>, tensor<16x8xf32> -> tensor<1x3x2x4xf32>, tensor<1x3x1x4xf32>, tensor<1x3x1x4xf32>
  // CHECK: %[[T:.*]] = attn.map element (%[[Q]]
  // CHECK: attn.attention %[[T]], %[[K]], %[[V]]
  %wq = attn.get_weight @l.q.w : tensor<8x8xf32>
  %bq = attn.get_weight @l.q.b : tensor<8xf32>
  // expected-remark @+1 {{[fuse-qkv] applied: query, key and value are one projection}}
  %q0 = attn.linear %x, %wq : tensor<1x3x8xf32>, tensor<8x8xf32> -> tensor<1x3x8xf32>
  %q1 = attn.map element(%q0 at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<1x3x8xf32>, %bq at affine_map<(d0, d1, d2) -> (d2)> : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %b, %a : f32
    attn.yield %s : f32
  } : tensor<1x3x8xf32>
  %q2 = attn.split_heads %q1 : tensor<1x3x8xf32> -> tensor<1x3x2x4xf32>
  %q = attn.map element(%q2 at affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)> : tensor<1x3x2x4xf32>) {
  ^bb0(%a: f32):
    %s = math.tanh %a : f32
    attn.yield %s : f32
  } : tensor<1x3x2x4xf32>
  %wk = attn.get_weight @l.k.w : tensor<4x8xf32>
  %bk = attn.get_weight @l.k.b : tensor<4xf32>
  %k0 = attn.linear %x, %wk element(%bk at affine_map<(d0, d1, d2) -> (d2)> : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    attn.yield %s : f32
  } : tensor<1x3x8xf32>, tensor<4x8xf32> -> tensor<1x3x4xf32>
  %k = attn.split_heads %k0 : tensor<1x3x4xf32> -> tensor<1x3x1x4xf32>
  %wv = attn.get_weight @l.v.w : tensor<4x8xf32>
  %bv = attn.get_weight @l.v.b : tensor<4xf32>
  %v0 = attn.linear %x, %wv element(%bv at affine_map<(d0, d1, d2) -> (d2)> : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    attn.yield %s : f32
  } : tensor<1x3x8xf32>, tensor<4x8xf32> -> tensor<1x3x4xf32>
  %v = attn.split_heads %v0 : tensor<1x3x4xf32> -> tensor<1x3x1x4xf32>
  %o = attn.attention %q, %k, %v : tensor<1x3x2x4xf32>, tensor<1x3x1x4xf32>, tensor<1x3x1x4xf32> -> tensor<1x3x2x4xf32>
  attn.return %o : tensor<1x3x2x4xf32>
}

// -----

// Transposed weights are concatenated along their sources' other dimension;
// without biases there is no element region.

// CHECK: attn.weight @qkv from ["a", "b", "c"] concat 1 transpose : tensor<6x2xf32>
attn.weight @a from ["a"] transpose : tensor<2x2xf32>
attn.weight @b from ["b"] transpose : tensor<2x2xf32>
attn.weight @c from ["c"] transpose : tensor<2x2xf32>
// CHECK-LABEL: attn.entry @transposed
attn.entry @transposed(%x: tensor<1x3x2xf32> {attn.name = "x"}) -> (tensor<1x3x1x2xf32> {attn.name = "o"}) sizes [] {
  // CHECK: attn.qkv_projection %{{[a-z0-9]*}}, %{{[a-z0-9]*}} : tensor<1x3x2xf32>, tensor<6x2xf32>
  %a = attn.get_weight @a : tensor<2x2xf32>
  %b = attn.get_weight @b : tensor<2x2xf32>
  %c = attn.get_weight @c : tensor<2x2xf32>
  // expected-remark @+1 {{[fuse-qkv] applied}}
  %q0 = attn.linear %x, %a : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %k0 = attn.linear %x, %b : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %v0 = attn.linear %x, %c : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %q = attn.split_heads %q0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  %k = attn.split_heads %k0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  %v = attn.split_heads %v0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  %o = attn.attention %q, %k, %v : tensor<1x3x1x2xf32>, tensor<1x3x1x2xf32>, tensor<1x3x1x2xf32> -> tensor<1x3x1x2xf32>
  attn.return %o : tensor<1x3x1x2xf32>
}

// -----

// One bias may serve all three.

// CHECK: attn.weight @b.qkv from ["b", "b", "b"] concat 0 : tensor<12xf32>
// CHECK-LABEL: attn.entry @one_bias
attn.weight @q.w from ["q"] : tensor<4x4xf32>
attn.weight @k.w from ["k"] : tensor<4x4xf32>
attn.weight @v.w from ["v"] : tensor<4x4xf32>
attn.weight @b.all from ["b"] : tensor<4xf32>
attn.entry @one_bias(%x: tensor<1x3x4xf32> {attn.name = "x"}) -> (tensor<1x3x2x2xf32> {attn.name = "o"}) sizes [] {
  %wq = attn.get_weight @q.w : tensor<4x4xf32>
  %wk = attn.get_weight @k.w : tensor<4x4xf32>
  %wv = attn.get_weight @v.w : tensor<4x4xf32>
  %b = attn.get_weight @b.all : tensor<4xf32>
  // CHECK: attn.qkv_projection
  // expected-remark @+1 {{[fuse-qkv] applied: query, key and value are one projection}}
  %aq = attn.linear %x, %wq element(%b at affine_map<(d0, d1, d2) -> (d2)> : tensor<4xf32>) {
  ^bb0(%acc: f32, %bias: f32):
    %s = arith.addf %acc, %bias : f32
    attn.yield %s : f32
  } : tensor<1x3x4xf32>, tensor<4x4xf32> -> tensor<1x3x4xf32>
  %ak = attn.linear %x, %wk element(%b at affine_map<(d0, d1, d2) -> (d2)> : tensor<4xf32>) {
  ^bb0(%acc: f32, %bias: f32):
    %s = arith.addf %acc, %bias : f32
    attn.yield %s : f32
  } : tensor<1x3x4xf32>, tensor<4x4xf32> -> tensor<1x3x4xf32>
  %av = attn.linear %x, %wv element(%b at affine_map<(d0, d1, d2) -> (d2)> : tensor<4xf32>) {
  ^bb0(%acc: f32, %bias: f32):
    %s = arith.addf %acc, %bias : f32
    attn.yield %s : f32
  } : tensor<1x3x4xf32>, tensor<4x4xf32> -> tensor<1x3x4xf32>
  %q = attn.split_heads %aq : tensor<1x3x4xf32> -> tensor<1x3x2x2xf32>
  %k = attn.split_heads %ak : tensor<1x3x4xf32> -> tensor<1x3x2x2xf32>
  %v = attn.split_heads %av : tensor<1x3x4xf32> -> tensor<1x3x2x2xf32>
  // CHECK-NOT: attn.get_weight
  %o = attn.attention %q, %k, %v : tensor<1x3x2x2xf32>, tensor<1x3x2x2xf32>, tensor<1x3x2x2xf32> -> tensor<1x3x2x2xf32>
  attn.return %o : tensor<1x3x2x2xf32>
}
