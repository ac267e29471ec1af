// The examples of the op descriptions that compute, read, printed and read again.
// RUN: attn-opt %s | attn-opt | FileCheck %s
// RUN: attn-opt %s --mlir-print-op-generic | attn-opt | FileCheck %s

// CHECK-DAG: #[[BIAS:.*]] = affine_map<(d0, d1) -> (d1)>
// CHECK-DAG: #[[ID:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[ROW:.*]] = affine_map<(d0) -> (d0)>
// CHECK-DAG: #[[WHOLE:.*]] = affine_map<(d0) -> ()>

// CHECK-LABEL: @maps
func.func @maps(%x: tensor<3x4xf32>, %bias: tensor<4xf32>) {
  // CHECK: attn.map element (%{{.*}} at #[[ID]] : tensor<3x4xf32>, %{{.*}} at #[[BIAS]] : tensor<4xf32>) {
  // CHECK-NEXT: ^bb0(%[[A:.*]]: f32, %[[B:.*]]: f32):
  // CHECK-NEXT: %[[S:.*]] = arith.addf %[[A]], %[[B]] : f32
  // CHECK-NEXT: attn.yield %[[S]] : f32
  // CHECK-NEXT: } : tensor<3x4xf32>
  %y = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>, %bias at affine_map<(d0, d1) -> (d1)> : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    attn.yield %s : f32
  } : tensor<3x4xf32>
  // CHECK: attn.map element () {
  // CHECK-NEXT: attn.index 1 : i32
  %z = attn.map element() {
    %i = attn.index 1 : i32
    attn.yield %i : i32
  } : tensor<3x4xi32>
  // CHECK: } row (%{{.*}} at #[[ROW]] : tensor<3x4xf32>, %{{.*}} at #[[WHOLE]] : tensor<4xf32>) {
  %r = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } row(%x at affine_map<(d0) -> (d0)> : tensor<3x4xf32>, %bias at affine_map<(d0) -> ()> : tensor<4xf32>) {
  ^bb0(%row: tensor<4xf32>, %residual: tensor<4xf32>, %g: tensor<4xf32>):
    %n = attn.norm layer %row weight(%g : tensor<4xf32>) epsilon 1.0e-12 : tensor<4xf32>
    attn.yield %n : tensor<4xf32>
  } : tensor<3x4xf32>
  return
}

// CHECK-LABEL: @rows
func.func @rows(%x: tensor<3x4xf32>, %g: tensor<4xf32>, %b: tensor<4xf32>, %s: tensor<3x3xf32>) {
  // CHECK: attn.norm layer %{{.*}} weight(%{{.*}} : tensor<4xf32>) bias(%{{.*}} : tensor<4xf32>) epsilon {{.*}} : tensor<3x4xf32>
  %y = attn.norm layer %x weight(%g : tensor<4xf32>) bias(%b : tensor<4xf32>) epsilon 1.000000e-12 : tensor<3x4xf32>
  // CHECK: attn.norm l2 %{{.*}} epsilon 1.000000e-03 : tensor<3x4xf32>
  %l = attn.norm l2 %x epsilon 1.0e-3 : tensor<3x4xf32>
  // CHECK: attn.softmax %{{.*}} : tensor<3x3xf32>
  %p = attn.softmax %s : tensor<3x3xf32>
  return
}

// CHECK-LABEL: @projections
func.func @projections(%x: tensor<3x4xf32>, %w: tensor<6x4xf32>, %bias: tensor<6xf32>, %u: tensor<3x8xf32>, %v: tensor<24x8xf32>, %o: tensor<3x2x4xf32>, %m: tensor<8x8xf32>) {
  // CHECK: attn.linear %{{.*}}, %{{[^ ]*}} element (%{{.*}} at #[[BIAS]] : tensor<6xf32>) {
  // CHECK: } : tensor<3x4xf32>, tensor<6x4xf32> -> tensor<3x6xf32>
  %y = attn.linear %x, %w element(%bias at affine_map<(d0, d1) -> (d1)> : tensor<6xf32>) {
  ^bb0(%acc: f32, %b: f32):
    %s = arith.addf %acc, %b : f32
    attn.yield %s : f32
  } : tensor<3x4xf32>, tensor<6x4xf32> -> tensor<3x6xf32>
  // CHECK: %{{.*}}, %{{.*}}, %{{.*}} = attn.qkv_projection %{{.*}}, %{{.*}} : tensor<3x8xf32>, tensor<24x8xf32> -> tensor<3x2x4xf32>, tensor<3x2x4xf32>, tensor<3x2x4xf32>
  %q, %k, %t = attn.qkv_projection %u, %v : tensor<3x8xf32>, tensor<24x8xf32> -> tensor<3x2x4xf32>, tensor<3x2x4xf32>, tensor<3x2x4xf32>
  // CHECK: attn.output_projection %{{.*}}, %{{.*}} : tensor<3x2x4xf32>, tensor<8x8xf32> -> tensor<3x8xf32>
  %p = attn.output_projection %o, %m : tensor<3x2x4xf32>, tensor<8x8xf32> -> tensor<3x8xf32>
  // CHECK: attn.split_heads %{{.*}} : tensor<3x8xf32> -> tensor<3x2x4xf32>
  %h = attn.split_heads %u : tensor<3x8xf32> -> tensor<3x2x4xf32>
  // CHECK: attn.merge_heads %{{.*}} : tensor<3x2x4xf32> -> tensor<3x8xf32>
  %g = attn.merge_heads %h : tensor<3x2x4xf32> -> tensor<3x8xf32>
  // CHECK: attn.matmul %{{.*}}, %{{[^ ]*}} transpose_rhs : tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x3xf32>
  %s = attn.matmul %x, %x transpose_rhs : tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x3xf32>
  return
}

// CHECK-LABEL: @attention
func.func @attention(%q: tensor<3x4xf32>, %v: tensor<3x5xf32>, %h: tensor<7x2x4xf32>, %offsets: tensor<3xi32>, %slopes: tensor<2xf32>) {
  // CHECK: attn.attention %{{.*}}, %{{.*}}, %{{[^ ]*}} mask () {
  // CHECK-NEXT: ^bb0(%[[B:.*]]: i32, %[[H:.*]]: i32, %[[I:.*]]: i32, %[[J:.*]]: i32):
  // CHECK-NEXT: %[[C:.*]] = arith.cmpi sge, %[[I]], %[[J]] : i32
  // CHECK-NEXT: attn.yield %[[C]] : i1
  // CHECK-NEXT: } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x5xf32> -> tensor<3x5xf32>
  %o = attn.attention %q, %q, %v mask() {
  ^bb0(%b: i32, %hd: i32, %i: i32, %j: i32):
    %c = arith.cmpi sge, %i, %j : i32
    attn.yield %c : i1
  } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x5xf32> -> tensor<3x5xf32>
  // CHECK: attn.attention %{{.*}}, %{{.*}}, %{{[^ ]*}} offsets(%{{.*}} : tensor<3xi32>) score (%{{.*}} at #{{.*}} : tensor<2xf32>) {
  // CHECK: } length_bound "7" : tensor<7x2x4xf32>, tensor<7x2x4xf32>, tensor<7x2x4xf32> -> tensor<7x2x4xf32>
  %p = attn.attention %h, %h, %h offsets(%offsets : tensor<3xi32>) score(%slopes at affine_map<(b, h, q, kv) -> (h)> : tensor<2xf32>) {
  ^bb0(%s: f32, %b: i32, %hd: i32, %i: i32, %j: i32, %f: f32):
    %t = arith.mulf %s, %f : f32
    attn.yield %t : f32
  } length_bound "7" : tensor<7x2x4xf32>, tensor<7x2x4xf32>, tensor<7x2x4xf32> -> tensor<7x2x4xf32>
  return
}
