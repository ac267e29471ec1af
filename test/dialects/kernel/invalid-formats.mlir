// Formats of weights and rows, and what stands beside groups.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{expects groups of a multiple of 8 in panels of i4, such groups or none in those of i8, and none in others; argument 1 has #kernel.panels<48, i4, group 12>}}
  kernel.func @func_c3_group(%x: tensor<2x16xf32>, %w: tensor<48x16xf32> {kernel.layout = #kernel.panels<48, i4, group 12>}) -> tensor<2x48xf32> {
    %y = attn.linear %x, %w : tensor<2x16xf32>, tensor<48x16xf32> -> tensor<2x48xf32>
    kernel.return %y : tensor<2x48xf32>
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{expects scales of f32 beside groups only; argument 1 has #kernel.panels<48, i8, f32>}}
  kernel.func @func_c3_scales(%x: tensor<2x16xf32>, %w: tensor<48x16xf32> {kernel.layout = #kernel.panels<48, i8, f32>}) -> tensor<2x48xf32> {
    %y = attn.linear %x, %w : tensor<2x16xf32>, tensor<48x16xf32> -> tensor<2x48xf32>
    kernel.return %y : tensor<2x48xf32>
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{expects scales of f32_affine beside groups only; got #kernel.precision<weights = i8, activations = f32, scales = f32_affine>}}
  kernel.func @func_c4_scales(%x: tensor<2x16xf32>, %w: tensor<48x16xf32>) -> tensor<2x48xf32> precision #kernel.precision<weights = i8, activations = f32, scales = f32_affine> {
    %y = attn.linear %x, %w : tensor<2x16xf32>, tensor<48x16xf32> -> tensor<2x48xf32>
    kernel.return %y : tensor<2x48xf32>
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{expects activations of f32, of bf16 or i8 as the weights are, or of i8 beside i4; got #kernel.precision<weights = bf16, activations = i8>}}
  kernel.func @func_c4(%x: tensor<2x16xf32>, %w: tensor<48x16xf32>) -> tensor<2x48xf32> precision #kernel.precision<weights = bf16, activations = i8> {
    %y = attn.linear %x, %w : tensor<2x16xf32>, tensor<48x16xf32> -> tensor<2x48xf32>
    kernel.return %y : tensor<2x48xf32>
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{expects 'precision' on an attn.linear or an attn.attention, got 'attn.softmax'}}
  kernel.func @func_c4_op(%x: tensor<3xf32>) -> tensor<3xf32> precision #kernel.precision<weights = i8, activations = i8> {
    %y = attn.softmax %x : tensor<3xf32>
    kernel.return %y : tensor<3xf32>
  }
}

// -----

kernel.variant @v target "x86-64-v4" {
  // expected-error @+1 {{expects bf16 on both sides of an attn.attention; got #kernel.precision<weights = i8, activations = i8>}}
  kernel.func @func_c4_attention(%q: tensor<4x8xf32>, %k: tensor<5x8xf32>) -> tensor<4x8xf32> precision #kernel.precision<weights = i8, activations = i8> {
    %o = attn.attention %q, %k, %k : tensor<4x8xf32>, tensor<5x8xf32>, tensor<5x8xf32> -> tensor<4x8xf32>
    kernel.return %o : tensor<4x8xf32>
  }
}
