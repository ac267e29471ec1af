// RUN: attn-opt %s --attn-pack-tokens --split-input-file --verify-diagnostics | FileCheck %s

// Positions are counted over the caller's ids, then packed as ids are.

attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
// CHECK-LABEL: attn.entry @counted
// CHECK-SAME: (%[[IDS:.*]]: tensor<{{.*}}> {{.*}}, %[[MASK:.*]]: tensor<{{.*}}> {{.*}}, %[[T:.*]]: tensor<9x4xf32>
// CHECK: %[[ROWS:.*]], %{{.*}} = attn.pack_index %[[MASK]]
// CHECK: %[[POS:.*]] = attn.token_positions %[[IDS]] padding 1 : tensor<?x?xi32, #attn.sizes<batch, seq>>
// CHECK: %[[PACKED:.*]] = attn.pack %[[POS]], %[[ROWS]]
// CHECK: attn.embedding(%[[PACKED]]), (%[[T]]) {{.*}} -> tensor<?x4xf32, #attn.sizes<tokens, 4>>
// CHECK: attn.return %{{.*}}, %[[POS]]
// expected-remark @+1 {{[pack-tokens] applied: masked positions take no rows}}
attn.entry @counted(%ids: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "ids"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}, %t: tensor<9x4xf32> {attn.name = "t"}) -> (tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "y"}, tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "p"}) sizes ["batch", "seq"] {
  %p = attn.token_positions %ids padding 1 : tensor<?x?xi32, #attn.sizes<batch, seq>>
  %e = attn.embedding(%p), (%t) : (tensor<?x?xi32, #attn.sizes<batch, seq>>), (tensor<9x4xf32>) -> tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  %y = attn.map element(%e at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, %m at affine_map<(d0, d1, d2) -> (d0, d1)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%a: f32, %b: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %b, %z : i32
    %f = arith.constant 0.0 : f32
    %s = arith.select %c, %a, %f : f32
    attn.yield %s : f32
  } : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  attn.return %y, %p : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, tensor<?x?xi32, #attn.sizes<batch, seq>>
}

// -----

// Ids that the program computes are not packed and unpacked for it.

attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
// CHECK-LABEL: attn.entry @computed
// CHECK-NOT: attn.pack
// expected-remark @+1 {{[pack-tokens] missed: the op does not treat rows one by one}}
attn.entry @computed(%ids: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "ids"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}, %t: tensor<9x4xf32> {attn.name = "t"}) -> (tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "y"}) sizes ["batch", "seq"] {
  %i = attn.map element(%ids at affine_map<(d0, d1) -> (d0, d1)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%a: i32):
    %one = arith.constant 1 : i32
    %s = arith.xori %a, %one : i32
    attn.yield %s : i32
  } : tensor<?x?xi32, #attn.sizes<batch, seq>>
  // expected-note @+1 {{because of 'attn.token_positions'}}
  %p = attn.token_positions %i padding 1 : tensor<?x?xi32, #attn.sizes<batch, seq>>
  %e = attn.embedding(%p), (%t) : (tensor<?x?xi32, #attn.sizes<batch, seq>>), (tensor<9x4xf32>) -> tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  %y = attn.map element(%e at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, %m at affine_map<(d0, d1, d2) -> (d0, d1)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%a: f32, %b: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %b, %z : i32
    %f = arith.constant 0.0 : f32
    %s = arith.select %c, %a, %f : f32
    attn.yield %s : f32
  } : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  attn.return %y : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
}
