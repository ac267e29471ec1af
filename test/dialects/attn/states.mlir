// States and the ops on them, as text and back.
// RUN: attn-opt %s | attn-opt | FileCheck %s

attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
attn.size @tokens derived "batch * seq"

// CHECK: attn.state @k positions 512 : !attn.state<tensor<2x4xf32>>
attn.state @k positions 512 : !attn.state<tensor<2x4xf32>>
// CHECK: attn.state @v positions 512 : !attn.state<tensor<2x6xf32>, window = 128>
attn.state @v positions 512 : !attn.state<tensor<2x6xf32>, window = 128>

// CHECK-LABEL: attn.entry @lengths
attn.entry @lengths(%ids: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "ids"})
    -> (tensor<?xi32, #attn.sizes<batch>> {attn.name = "lengths"}) sizes ["batch", "seq"] {
  // CHECK: attn.past : tensor<?xi32, #attn.sizes<batch>>
  %past = attn.past : tensor<?xi32, #attn.sizes<batch>>
  attn.return %past : tensor<?xi32, #attn.sizes<batch>>
}

// CHECK-LABEL: attn.entry @append
attn.entry @append(%mask: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "mask"},
                   %key: tensor<?x?x2x4xf32, #attn.sizes<batch, seq, 2, 4>> {attn.name = "key"},
                   %value: tensor<?x?x2x6xf32, #attn.sizes<batch, seq, 2, 6>> {attn.name = "value"})
    -> (tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "at"}) sizes ["batch", "seq"] {
  %rows, %offsets = attn.pack_index %mask : tensor<?x?xi32, #attn.sizes<batch, seq>> -> tensor<?xi32, #attn.sizes<tokens>>, tensor<?xi32, #attn.sizes<batch + 1>>
  %past = attn.past : tensor<?xi32, #attn.sizes<batch>>
  // CHECK: attn.packed_positions %{{.*}}, %{{.*}} : tensor<?xi32, #attn.sizes<batch + 1>>, tensor<?xi32, #attn.sizes<batch>> -> tensor<?xi32, #attn.sizes<tokens>>
  %at = attn.packed_positions %offsets, %past : tensor<?xi32, #attn.sizes<batch + 1>>, tensor<?xi32, #attn.sizes<batch>> -> tensor<?xi32, #attn.sizes<tokens>>
  %k = attn.pack %key, %rows : tensor<?x?x2x4xf32, #attn.sizes<batch, seq, 2, 4>>, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>
  %v = attn.pack %value, %rows : tensor<?x?x2x6xf32, #attn.sizes<batch, seq, 2, 6>>, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?x2x6xf32, #attn.sizes<tokens, 2, 6>>
  // CHECK: attn.get_state @k : !attn.state<tensor<2x4xf32>>
  %ks = attn.get_state @k : !attn.state<tensor<2x4xf32>>
  %vs = attn.get_state @v : !attn.state<tensor<2x6xf32>, window = 128>
  // CHECK: attn.append %{{.*}}, %{{.*}} to %{{.*}} : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<?xi32, #attn.sizes<batch + 1>>, !attn.state<tensor<2x4xf32>>
  attn.append %k, %offsets to %ks : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<?xi32, #attn.sizes<batch + 1>>, !attn.state<tensor<2x4xf32>>
  attn.append %v, %offsets to %vs : tensor<?x2x6xf32, #attn.sizes<tokens, 2, 6>>, tensor<?xi32, #attn.sizes<batch + 1>>, !attn.state<tensor<2x6xf32>, window = 128>
  %out = attn.unpack %at, %rows : tensor<?xi32, #attn.sizes<tokens>>, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?x?xi32, #attn.sizes<batch, seq>>
  attn.return %out : tensor<?x?xi32, #attn.sizes<batch, seq>>
}

// CHECK-LABEL: func @attend
func.func @attend(%q: tensor<3x4x8xf32>, %k: !attn.state<tensor<2x8xf32>>,
                  %v: !attn.state<tensor<2x5xf32>>, %offsets: tensor<3xi32>,
                  %past: tensor<2xi32>, %slopes: tensor<4xf32>) -> tensor<3x4x5xf32> {
  // CHECK: attn.cached_attention %{{.*}}, %{{.*}}, %{{.*}} offsets(%{{.*}} : tensor<3xi32>) past(%{{.*}} : tensor<2xi32>)
  // CHECK-SAME: score (%{{.*}} at #{{.*}} : tensor<4xf32>)
  %o = attn.cached_attention %q, %k, %v offsets(%offsets : tensor<3xi32>) past(%past : tensor<2xi32>)
      score(%slopes at affine_map<(b, h, i, j) -> (h)> : tensor<4xf32>) {
  ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32, %slope: f32):
    %d = arith.subi %j, %i : i32
    %f = arith.sitofp %d : i32 to f32
    %m = arith.mulf %f, %slope : f32
    %r = arith.addf %s, %m : f32
    attn.yield %r : f32
  } mask() {
  ^bb0(%b: i32, %h: i32, %i: i32, %j: i32):
    %c = arith.cmpi sge, %i, %j : i32
    attn.yield %c : i1
  } : tensor<3x4x8xf32>, !attn.state<tensor<2x8xf32>>, !attn.state<tensor<2x5xf32>> -> tensor<3x4x5xf32>
  return %o : tensor<3x4x5xf32>
}
