// Constraints of embeddings, packing and pooling.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

func.func @embedding_c1(%ids: tensor<3xi32>, %t: tensor<9x8xf32>) {
  // expected-error @+1 {{expects as many tables as ids, at least one; got 2 ids and 1 tables}}
  %e = attn.embedding(%ids, %ids), (%t) : (tensor<3xi32>, tensor<3xi32>), (tensor<9x8xf32>) -> tensor<3x8xf32>
  return
}

// -----

func.func @embedding_c1_ids(%a: tensor<3xi32>, %b: tensor<4xi32>, %t: tensor<9x8xf32>) {
  // expected-error @+1 {{expects ids to be of one shape = [3], got [4]}}
  %e = attn.embedding(%a, %b), (%t, %t) : (tensor<3xi32>, tensor<4xi32>), (tensor<9x8xf32>, tensor<9x8xf32>) -> tensor<3x8xf32>
  return
}

// -----

func.func @embedding_c1_tables(%ids: tensor<3xi32>, %t: tensor<9x8xf32>, %u: tensor<9x7xf32>) {
  // expected-error @+1 {{expects a table to be [V, N] = [9, 8], got [9, 7]}}
  %e = attn.embedding(%ids, %ids), (%t, %u) : (tensor<3xi32>, tensor<3xi32>), (tensor<9x8xf32>, tensor<9x7xf32>) -> tensor<3x8xf32>
  return
}

// -----

func.func @embedding_c1_result(%ids: tensor<3xi32>, %t: tensor<9x8xf32>) {
  // expected-error @+1 {{expects the result to be [.., N] = [3, 8], got [3, 9]}}
  %e = attn.embedding(%ids), (%t) : (tensor<3xi32>), (tensor<9x8xf32>) -> tensor<3x9xf32>
  return
}

// -----

func.func @embedding_c2(%ids: tensor<3xi32>, %t: tensor<9x8xf32>) {
  // expected-error @+1 {{expects the row region to yield ('tensor<8xf32>'), got ()}}
  %e = attn.embedding(%ids), (%t) row() {
  ^bb0(%row: tensor<8xf32>):
    attn.yield
  } : (tensor<3xi32>), (tensor<9x8xf32>) -> tensor<3x8xf32>
  return
}

// -----

func.func @positions_c1() {
  // expected-error @+1 {{expects the result to be of at least one dimension, got []}}
  %p = attn.positions : tensor<i32>
  return
}

// -----

func.func @token_positions_c1(%ids: tensor<i32>) {
  // expected-error @+1 {{expects ids to be of at least one dimension, got []}}
  %p = attn.token_positions %ids padding 1 : tensor<i32>
  return
}

// -----

func.func @token_positions_c2(%ids: tensor<3xi32>) {
  // expected-error @+1 {{expects padding to be an i32 that is not negative, got -1}}
  %p = attn.token_positions %ids padding -1 : tensor<3xi32>
  return
}

// -----

func.func @pack_index_c1(%m: tensor<2x4xi32>) {
  // expected-error @+1 {{expects the offsets to be [B + 1] = [3], got [2]}}
  %r, %o = attn.pack_index %m : tensor<2x4xi32> -> tensor<?xi32, #attn.sizes<tokens>>, tensor<2xi32>
  return
}

// -----

func.func @pack_index_c1_static(%m: tensor<2x4xi32>) {
  // expected-error @+1 {{expects the number of rows to be one derived size, got '5'}}
  %r, %o = attn.pack_index %m : tensor<2x4xi32> -> tensor<5xi32>, tensor<3xi32>
  return
}

// -----

attn.size @tokens derived "9"
func.func @pack_index_c1_bound(%m: tensor<2x4xi32>) {
  // expected-error @+1 {{expects 'tokens' to be derived with the bound '8', got '9'}}
  %r, %o = attn.pack_index %m : tensor<2x4xi32> -> tensor<?xi32, #attn.sizes<tokens>>, tensor<3xi32>
  return
}

// -----

func.func @pack_c1(%x: tensor<2x4x8xf32>, %r: tensor<5xi32>) {
  // expected-error @+1 {{expects the result to be [T, ..] = [5, 8], got [5, 7]}}
  %y = attn.pack %x, %r : tensor<2x4x8xf32>, tensor<5xi32> -> tensor<5x7xf32>
  return
}

// -----

func.func @pack_c1_type(%x: tensor<2x4x8xf32>, %r: tensor<5xi32>) {
  // expected-error @+1 {{expects one element type, got 'f32' and 'i32'}}
  %y = attn.pack %x, %r : tensor<2x4x8xf32>, tensor<5xi32> -> tensor<5x8xi32>
  return
}

// -----

func.func @unpack_c1(%x: tensor<6x8xf32>, %r: tensor<5xi32>) {
  // expected-error @+1 {{expects the input to be [T, ..] = [5, 8], got [6, 8]}}
  %y = attn.unpack %x, %r : tensor<6x8xf32>, tensor<5xi32> -> tensor<2x4x8xf32>
  return
}

// -----

func.func @pool_c1(%x: tensor<2x4x8xf32>) {
  // expected-error @+1 {{expects exactly one of mask and offsets}}
  %y = attn.pool mean %x : tensor<2x4x8xf32> -> tensor<2x8xf32>
  return
}

// -----

func.func @pool_c2(%x: tensor<2x4x8xf32>, %m: tensor<2x5xi32>) {
  // expected-error @+1 {{expects the mask to be [B, S] = [2, 4], got [2, 5]}}
  %y = attn.pool mean %x mask(%m : tensor<2x5xi32>) : tensor<2x4x8xf32> -> tensor<2x8xf32>
  return
}

// -----

func.func @pool_c2_offsets(%x: tensor<5x8xf32>, %o: tensor<4xi32>) {
  // expected-error @+1 {{expects the offsets to be [B + 1] = [3], got [4]}}
  %y = attn.pool mean %x offsets(%o : tensor<4xi32>) : tensor<5x8xf32> -> tensor<2x8xf32>
  return
}
