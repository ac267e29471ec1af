// RUN: attn-opt %s --attn-raise-attention --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: attn.entry @plain
attn.entry @plain(%q: tensor<3x4xf32> {attn.name = "q"}, %k: tensor<5x4xf32> {attn.name = "k"}, %v: tensor<5x6xf32> {attn.name = "v"})
    -> (tensor<3x6xf32> {attn.name = "o"}) sizes [] {
  // CHECK-NEXT: %[[O:.*]] = attn.attention %{{.*}}, %{{.*}}, %{{.*}} : tensor<3x4xf32>, tensor<5x4xf32>, tensor<5x6xf32> -> tensor<3x6xf32>
  // CHECK-NEXT: attn.return %[[O]]
  %s = attn.matmul %q, %k transpose_rhs : tensor<3x4xf32>, tensor<5x4xf32> -> tensor<3x5xf32>
  %p = attn.softmax %s : tensor<3x5xf32>
  // expected-remark @+1 {{[raise-attention] applied: softmax between two products is one attention}}
  %o = attn.matmul %p, %v : tensor<3x5xf32>, tensor<5x6xf32> -> tensor<3x6xf32>
  attn.return %o : tensor<3x6xf32>
}

// -----

// Scale, bias and causal mask: two maps become the score region; d0 and d1
// become q and kv.

// CHECK-DAG: #[[BIAS:.*]] = affine_map<(d0, d1, d2, d3) -> (d3)>
// CHECK-LABEL: attn.entry @maps
attn.entry @maps(%q: tensor<3x4xf32> {attn.name = "q"}, %bias: tensor<3xf32> {attn.name = "bias"})
    -> (tensor<3x4xf32> {attn.name = "o"}) sizes [] {
  // CHECK-NEXT: attn.attention %[[Q:.*]], %[[Q]], %[[Q]] score (%{{.*}} at #[[BIAS]] : tensor<3xf32>)
  // CHECK-NEXT: ^bb0(%[[S:.*]]: f32, %{{.*}}: i32, %{{.*}}: i32, %[[QI:.*]]: i32, %[[KV:.*]]: i32, %[[B:.*]]: f32):
  // CHECK: %[[T:.*]] = arith.mulf %[[S]], %{{.*}} : f32
  // CHECK: %[[C:.*]] = arith.cmpi sge, %[[QI]], %[[KV]] : i32
  // CHECK: %[[U:.*]] = arith.addf %[[T]], %[[B]] : f32
  // CHECK: arith.select %[[C]], %[[U]], %{{.*}} : f32
  %s = attn.matmul %q, %q transpose_rhs : tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x3xf32>
  %t = attn.map element(%s at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x3xf32>) {
  ^bb0(%a: f32):
    %c = arith.constant 0.5 : f32
    %r = arith.mulf %a, %c : f32
    attn.yield %r : f32
  } : tensor<3x3xf32>
  %u = attn.map element(%bias at affine_map<(d0, d1) -> (d1)> : tensor<3xf32>, %t at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x3xf32>) {
  ^bb0(%b: f32, %a: f32):
    %r = arith.addf %a, %b : f32
    %i = attn.index 0 : i32
    %j = attn.index 1 : i32
    %c = arith.cmpi sge, %i, %j : i32
    %n = arith.constant 0xFF800000 : f32
    %m = arith.select %c, %r, %n : f32
    attn.yield %m : f32
  } : tensor<3x3xf32>
  %p = attn.softmax %u : tensor<3x3xf32>
  // expected-remark @+1 {{[raise-attention] applied}}
  %o = attn.matmul %p, %q : tensor<3x3xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  attn.return %o : tensor<3x4xf32>
}

// -----

// [b, h, s, d]: the transpositions around the products vanish.

// CHECK-LABEL: attn.entry @heads
// CHECK-SAME: (%[[Q:.*]]: tensor<2x3x2x4xf32> {{.*}}, %[[KT:.*]]: tensor<2x2x4x3xf32> {{.*}})
attn.entry @heads(%q: tensor<2x3x2x4xf32> {attn.name = "q"}, %kt: tensor<2x2x4x3xf32> {attn.name = "kt"})
    -> (tensor<2x3x2x4xf32> {attn.name = "o"}) sizes [] {
  // CHECK: %[[K:.*]] = attn.map element (%[[KT]] at #{{.*}} : tensor<2x2x4x3xf32>)
  // CHECK: : tensor<2x3x2x4xf32>
  // CHECK: %[[O:.*]] = attn.attention %[[Q]], %[[K]], %[[Q]] :
  // CHECK-NEXT: attn.return %[[O]]
  %h = attn.map element(%q at affine_map<(d0, d1, d2, d3) -> (d0, d2, d1, d3)> : tensor<2x3x2x4xf32>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } : tensor<2x2x3x4xf32>
  %s = attn.matmul %h, %kt : tensor<2x2x3x4xf32>, tensor<2x2x4x3xf32> -> tensor<2x2x3x3xf32>
  %p = attn.softmax %s : tensor<2x2x3x3xf32>
  // expected-remark @+1 {{[raise-attention] applied}}
  %o = attn.matmul %p, %h : tensor<2x2x3x3xf32>, tensor<2x2x3x4xf32> -> tensor<2x2x3x4xf32>
  %r = attn.map element(%o at affine_map<(d0, d1, d2, d3) -> (d0, d2, d1, d3)> : tensor<2x2x3x4xf32>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } : tensor<2x3x2x4xf32>
  attn.return %r : tensor<2x3x2x4xf32>
}

// -----

// [b, s, d] is one head.

// CHECK-LABEL: attn.entry @one_head
attn.entry @one_head(%q: tensor<2x3x4xf32> {attn.name = "q"}) -> (tensor<2x3x4xf32> {attn.name = "o"}) sizes [] {
  // CHECK: attn.attention {{.*}} : tensor<2x3x1x4xf32>, tensor<2x3x1x4xf32>, tensor<2x3x1x4xf32> -> tensor<2x3x1x4xf32>
  // CHECK: attn.map
  // CHECK: : tensor<2x3x4xf32>
  %s = attn.matmul %q, %q transpose_rhs : tensor<2x3x4xf32>, tensor<2x3x4xf32> -> tensor<2x3x3xf32>
  %p = attn.softmax %s : tensor<2x3x3xf32>
  // expected-remark @+1 {{[raise-attention] applied}}
  %o = attn.matmul %p, %q : tensor<2x3x3xf32>, tensor<2x3x4xf32> -> tensor<2x3x4xf32>
  attn.return %o : tensor<2x3x4xf32>
}
