// RUN: attn-opt %s --attn-raise-attention --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: attn.entry @shown_probabilities
attn.entry @shown_probabilities(%q: tensor<3x4xf32> {attn.name = "q"})
    -> (tensor<3x4xf32> {attn.name = "o"}, tensor<3x3xf32> {attn.name = "p"}) sizes [] {
  // CHECK: attn.softmax
  %s = attn.matmul %q, %q transpose_rhs : tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x3xf32>
  // expected-remark @+1 {{[raise-attention] missed: the probabilities have another use}}
  %p = attn.softmax %s : tensor<3x3xf32>
  %o = attn.matmul %p, %q : tensor<3x3xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  // expected-note @+1 {{because of 'attn.return'}}
  attn.return %o, %p : tensor<3x4xf32>, tensor<3x3xf32>
}

// -----

// CHECK-LABEL: attn.entry @shown_scores
attn.entry @shown_scores(%q: tensor<3x4xf32> {attn.name = "q"})
    -> (tensor<3x4xf32> {attn.name = "o"}, tensor<3x3xf32> {attn.name = "s"}) sizes [] {
  // CHECK: attn.softmax
  %s = attn.matmul %q, %q transpose_rhs : tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x3xf32>
  %t = attn.map element(%s at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x3xf32>) {
  ^bb0(%a: f32):
    %r = math.tanh %a : f32
    attn.yield %r : f32
  } : tensor<3x3xf32>
  // expected-remark @+1 {{[raise-attention] missed: the scores have another use}}
  %p = attn.softmax %t : tensor<3x3xf32>
  %o = attn.matmul %p, %q : tensor<3x3xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  // expected-note @+1 {{because of 'attn.return'}}
  attn.return %o, %s : tensor<3x4xf32>, tensor<3x3xf32>
}

// -----

// CHECK-LABEL: attn.entry @map_in_between
attn.entry @map_in_between(%q: tensor<3x4xf32> {attn.name = "q"}) -> (tensor<3x4xf32> {attn.name = "o"}) sizes [] {
  // CHECK: attn.softmax
  %s = attn.matmul %q, %q transpose_rhs : tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x3xf32>
  // expected-remark @+1 {{[raise-attention] missed: the probabilities do not go straight into a product}}
  %p = attn.softmax %s : tensor<3x3xf32>
  // expected-note @+1 {{because of 'attn.map'}}
  %t = attn.map element(%p at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x3xf32>) {
  ^bb0(%a: f32):
    %r = math.tanh %a : f32
    attn.yield %r : f32
  } : tensor<3x3xf32>
  %o = attn.matmul %t, %q : tensor<3x3xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  attn.return %o : tensor<3x4xf32>
}

// -----

// The scores are transposed on the way: q and kv change places.

// CHECK-LABEL: attn.entry @transposed_scores
attn.entry @transposed_scores(%q: tensor<3x4xf32> {attn.name = "q"}) -> (tensor<3x4xf32> {attn.name = "o"}) sizes [] {
  // CHECK: attn.softmax
  %s = attn.matmul %q, %q transpose_rhs : tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x3xf32>
  // expected-note @+1 {{because of 'attn.map'}}
  %t = attn.map element(%s at affine_map<(d0, d1) -> (d1, d0)> : tensor<3x3xf32>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } : tensor<3x3xf32>
  // expected-remark @+1 {{[raise-attention] missed: the scores do not come from a product}}
  %p = attn.softmax %t : tensor<3x3xf32>
  %o = attn.matmul %p, %q : tensor<3x3xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  attn.return %o : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: attn.entry @dynamic_heads
attn.size @heads min 1 max 8
attn.entry @dynamic_heads(%q: tensor<1x?x3x4xf32, #attn.sizes<1, heads, 3, 4>> {attn.name = "q"})
    -> (tensor<1x?x3x4xf32, #attn.sizes<1, heads, 3, 4>> {attn.name = "o"}) sizes ["heads"] {
  // CHECK: attn.softmax
  // expected-note @+1 {{because of 'attn.matmul'}}
  %s = attn.matmul %q, %q transpose_rhs : tensor<1x?x3x4xf32, #attn.sizes<1, heads, 3, 4>>, tensor<1x?x3x4xf32, #attn.sizes<1, heads, 3, 4>> -> tensor<1x?x3x3xf32, #attn.sizes<1, heads, 3, 3>>
  // expected-remark @+1 {{[raise-attention] missed: the number or the size of the heads is not fixed}}
  %p = attn.softmax %s : tensor<1x?x3x3xf32, #attn.sizes<1, heads, 3, 3>>
  %o = attn.matmul %p, %q : tensor<1x?x3x3xf32, #attn.sizes<1, heads, 3, 3>>, tensor<1x?x3x4xf32, #attn.sizes<1, heads, 3, 4>> -> tensor<1x?x3x4xf32, #attn.sizes<1, heads, 3, 4>>
  attn.return %o : tensor<1x?x3x4xf32, #attn.sizes<1, heads, 3, 4>>
}

// -----

// CHECK-LABEL: attn.entry @probabilities_as_values
attn.entry @probabilities_as_values(%q: tensor<3x4xf32> {attn.name = "q"}) -> (tensor<3x3xf32> {attn.name = "o"}) sizes [] {
  // CHECK: attn.softmax
  %s = attn.matmul %q, %q transpose_rhs : tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x3xf32>
  // expected-remark @+1 {{[raise-attention] missed: the probabilities are the values, too}}
  %p = attn.softmax %s : tensor<3x3xf32>
  // expected-note @+1 {{because of 'attn.matmul'}}
  %o = attn.matmul %p, %p : tensor<3x3xf32>, tensor<3x3xf32> -> tensor<3x3xf32>
  attn.return %o : tensor<3x3xf32>
}

// -----

// A map that looks up in rows of scores is no change of a score.

// CHECK-LABEL: attn.entry @lookup_in_scores
attn.entry @lookup_in_scores(%q: tensor<2x4x8xf32> {attn.name = "q"}, %v: tensor<4x4xf32> {attn.name = "v"}) -> (tensor<2x4xf32> {attn.name = "o"}) sizes [] {
  // CHECK: attn.softmax
  %s = attn.matmul %q, %q transpose_rhs : tensor<2x4x8xf32>, tensor<2x4x8xf32> -> tensor<2x4x4xf32>
  // expected-note @+1 {{because of 'attn.map'}}
  %t = attn.map element(%s at affine_map<(d0, d1) -> (d0, d1)> : tensor<2x4x4xf32>) {
  ^bb0(%row: tensor<4xf32>):
    %i = arith.constant 3 : i32
    %e = attn.lookup %row[%i] : tensor<4xf32>
    attn.yield %e : f32
  } : tensor<2x4xf32>
  // expected-remark @+1 {{[raise-attention] missed: the scores do not come from a product}}
  %p = attn.softmax %t : tensor<2x4xf32>
  %o = attn.matmul %p, %v : tensor<2x4xf32>, tensor<4x4xf32> -> tensor<2x4xf32>
  attn.return %o : tensor<2x4xf32>
}
