// RUN: attn-opt %s --attn-pack-tokens --split-input-file --verify-diagnostics | FileCheck %s

// Packed rows keep their order: a causal mask stays as it is.

// CHECK-LABEL: attn.entry @causal
// CHECK: attn.attention {{.*}} offsets({{.*}}) mask () {
// CHECK-NEXT: ^bb0(%{{.*}}: i32, %{{.*}}: i32, %[[Q:.*]]: i32, %[[K:.*]]: i32):
// CHECK-NEXT: %[[C:.*]] = arith.cmpi sge, %[[Q]], %[[K]] : i32
// CHECK-NEXT: attn.yield %[[C]] : i1
attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
// expected-remark @+1 {{[pack-tokens] applied}}
attn.entry @causal(%x: tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "x"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}) -> (tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "y"}) sizes ["batch", "seq"] {
  %h = attn.split_heads %x : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>
  %o = attn.attention %h, %h, %h mask(%m at affine_map<(b, h, q, kv) -> (b, kv)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%b: i32, %hd: i32, %q: i32, %k: i32, %a: i32):
    %z = arith.constant 0 : i32
    %keep = arith.cmpi ne, %a, %z : i32
    %c = arith.cmpi sge, %q, %k : i32
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

// A window counts positions in the padded sequence. Rows stand no farther apart
// than positions do, so theirs are bounded too, which loops can use.

// CHECK-LABEL: attn.entry @window
// CHECK: %[[ROWS:.*]], %{{.*}} = attn.pack_index
// CHECK: %[[PADDED:.*]] = attn.positions
// CHECK: %[[POSITIONS:.*]] = attn.pack %[[PADDED]], %[[ROWS]]
// CHECK: attn.attention {{.*}} mask (%[[POSITIONS]] at #[[BYQ:.*]] : tensor<?xi32, #attn.sizes<tokens>>, %[[POSITIONS]] at #[[BYK:.*]] : tensor<?xi32, #attn.sizes<tokens>>) {
// CHECK-NEXT: ^bb0(%{{.*}}: i32, %{{.*}}: i32, %[[Q:.*]]: i32, %[[K:.*]]: i32, %[[PQ:.*]]: i32, %[[PK:.*]]: i32):
// CHECK-DAG: arith.subi %[[Q]], %[[K]] : i32
// CHECK-DAG: arith.subi %[[PQ]], %[[PK]] : i32
// CHECK-DAG: arith.subi %[[K]], %[[Q]] : i32
// CHECK-DAG: arith.subi %[[PK]], %[[PQ]] : i32
// CHECK: attn.yield
attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
// expected-remark @+1 {{[pack-tokens] applied}}
attn.entry @window(%x: tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "x"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}) -> (tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "y"}) sizes ["batch", "seq"] {
  %h = attn.split_heads %x : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>
  %o = attn.attention %h, %h, %h mask(%m at affine_map<(b, h, q, kv) -> (b, kv)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%b: i32, %hd: i32, %q: i32, %k: i32, %a: i32):
    %z = arith.constant 0 : i32
    %keep = arith.cmpi ne, %a, %z : i32
    %w = arith.constant 4 : i32
    %u = arith.subi %q, %k : i32
    %c = arith.cmpi sle, %u, %w : i32
    %v = arith.subi %k, %q : i32
    %d = arith.cmpi sle, %v, %w : i32
    %both = arith.andi %keep, %c : i1
    %all = arith.andi %both, %d : i1
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

// Of other conditions only positions tell: a key that is at least 2 away may be
// the next row.

// CHECK-LABEL: attn.entry @far
// CHECK: attn.attention
// CHECK-NEXT: ^bb0(%{{.*}}: i32, %{{.*}}: i32, %[[Q:.*]]: i32, %[[K:.*]]: i32, %[[PQ:.*]]: i32, %[[PK:.*]]: i32):
// CHECK-NOT: %[[Q]],
// CHECK: arith.subi %[[PQ]], %[[PK]] : i32
// CHECK-NOT: %[[Q]],
// CHECK: attn.yield
attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
// expected-remark @+1 {{[pack-tokens] applied}}
attn.entry @far(%x: tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "x"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}) -> (tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> {attn.name = "y"}) sizes ["batch", "seq"] {
  %h = attn.split_heads %x : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>
  %o = attn.attention %h, %h, %h mask(%m at affine_map<(b, h, q, kv) -> (b, kv)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%b: i32, %hd: i32, %q: i32, %k: i32, %a: i32):
    %z = arith.constant 0 : i32
    %keep = arith.cmpi ne, %a, %z : i32
    %w = arith.constant 2 : i32
    %u = arith.subi %q, %k : i32
    %c = arith.cmpi sge, %u, %w : i32
    %all = arith.andi %c, %keep : i1
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

attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
// Behind the condition that rows without a mask go by, another one asks for it.
// CHECK-LABEL: attn.entry @asks
// CHECK-NOT: attn.pack
// expected-remark @+1 {{[pack-tokens] missed: the mask region reads the mask twice}}
attn.entry @asks(%h: tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>> {attn.name = "h"}, %m: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "m"}) -> (tensor<?x4xf32, #attn.sizes<batch, 4>> {attn.name = "y"}) sizes ["batch", "seq"] {
  // expected-note @+1 {{because of 'attn.attention'}}
  %o = attn.attention %h, %h, %h mask(%m at affine_map<(b, h, q, kv) -> (b, kv)> : tensor<?x?xi32, #attn.sizes<batch, seq>>) {
  ^bb0(%b: i32, %hd: i32, %q: i32, %k: i32, %a: i32):
    %z = arith.constant 0 : i32
    %keep = arith.cmpi ne, %a, %z : i32
    %most = arith.constant 7 : i32
    %less = arith.cmpi slt, %a, %most : i32
    %all = arith.andi %less, %keep : i1
    attn.yield %all : i1
  } : tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>, tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>, tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>> -> tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>>
  %g = attn.merge_heads %o : tensor<?x?x1x4xf32, #attn.sizes<batch, seq, 1, 4>> -> tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
  %y = attn.pool mean %g mask(%m : tensor<?x?xi32, #attn.sizes<batch, seq>>) : tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>> -> tensor<?x4xf32, #attn.sizes<batch, 4>>
  attn.return %y : tensor<?x4xf32, #attn.sizes<batch, 4>>
}
