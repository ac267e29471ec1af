// Constraints of attn.attention.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

func.func @attention_c1(%q: tensor<3x4xf32>, %k: tensor<5x6xf32>, %v: tensor<5x2xf32>) {
  // expected-error @+1 {{expects the key to be [KV, D] = [5, 4], got [5, 6]}}
  %y = attn.attention %q, %k, %v : tensor<3x4xf32>, tensor<5x6xf32>, tensor<5x2xf32> -> tensor<3x2xf32>
  return
}

// -----

func.func @attention_c1_values(%q: tensor<3x4xf32>, %k: tensor<5x4xf32>, %v: tensor<6x2xf32>) {
  // expected-error @+1 {{expects the value to be [KV, Dv] = [5, 2], got [6, 2]}}
  %y = attn.attention %q, %k, %v : tensor<3x4xf32>, tensor<5x4xf32>, tensor<6x2xf32> -> tensor<3x2xf32>
  return
}

// -----

func.func @attention_c1_result(%q: tensor<1x3x2x4xf32>, %k: tensor<1x5x2x4xf32>) {
  // expected-error @+1 {{expects the result to be [B, Q, Hq, Dv] = [1, 3, 2, 4], got [1, 5, 2, 4]}}
  %y = attn.attention %q, %k, %k : tensor<1x3x2x4xf32>, tensor<1x5x2x4xf32>, tensor<1x5x2x4xf32> -> tensor<1x5x2x4xf32>
  return
}

// -----

func.func @attention_c1_rank(%q: tensor<3x2x4xf32>) {
  // expected-error @+1 {{expects a query of rank 2 or 4 without offsets, got rank 3}}
  %y = attn.attention %q, %q, %q : tensor<3x2x4xf32>, tensor<3x2x4xf32>, tensor<3x2x4xf32> -> tensor<3x2x4xf32>
  return
}

// -----

func.func @attention_c1_bound(%q: tensor<3x2x4xf32>, %o: tensor<3xi32>) {
  // expected-error @+1 {{expects length_bound exactly with offsets}}
  %y = attn.attention %q, %q, %q offsets(%o : tensor<3xi32>) : tensor<3x2x4xf32>, tensor<3x2x4xf32>, tensor<3x2x4xf32> -> tensor<3x2x4xf32>
  return
}

// -----

func.func @attention_c1_bound_syntax(%q: tensor<3x2x4xf32>, %o: tensor<3xi32>) {
  // expected-error @+1 {{expects length_bound to be a sum of products of size names and numbers, got 'n - 1'}}
  %y = attn.attention %q, %q, %q offsets(%o : tensor<3xi32>) length_bound "n - 1" : tensor<3x2x4xf32>, tensor<3x2x4xf32>, tensor<3x2x4xf32> -> tensor<3x2x4xf32>
  return
}

// -----

func.func @attention_c1_static(%q: tensor<3x?xf32, #attn.sizes<3, d>>) {
  // expected-error @+1 {{expects dimension 1 of the query to be a number (the head size), got 'd'}}
  %y = attn.attention %q, %q, %q : tensor<3x?xf32, #attn.sizes<3, d>>, tensor<3x?xf32, #attn.sizes<3, d>>, tensor<3x?xf32, #attn.sizes<3, d>> -> tensor<3x?xf32, #attn.sizes<3, d>>
  return
}

// -----

func.func @attention_c2(%q: tensor<1x3x3x4xf32>, %k: tensor<1x3x2x4xf32>) {
  // expected-error @+1 {{expects the number of query heads to be a multiple of that of key heads, got 3 and 2}}
  %y = attn.attention %q, %k, %k : tensor<1x3x3x4xf32>, tensor<1x3x2x4xf32>, tensor<1x3x2x4xf32> -> tensor<1x3x3x4xf32>
  return
}

// -----

func.func @attention_c3(%q: tensor<3x4xf32>) {
  // expected-error @+1 {{expects the score region to take ('f32', 'i32', 'i32', 'i32', 'i32'), got ('f32')}}
  %y = attn.attention %q, %q, %q score() {
  ^bb0(%s: f32):
    attn.yield %s : f32
  } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  return
}

// -----

func.func @attention_c4(%q: tensor<3x4xf32>) {
  // expected-error @+1 {{expects the mask region to yield ('i1'), got ('i32')}}
  %y = attn.attention %q, %q, %q mask() {
  ^bb0(%b: i32, %h: i32, %i: i32, %j: i32):
    attn.yield %j : i32
  } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  return
}

// -----

func.func @attention_c5(%q: tensor<3x4xf32>, %bias: tensor<3x4xf32>) {
  // expected-error @+1 {{indexes dimension 1 of capture 0 of the score region by dimension 3 of size '3'; expected the same size, got '4'}}
  %y = attn.attention %q, %q, %q score(%bias at affine_map<(b, h, q, kv) -> (q, kv)> : tensor<3x4xf32>) {
  ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32, %x: f32):
    attn.yield %x : f32
  } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  return
}

// -----

func.func @attention_c5_packed(%q: tensor<3x2x4xf32>, %o: tensor<3xi32>, %bias: tensor<5xf32>) {
  // expected-error @+1 {{indexes dimension 0 of capture 0 of the score region by dimension 3 of size '3'; expected the same size, got '5'}}
  %y = attn.attention %q, %q, %q offsets(%o : tensor<3xi32>) score(%bias at affine_map<(b, h, q, kv) -> (kv)> : tensor<5xf32>) {
  ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32, %x: f32):
    attn.yield %x : f32
  } length_bound "3" : tensor<3x2x4xf32>, tensor<3x2x4xf32>, tensor<3x2x4xf32> -> tensor<3x2x4xf32>
  return
}

// -----

func.func @attention_c6(%q: tensor<3x4xf32>) {
  // expected-error @+1 {{expects the mask region to hold scalar arithmetic on f32, i32 and i1, got 'arith.remsi'}}
  %y = attn.attention %q, %q, %q mask() {
  ^bb0(%b: i32, %h: i32, %i: i32, %j: i32):
    // expected-note @+1 {{the op is here}}
    %r = arith.remsi %i, %j : i32
    %c = arith.cmpi eq, %r, %j : i32
    attn.yield %c : i1
  } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  return
}
