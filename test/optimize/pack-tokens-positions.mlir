// RUN: attn-opt %s --attn-pack-tokens --split-input-file --verify-diagnostics | FileCheck %s

attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
// CHECK-LABEL: attn.entry @bias_by_position
// CHECK-NOT: attn.pack
// expected-remark @+1 {{[pack-tokens] missed: the score reads a capture by position}}
attn.entry @bias_by_position(%x: tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "x"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}, %e: tensor<?x?xf32, #attn.sizes<seq, seq>> {attn.name = "e"}) -> (tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "y"}) sizes ["batch", "seq"] {
  %h = attn.split_heads %x : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>
  // expected-note @+1 {{because of 'attn.attention'}}
  %o = attn.attention %h, %h, %h score(%e at affine_map<(b, h, q, kv) -> (q, kv)> : tensor<?x?xf32, #attn.sizes<seq, seq>>) {
  ^bb0(%s: f32, %d0: i32, %d1: i32, %d2: i32, %d3: i32, %f: f32):
    %r = arith.addf %s, %f : f32
    attn.yield %r : f32
  } mask(%m at affine_map<(b, h, q, kv) -> (b, kv)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%d0: i32, %d1: i32, %d2: i32, %d3: i32, %a: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %a, %z : i32
    attn.yield %c : i1
  } : tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>, tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>, tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>> -> tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>
  %g = attn.merge_heads %o : tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>> -> tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  %y = attn.map element(%g at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, %m at affine_map<(d0, d1, d2) -> (d0, d1)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%a: f32, %b: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %b, %z : i32
    %f = arith.constant 0.0 : f32
    %s = arith.select %c, %a, %f : f32
    attn.yield %s : f32
  } : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  attn.return %y : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
}

// -----

// attn.positions is packed; the index of an element is not known.

attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
// CHECK-LABEL: attn.entry @position_in_map
// CHECK-NOT: attn.pack
// expected-remark @+1 {{[pack-tokens] missed: the op uses the position within the padded batch}}
attn.entry @position_in_map(%x: tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "x"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}) -> (tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "y"}) sizes ["batch", "seq"] {
  // expected-note @+1 {{because of 'attn.map'}}
  %t = attn.map element(%x at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>) {
  ^bb0(%a: f32):
    %i = attn.index 1 : i32
    %f = arith.sitofp %i : i32 to f32
    %r = arith.mulf %a, %f : f32
    attn.yield %r : f32
  } : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  %y = attn.map element(%t at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, %m at affine_map<(d0, d1, d2) -> (d0, d1)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%a: f32, %b: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %b, %z : i32
    %f = arith.constant 0.0 : f32
    %s = arith.select %c, %a, %f : f32
    attn.yield %s : f32
  } : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  attn.return %y : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
}

// -----

attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
// CHECK-LABEL: attn.entry @table_by_position
// CHECK-NOT: attn.pack
// expected-remark @+1 {{[pack-tokens] missed: a capture is read at another position}}
attn.entry @table_by_position(%x: tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "x"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}, %e: tensor<?x4xf32, #attn.sizes<seq, 4>> {attn.name = "e"}) -> (tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "y"}) sizes ["batch", "seq"] {
  // expected-note @+1 {{because of 'attn.map'}}
  %t = attn.map element(%x at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, %e at affine_map<(d0, d1, d2) -> (d1, d2)> : tensor<?x4xf32, #attn.sizes<seq, 4>>) {
  ^bb0(%a: f32, %b: f32):
    %r = arith.addf %a, %b : f32
    attn.yield %r : f32
  } : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  %y = attn.map element(%t at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, %m at affine_map<(d0, d1, d2) -> (d0, d1)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%a: f32, %b: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %b, %z : i32
    %f = arith.constant 0.0 : f32
    %s = arith.select %c, %a, %f : f32
    attn.yield %s : f32
  } : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  attn.return %y : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
}

// -----

attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
// CHECK-LABEL: attn.entry @across_rows
// CHECK-NOT: attn.pack
// expected-remark @+1 {{[pack-tokens] missed: the op does not treat rows one by one}}
attn.entry @across_rows(%x: tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "x"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}) -> (tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "y"}) sizes ["batch", "seq"] {
  // expected-note @+1 {{because of 'attn.matmul'}}
  %t = attn.matmul %x, %x transpose_rhs : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x?x?xf32, #attn.sizes<batch, seq, seq>>
  %u = attn.matmul %t, %x : tensor<?x?x?xf32, #attn.sizes<batch, seq, seq>>, tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  %y = attn.map element(%u at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, %m at affine_map<(d0, d1, d2) -> (d0, d1)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%a: f32, %b: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %b, %z : i32
    %f = arith.constant 0.0 : f32
    %s = arith.select %c, %a, %f : f32
    attn.yield %s : f32
  } : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  attn.return %y : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
}
