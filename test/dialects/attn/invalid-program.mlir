// Constraints of sizes, weights, constants and entries.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{expects either bounds (min and max) or 'derived'}}
attn.size @size_c1

// -----

// expected-error @+1 {{expects 0 <= min <= max <= 2^40, got min 3 and max 2}}
attn.size @size_c1_order min 3 max 2

// -----

// expected-error @+1 {{got min -1 and max 2}}
attn.size @size_c1_negative min -1 max 2

// -----

// expected-error @+1 {{names the size 'n', which no attn.size declares}}
attn.size @size_c2 derived "2 * n"

// -----

attn.size @a min 1 max 2
attn.size @b derived "2 * a"
// expected-error @+1 {{expects sizes that are not derived, but 'b' is}}
attn.size @size_c2_derived derived "a + b"

// -----

// expected-error @+1 {{expects 'derived' to be a sum of products of size names and numbers, got '1 - 2'}}
attn.size @size_c2_syntax derived "1 - 2"

// -----

// expected-error @+1 {{expects a C identifier as its name, got 'size_c3.x'}}
attn.size @size_c3.x min 1 max 2

// -----

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

// -----

func.func @constant_c1() {
  // expected-error @+1 {{expects at most 65536 elements (larger tensors are weights), got 65537}}
  %0 = attn.constant dense<0.0> : tensor<65537xf32>
  return
}

// -----

// expected-error @+1 {{expects 'attn.files' to list paths as strings, got 3 : i64}}
module attributes {attn.files = 3} {}

// -----

// expected-error @+1 {{expects 'attn.name' to be a string}}
module attributes {attn.name = 3} {}
