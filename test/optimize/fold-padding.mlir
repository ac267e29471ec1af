// RUN: attn-opt %s --attn-fold-padding --split-input-file --verify-diagnostics | FileCheck %s

// The bias is a map of its own shape; the mask reads the integers behind it.

// CHECK-DAG: #[[KEY:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d3)>
// CHECK-LABEL: attn.entry @bias
attn.entry @bias(%q: tensor<2x3x1x4xf32> {attn.name = "q"}, %m: tensor<2x3xi32> {attn.name = "m"})
    -> (tensor<2x3x1x4xf32> {attn.name = "o"}) sizes [] {
  // CHECK-NOT: attn.map
  %b = attn.map element(%m at affine_map<(d0, d1, d2, d3) -> (d0, d3)> : tensor<2x3xi32>) {
  ^bb0(%a: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %a, %z : i32
    %f = arith.constant 0.0 : f32
    %n = arith.constant -3.4028234663852886E+38 : f32
    %s = arith.select %c, %f, %n : f32
    attn.yield %s : f32
  } : tensor<2x1x1x3xf32>
  // CHECK: attn.attention %[[Q:.*]], %[[Q]], %[[Q]] score () {
  // CHECK: %[[R:.*]] = math.tanh
  // CHECK-NEXT: attn.yield %[[R]]
  // CHECK: mask (%{{.*}} at #[[KEY]] : tensor<2x3xi32>)
  // CHECK-NEXT: ^bb0(%{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32, %[[M:.*]]: i32):
  // CHECK: %[[C:.*]] = arith.cmpi ne, %[[M]], %{{.*}} : i32
  // CHECK-NEXT: attn.yield %[[C]] : i1
  // expected-remark @+1 {{[fold-padding] applied: the additive mask is the mask region}}
  %o = attn.attention %q, %q, %q score(%b at affine_map<(b, h, q, kv) -> (b, 0, 0, kv)> : tensor<2x1x1x3xf32>) {
  ^bb0(%s: f32, %d0: i32, %d1: i32, %d2: i32, %d3: i32, %n: f32):
    %t = math.tanh %s : f32
    %r = arith.addf %n, %t : f32
    attn.yield %r : f32
  } : tensor<2x3x1x4xf32>, tensor<2x3x1x4xf32>, tensor<2x3x1x4xf32> -> tensor<2x3x1x4xf32>
  attn.return %o : tensor<2x3x1x4xf32>
}

// -----

// A select at the end, and-ed to the mask that is there; an empty score region
// goes.

// CHECK-LABEL: attn.entry @select
attn.entry @select(%q: tensor<3x4xf32> {attn.name = "q"}, %m: tensor<3xi32> {attn.name = "m"})
    -> (tensor<3x4xf32> {attn.name = "o"}) sizes [] {
  // CHECK-NOT: score
  // CHECK: mask (%{{.*}} at #{{.*}} : tensor<3xi32>)
  // CHECK-NEXT: ^bb0(%{{.*}}: i32, %{{.*}}: i32, %[[I:.*]]: i32, %[[J:.*]]: i32, %[[M:.*]]: i32):
  // CHECK: %[[A:.*]] = arith.cmpi eq, %[[M]]
  // CHECK: %[[B:.*]] = arith.cmpi sge, %[[I]], %[[J]]
  // CHECK: %[[C:.*]] = arith.andi %[[A]], %[[B]] : i1
  // CHECK: attn.yield %[[C]]
  // expected-remark @+1 {{[fold-padding] applied}}
  %o = attn.attention %q, %q, %q score() {
  ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32):
    %c = arith.cmpi slt, %i, %j : i32
    %n = arith.constant 0xFF800000 : f32
    %r = arith.select %c, %n, %s : f32
    attn.yield %r : f32
  } mask(%m at affine_map<(b, h, q, kv) -> (kv)> : tensor<3xi32>) {
  ^bb0(%b: i32, %h: i32, %i: i32, %j: i32, %a: i32):
    %z = arith.constant 1 : i32
    %c = arith.cmpi eq, %a, %z : i32
    attn.yield %c : i1
  } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  attn.return %o : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: attn.entry @small_numbers
attn.entry @small_numbers(%q: tensor<3x4xf32> {attn.name = "q"}, %m: tensor<3xi32> {attn.name = "m"})
    -> (tensor<3x4xf32> {attn.name = "o"}) sizes [] {
  // expected-note @+1 {{because of 'attn.map'}}
  %b = attn.map element(%m at affine_map<(d0) -> (d0)> : tensor<3xi32>) {
  ^bb0(%a: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %a, %z : i32
    %f = arith.constant 0.0 : f32
    %n = arith.constant -1.0e+04 : f32
    %s = arith.select %c, %f, %n : f32
    attn.yield %s : f32
  } : tensor<3xf32>
  // CHECK: score
  // CHECK-NOT: mask (
  // expected-remark @+1 {{[fold-padding] missed: the bias is not 0 where kept and -inf elsewhere}}
  %o = attn.attention %q, %q, %q score(%b at affine_map<(b, h, q, kv) -> (kv)> : tensor<3xf32>) {
  ^bb0(%s: f32, %d0: i32, %d1: i32, %d2: i32, %d3: i32, %n: f32):
    %r = arith.addf %s, %n : f32
    attn.yield %r : f32
  } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  attn.return %o : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: attn.entry @threshold
attn.entry @threshold(%q: tensor<3x4xf32> {attn.name = "q"}) -> (tensor<3x4xf32> {attn.name = "o"}) sizes [] {
  // CHECK: score
  // CHECK-NOT: mask (
  // expected-remark @+1 {{[fold-padding] missed: the mask depends on the score}}
  %o = attn.attention %q, %q, %q score() {
  ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32):
    %z = arith.constant 0.0 : f32
    %c = arith.cmpf ogt, %s, %z : f32
    %n = arith.constant 0xFF800000 : f32
    // expected-note @+1 {{because of 'arith.select'}}
    %r = arith.select %c, %s, %n : f32
    attn.yield %r : f32
  } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  attn.return %o : tensor<3x4xf32>
}
