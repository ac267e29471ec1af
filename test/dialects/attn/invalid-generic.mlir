// Generic text gets past the parsers: verifiers report it and do not crash.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

func.func @without_maps(%x: tensor<3xf32>) {
  // expected-error @+1 {{expects one map per capture of the element region; got 1 captures and 0 maps}}
  %0 = "attn.map"(%x) <{operandSegmentSizes = array<i32: 1, 0>}> ({
  ^bb0(%a: f32):
    "attn.yield"(%a) : (f32) -> ()
  }, {}) : (tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @captures_without_region(%x: tensor<3x4xf32>, %w: tensor<5x4xf32>) {
  // expected-error @+1 {{has captures of the element region, but no such region}}
  %0 = "attn.linear"(%x, %w, %x) <{operandSegmentSizes = array<i32: 1, 1, 1, 0>, element_maps = [affine_map<(d0, d1) -> (d0, d1)>]}> ({}, {}) : (tensor<3x4xf32>, tensor<5x4xf32>, tensor<3x4xf32>) -> tensor<3x5xf32>
  return
}

// -----

func.func @two_blocks(%x: tensor<3xf32>) {
  // expected-error @+1 {{expects the element region to have one block, got 2}}
  %0 = "attn.map"() <{operandSegmentSizes = array<i32: 0, 0>}> ({
    "attn.yield"() : () -> ()
  ^bb1:
    "attn.yield"() : () -> ()
  }, {}) : () -> tensor<3xf32>
  return
}

// -----

func.func @empty_block(%x: tensor<3xf32>) {
  // expected-error @+1 {{expects the element region to end with attn.yield}}
  %0 = "attn.map"(%x) <{operandSegmentSizes = array<i32: 1, 0>, element_maps = [affine_map<(d0) -> (d0)>]}> ({
  ^bb0(%a: f32):
  }, {}) : (tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @scalars(%x: tensor<f32>) {
  // expected-error @+1 {{expects the input to be [.., K] with leading dimensions, got []}}
  %0:3 = "attn.qkv_projection"(%x, %x) ({}) : (tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return
}

// -----

func.func @no_heads(%q: tensor<1x0x0x4xf32>) {
  // expected-error @+1 {{expects the number of query heads to be a multiple of that of key heads, got 0 and 0}}
  %0 = attn.attention %q, %q, %q : tensor<1x0x0x4xf32>, tensor<1x0x0x4xf32>, tensor<1x0x0x4xf32> -> tensor<1x0x0x4xf32>
  return
}

// -----

// expected-error @+1 {{expects tensors of f32 or i32, got 'f32'}}
"attn.entry"() <{sym_name = "f", function_type = (f32) -> f32, sizes = []}> ({}) : () -> ()

// -----

// expected-error @+1 {{expects a body}}
"kernel.variant"() <{sym_name = "v", target = "x86-64-v3"}> ({}) : () -> ()

// -----

func.func @view_far_away(%x: tensor<3xf32>) {
  // expected-error @+1 {{expects 2 elements from 9223372036854775807 on to fit into rows of 3}}
  %v = kernel.view %x offset 9223372036854775807 : tensor<3xf32> -> tensor<2xf32>
  return
}

// -----

func.func @table_without_dimensions(%ids: tensor<3xi32>, %t: tensor<f32>) {
  // expected-error @+1 {{expects a table to be [V, N], got []}}
  %0 = attn.embedding(%ids), (%t) : (tensor<3xi32>), (tensor<f32>) -> tensor<3x8xf32>
  return
}

// -----

func.func @too_many_elements(%x: tensor<3x8xf32>) {
  // expected-error @+1 {{expects a product of at most 2^40 of the dimensions that are numbers, got 'tensor<3x9223372036854775807x4294967296xf32>'}}
  %0 = attn.split_heads %x : tensor<3x8xf32> -> tensor<3x9223372036854775807x4294967296xf32>
  return
}

// -----

attn.entry @first() -> () sizes [] {
  attn.return
}
// expected-error @+1 {{expects 'attn.stands_for' to name an op of its kind before it}}
"attn.entry"() <{sym_name = "second"}> ({}) {attn.stands_for = "first"} : () -> ()

// -----

attn.size @seq min 1 max 64
// A product that leaves 64 bits stops there.
// expected-error @+1 {{'sizes' to list 'seq', which the input type 'tensor<?xf32, #attn.sizes<9223372036854775807 * seq>>' uses}}
attn.entry @huge(%x: tensor<?xf32, #attn.sizes<seq * 9223372036854775807 * 4>> {attn.name = "x"}) -> () sizes [] {
  attn.return
}

// -----

// expected-error @+1 {{expects a product of at most 2^40 of the dimensions that are numbers, got 'tensor<9223372036854775807x8xf32>'}}
attn.weight @large from ["w"] groups [1, 0] : tensor<9223372036854775807x8xf32>

// -----

// expected-error @+1 {{expects a product of at most 2^40 of the dimensions that are numbers, got 'tensor<4294967296x4294967296xf32>'}}
attn.state @large positions 16 : !attn.state<tensor<4294967296x4294967296xf32>>
