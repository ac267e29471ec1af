// RUN: attn-opt %s --attn-pack-tokens --verify-diagnostics | FileCheck %s

// What a session keeps is computed from padded rows, too: the entry stays padded
// although none of it is returned.

// CHECK-LABEL: attn.entry @keeps
// CHECK: %[[X:.*]] = attn.map
// CHECK: %[[N:.*]] = attn.norm layer %[[X]]
// CHECK: %[[K:.*]] = attn.pack %{{.*}}
// CHECK: attn.append %[[K]]
// CHECK: attn.return %[[X]]
attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
attn.size @tokens derived "batch * seq"
attn.state @k positions 16 : !attn.state<tensor<2x2xf32>>
!x = tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
!m = tensor<?x?xi32, #attn.sizes<batch, seq>>
!rows = tensor<?xi32, #attn.sizes<tokens>>
!offsets = tensor<?xi32, #attn.sizes<batch + 1>>
// expected-remark @+1 {{[pack-tokens] missed: the op does not treat rows one by one}}
attn.entry @keeps(%x: !x {attn.name = "x"}, %m: !m {attn.name = "m"}, %w: tensor<4xf32> {attn.name = "w"}) -> (!x {attn.name = "y"}) sizes ["batch", "seq"] {
  %g = attn.map element(%x at affine_map<(b, s, c) -> (b, s, c)> : !x, %m at affine_map<(b, s, c) -> (b, s)> : !m) {
  ^bb0(%e: f32, %kept: i32):
    %zero = arith.constant 0 : i32
    %none = arith.constant 0.0 : f32
    %gone = arith.cmpi eq, %kept, %zero : i32
    %r = arith.select %gone, %none, %e : f32
    attn.yield %r : f32
  } : !x
  // expected-note @+1 {{because of 'attn.pack_index'}}
  %rows, %offsets = attn.pack_index %m : !m -> !rows, !offsets
  %n = attn.norm layer %g weight(%w : tensor<4xf32>) epsilon 1.0e-5 : !x
  %h = attn.split_heads %n : !x -> tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>>
  %k = attn.pack %h, %rows : tensor<?x?x2x2xf32, #attn.sizes<batch, seq, 2, 2>>, !rows -> tensor<?x2x2xf32, #attn.sizes<tokens, 2, 2>>
  %s = attn.get_state @k : !attn.state<tensor<2x2xf32>>
  attn.append %k, %offsets to %s : tensor<?x2x2xf32, #attn.sizes<tokens, 2, 2>>, !offsets, !attn.state<tensor<2x2xf32>>
  attn.return %g : !x
}
