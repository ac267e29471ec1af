// RUN: attn-opt %s --attn-fuse-output-projection --split-input-file --verify-diagnostics | FileCheck %s

// Epilogues are kept.

// CHECK-LABEL: attn.entry @fused
attn.entry @fused(%x: tensor<3x2x4xf32> {attn.name = "x"}, %w: tensor<6x8xf32> {attn.name = "w"}, %b: tensor<6xf32> {attn.name = "b"})
    -> (tensor<3x6xf32> {attn.name = "y"}) sizes [] {
  // CHECK-NOT: attn.merge_heads
  // CHECK: attn.output_projection %[[X:.*]], %{{.*}} element
  // CHECK: arith.addf
  // CHECK: row
  // CHECK: attn.norm rms
  // CHECK: tensor<3x2x4xf32>, tensor<6x8xf32> -> tensor<3x6xf32>
  %m = attn.merge_heads %x : tensor<3x2x4xf32> -> tensor<3x8xf32>
  // expected-remark @+1 {{[fuse-output-projection] applied: the projection reads the heads}}
  %y = attn.linear %m, %w element(%b at affine_map<(d0, d1) -> (d1)> : tensor<6xf32>) {
  ^bb0(%acc: f32, %c: f32):
    %s = arith.addf %acc, %c : f32
    attn.yield %s : f32
  } row() {
  ^bb0(%r: tensor<6xf32>):
    %n = attn.norm rms %r epsilon 1.0e-06 : tensor<6xf32>
    attn.yield %n : tensor<6xf32>
  } : tensor<3x8xf32>, tensor<6x8xf32> -> tensor<3x6xf32>
  attn.return %y : tensor<3x6xf32>
}

// -----

// Another reader keeps the merged heads; the projection fuses all the same.

// CHECK-LABEL: attn.entry @two_readers
attn.entry @two_readers(%x: tensor<3x2x4xf32> {attn.name = "x"}, %w: tensor<6x8xf32> {attn.name = "w"})
    -> (tensor<3x6xf32> {attn.name = "y"}, tensor<3x8xf32> {attn.name = "m"}) sizes [] {
  // CHECK: attn.merge_heads
  // CHECK: attn.output_projection
  %m = attn.merge_heads %x : tensor<3x2x4xf32> -> tensor<3x8xf32>
  // expected-remark @+1 {{[fuse-output-projection] applied}}
  %y = attn.linear %m, %w : tensor<3x8xf32>, tensor<6x8xf32> -> tensor<3x6xf32>
  attn.return %y, %m : tensor<3x6xf32>, tensor<3x8xf32>
}

// -----

// CHECK-LABEL: attn.entry @no_projection
attn.entry @no_projection(%x: tensor<3x2x4xf32> {attn.name = "x"})
    -> (tensor<3x8xf32> {attn.name = "y"}) sizes [] {
  // CHECK: attn.merge_heads
  // expected-remark @+1 {{[fuse-output-projection] missed: no projection reads the merged heads}}
  %m = attn.merge_heads %x : tensor<3x2x4xf32> -> tensor<3x8xf32>
  // expected-note @+1 {{because of 'attn.norm'}}
  %y = attn.norm l2 %m epsilon 1.0e-12 : tensor<3x8xf32>
  attn.return %y : tensor<3x8xf32>
}
