// Constraints of projections, products and heads.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

func.func @linear_c1(%x: tensor<3x4xf32>, %w: tensor<6x5xf32>) {
  // expected-error @+1 {{expects the input to be [.., K] = [3, 5], got [3, 4]}}
  %y = attn.linear %x, %w : tensor<3x4xf32>, tensor<6x5xf32> -> tensor<3x6xf32>
  return
}

// -----

func.func @linear_c1_result(%x: tensor<3x4xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{expects the result to be [.., N] = [3, 6], got [3, 7]}}
  %y = attn.linear %x, %w : tensor<3x4xf32>, tensor<6x4xf32> -> tensor<3x7xf32>
  return
}

// -----

func.func @linear_c1_rank(%x: tensor<4xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{expects the input to be [.., K] with leading dimensions, got [4]}}
  %y = attn.linear %x, %w : tensor<4xf32>, tensor<6x4xf32> -> tensor<6xf32>
  return
}

// -----

func.func @linear_c1_static(%x: tensor<3x4xf32>, %w: tensor<?x4xf32, #attn.sizes<n, 4>>) {
  // expected-error @+1 {{expects dimension 0 of the weight to be a number ([N, K]), got 'n'}}
  %y = attn.linear %x, %w : tensor<3x4xf32>, tensor<?x4xf32, #attn.sizes<n, 4>> -> tensor<3x?xf32, #attn.sizes<3, n>>
  return
}

// -----

func.func @linear_c2(%x: tensor<3x4xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{expects the element region to take ('f32'), got ()}}
  %y = attn.linear %x, %w element() {
    %c = arith.constant 0.0 : f32
    attn.yield %c : f32
  } : tensor<3x4xf32>, tensor<6x4xf32> -> tensor<3x6xf32>
  return
}

// -----

func.func @qkv_projection_c1(%x: tensor<3x8xf32>, %w: tensor<23x8xf32>) {
  // expected-error @+1 {{expects the weight to be [Hq*D + Hk*D + Hk*Dv, K] = [24, 8], got [23, 8]}}
  %q, %k, %v = attn.qkv_projection %x, %w : tensor<3x8xf32>, tensor<23x8xf32> -> tensor<3x2x4xf32>, tensor<3x2x4xf32>, tensor<3x2x4xf32>
  return
}

// -----

func.func @qkv_projection_c1_leading(%x: tensor<3x8xf32>, %w: tensor<24x8xf32>) {
  // expected-error @+1 {{expects the key to be [.., H, D] = [3, 2, 4], got [2, 2, 4]}}
  %q, %k, %v = attn.qkv_projection %x, %w : tensor<3x8xf32>, tensor<24x8xf32> -> tensor<3x2x4xf32>, tensor<2x2x4xf32>, tensor<3x2x4xf32>
  return
}

// -----

func.func @qkv_projection_c2(%x: tensor<3x8xf32>, %w: tensor<22x8xf32>) {
  // expected-error @+1 {{expects query and key of one head size, got 4 and 3}}
  %q, %k, %v = attn.qkv_projection %x, %w : tensor<3x8xf32>, tensor<22x8xf32> -> tensor<3x2x4xf32>, tensor<3x2x3xf32>, tensor<3x2x4xf32>
  return
}

// -----

func.func @qkv_projection_c2_values(%x: tensor<3x8xf32>, %w: tensor<20x8xf32>) {
  // expected-error @+1 {{expects key and value with as many heads, got 2 and 1}}
  %q, %k, %v = attn.qkv_projection %x, %w : tensor<3x8xf32>, tensor<20x8xf32> -> tensor<3x2x4xf32>, tensor<3x2x4xf32>, tensor<3x1x4xf32>
  return
}

// -----

func.func @qkv_projection_c2_groups(%x: tensor<3x8xf32>, %w: tensor<28x8xf32>) {
  // expected-error @+1 {{expects the number of query heads to be a multiple of that of key heads, got 3 and 2}}
  %q, %k, %v = attn.qkv_projection %x, %w : tensor<3x8xf32>, tensor<28x8xf32> -> tensor<3x3x4xf32>, tensor<3x2x4xf32>, tensor<3x2x4xf32>
  return
}

// -----

func.func @qkv_projection_c3(%x: tensor<3x8xf32>, %w: tensor<24x8xf32>, %b: tensor<8xf32>) {
  // expected-error @+1 {{indexes dimension 0 of capture 0 of the element region by dimension 1 of size '24'; expected the same size, got '8'}}
  %q, %k, %v = attn.qkv_projection %x, %w element(%b at affine_map<(d0, d1) -> (d1)> : tensor<8xf32>) {
  ^bb0(%acc: f32, %c: f32):
    attn.yield %acc : f32
  } : tensor<3x8xf32>, tensor<24x8xf32> -> tensor<3x2x4xf32>, tensor<3x2x4xf32>, tensor<3x2x4xf32>
  return
}

// -----

func.func @output_projection_c1(%x: tensor<3x2x4xf32>, %w: tensor<8x6xf32>) {
  // expected-error @+1 {{expects the weight to be [N, H*D] = [8, 8], got [8, 6]}}
  %y = attn.output_projection %x, %w : tensor<3x2x4xf32>, tensor<8x6xf32> -> tensor<3x8xf32>
  return
}

// -----

func.func @output_projection_c2(%x: tensor<3x2x4xf32>, %w: tensor<8x8xf32>) {
  // expected-error @+1 {{expects the element region to yield ('f32'), got ()}}
  %y = attn.output_projection %x, %w element() {
  ^bb0(%acc: f32):
    attn.yield
  } : tensor<3x2x4xf32>, tensor<8x8xf32> -> tensor<3x8xf32>
  return
}

// -----

func.func @split_heads_c1(%x: tensor<3x8xf32>) {
  // expected-error @+1 {{expects the input to be [.., H*D] = [3, 9], got [3, 8]}}
  %y = attn.split_heads %x : tensor<3x8xf32> -> tensor<3x3x3xf32>
  return
}

// -----

func.func @merge_heads_c1(%x: tensor<3x2x4xf32>) {
  // expected-error @+1 {{expects the result to be [.., H*D] = [3, 8], got [4, 8]}}
  %y = attn.merge_heads %x : tensor<3x2x4xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @matmul_c1(%a: tensor<3x4xf32>, %b: tensor<3x4xf32>) {
  // expected-error @+1 {{expects the right side to be [.., K, N] = [4, 4], got [3, 4]}}
  %y = attn.matmul %a, %b : tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  return
}
