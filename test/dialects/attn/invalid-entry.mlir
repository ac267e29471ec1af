// Constraints of entries.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{expects every dynamic dimension to have a name}}
attn.entry @entry_c1(%x: tensor<?xf32> {attn.name = "x"}) -> () sizes [] {
  attn.return
}

// -----

// expected-error @+1 {{names the size 'n', which no attn.size declares}}
attn.entry @entry_c1_undeclared(%x: tensor<?xf32, #attn.sizes<n>> {attn.name = "x"}) -> () sizes [] {
  attn.return
}

// -----

attn.entry @entry_c1_body() -> () sizes [] {
  // expected-error @+1 {{names the size 'n', which no attn.size declares}}
  %p = attn.positions : tensor<?xi32, #attn.sizes<n>>
  attn.return
}

// -----

// expected-error @+1 {{expects tensors of f32 or i32, got 'tensor<2xf64>'}}
attn.entry @entry_c1_type(%x: tensor<2xf64> {attn.name = "x"}) -> () sizes [] {
  attn.return
}

// -----

// expected-error @+1 {{expects input 0 to have a C identifier as its attn.name, got '1x'}}
attn.entry @entry_c2(%x: tensor<2xf32> {attn.name = "1x"}) -> () sizes [] {
  attn.return
}

// -----

// expected-error @+1 {{expects distinct names of inputs and outputs, but 'x' stands twice}}
attn.entry @entry_c2_twice(%x: tensor<2xf32> {attn.name = "x"}) -> (tensor<2xf32> {attn.name = "x"}) sizes [] {
  attn.return %x : tensor<2xf32>
}

// -----

// expected-error @+1 {{expects output 0 to have a C identifier as its attn.name, got ''}}
attn.entry @entry_c2_output(%x: tensor<2xf32> {attn.name = "x"}) -> (tensor<2xf32>) sizes [] {
  attn.return %x : tensor<2xf32>
}

// -----

// expected-error @+1 {{expects 'sizes' to list declared sizes that are not derived, got 'n'}}
attn.entry @entry_c3() -> () sizes ["n"] {
  attn.return
}

// -----

attn.size @n min 1 max 2
attn.size @m derived "2 * n"
// expected-error @+1 {{expects 'sizes' to list declared sizes that are not derived, got 'm'}}
attn.entry @entry_c3_derived() -> () sizes ["m"] {
  attn.return
}

// -----

attn.size @n min 1 max 2
// expected-error @+1 {{lists the size 'n' twice}}
attn.entry @entry_c3_twice() -> () sizes ["n", "n"] {
  attn.return
}

// -----

attn.size @n min 1 max 2
// expected-error @+1 {{expects 'sizes' to list 'n', which the input type}}
attn.entry @entry_c3_missing(%x: tensor<?xf32, #attn.sizes<2 * n>> {attn.name = "x"}) -> () sizes [] {
  attn.return
}

// -----

attn.entry @entry_c4(%x: tensor<2xf32> {attn.name = "x"}) -> (tensor<3xf32> {attn.name = "y"}) sizes [] {
  // expected-error @+1 {{expects to return ('tensor<3xf32>'), as its entry says; got ('tensor<2xf32>')}}
  attn.return %x : tensor<2xf32>
}

// -----

// expected-error @+1 {{expects attn.range and attn.default on integer inputs only; input 0 is 'tensor<2xf32>'}}
attn.entry @entry_c5(%x: tensor<2xf32> {attn.name = "x", attn.default = 1 : i32}) -> () sizes [] {
  attn.return
}

// -----

// expected-error @+1 {{expects attn.range of input 0 to be array<i64: MINIMUM, MAXIMUM> in order, got array<i64: 2, 1>}}
attn.entry @entry_c5_range(%x: tensor<2xi32> {attn.name = "x", attn.range = array<i64: 2, 1>}) -> () sizes [] {
  attn.return
}

// -----

// expected-error @+1 {{expects attn.default of input 0 to be an i32, got true}}
attn.entry @entry_c5_default(%x: tensor<2xi32> {attn.name = "x", attn.default = true}) -> () sizes [] {
  attn.return
}

// -----

// expected-error @+1 {{expects attn.storage to be bf16 or f16, on f32; input 0 is 'tensor<2xi32>' with bf16}}
attn.entry @entry_c6(%x: tensor<2xi32> {attn.name = "x", attn.storage = bf16}) -> () sizes [] {
  attn.return
}

// -----

// expected-error @+1 {{expects attn.storage to be bf16 or f16, on f32; output 0 is 'tensor<2xf32>' with f64}}
attn.entry @entry_c6_output(%x: tensor<2xf32> {attn.name = "x"}) -> (tensor<2xf32> {attn.name = "y", attn.storage = f64}) sizes [] {
  attn.return %x : tensor<2xf32>
}

// -----

// Nobody gives a size that is not listed.
attn.size @seq min 1 max 8
attn.size @other min 1 max 8
attn.entry @entry_c3_body(%x: tensor<?xi32, #attn.sizes<seq>> {attn.name = "x"}) -> (tensor<?xi32, #attn.sizes<other>> {attn.name = "y"}) sizes ["seq"] {
  // expected-error @+1 {{names the size 'other', which 'sizes' of its entry does not list}}
  %p = attn.positions : tensor<?xi32, #attn.sizes<other>>
  attn.return %p : tensor<?xi32, #attn.sizes<other>>
}
