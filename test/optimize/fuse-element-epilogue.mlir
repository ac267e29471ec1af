// RUN: attn-opt %s --attn-fuse-element-epilogue --split-input-file --verify-diagnostics | FileCheck %s

// Bias, activation and residual, one after the other. The projection moves
// behind what they read.

// CHECK-LABEL: attn.entry @chain
attn.weight @b from ["b"] : tensor<6xf32>
attn.entry @chain(%x: tensor<3x4xf32> {attn.name = "x"}, %w: tensor<6x4xf32> {attn.name = "w"}, %r: tensor<3x6xf32> {attn.name = "r"})
    -> (tensor<3x6xf32> {attn.name = "y"}) sizes [] {
  // CHECK: %[[B:.*]] = attn.get_weight @b
  // CHECK: %[[Y:.*]] = attn.linear %{{.*}}, %{{.*}} element (%[[B]] at #{{.*}} : tensor<6xf32>, %{{.*}} at #{{.*}} : tensor<3x6xf32>)
  // CHECK-NEXT: ^bb0(%[[ACC:.*]]: f32, %[[BIAS:.*]]: f32, %[[RES:.*]]: f32):
  // CHECK-NEXT: %[[S:.*]] = arith.addf %[[ACC]], %[[BIAS]]
  // CHECK-NEXT: %[[T:.*]] = math.tanh %[[S]]
  // CHECK-NEXT: %[[U:.*]] = arith.addf %[[T]], %[[RES]]
  // CHECK-NEXT: attn.yield %[[U]]
  // CHECK-NOT: attn.map
  // CHECK: attn.return %[[Y]]
  // expected-remark @+1 {{[fuse-element-epilogue] applied: the map finishes the elements where they are made}}
  %y = attn.linear %x, %w : tensor<3x4xf32>, tensor<6x4xf32> -> tensor<3x6xf32>
  %b = attn.get_weight @b : tensor<6xf32>
  %z = attn.map element(%y at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x6xf32>, %b at affine_map<(d0, d1) -> (d1)> : tensor<6xf32>) {
  ^bb0(%a: f32, %c: f32):
    %s = arith.addf %a, %c : f32
    %t = math.tanh %s : f32
    attn.yield %t : f32
  } : tensor<3x6xf32>
  %v = attn.map element(%z at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x6xf32>, %r at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x6xf32>) {
  ^bb0(%a: f32, %c: f32):
    %s = arith.addf %a, %c : f32
    attn.yield %s : f32
  } : tensor<3x6xf32>
  attn.return %v : tensor<3x6xf32>
}

// -----

// A transposition of a map is one map; indices follow the dimensions.

// CHECK-DAG: #[[MAP:.*]] = affine_map<(d0, d1) -> (d1, d0)>
// CHECK-LABEL: attn.entry @transposed
attn.entry @transposed(%x: tensor<3x4xf32> {attn.name = "x"}) -> (tensor<4x3xi32> {attn.name = "y"}) sizes [] {
  %m = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
  ^bb0(%a: f32):
    %i = attn.index 1 : i32
    %z = arith.constant 0.0 : f32
    %o = arith.constant 0 : i32
    %c = arith.cmpf ogt, %a, %z : f32
    %s = arith.select %c, %i, %o : i32
    attn.yield %s : i32
  } : tensor<3x4xi32>
  // CHECK: attn.map element (%{{.*}} at #[[MAP]] : tensor<3x4xf32>)
  // CHECK: attn.index 0
  // CHECK-NOT: attn.map
  // expected-remark @+1 {{[fuse-element-epilogue] applied: two maps are one}}
  %t = attn.map element(%m at affine_map<(d0, d1) -> (d1, d0)> : tensor<3x4xi32>) {
  ^bb0(%a: i32):
    attn.yield %a : i32
  } : tensor<4x3xi32>
  attn.return %t : tensor<4x3xi32>
}

// -----

// A sum of two projections joins the one that nothing else reads.

// CHECK-LABEL: attn.entry @residual
attn.entry @residual(%x: tensor<3x4xf32> {attn.name = "x"}, %w: tensor<4x4xf32> {attn.name = "w"})
    -> (tensor<3x4xf32> {attn.name = "y"}, tensor<3x4xf32> {attn.name = "z"}) sizes [] {
  // CHECK: %[[A:.*]] = attn.linear %[[X:.*]], %[[W:.*]] :
  // CHECK: %[[B:.*]] = attn.linear %[[A]], %[[W]] element (%[[A]] at
  // CHECK: attn.return %[[A]], %[[B]]
  %a = attn.linear %x, %w : tensor<3x4xf32>, tensor<4x4xf32> -> tensor<3x4xf32>
  // expected-remark @+1 {{[fuse-element-epilogue] applied}}
  %b = attn.linear %a, %w : tensor<3x4xf32>, tensor<4x4xf32> -> tensor<3x4xf32>
  %s = attn.map element(%a at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>, %b at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %r = arith.addf %p, %q : f32
    attn.yield %r : f32
  } : tensor<3x4xf32>
  attn.return %a, %s : tensor<3x4xf32>, tensor<3x4xf32>
}

// -----

// CHECK-LABEL: attn.entry @declined
attn.entry @declined(%x: tensor<3x4xf32> {attn.name = "x"}, %w: tensor<4x4xf32> {attn.name = "w"}, %v: tensor<12x4xf32> {attn.name = "v"})
    -> (tensor<3x4xf32> {attn.name = "y"}, tensor<4x3xf32> {attn.name = "z"}, tensor<3x2x2xf32> {attn.name = "q"}) sizes [] {
  // CHECK-COUNT-3: attn.map
  // expected-note @+1 {{because of 'attn.linear'}}
  %a = attn.linear %x, %w row() {
  ^bb0(%row: tensor<4xf32>):
    %n = attn.norm l2 %row epsilon 1.0e-12 : tensor<4xf32>
    attn.yield %n : tensor<4xf32>
  } : tensor<3x4xf32>, tensor<4x4xf32> -> tensor<3x4xf32>
  // expected-remark @+1 {{[fuse-element-epilogue] missed: the projection has a row epilogue}}
  %y = attn.map element(%a at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
  ^bb0(%p: f32):
    %r = math.tanh %p : f32
    attn.yield %r : f32
  } : tensor<3x4xf32>
  %b = attn.linear %y, %w : tensor<3x4xf32>, tensor<4x4xf32> -> tensor<3x4xf32>
  // expected-remark @+2 {{[fuse-element-epilogue] missed: the map reads the projection at another index}}
  // expected-note @+1 {{because of 'attn.map'}}
  %z = attn.map element(%b at affine_map<(d0, d1) -> (d1, d0)> : tensor<3x4xf32>) {
  ^bb0(%p: f32):
    attn.yield %p : f32
  } : tensor<4x3xf32>
  // expected-note @+1 {{because of 'attn.qkv_projection'}}
  %q, %k, %u = attn.qkv_projection %y, %v : tensor<3x4xf32>, tensor<12x4xf32> -> tensor<3x2x2xf32>, tensor<3x2x2xf32>, tensor<3x2x2xf32>
  // expected-remark @+1 {{[fuse-element-epilogue] missed: the map sees one part of the projection}}
  %t = attn.map element(%q at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<3x2x2xf32>) {
  ^bb0(%p: f32):
    %r = math.tanh %p : f32
    attn.yield %r : f32
  } : tensor<3x2x2xf32>
  attn.return %y, %z, %t : tensor<3x4xf32>, tensor<4x3xf32>, tensor<3x2x2xf32>
}

// -----

// A map that looks up in another's rows does not take it in.

// CHECK-LABEL: attn.entry @lookup
// CHECK-COUNT-2: attn.map element
attn.entry @lookup(%x: tensor<4x8xf32> {attn.name = "x"}) -> (tensor<4xf32> {attn.name = "y"}) sizes [] {
  %t = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<4x8xf32>) {
  ^bb0(%a: f32):
    %s = math.tanh %a : f32
    attn.yield %s : f32
  } : tensor<4x8xf32>
  %y = attn.map element(%t at affine_map<(d0) -> (d0)> : tensor<4x8xf32>) {
  ^bb0(%row: tensor<8xf32>):
    %i = arith.constant 3 : i32
    %e = attn.lookup %row[%i] : tensor<8xf32>
    attn.yield %e : f32
  } : tensor<4xf32>
  attn.return %y : tensor<4xf32>
}
