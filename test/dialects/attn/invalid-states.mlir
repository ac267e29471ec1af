// Every constraint of the ops on states.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{expects rows [Hk, D] of f32, both numbers; got 'tensor<4xf32>'}}
attn.state @state_c1 positions 8 : !attn.state<tensor<4xf32>>

// -----

// expected-error @+1 {{expects a window that is not negative, got -1}}
attn.state @state_c1 positions 8 : !attn.state<tensor<2x4xf32>, window = -1>

// -----

// expected-error @+1 {{expects 1 to 2^30 positions, got 0}}
attn.state @state_c2 positions 0 : !attn.state<tensor<2x4xf32>>

// -----

attn.state @k positions 8 : !attn.state<tensor<2x4xf32>>
// expected-error @+1 {{expects as many positions as @k, 8, got 9}}
attn.state @state_c2 positions 9 : !attn.state<tensor<2x4xf32>>

// -----

func.func @get_state_c1() {
  // expected-error @+1 {{expects @k to be an attn.state of the module}}
  %k = attn.get_state @k : !attn.state<tensor<2x4xf32>>
  return
}

// -----

attn.state @k positions 8 : !attn.state<tensor<2x4xf32>>
func.func @get_state_c1() {
  // expected-error @+1 {{expects the type of @k}}
  %k = attn.get_state @k : !attn.state<tensor<2x5xf32>>
  return
}

// -----

func.func @past_c1() {
  // expected-error @+1 {{expects the result to be [B], got [2, 3]}}
  %p = attn.past : tensor<2x3xi32>
  return
}

// -----

func.func @packed_positions_c1(%offsets: tensor<3xi32>, %past: tensor<3xi32>) {
  // expected-error @+1 {{expects the offsets to be [B + 1] = [4], got [3]}}
  %p = attn.packed_positions %offsets, %past : tensor<3xi32>, tensor<3xi32> -> tensor<5xi32>
  return
}

// -----

func.func @append_c1(%rows: tensor<5x2x4xf32>, %offsets: tensor<3xi32>, %k: !attn.state<tensor<2x3xf32>>) {
  // expected-error @+1 {{expects the rows to be [T, Hk, D] = [5, 2, 3], got [5, 2, 4]}}
  attn.append %rows, %offsets to %k : tensor<5x2x4xf32>, tensor<3xi32>, !attn.state<tensor<2x3xf32>>
  return
}

// -----

attn.state @k positions 8 : !attn.state<tensor<2x4xf32>>
attn.entry @append_c2(%rows: tensor<5x2x4xf32> {attn.name = "rows"}, %offsets: tensor<3xi32> {attn.name = "offsets"})
    -> (tensor<3xi32> {attn.name = "out"}) sizes [] {
  %k = attn.get_state @k : !attn.state<tensor<2x4xf32>>
  // expected-error @+1 {{expects offsets of an attn.pack_index of an input}}
  attn.append %rows, %offsets to %k : tensor<5x2x4xf32>, tensor<3xi32>, !attn.state<tensor<2x4xf32>>
  attn.return %offsets : tensor<3xi32>
}

// -----

attn.size @tokens derived "6"
attn.state @k positions 8 : !attn.state<tensor<2x4xf32>>
attn.entry @append_c2(%mask: tensor<2x3xi32> {attn.name = "mask"}, %x: tensor<2x3x2x4xf32> {attn.name = "x"})
    -> (tensor<3xi32> {attn.name = "out"}) sizes [] {
  %rows, %offsets = attn.pack_index %mask : tensor<2x3xi32> -> tensor<?xi32, #attn.sizes<tokens>>, tensor<3xi32>
  %y = attn.pack %x, %rows : tensor<2x3x2x4xf32>, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>
  %k = attn.get_state @k : !attn.state<tensor<2x4xf32>>
  attn.append %y, %offsets to %k : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<3xi32>, !attn.state<tensor<2x4xf32>>
  // expected-error @+1 {{expects one append to @k, but another stands before it}}
  attn.append %y, %offsets to %k : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<3xi32>, !attn.state<tensor<2x4xf32>>
  attn.return %offsets : tensor<3xi32>
}

// -----

attn.size @tokens derived "6"
attn.state @k positions 8 : !attn.state<tensor<2x4xf32>>
attn.state @v positions 8 : !attn.state<tensor<2x4xf32>>
// expected-error @+1 {{appends to some states, but not to @v; all states grow together}}
attn.entry @append_c2(%mask: tensor<2x3xi32> {attn.name = "mask"}, %x: tensor<2x3x2x4xf32> {attn.name = "x"})
    -> (tensor<3xi32> {attn.name = "out"}) sizes [] {
  %rows, %offsets = attn.pack_index %mask : tensor<2x3xi32> -> tensor<?xi32, #attn.sizes<tokens>>, tensor<3xi32>
  %y = attn.pack %x, %rows : tensor<2x3x2x4xf32>, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>
  %k = attn.get_state @k : !attn.state<tensor<2x4xf32>>
  attn.append %y, %offsets to %k : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<3xi32>, !attn.state<tensor<2x4xf32>>
  attn.return %offsets : tensor<3xi32>
}

// -----

// expected-error @+1 {{expected string or keyword containing one of the following enum values for attribute 'format' [f32, bf16, i8]}}
attn.state @state_c1 positions 8 as i4 : !attn.state<tensor<2x4xf32>>

// -----

// expected-error @+1 {{expects 'attn.stored' on an attn.weight, "bf16", "q8_0", "q4_0", "q4_1", "q4_k", "q6_k" or "blocks"; got "i8"}}
attn.weight @q from ["q"] : tensor<64x32xf32> {attn.stored = "i8"}
