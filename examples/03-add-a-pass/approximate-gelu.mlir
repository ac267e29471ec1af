// RUN: first-pass-opt %s --attn-approximate-gelu --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: @gelu
// CHECK: ^bb0(%[[X:.*]]: f32):
// CHECK-NOT: math.erf
// CHECK: %[[SQUARE:.*]] = arith.mulf %[[X]], %[[X]] : f32
// CHECK: %[[CUBE:.*]] = arith.mulf %[[SQUARE]], %[[X]] : f32
// CHECK: %[[TERM:.*]] = arith.mulf %{{.*}}, %[[CUBE]] : f32
// CHECK: %[[SUM:.*]] = arith.addf %[[X]], %[[TERM]] : f32
// CHECK: %[[SCALED:.*]] = arith.mulf %{{.*}}, %[[SUM]] : f32
// CHECK: math.tanh %[[SCALED]] : f32
attn.entry @gelu(%x: tensor<3x4xf32> {attn.name = "x"}) -> (tensor<3x4xf32> {attn.name = "y"}) sizes [] {
  %y = attn.map element(%x at affine_map<(i, j) -> (i, j)> : tensor<3x4xf32>) {
  ^bb0(%a: f32):
    %sqrt_half = arith.constant 0.707106769 : f32
    %half = arith.constant 0.5 : f32
    %one = arith.constant 1.0 : f32
    %scaled = arith.mulf %a, %sqrt_half : f32
    // expected-remark@below {{[approximate-gelu] applied: erf becomes tanh}}
    %e = math.erf %scaled : f32
    %s = arith.addf %e, %one : f32
    %h = arith.mulf %a, %half : f32
    %r = arith.mulf %h, %s : f32
    attn.yield %r : f32
  } : tensor<3x4xf32>
  attn.return %y : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: @other_erf
// CHECK: math.erf
// CHECK-NOT: math.tanh
attn.entry @other_erf(%x: tensor<3x4xf32> {attn.name = "x"}) -> (tensor<3x4xf32> {attn.name = "y"}) sizes [] {
  %y = attn.map element(%x at affine_map<(i, j) -> (i, j)> : tensor<3x4xf32>) {
  ^bb0(%a: f32):
    %half = arith.constant 0.5 : f32
    // expected-note@below {{because of 'arith.mulf'}}
    %scaled = arith.mulf %a, %half : f32
    // expected-remark@below {{[approximate-gelu] missed: this erf does not belong to a GELU}}
    %e = math.erf %scaled : f32
    attn.yield %e : f32
  } : tensor<3x4xf32>
  attn.return %y : tensor<3x4xf32>
}
