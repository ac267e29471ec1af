// RUN: attn-opt %s --attn-pack-tokens --split-input-file --verify-diagnostics | FileCheck %s

// A pool of those rows alone that another mask keeps too: offsets delimit whole
// sequences, so it reads the padded form of the packed rows.

// CHECK-LABEL: attn.entry @ends
// CHECK: %[[ROWS:.*]], %{{.*}} = attn.pack_index
// CHECK: %[[N:.*]] = attn.norm {{.*}} : tensor<?x4xf32, #attn.sizes<tokens, 4>>
// CHECK: %[[ENDS:.*]] = attn.map element {{.*}} {
// CHECK: } : tensor<?xi32, #attn.sizes<tokens>>
// CHECK-DAG: %[[UN:.*]] = attn.unpack %[[N]], %[[ROWS]]
// CHECK-DAG: %[[UE:.*]] = attn.unpack %[[ENDS]], %[[ROWS]]
// CHECK: %[[P:.*]] = attn.pool first %[[UN]] mask(%[[UE]] :
// CHECK: attn.return %[[P]], %[[UN]]
attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
// expected-remark @+1 {{[pack-tokens] applied}}
attn.entry @ends(%x: tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "x"}, %ids: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "ids"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}, %w: tensor<4xf32> {attn.name = "w"}) -> (tensor<?x4xf32, #attn.sizes<batch, 4>> {attn.name = "p"}, tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "y"}) sizes ["batch", "seq"] {
  %n = attn.norm layer %x weight(%w : tensor<4xf32>) epsilon 1.0e-5 : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  %ends = attn.map element(%ids at affine_map<(b, s) -> (b, s)> : tensor<?x?xi32, #attn.sizes<batch, seq>>, %m at affine_map<(b, s) -> (b, s)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%id: i32, %kept: i32):
    %end = arith.constant 9 : i32
    %zero = arith.constant 0 : i32
    %is = arith.cmpi eq, %id, %end : i32
    %found = arith.extui %is : i1 to i32
    %c = arith.cmpi ne, %kept, %zero : i32
    %r = arith.select %c, %found, %zero : i32
    attn.yield %r : i32
  } : tensor<?x?xi32, #attn.sizes<batch, seq>>
  %p = attn.pool first %n mask(%ends : tensor<?x?xi32, #attn.sizes<batch, seq>>) : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x4xf32, #attn.sizes<batch, 4>>
  %y = attn.map element(%n at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, %m at affine_map<(d0, d1, d2) -> (d0, d1)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%e: f32, %k: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %k, %z : i32
    %f = arith.constant 0.0 : f32
    %s = arith.select %c, %e, %f : f32
    attn.yield %s : f32
  } : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  attn.return %p, %y : tensor<?x4xf32, #attn.sizes<batch, 4>>, tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
}

// -----

// A mask that keeps rows which the padding's drops.

// CHECK-LABEL: attn.entry @open
// CHECK-NOT: attn.pack
attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
// expected-remark @+1 {{[pack-tokens] missed: the pool does not use the mask}}
attn.entry @open(%x: tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "x"}, %ids: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "ids"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}) -> (tensor<?x4xf32, #attn.sizes<batch, 4>> {attn.name = "p"}, tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "y"}) sizes ["batch", "seq"] {
  %ends = attn.map element(%ids at affine_map<(b, s) -> (b, s)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%id: i32):
    %end = arith.constant 9 : i32
    %is = arith.cmpi eq, %id, %end : i32
    %found = arith.extui %is : i1 to i32
    attn.yield %found : i32
  } : tensor<?x?xi32, #attn.sizes<batch, seq>>
  // expected-note @+1 {{because of 'attn.pool'}}
  %p = attn.pool first %x mask(%ends : tensor<?x?xi32, #attn.sizes<batch, seq>>) : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x4xf32, #attn.sizes<batch, 4>>
  %y = attn.map element(%x at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, %m at affine_map<(d0, d1, d2) -> (d0, d1)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%e: f32, %k: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %k, %z : i32
    %f = arith.constant 0.0 : f32
    %s = arith.select %c, %e, %f : f32
    attn.yield %s : f32
  } : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  attn.return %p, %y : tensor<?x4xf32, #attn.sizes<batch, 4>>, tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
}
