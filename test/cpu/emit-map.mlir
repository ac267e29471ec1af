// RUN: attn-opt %s --attn-lower-kernels --split-input-file --verify-diagnostics | FileCheck %s

// Vectors along the last dimension, one masked tail; rows and chunks of long
// rows are split over the workers. A capture read across its rows is gathered.

attn.size @rows min 1 max 64
attn.size @more min 1 max 64
kernel.variant @v target "x86-64-v3" {
  kernel.func @map(%x: tensor<?x?xf32, #attn.sizes<more, rows>>, %b: tensor<?xi32, #attn.sizes<more>>) -> tensor<?x?xf32, #attn.sizes<rows, more>> {
    %y = attn.map element(%x at affine_map<(d0, d1) -> (d1, d0)> : tensor<?x?xf32, #attn.sizes<more, rows>>, %b at affine_map<(d0, d1) -> (d1)> : tensor<?xi32, #attn.sizes<more>>) {
    ^bb0(%a: f32, %c: i32):
      %f = arith.sitofp %c : i32 to f32
      %s = arith.addf %a, %f : f32
      attn.yield %s : f32
    } : tensor<?x?xf32, #attn.sizes<rows, more>>
    kernel.return %y : tensor<?x?xf32, #attn.sizes<rows, more>>
  }
  kernel.func @scalar(%x: tensor<f32>) -> tensor<f32> {
    %y = attn.map element(%x at affine_map<() -> ()> : tensor<f32>) {
    ^bb0(%a: f32):
      attn.yield %a : f32
    } : tensor<f32>
    kernel.return %y : tensor<f32>
  }
}

// CHECK-LABEL: func.func private @v_map(
// CHECK: scf.for
// CHECK: scf.for %{{.*}} step %c8_i64
// CHECK: llvm.intr.masked.gather
// CHECK: llvm.load %{{.*}} -> vector<8xi32>
// CHECK: arith.addf %{{.*}} : vector<8xf32>
// CHECK: llvm.store %{{.*}} : vector<8xf32>
// CHECK: scf.if
// CHECK: llvm.intr.masked.load
// CHECK: llvm.intr.masked.store

// One worker writes a scalar.
// CHECK-LABEL: func.func private @v_scalar(
// CHECK: arith.cmpi eq, %{{.*}}, %c0_i64
// CHECK: scf.if
// CHECK: llvm.store %{{.*}} : f32

// -----

attn.size @rows min 1 max 64
kernel.variant @v target "x86-64-v3" {
  kernel.func @rows(%x: tensor<2x?xf32, #attn.sizes<2, rows>>) -> tensor<2x?xf32, #attn.sizes<2, rows>> {
    // expected-error @+1 {{error[A0508]: a row region that reads a row twice needs rows of a static length, not 'rows'; fix the size of the last dimension}}
    %y = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<2x?xf32, #attn.sizes<2, rows>>) {
    ^bb0(%a: f32):
      attn.yield %a : f32
    } row() {
    ^bb0(%r: tensor<?xf32, #attn.sizes<rows>>):
      %s = attn.softmax %r : tensor<?xf32, #attn.sizes<rows>>
      %t = attn.map element(%r at affine_map<(d0) -> (d0)> : tensor<?xf32, #attn.sizes<rows>>, %s at affine_map<(d0) -> (d0)> : tensor<?xf32, #attn.sizes<rows>>) {
      ^bb0(%a: f32, %b: f32):
        %sum = arith.addf %a, %b : f32
        attn.yield %sum : f32
      } : tensor<?xf32, #attn.sizes<rows>>
      attn.yield %t : tensor<?xf32, #attn.sizes<rows>>
    } : tensor<2x?xf32, #attn.sizes<2, rows>>
    kernel.return %y : tensor<2x?xf32, #attn.sizes<2, rows>>
  }
}
