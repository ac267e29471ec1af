// RUN: attn-opt %s --attn-pack-tokens --split-input-file --verify-diagnostics | FileCheck %s

attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
// CHECK-LABEL: attn.entry @unguarded
// CHECK-NOT: attn.pack
// expected-remark @+1 {{[pack-tokens] missed: an output is not zero where the mask is}}
attn.entry @unguarded(%x: tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "x"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}) -> (tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "y"}, tensor<?x4xf32, #attn.sizes<batch, 4>> {attn.name = "p"}) sizes ["batch", "seq"] {
  // expected-note @+1 {{because of 'attn.norm'}}
  %n = attn.norm l2 %x epsilon 1.0e-12 : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  %p = attn.pool mean %n mask(%m : tensor<?x?xi32, #attn.sizes<batch, seq>>) : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x4xf32, #attn.sizes<batch, 4>>
  attn.return %n, %p : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, tensor<?x4xf32, #attn.sizes<batch, 4>>
}

// -----

attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
// CHECK-LABEL: attn.entry @two_masks
// CHECK-NOT: attn.pack
// expected-remark @+1 {{[pack-tokens] missed: two masks differ}}
attn.entry @two_masks(%x: tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "x"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}, %n: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "n"}) -> (tensor<?x4xf32, #attn.sizes<batch, 4>> {attn.name = "y"}) sizes ["batch", "seq"] {
  %g = attn.map element(%x at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, %m at affine_map<(d0, d1, d2) -> (d0, d1)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%a: f32, %b: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %b, %z : i32
    %f = arith.constant 0.0 : f32
    %s = arith.select %c, %a, %f : f32
    attn.yield %s : f32
  } : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  // expected-note @+1 {{because of 'attn.pool'}}
  %p = attn.pool mean %g mask(%n : tensor<?x?xi32, #attn.sizes<batch, seq>>) : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x4xf32, #attn.sizes<batch, 4>>
  attn.return %p : tensor<?x4xf32, #attn.sizes<batch, 4>>
}

// -----

attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
// CHECK-LABEL: attn.entry @unmasked_attention
// CHECK-NOT: attn.pack
// expected-remark @+1 {{[pack-tokens] missed: the attention sees masked positions}}
attn.entry @unmasked_attention(%x: tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "x"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}) -> (tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "y"}) sizes ["batch", "seq"] {
  %h = attn.split_heads %x : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>
  // expected-note @+1 {{because of 'attn.attention'}}
  %o = attn.attention %h, %h, %h  : tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>, tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>, tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>> -> tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>
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

// CHECK-LABEL: attn.entry @twice
// CHECK-NOT: attn.pack
attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
// expected-remark @+1 {{[pack-tokens] missed: the mask region reads the mask twice}}
attn.entry @twice(%x: tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "x"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}) -> (tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "y"}) sizes ["batch", "seq"] {
  %h = attn.split_heads %x : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>
  // expected-note @+1 {{because of 'attn.attention'}}
  %o = attn.attention %h, %h, %h mask(%m at affine_map<(b, h, q, kv) -> (b, kv)> : tensor<?x?xi32, #attn.sizes<batch, seq>>, %m at affine_map<(b, h, q, kv) -> (b, q)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%b: i32, %hd: i32, %q: i32, %k: i32, %a: i32, %p: i32):
    %z = arith.constant 0 : i32
    %keep = arith.cmpi ne, %a, %z : i32
    %c = arith.cmpi ne, %p, %z : i32
    %all = arith.andi %keep, %c : i1
    attn.yield %all : i1
  } : tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>, tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>, tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>> -> tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>
  %g = attn.merge_heads %o : tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>> -> tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  %y = attn.map element(%g at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, %m at affine_map<(d0, d1, d2) -> (d0, d1)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%e: f32, %w: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %w, %z : i32
    %f = arith.constant 0.0 : f32
    %s = arith.select %c, %e, %f : f32
    attn.yield %s : f32
  } : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  attn.return %y : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
}

// -----

// CHECK-LABEL: attn.entry @open
// CHECK-NOT: attn.pack
attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
// expected-remark @+1 {{[pack-tokens] missed: the mask region admits masked positions}}
attn.entry @open(%x: tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "x"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}) -> (tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "y"}) sizes ["batch", "seq"] {
  %h = attn.split_heads %x : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>
  // expected-note @+1 {{because of 'attn.attention'}}
  %o = attn.attention %h, %h, %h mask(%m at affine_map<(b, h, q, kv) -> (b, kv)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%b: i32, %hd: i32, %q: i32, %k: i32, %a: i32):
    %z = arith.constant 0 : i32
    %keep = arith.cmpi ne, %a, %z : i32
    %c = arith.cmpi sge, %q, %k : i32
    %all = arith.ori %keep, %c : i1
    attn.yield %all : i1
  } : tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>, tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>, tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>> -> tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>
  %g = attn.merge_heads %o : tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>> -> tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  %y = attn.map element(%g at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, %m at affine_map<(d0, d1, d2) -> (d0, d1)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%e: f32, %w: i32):
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %w, %z : i32
    %f = arith.constant 0.0 : f32
    %s = arith.select %c, %e, %f : f32
    attn.yield %s : f32
  } : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  attn.return %y : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
}

// -----

// CHECK-LABEL: attn.entry @rows_are_sequences
// CHECK-NOT: attn.pack
attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
// expected-remark @+1 {{[pack-tokens] missed: a row is a whole sequence}}
attn.entry @rows_are_sequences(%x: tensor<?x?xf32, #attn.sizes<batch, seq>> {attn.name = "x"}, %h: tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "h"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}) -> (tensor<?x4xf32, #attn.sizes<batch, 4>> {attn.name = "y"}) sizes ["batch", "seq"] {
  // expected-note @+1 {{because of 'attn.map'}}
  %s = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<?x?xf32, #attn.sizes<batch, seq>>) {
  ^bb0(%a: f32):
    attn.yield %a : f32
  } row() {
  ^bb0(%r: tensor<?xf32, #attn.sizes<seq>>):
    %n = attn.softmax %r : tensor<?xf32, #attn.sizes<seq>>
    attn.yield %n : tensor<?xf32, #attn.sizes<seq>>
  } : tensor<?x?xf32, #attn.sizes<batch, seq>>
  %t = attn.map element(%h at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>, %s at affine_map<(d0, d1, d2) -> (d0, d1)> : tensor<?x?xf32, #attn.sizes<batch, seq>>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.mulf %a, %b : f32
    attn.yield %c : f32
  } : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  %y = attn.pool mean %t mask(%m : tensor<?x?xi32, #attn.sizes<batch, seq>>) : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x4xf32, #attn.sizes<batch, 4>>
  attn.return %y : tensor<?x4xf32, #attn.sizes<batch, 4>>
}
