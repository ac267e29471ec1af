// RUN: attn-opt %s --attn-fuse-qkv --split-input-file --verify-diagnostics | FileCheck %s

// Constants are concatenated where they stand.

// CHECK-LABEL: attn.entry @constants
attn.entry @constants(%x: tensor<1x3x2xf32> {attn.name = "x"}) -> (tensor<1x3x1x2xf32> {attn.name = "o"}) sizes [] {
  // CHECK: attn.constant dense<{{\[\[}}1.000000e+00, 2.000000e+00], [3.000000e+00, 4.000000e+00], [5.000000e+00, 5.000000e+00], [5.000000e+00, 5.000000e+00], [6.000000e+00, 6.000000e+00], [6.000000e+00, 6.000000e+00]]> : tensor<6x2xf32>
  // CHECK: attn.qkv_projection
  %wq = attn.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %wk = attn.constant dense<5.0> : tensor<2x2xf32>
  %wv = attn.constant dense<6.0> : tensor<2x2xf32>
  // expected-remark @+1 {{[fuse-qkv] applied}}
  %q0 = attn.linear %x, %wq : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %k0 = attn.linear %x, %wk : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %v0 = attn.linear %x, %wv : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %q = attn.split_heads %q0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  %k = attn.split_heads %k0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  %v = attn.split_heads %v0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  %o = attn.attention %q, %k, %v : tensor<1x3x1x2xf32>, tensor<1x3x1x2xf32>, tensor<1x3x1x2xf32> -> tensor<1x3x1x2xf32>
  attn.return %o : tensor<1x3x1x2xf32>
}

// -----

// CHECK-LABEL: attn.entry @two_inputs
attn.entry @two_inputs(%x: tensor<1x3x2xf32> {attn.name = "x"}, %y: tensor<1x3x2xf32> {attn.name = "y"}) -> (tensor<1x3x1x2xf32> {attn.name = "o"}) sizes [] {
  // CHECK-COUNT-3: attn.linear
  %w = attn.constant dense<1.0> : tensor<2x2xf32>
  %q0 = attn.linear %x, %w : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  // expected-note @+1 {{because of 'attn.linear'}}
  %k0 = attn.linear %y, %w : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %v0 = attn.linear %y, %w : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %q = attn.split_heads %q0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  %k = attn.split_heads %k0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  %v = attn.split_heads %v0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  // expected-remark @+1 {{[fuse-qkv] missed: query, key and value read different inputs}}
  %o = attn.attention %q, %k, %v : tensor<1x3x1x2xf32>, tensor<1x3x1x2xf32>, tensor<1x3x1x2xf32> -> tensor<1x3x1x2xf32>
  attn.return %o : tensor<1x3x1x2xf32>
}

// -----

// CHECK-LABEL: attn.entry @some_biases
attn.entry @some_biases(%x: tensor<1x3x2xf32> {attn.name = "x"}, %c: tensor<2xf32> {attn.name = "c"}) -> (tensor<1x3x1x2xf32> {attn.name = "o"}) sizes [] {
  // CHECK-COUNT-3: attn.linear
  %w = attn.constant dense<1.0> : tensor<2x2xf32>
  %q0 = attn.linear %x, %w element(%c at affine_map<(d0, d1, d2) -> (d2)> : tensor<2xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    attn.yield %s : f32
  } : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  // expected-note @+1 {{because of 'attn.linear'}}
  %k0 = attn.linear %x, %w : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %v0 = attn.linear %x, %w : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %q = attn.split_heads %q0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  %k = attn.split_heads %k0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  %v = attn.split_heads %v0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  // expected-remark @+1 {{[fuse-qkv] missed: some of the projections have a bias, others have none}}
  %o = attn.attention %q, %k, %v : tensor<1x3x1x2xf32>, tensor<1x3x1x2xf32>, tensor<1x3x1x2xf32> -> tensor<1x3x1x2xf32>
  attn.return %o : tensor<1x3x1x2xf32>
}

// -----

// CHECK-LABEL: attn.entry @computed_weight
attn.entry @computed_weight(%x: tensor<1x3x2xf32> {attn.name = "x"}, %w: tensor<2x2xf32> {attn.name = "w"}) -> (tensor<1x3x1x2xf32> {attn.name = "o"}) sizes [] {
  // CHECK-COUNT-3: attn.linear
  %q0 = attn.linear %x, %w : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %k0 = attn.linear %x, %w : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %v0 = attn.linear %x, %w : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %q = attn.split_heads %q0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  %k = attn.split_heads %k0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  %v = attn.split_heads %v0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  // expected-remark @+1 {{[fuse-qkv] missed: a weight is computed by the program}}
  %o = attn.attention %q, %k, %v : tensor<1x3x1x2xf32>, tensor<1x3x1x2xf32>, tensor<1x3x1x2xf32> -> tensor<1x3x1x2xf32>
  attn.return %o : tensor<1x3x1x2xf32>
}

// -----

// CHECK-LABEL: attn.entry @regrouped
attn.weight @w from ["w"] groups [1, 1] : tensor<2x2xf32>
attn.entry @regrouped(%x: tensor<1x3x2xf32> {attn.name = "x"}) -> (tensor<1x3x1x2xf32> {attn.name = "o"}) sizes [] {
  // CHECK-COUNT-3: attn.linear
  // expected-note @+1 {{because of 'attn.get_weight'}}
  %w = attn.get_weight @w : tensor<2x2xf32>
  %q0 = attn.linear %x, %w : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %k0 = attn.linear %x, %w : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %v0 = attn.linear %x, %w : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %q = attn.split_heads %q0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  %k = attn.split_heads %k0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  %v = attn.split_heads %v0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  // expected-remark @+1 {{[fuse-qkv] missed: the rows of a weight are regrouped, or something is added to it}}
  %o = attn.attention %q, %k, %v : tensor<1x3x1x2xf32>, tensor<1x3x1x2xf32>, tensor<1x3x1x2xf32> -> tensor<1x3x1x2xf32>
  attn.return %o : tensor<1x3x1x2xf32>
}

// -----

// CHECK-LABEL: attn.entry @other_use
attn.entry @other_use(%x: tensor<1x3x2xf32> {attn.name = "x"}) -> (tensor<1x3x1x2xf32> {attn.name = "o"}, tensor<1x3x2xf32> {attn.name = "k"}) sizes [] {
  // CHECK-COUNT-3: attn.linear
  %w = attn.constant dense<1.0> : tensor<2x2xf32>
  %q0 = attn.linear %x, %w : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %k0 = attn.linear %x, %w : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %v0 = attn.linear %x, %w : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %q = attn.split_heads %q0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  %k = attn.split_heads %k0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  %v = attn.split_heads %v0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  // expected-remark @+1 {{[fuse-qkv] missed: a part of the projection has another use}}
  %o = attn.attention %q, %k, %v : tensor<1x3x1x2xf32>, tensor<1x3x1x2xf32>, tensor<1x3x1x2xf32> -> tensor<1x3x1x2xf32>
  // expected-note @+1 {{because of 'attn.return'}}
  attn.return %o, %k0 : tensor<1x3x1x2xf32>, tensor<1x3x2xf32>
}

// -----

// CHECK-LABEL: attn.entry @activation
attn.entry @activation(%x: tensor<1x3x2xf32> {attn.name = "x"}) -> (tensor<1x3x1x2xf32> {attn.name = "o"}) sizes [] {
  // CHECK-COUNT-3: attn.linear
  %w = attn.constant dense<1.0> : tensor<2x2xf32>
  %q0 = attn.linear %x, %w : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %k1 = attn.linear %x, %w : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  // expected-note @+1 {{because of 'attn.map'}}
  %k0 = attn.map element(%k1 at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<1x3x2xf32>) {
  ^bb0(%a: f32):
    %s = math.tanh %a : f32
    attn.yield %s : f32
  } : tensor<1x3x2xf32>
  %v0 = attn.linear %x, %w : tensor<1x3x2xf32>, tensor<2x2xf32> -> tensor<1x3x2xf32>
  %q = attn.split_heads %q0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  %k = attn.split_heads %k0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  %v = attn.split_heads %v0 : tensor<1x3x2xf32> -> tensor<1x3x1x2xf32>
  // expected-remark @+1 {{[fuse-qkv] missed: a map before the heads is not a bias}}
  %o = attn.attention %q, %k, %v : tensor<1x3x1x2xf32>, tensor<1x3x1x2xf32>, tensor<1x3x1x2xf32> -> tensor<1x3x1x2xf32>
  attn.return %o : tensor<1x3x1x2xf32>
}
