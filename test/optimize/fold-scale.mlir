// RUN: attn-opt %s --attn-fold-scale --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: attn.entry @query
attn.entry @query(%q: tensor<3x4xf32> {attn.name = "q"}, %k: tensor<3x4xf32> {attn.name = "k"})
    -> (tensor<3x4xf32> {attn.name = "o"}) sizes [] {
  // CHECK-NOT: attn.map
  %t = attn.map element(%q at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
  ^bb0(%a: f32):
    %c = arith.constant 5.0e-01 : f32
    %s = arith.mulf %c, %a : f32
    attn.yield %s : f32
  } : tensor<3x4xf32>
  // The scale comes before what the score region did.
  // CHECK: attn.attention %{{.*}}, %{{.*}}, %{{.*}} score
  // CHECK-NEXT: ^bb0(%[[S:.*]]: f32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32):
  // CHECK: %[[HALF:.*]] = arith.constant 5.000000e-01
  // CHECK: %[[SCALED:.*]] = arith.mulf %[[S]], %[[HALF]]
  // CHECK: math.tanh %[[SCALED]]
  // expected-remark @+1 {{[fold-scale] applied: the scale of the query is part of the score}}
  %o = attn.attention %t, %k, %k score() {
  ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32):
    %r = math.tanh %s : f32
    attn.yield %r : f32
  } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  attn.return %o : tensor<3x4xf32>
}

// -----

// The rest of the map stays; heads do not matter; a splat constant is a number.

// CHECK-LABEL: attn.entry @key
attn.entry @key(%q: tensor<1x3x2x4xf32> {attn.name = "q"}, %x: tensor<1x3x8xf32> {attn.name = "x"}, %bias: tensor<8xf32> {attn.name = "bias"})
    -> (tensor<1x3x2x4xf32> {attn.name = "o"}) sizes [] {
  %c = attn.constant dense<2.0> : tensor<8xf32>
  // CHECK: %[[M:.*]] = attn.map element
  // CHECK: %[[SUM:.*]] = arith.addf
  // CHECK-NEXT: attn.yield %[[SUM]]
  %t = attn.map element(%x at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<1x3x8xf32>, %bias at affine_map<(d0, d1, d2) -> (d2)> : tensor<8xf32>, %c at affine_map<(d0, d1, d2) -> (d2)> : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %s = arith.addf %a, %b : f32
    %r = arith.divf %s, %d : f32
    attn.yield %r : f32
  } : tensor<1x3x8xf32>
  // CHECK: attn.split_heads %[[M]]
  %k = attn.split_heads %t : tensor<1x3x8xf32> -> tensor<1x3x2x4xf32>
  // CHECK: attn.attention
  // CHECK: arith.divf
  // expected-remark @+1 {{[fold-scale] applied: the scale of the key is part of the score}}
  %o = attn.attention %q, %k, %q : tensor<1x3x2x4xf32>, tensor<1x3x2x4xf32>, tensor<1x3x2x4xf32> -> tensor<1x3x2x4xf32>
  attn.return %o : tensor<1x3x2x4xf32>
}

// -----

// One tensor as query and key is scaled twice.

// CHECK-LABEL: attn.entry @both
attn.entry @both(%x: tensor<3x4xf32> {attn.name = "x"}) -> (tensor<3x4xf32> {attn.name = "o"}) sizes [] {
  %t = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
  ^bb0(%a: f32):
    %c = arith.constant 5.0e-01 : f32
    %s = arith.mulf %a, %c : f32
    attn.yield %s : f32
  } : tensor<3x4xf32>
  // CHECK-COUNT-2: arith.mulf
  // expected-remark @+1 {{[fold-scale] applied}}
  %o = attn.attention %t, %t, %x : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  attn.return %o : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: attn.entry @other_use
attn.entry @other_use(%q: tensor<3x4xf32> {attn.name = "q"}, %k: tensor<3x4xf32> {attn.name = "k"})
    -> (tensor<3x4xf32> {attn.name = "o"}, tensor<3x4xf32> {attn.name = "t"}) sizes [] {
  // CHECK: arith.mulf
  %t = attn.map element(%q at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
  ^bb0(%a: f32):
    %c = arith.constant 5.0e-01 : f32
    %s = arith.mulf %a, %c : f32
    attn.yield %s : f32
  } : tensor<3x4xf32>
  // expected-remark @+1 {{[fold-scale] missed: the scaled query has another use}}
  %o = attn.attention %t, %k, %k : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  // expected-note @+1 {{because of 'attn.return'}}
  attn.return %o, %t : tensor<3x4xf32>, tensor<3x4xf32>
}

// -----

// CHECK-LABEL: attn.entry @factor_per_column
attn.entry @factor_per_column(%q: tensor<3x4xf32> {attn.name = "q"}, %g: tensor<4xf32> {attn.name = "g"})
    -> (tensor<3x4xf32> {attn.name = "o"}) sizes [] {
  // expected-note @+1 {{because of 'attn.map'}}
  %t = attn.map element(%q at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>, %g at affine_map<(d0, d1) -> (d1)> : tensor<4xf32>) {
  ^bb0(%a: f32, %c: f32):
    %s = arith.mulf %a, %c : f32
    attn.yield %s : f32
  } : tensor<3x4xf32>
  // CHECK: attn.attention
  // CHECK-NOT: score
  // expected-remark @+1 {{[fold-scale] missed: the factor of the query is not a constant}}
  %o = attn.attention %t, %q, %q : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  attn.return %o : tensor<3x4xf32>
}

// -----

// A region that captures the query sees it scaled.

// CHECK-LABEL: attn.entry @captured_query
// CHECK: %[[T:.*]] = attn.map
// CHECK: arith.mulf
// CHECK: attn.attention %[[T]]
attn.entry @captured_query(%q: tensor<3x4xf32> {attn.name = "q"}, %k: tensor<3x4xf32> {attn.name = "k"}) -> (tensor<3x4xf32> {attn.name = "o"}) sizes [] {
  %t = attn.map element(%q at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
  ^bb0(%a: f32):
    %c = arith.constant 4.0 : f32
    %s = arith.mulf %a, %c : f32
    attn.yield %s : f32
  } : tensor<3x4xf32>
  // expected-remark @+2 {{[fold-scale] missed: the scaled query is captured by a region}}
  // expected-note @+1 {{because of 'attn.attention'}}
  %o = attn.attention %t, %k, %k score(%t at affine_map<(b, h, q, kv) -> (q, 0)> : tensor<3x4xf32>) {
  ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32, %first: f32):
    %r = arith.addf %s, %first : f32
    attn.yield %r : f32
  } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  attn.return %o : tensor<3x4xf32>
}
