// Folds and the canonical form of captured regions.
// RUN: attn-opt %s -canonicalize | FileCheck %s

// CHECK-LABEL: @heads
// CHECK-SAME: %[[X:.*]]: tensor<3x8xf32>, %[[Y:.*]]: tensor<3x2x4xf32>
// CHECK-NEXT: %[[MERGED:.*]] = attn.merge_heads %[[Y]]
// CHECK-NEXT: %[[OTHER:.*]] = attn.split_heads %[[MERGED]] : tensor<3x8xf32> -> tensor<3x4x2xf32>
// CHECK-NEXT: return %[[X]], %[[Y]], %[[OTHER]]
func.func @heads(%x: tensor<3x8xf32>, %y: tensor<3x2x4xf32>) -> (tensor<3x8xf32>, tensor<3x2x4xf32>, tensor<3x4x2xf32>) {
  %0 = attn.split_heads %x : tensor<3x8xf32> -> tensor<3x2x4xf32>
  %1 = attn.merge_heads %0 : tensor<3x2x4xf32> -> tensor<3x8xf32>
  %2 = attn.merge_heads %y : tensor<3x2x4xf32> -> tensor<3x8xf32>
  %3 = attn.split_heads %2 : tensor<3x8xf32> -> tensor<3x2x4xf32>
  // Other heads than those that were merged: both stay.
  %4 = attn.split_heads %2 : tensor<3x8xf32> -> tensor<3x4x2xf32>
  return %1, %3, %4 : tensor<3x8xf32>, tensor<3x2x4xf32>, tensor<3x4x2xf32>
}

// CHECK-LABEL: @copy
// CHECK-NEXT: %[[N:.*]] = attn.softmax %{{.*}} : tensor<3xf32>
// CHECK-NEXT: return %[[N]]
func.func @copy(%x: tensor<3xf32>) -> tensor<3xf32> {
  %0 = attn.softmax %x : tensor<3xf32>
  %1 = attn.map element(%0 at affine_map<(d0) -> (d0)> : tensor<3xf32>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } : tensor<3xf32>
  return %1 : tensor<3xf32>
}

// From an argument to a result it is the copy between the two.
// CHECK-LABEL: @copy_of_argument
// CHECK: attn.map
func.func @copy_of_argument(%x: tensor<3xf32>) -> tensor<3xf32> {
  %1 = attn.map element(%x at affine_map<(d0) -> (d0)> : tensor<3xf32>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } : tensor<3xf32>
  return %1 : tensor<3xf32>
}

// CHECK-LABEL: @unused_and_equal
// CHECK-SAME: %[[X:.*]]: tensor<3xf32>, %[[Y:.*]]: tensor<3xf32>
// CHECK: attn.map element (%[[X]] at #{{.*}} : tensor<3xf32>) {
// CHECK-NEXT: ^bb0(%[[A:.*]]: f32):
// CHECK-NEXT: arith.mulf %[[A]], %[[A]]
func.func @unused_and_equal(%x: tensor<3xf32>, %y: tensor<3xf32>) -> tensor<3xf32> {
  %1 = attn.map element(%y at affine_map<(d0) -> (d0)> : tensor<3xf32>, %x at affine_map<(d0) -> (d0)> : tensor<3xf32>, %x at affine_map<(d0) -> (d0)> : tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %b, %c : f32
    attn.yield %0 : f32
  } : tensor<3xf32>
  return %1 : tensor<3xf32>
}

// CHECK-LABEL: @splat
// CHECK-NOT: attn.constant dense<2.0
// CHECK: %[[ROW:.*]] = attn.constant dense<[1.000000e+00, 2.000000e+00, 3.000000e+00]>
// CHECK: attn.map element (%{{.*}} at #{{.*}} : tensor<3xf32>, %[[ROW]] at
// CHECK-NEXT: ^bb0(%[[A:.*]]: f32, %[[B:.*]]: f32):
// CHECK-NEXT: %[[C:.*]] = arith.constant 2.000000e+00 : f32
// CHECK-NEXT: arith.mulf %[[A]], %[[C]]
func.func @splat(%x: tensor<3xf32>) -> tensor<3xf32> {
  %c = attn.constant dense<2.0> : tensor<3xf32>
  %r = attn.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %1 = attn.map element(%x at affine_map<(d0) -> (d0)> : tensor<3xf32>, %c at affine_map<(d0) -> (d0)> : tensor<3xf32>, %r at affine_map<(d0) -> (d0)> : tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %0 = arith.mulf %a, %b : f32
    %2 = arith.addf %0, %d : f32
    attn.yield %2 : f32
  } : tensor<3xf32>
  return %1 : tensor<3xf32>
}

// CHECK-LABEL: @read_through_transpose
// CHECK-SAME: %[[X:.*]]: tensor<3x4xf32>
// CHECK-NEXT: attn.map element (%[[X]] at #{{.*}} : tensor<3x4xf32>) {
// CHECK: math.tanh
// CHECK-NOT: attn.map
func.func @read_through_transpose(%x: tensor<3x4xf32>) -> tensor<2x4x3xf32> {
  %t = attn.map element(%x at affine_map<(d0, d1) -> (d1, d0)> : tensor<3x4xf32>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } : tensor<4x3xf32>
  %y = attn.map element(%t at affine_map<(d0, d1, d2) -> (d1, d2)> : tensor<4x3xf32>) {
  ^bb0(%a: f32):
    %0 = math.tanh %a : f32
    attn.yield %0 : f32
  } : tensor<2x4x3xf32>
  return %y : tensor<2x4x3xf32>
}

// Captures of attention and of row regions.
// CHECK-LABEL: @other_regions
// CHECK: attn.attention %{{[^ ]*}}, %{{[^ ]*}}, %{{[^ ]*}} score () {
// CHECK: arith.constant 5.000000e-01 : f32
// CHECK: attn.linear %{{.*}}, %{{[^ ]*}} row () {
func.func @other_regions(%q: tensor<3x4xf32>, %w: tensor<4x4xf32>) -> tensor<3x4xf32> {
  %c = attn.constant dense<0.5> : tensor<1xf32>
  %o = attn.attention %q, %q, %q score(%c at affine_map<(b, h, q, kv) -> (h)> : tensor<1xf32>) {
  ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32, %f: f32):
    %0 = arith.mulf %s, %f : f32
    attn.yield %0 : f32
  } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  %y = attn.linear %o, %w row(%q at affine_map<(d0) -> (d0)> : tensor<3x4xf32>) {
  ^bb0(%row: tensor<4xf32>, %unused: tensor<4xf32>):
    %n = attn.norm l2 %row epsilon 0.0 : tensor<4xf32>
    attn.yield %n : tensor<4xf32>
  } : tensor<3x4xf32>, tensor<4x4xf32> -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}
