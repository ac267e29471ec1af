// Constraints of row regions, norms and softmax.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

func.func @map_c5(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{expects the row region to take ('tensor<3xf32>'), got ('tensor<2xf32>')}}
  %y = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<2x3xf32>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } row() {
  ^bb0(%row: tensor<2xf32>):
    attn.yield %row : tensor<2xf32>
  } : tensor<2x3xf32>
  return
}

// -----

func.func @map_c5_map(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{expects the map of capture 0 of the row region to have 1 dimensions and no symbols, got 2 and 0}}
  %y = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<2x3xf32>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } row(%x at affine_map<(d0, d1) -> (d0)> : tensor<2x3xf32>) {
  ^bb0(%row: tensor<3xf32>, %r: tensor<3xf32>):
    attn.yield %row : tensor<3xf32>
  } : tensor<2x3xf32>
  return
}

// -----

func.func @map_c5_whole(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{expects the map of capture 0 of the row region to leave out at most one dimension, got 2}}
  %y = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<2x3xf32>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } row(%x at affine_map<(d0) -> ()> : tensor<2x3xf32>) {
  ^bb0(%row: tensor<3xf32>, %r: tensor<2x3xf32>):
    attn.yield %row : tensor<3xf32>
  } : tensor<2x3xf32>
  return
}

// -----

func.func @map_c5_op(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{expects the row region to hold attn.norm, attn.softmax and attn.map on rows of type 'tensor<3xf32>', got 'attn.positions'}}
  %y = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<2x3xf32>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } row() {
  ^bb0(%row: tensor<3xf32>):
    // expected-note @+1 {{the op is here}}
    %p = attn.positions : tensor<3xi32>
    attn.yield %row : tensor<3xf32>
  } : tensor<2x3xf32>
  return
}

// -----

func.func @map_c5_integers(%x: tensor<2x3xi32>) {
  // expected-error @+1 {{expects f32 elements and at least one dimension under a row region; got 'i32' and [2, 3]}}
  %y = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<2x3xi32>) {
  ^bb0(%a: i32):
    attn.yield %a : i32
  } row() {
  ^bb0(%row: tensor<3xf32>):
    attn.yield %row : tensor<3xf32>
  } : tensor<2x3xi32>
  return
}

// -----

func.func @norm_c1(%x: tensor<3x4xf32>, %w: tensor<3xf32>) {
  // expected-error @+1 {{expects weight to be [N] = [4], got [3]}}
  %y = attn.norm rms %x weight(%w : tensor<3xf32>) epsilon 0.0 : tensor<3x4xf32>
  return
}

// -----

func.func @norm_c2(%x: tensor<3x4xf32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{of kind l2 expects neither weight nor bias}}
  %y = attn.norm l2 %x weight(%w : tensor<4xf32>) epsilon 0.0 : tensor<3x4xf32>
  return
}

// -----

func.func @norm_c2_rms(%x: tensor<3x4xf32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{of kind rms expects no bias}}
  %y = attn.norm rms %x bias(%w : tensor<4xf32>) epsilon 0.0 : tensor<3x4xf32>
  return
}

// -----

func.func @norm_c3(%x: tensor<3x4xf32>) {
  // expected-error @+1 {{expects a finite epsilon of at least 0, got -1.0}}
  %y = attn.norm layer %x epsilon -1.0 : tensor<3x4xf32>
  return
}

// -----

func.func @norm_c4(%x: tensor<f32>) {
  // expected-error @+1 {{expects the input to be of at least one dimension, got []}}
  %y = attn.norm layer %x epsilon 0.0 : tensor<f32>
  return
}

// -----

func.func @softmax_c1(%x: tensor<f32>) {
  // expected-error @+1 {{expects the input to be of at least one dimension, got []}}
  %y = attn.softmax %x : tensor<f32>
  return
}
