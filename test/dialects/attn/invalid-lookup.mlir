// Constraints of attn.lookup and attn.head_linear.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

func.func @lookup_c1(%t: tensor<3xf32>, %i: i32) {
  // expected-error @+1 {{expects as its table an argument of the element, score or mask region in which it stands}}
  %x = attn.lookup %t[%i] : tensor<3xf32>
  return
}

// -----

func.func @lookup_c1_row(%x: tensor<3x4xf32>) {
  %y = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } row() {
  ^bb0(%row: tensor<4xf32>):
    %m = attn.map element(%row at affine_map<(d0) -> ()> : tensor<4xf32>) {
    ^bb0(%table: tensor<4xf32>):
      %i = attn.index 0 : i32
      // expected-error @+1 {{expects as its table an argument of the element, score or mask region in which it stands}}
      %e = attn.lookup %table[%i] : tensor<4xf32>
      attn.yield %e : f32
    } : tensor<4xf32>
    attn.yield %m : tensor<4xf32>
  } : tensor<3x4xf32>
  return
}

// -----

func.func @lookup_c2(%t: tensor<3x4xf32>) {
  %y = attn.map element(%t at affine_map<(d0) -> ()> : tensor<3x4xf32>) {
  ^bb0(%table: tensor<3x4xf32>):
    %i = attn.index 0 : i32
    // expected-error @+1 {{expects one index per dimension of the table, 2, got 1}}
    %x = attn.lookup %table[%i] : tensor<3x4xf32>
    attn.yield %x : f32
  } : tensor<5xf32>
  return
}

// -----

func.func @map_c3_whole(%t: tensor<3x4xf32>) {
  // expected-error @+1 {{expects the element region to take ('tensor<4xf32>'), got ('f32')}}
  %y = attn.map element(%t at affine_map<(d0) -> (d0)> : tensor<3x4xf32>) {
  ^bb0(%x: f32):
    attn.yield %x : f32
  } : tensor<3xf32>
  return
}

// -----

func.func @map_c1_results(%t: tensor<3xf32>) {
  // expected-error @+1 {{expects the map of capture 0 of the element region to have at most 1 results, one per dimension of the capture; got 2}}
  %y = attn.map element(%t at affine_map<(d0) -> (d0, d0)> : tensor<3xf32>) {
  ^bb0(%x: f32):
    attn.yield %x : f32
  } : tensor<3xf32>
  return
}

// -----

func.func @head_linear_c1(%x: tensor<3x2x4xf32>, %w: tensor<2x5x6xf32>) {
  // expected-error @+1 {{expects the input to be [.., H, K] = [3, 2, 5], got [3, 2, 4]}}
  %y = attn.head_linear %x, %w : tensor<3x2x4xf32>, tensor<2x5x6xf32> -> tensor<3x2x6xf32>
  return
}

// -----

func.func @head_linear_c1_rank(%x: tensor<2x4xf32>, %w: tensor<2x4x6xf32>) {
  // expected-error @+1 {{expects the input to be [.., H, K] with leading dimensions, got [2, 4]}}
  %y = attn.head_linear %x, %w : tensor<2x4xf32>, tensor<2x4x6xf32> -> tensor<2x6xf32>
  return
}

// -----

func.func @head_linear_c1_result(%x: tensor<3x2x4xf32>, %w: tensor<2x4x6xf32>) {
  // expected-error @+1 {{expects the result to be [.., H, N] = [3, 2, 6], got [3, 2, 5]}}
  %y = attn.head_linear %x, %w : tensor<3x2x4xf32>, tensor<2x4x6xf32> -> tensor<3x2x5xf32>
  return
}

// -----

attn.size @n min 1 max 4
func.func @head_linear_c1_static(%x: tensor<3x2x4xf32>, %w: tensor<2x4x?xf32, #attn.sizes<2, 4, n>>) {
  // expected-error @+1 {{expects dimension 2 of the weight to be a number ([H, K, N]), got 'n'}}
  %y = attn.head_linear %x, %w : tensor<3x2x4xf32>, tensor<2x4x?xf32, #attn.sizes<2, 4, n>> -> tensor<3x2x?xf32, #attn.sizes<3, 2, n>>
  return
}
