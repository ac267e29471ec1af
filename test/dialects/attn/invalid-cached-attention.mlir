// Every constraint of attention with states.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

func.func @cached_attention_c1(%q: tensor<3x4x8xf32>, %k: !attn.state<tensor<2x7xf32>>, %v: !attn.state<tensor<2x5xf32>>, %o: tensor<3xi32>, %p: tensor<2xi32>) {
  // expected-error @+1 {{expects the key's rows to be [Hk, D] = [2, 8], got [2, 7]}}
  %r = attn.cached_attention %q, %k, %v offsets(%o : tensor<3xi32>) past(%p : tensor<2xi32>) : tensor<3x4x8xf32>, !attn.state<tensor<2x7xf32>>, !attn.state<tensor<2x5xf32>> -> tensor<3x4x5xf32>
  return
}

// -----

func.func @cached_attention_c1(%q: tensor<3x4x8xf32>, %k: !attn.state<tensor<2x8xf32>>, %v: !attn.state<tensor<1x5xf32>>, %o: tensor<3xi32>, %p: tensor<2xi32>) {
  // expected-error @+1 {{expects the value's rows to be [Hk, Dv] = [2, 5], got [1, 5]}}
  %r = attn.cached_attention %q, %k, %v offsets(%o : tensor<3xi32>) past(%p : tensor<2xi32>) : tensor<3x4x8xf32>, !attn.state<tensor<2x8xf32>>, !attn.state<tensor<1x5xf32>> -> tensor<3x4x5xf32>
  return
}

// -----

func.func @cached_attention_c1(%q: tensor<3x4x8xf32>, %k: !attn.state<tensor<2x8xf32>>, %v: !attn.state<tensor<2x5xf32>, window = 3>, %o: tensor<3xi32>, %p: tensor<2xi32>) {
  // expected-error @+1 {{expects states of one window, got 0 and 3}}
  %r = attn.cached_attention %q, %k, %v offsets(%o : tensor<3xi32>) past(%p : tensor<2xi32>) : tensor<3x4x8xf32>, !attn.state<tensor<2x8xf32>>, !attn.state<tensor<2x5xf32>, window = 3> -> tensor<3x4x5xf32>
  return
}

// -----

func.func @cached_attention_c2(%q: tensor<3x5x8xf32>, %k: !attn.state<tensor<2x8xf32>>, %v: !attn.state<tensor<2x5xf32>>, %o: tensor<3xi32>, %p: tensor<2xi32>) {
  // expected-error @+1 {{expects the number of query heads to be a multiple of that of key heads, got 5 and 2}}
  %r = attn.cached_attention %q, %k, %v offsets(%o : tensor<3xi32>) past(%p : tensor<2xi32>) : tensor<3x5x8xf32>, !attn.state<tensor<2x8xf32>>, !attn.state<tensor<2x5xf32>> -> tensor<3x5x5xf32>
  return
}

// -----

func.func @cached_attention_c3(%q: tensor<3x4x8xf32>, %k: !attn.state<tensor<2x8xf32>>, %v: !attn.state<tensor<2x5xf32>>, %o: tensor<3xi32>, %p: tensor<2xi32>) {
  // expected-error @+1 {{score region}}
  %r = attn.cached_attention %q, %k, %v offsets(%o : tensor<3xi32>) past(%p : tensor<2xi32>) score() {
  ^bb0(%s: f32):
    attn.yield %s : f32
  } : tensor<3x4x8xf32>, !attn.state<tensor<2x8xf32>>, !attn.state<tensor<2x5xf32>> -> tensor<3x4x5xf32>
  return
}

// -----

func.func @cached_attention_c4(%q: tensor<3x4x8xf32>, %k: !attn.state<tensor<2x8xf32>>, %v: !attn.state<tensor<2x5xf32>>, %o: tensor<3xi32>, %p: tensor<2xi32>) {
  // expected-error @+1 {{mask region}}
  %r = attn.cached_attention %q, %k, %v offsets(%o : tensor<3xi32>) past(%p : tensor<2xi32>) mask() {
  ^bb0(%b: i32, %h: i32, %i: i32, %j: i32):
    attn.yield %i : i32
  } : tensor<3x4x8xf32>, !attn.state<tensor<2x8xf32>>, !attn.state<tensor<2x5xf32>> -> tensor<3x4x5xf32>
  return
}

// -----

func.func @cached_attention_c5(%q: tensor<3x4x8xf32>, %k: !attn.state<tensor<2x8xf32>>, %v: !attn.state<tensor<2x5xf32>>, %o: tensor<3xi32>, %p: tensor<2xi32>, %bias: tensor<3xf32>) {
  // expected-error @+1 {{capture 0 of the score region}}
  %r = attn.cached_attention %q, %k, %v offsets(%o : tensor<3xi32>) past(%p : tensor<2xi32>) score(%bias at affine_map<(b, h, i, j) -> (j)> : tensor<3xf32>) {
  ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32, %x: f32):
    attn.yield %x : f32
  } : tensor<3x4x8xf32>, !attn.state<tensor<2x8xf32>>, !attn.state<tensor<2x5xf32>> -> tensor<3x4x5xf32>
  return
}

// -----

attn.size @tokens derived "6"
attn.state @k positions 8 : !attn.state<tensor<2x4xf32>>
attn.state @v positions 8 : !attn.state<tensor<2x4xf32>>
attn.entry @cached_attention_c6(%mask: tensor<2x3xi32> {attn.name = "mask"}, %x: tensor<2x3x2x4xf32> {attn.name = "x"})
    -> (tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>> {attn.name = "out"}) sizes [] {
  %rows, %offsets = attn.pack_index %mask : tensor<2x3xi32> -> tensor<?xi32, #attn.sizes<tokens>>, tensor<3xi32>
  %y = attn.pack %x, %rows : tensor<2x3x2x4xf32>, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>
  %p = attn.past : tensor<2xi32>
  %k = attn.get_state @k : !attn.state<tensor<2x4xf32>>
  %v = attn.get_state @v : !attn.state<tensor<2x4xf32>>
  attn.append %y, %offsets to %k : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<3xi32>, !attn.state<tensor<2x4xf32>>
  // expected-error @+1 {{expects an attn.append to @v before it}}
  %r = attn.cached_attention %y, %k, %v offsets(%offsets : tensor<3xi32>) past(%p : tensor<2xi32>) : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, !attn.state<tensor<2x4xf32>>, !attn.state<tensor<2x4xf32>> -> tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>
  attn.append %y, %offsets to %v : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<3xi32>, !attn.state<tensor<2x4xf32>>
  attn.return %r : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>
}

// -----

attn.size @tokens derived "6"
attn.state @k positions 8 : !attn.state<tensor<2x4xf32>>
attn.entry @cached_attention_c7(%mask: tensor<2x3xi32> {attn.name = "mask"}, %x: tensor<2x3x2x4xf32> {attn.name = "x"})
    -> (tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>> {attn.name = "out"}) sizes [] {
  %rows, %offsets = attn.pack_index %mask : tensor<2x3xi32> -> tensor<?xi32, #attn.sizes<tokens>>, tensor<3xi32>
  %y = attn.pack %x, %rows : tensor<2x3x2x4xf32>, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>
  %p = attn.past : tensor<2xi32>
  %k = attn.get_state @k : !attn.state<tensor<2x4xf32>>
  attn.append %y, %offsets to %k : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<3xi32>, !attn.state<tensor<2x4xf32>>
  // expected-error @+1 {{expects @k to be read as keys only and @k as values only}}
  %r = attn.cached_attention %y, %k, %k offsets(%offsets : tensor<3xi32>) past(%p : tensor<2xi32>) : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, !attn.state<tensor<2x4xf32>>, !attn.state<tensor<2x4xf32>> -> tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>
  attn.return %r : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>
}
