// attn.lookup and attn.head_linear: read, printed and read again; canonical
// captures.
// RUN: attn-opt %s | attn-opt | FileCheck %s
// RUN: attn-opt %s --mlir-print-op-generic | attn-opt | FileCheck %s
// RUN: attn-opt %s --canonicalize | FileCheck %s

attn.size @seq min 1 max 16

// CHECK-DAG: #[[HEAD:.*]] = affine_map<(d0, d1, d2, d3) -> (d1)>
// CHECK-DAG: #[[WHOLE:.*]] = affine_map<(d0) -> ()>

// CHECK-LABEL: @distances
func.func @distances(%q: tensor<3x4xf32>, %k: tensor<3x4xf32>, %v: tensor<3x5xf32>, %table: tensor<1x7xf32>) -> tensor<3x5xf32> {
  // CHECK: attn.attention {{.*}} score (%{{.*}} at #[[HEAD]] : tensor<1x7xf32>) {
  // CHECK-NEXT: ^bb0({{.*}}, %[[T:.*]]: tensor<7xf32>):
  // CHECK: attn.lookup %[[T]][%{{.*}}] : tensor<7xf32>
  %o = attn.attention %q, %k, %v score(%table at affine_map<(b, h, q, kv) -> (h)> : tensor<1x7xf32>) {
  ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32, %bias: tensor<7xf32>):
    %three = arith.constant 3 : i32
    %d = arith.subi %i, %j : i32
    %n = arith.addi %d, %three : i32
    %x = attn.lookup %bias[%n] : tensor<7xf32>
    %r = arith.addf %s, %x : f32
    attn.yield %r : f32
  } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x5xf32> -> tensor<3x5xf32>
  return %o : tensor<3x5xf32>
}

// A table is not read through a view of it, nor replaced by its one value.
// CHECK-LABEL: @whole
func.func @whole(%x: tensor<3x?xf32, #attn.sizes<3, seq>>) -> tensor<3xf32> {
  // CHECK: %[[SPLAT:.*]] = attn.constant dense<2>
  %splat = attn.constant dense<2> : tensor<4xi32>
  // CHECK: %[[TURNED:.*]] = attn.map
  %turned = attn.map element(%x at affine_map<(d0, d1) -> (d1, d0)> : tensor<3x?xf32, #attn.sizes<3, seq>>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } : tensor<?x3xf32, #attn.sizes<seq, 3>>
  // CHECK: attn.map element (%[[TURNED]] at #[[WHOLE]] : tensor<?x3xf32, #attn.sizes<seq, 3>>, %[[SPLAT]] at #[[WHOLE]] : tensor<4xi32>)
  %y = attn.map element(%turned at affine_map<(d0) -> ()> : tensor<?x3xf32, #attn.sizes<seq, 3>>, %splat at affine_map<(d0) -> ()> : tensor<4xi32>) {
  ^bb0(%table: tensor<?x3xf32, #attn.sizes<seq, 3>>, %n: tensor<4xi32>):
    %i = attn.index 0 : i32
    %j = attn.lookup %n[%i] : tensor<4xi32>
    // CHECK: attn.lookup %{{.*}}[%{{.*}}, %{{.*}}] : tensor<?x3xf32, #attn.sizes<seq, 3>>
    %e = attn.lookup %table[%i, %j] : tensor<?x3xf32, #attn.sizes<seq, 3>>
    attn.yield %e : f32
  } : tensor<3xf32>
  return %y : tensor<3xf32>
}

// CHECK-LABEL: @heads
func.func @heads(%q: tensor<3x2x4xf32>, %w: tensor<2x4x5xf32>) -> tensor<3x2x5xf32> {
  // CHECK: attn.head_linear %{{.*}}, %{{.*}} : tensor<3x2x4xf32>, tensor<2x4x5xf32> -> tensor<3x2x5xf32>
  %y = attn.head_linear %q, %w : tensor<3x2x4xf32>, tensor<2x4x5xf32> -> tensor<3x2x5xf32>
  return %y : tensor<3x2x5xf32>
}
