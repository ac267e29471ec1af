// Constraints of maps, norms, softmax and attn.index.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

func.func @index_c1(%x: tensor<3xf32>) {
  %y = attn.map element() {
    // expected-error @+1 {{expects a dimension of the index space, 0 to 0, got 1}}
    %i = attn.index 1 : i32
    attn.yield %i : i32
  } : tensor<3xi32>
  return
}

// -----

func.func @index_c1_outside() {
  // expected-error @+1 {{expects to stand in an element region}}
  %i = attn.index 0 : i32
  return
}

// -----

func.func @map_c1(%x: tensor<3x4xf32>) {
  // expected-error @+1 {{expects the map of capture 0 of the element region to have 2 dimensions and no symbols, got 1 and 0}}
  %y = attn.map element(%x at affine_map<(d0) -> (d0, d0)> : tensor<3x4xf32>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } : tensor<3x4xf32>
  return
}

// -----

func.func @map_c1_sum(%x: tensor<3x4xf32>) {
  // expected-error @+1 {{expects every result of the map of capture 0 of the element region to be a dimension or a constant}}
  %y = attn.map element(%x at affine_map<(d0, d1) -> (d0 + d1, d1)> : tensor<3x4xf32>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } : tensor<3x4xf32>
  return
}

// -----

func.func @map_c1_constant(%x: tensor<3xf32>) {
  // expected-error @+1 {{expects constant indices of capture 0 of the element region to lie within its dimension 0 of size '3', got 3}}
  %y = attn.map element(%x at affine_map<(d0) -> (3)> : tensor<3xf32>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } : tensor<3xf32>
  return
}

// -----

func.func @map_c2(%x: tensor<4x3xf32>) {
  // expected-error @+1 {{indexes dimension 0 of capture 0 of the element region by dimension 0 of size '3'; expected the same size, got '4'}}
  %y = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<4x3xf32>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } : tensor<3x4xf32>
  return
}

// -----

func.func @map_c2_names(%x: tensor<?xf32, #attn.sizes<n>>) {
  // expected-error @+1 {{of size 'm'; expected the same size, got 'n'}}
  %y = attn.map element(%x at affine_map<(d0) -> (d0)> : tensor<?xf32, #attn.sizes<n>>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } : tensor<?xf32, #attn.sizes<m>>
  return
}

// -----

func.func @map_c3(%x: tensor<3xi32>) {
  // expected-error @+1 {{expects the element region to take ('i32'), got ('f32')}}
  %y = attn.map element(%x at affine_map<(d0) -> (d0)> : tensor<3xi32>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } : tensor<3xf32>
  return
}

// -----

func.func @map_c3_yield(%x: tensor<3xi32>) {
  // expected-error @+1 {{expects the element region to yield ('f32'), got ('i32')}}
  %y = attn.map element(%x at affine_map<(d0) -> (d0)> : tensor<3xi32>) {
  ^bb0(%a: i32):
    attn.yield %a : i32
  } : tensor<3xf32>
  return
}

// -----

func.func @map_c3_missing() {
  // expected-error @+1 {{expects an element region}}
  %y = attn.map : tensor<3xf32>
  return
}

// -----

func.func @map_c4(%x: tensor<3xf32>) {
  // expected-error @+1 {{expects the element region to hold scalar arithmetic on f32, i32 and i1, got 'math.log'}}
  %y = attn.map element(%x at affine_map<(d0) -> (d0)> : tensor<3xf32>) {
  ^bb0(%a: f32):
    // expected-note @+1 {{the op is here}}
    %s = math.log %a : f32
    attn.yield %s : f32
  } : tensor<3xf32>
  return
}

// -----

func.func @map_c4_type(%x: tensor<3xf32>) {
  // expected-error @+1 {{got 'arith.constant'}}
  %y = attn.map element(%x at affine_map<(d0) -> (d0)> : tensor<3xf32>) {
  ^bb0(%a: f32):
    // expected-note @+1 {{the op is here}}
    %c = arith.constant 1.0 : f64
    attn.yield %a : f32
  } : tensor<3xf32>
  return
}

// -----

func.func @map_c4_from_above(%x: tensor<3xf32>, %f: f32) {
  // expected-error @+1 {{uses a value from outside in the element region; expected it as a capture}}
  %y = attn.map element(%x at affine_map<(d0) -> (d0)> : tensor<3xf32>) {
  ^bb0(%a: f32):
    // expected-note @+1 {{used here}}
    %c = arith.addf %a, %f : f32
    attn.yield %c : f32
  } : tensor<3xf32>
  return
}
