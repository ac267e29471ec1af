// Constraints of sizes, constants and entries.
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
