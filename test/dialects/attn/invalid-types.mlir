// Named sizes agree with the shape, on every op.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

func.func @nameless() {
  // expected-error @+1 {{expects every dynamic dimension to have a name, as in tensor<?x8xf32, #attn.sizes<seq, 8>>; got 'tensor<?xi32>'}}
  %0 = attn.positions : tensor<?xi32>
  return
}

// -----

func.func @foreign_encoding() {
  // expected-error @+1 {{expects every dynamic dimension to have a name}}
  %0 = attn.positions : tensor<4xi32, "sparse">
  return
}

// -----

func.func @static_with_names() {
  // expected-error @+1 {{expects no #attn.sizes on a tensor without dynamic dimensions}}
  %0 = attn.positions : tensor<4xi32, #attn.sizes<4>>
  return
}

// -----

func.func @too_many_names() {
  // expected-error @+1 {{expects #attn.sizes to name 1 dimensions, got 2}}
  %0 = attn.positions : tensor<?xi32, #attn.sizes<n, m>>
  return
}

// -----

func.func @another_number() {
  // expected-error @+1 {{expects dimension 1 and its size '5' to agree}}
  %0 = attn.positions : tensor<?x4xi32, #attn.sizes<n, 5>>
  return
}

// -----

func.func @number_where_dynamic() {
  // expected-error @+1 {{expects dimension 0 and its size '3' to agree}}
  %0 = attn.positions : tensor<?x?xi32, #attn.sizes<3, n>>
  return
}

// -----

// expected-error @+1 {{a size is not negative}}
func.func private @negative(tensor<?xi32, #attn.sizes<n + -1>>)

// -----

// expected-error @+1 {{'a.b' is no name of a size}}
func.func private @dotted(tensor<?xi32, #attn.sizes<a.b>>)
