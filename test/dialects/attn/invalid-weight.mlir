// Constraints of weights.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{expects at least one source}}
attn.weight @weight_c1 from [] : tensor<2xf32>

// -----

// expected-error @+1 {{expects 'concat' to say along which dimension its 2 sources are joined}}
attn.weight @weight_c1_concat from ["a", "b"] : tensor<2xf32>

// -----

// expected-error @+1 {{expects 'concat' to be one of the 1 dimensions of 'tensor<2xf32>', got 1}}
attn.weight @weight_c2 from ["a", "b"] concat 1 : tensor<2xf32>

// -----

attn.size @n min 1 max 2
// expected-error @+1 {{expects a type with static dimensions}}
attn.weight @weight_c3 from ["a"] : tensor<?xf32, #attn.sizes<n>>

// -----

// expected-error @+1 {{expects at least two dimensions to transpose, got 'tensor<2xf32>'}}
attn.weight @weight_c3_transpose from ["a"] transpose : tensor<2xf32>

// -----

// expected-error @+1 {{expects 'groups' to be positive numbers whose sum divides the first dimension of 'tensor<6x2xf32>'}}
attn.weight @weight_c4 from ["a"] groups [2, 2] : tensor<6x2xf32>

// -----

// expected-error @+1 {{expects 'groups' to be positive numbers whose sum divides}}
attn.weight @weight_c4_zero from ["a"] groups [2, 0] : tensor<6x2xf32>

// -----

// expected-error @+1 {{expects 'groups' to be positive numbers whose sum divides}}
attn.weight @weight_c4_huge from ["a"] groups [9223372036854775807, 9223372036854775807, 8] : tensor<6x2xf32>

// -----

// expected-error @+1 {{expects 'plus' to be a finite number}}
attn.weight @weight_c5 from ["a"] plus 0x7F800000 : tensor<2xf32>

// -----

// expected-error @+1 {{expects 'attn.projected' to be alone, or a positive f64 with five sources instead of three, a type of three dimensions, and nothing else to be done; got unit with 2 sources and 'tensor<2x3x4xf32>'}}
attn.weight @weight_c6 from ["a", "b"] : tensor<2x3x4xf32> {attn.projected}

// -----

// expected-error @+1 {{got 1.000000e-05 : f64 with 3 sources}}
attn.weight @weight_c6_norm from ["a", "b", "c"] : tensor<2x3x4xf32> {attn.projected = 1.0e-5 : f64}

// -----

// expected-error @+1 {{got -1.000000e+00 : f64 with 5 sources}}
attn.weight @weight_c6_epsilon from ["a", "b", "c", "d", "e"] : tensor<2x3x4xf32> {attn.projected = -1.0 : f64}

// -----

// expected-error @+1 {{got 1.000000e+00 : f32 with 5 sources}}
attn.weight @weight_c6_single from ["a", "b", "c", "d", "e"] : tensor<2x3x4xf32> {attn.projected = 1.0 : f32}

// -----

// expected-error @+1 {{got "norm" with 3 sources}}
attn.weight @weight_c6_text from ["a", "b", "c"] : tensor<2x3x4xf32> {attn.projected = "norm"}

// -----

// expected-error @+1 {{got unit with 3 sources and 'tensor<6x4xf32>'}}
attn.weight @weight_c6_rank from ["a", "b", "c"] : tensor<6x4xf32> {attn.projected}

// -----

// expected-error @+1 {{got unit with 3 sources and 'tensor<2x3000000000x4xf32>'}}
attn.weight @weight_c6_huge from ["a", "b", "c"] : tensor<2x3000000000x4xf32> {attn.projected}

// -----

// expected-error @+1 {{and nothing else to be done; got unit with 3 sources}}
attn.weight @weight_c6_plus from ["a", "b", "c"] plus 1.0 : tensor<2x3x4xf32> {attn.projected}

// -----

// expected-error @+1 {{and nothing else to be done; got unit with 3 sources}}
attn.weight @weight_c6_concat from ["a", "b", "c"] concat 0 : tensor<2x3x4xf32> {attn.projected}

// -----

// expected-error @+1 {{expects 'attn.projected' on an attn.weight only}}
module @weight_c6_place attributes {attn.projected} {
}

// -----

func.func @get_weight_c1() {
  // expected-error @+1 {{expects @w to be an attn.weight of the module}}
  %w = attn.get_weight @w : tensor<2xf32>
  return
}

// -----

attn.weight @w from ["a"] : tensor<3xf32>
func.func @get_weight_c1_type() {
  // expected-error @+1 {{expects the type of @w, 'tensor<3xf32>', got 'tensor<2xf32>'}}
  %w = attn.get_weight @w : tensor<2xf32>
  return
}
