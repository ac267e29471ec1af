// REQUIRES: attnc, avx2
// RUN: attnc compile %s -q -o %t --name heads --target x86-64-v3
// RUN: attnc verify %t/libheads.so %s | FileCheck %s

// Heads of a projection, which have gaps between rows of heads, where ops see
// something else in the last two dimensions: sequences to pool and pack, angles
// of rotations, matrices of heads.

// CHECK: passed
!x = tensor<?x6xf32, #attn.sizes<seq, 6>>
!qkv = tensor<96x6xf32>
!heads = tensor<?x4x8xf32, #attn.sizes<seq, 4, 8>>
!mask = tensor<?x4xi32, #attn.sizes<seq, 4>>
!turned = tensor<?x4x3x16xf32, #attn.sizes<seq, 4, 3, 16>>
attn.size @seq min 1 max 40
attn.size @tokens derived "4 * seq"
attn.entry @pool(%x: !x {attn.name = "x"}, %w: !qkv {attn.name = "w"}, %m: !mask {attn.name = "m", attn.range = array<i64: 0, 1>})
    -> (tensor<?x8xf32, #attn.sizes<seq, 8>> {attn.name = "y"}) sizes ["seq"] {
  %q, %k, %v = attn.qkv_projection %x, %w : !x, !qkv -> !heads, !heads, !heads
  %y = attn.pool max %k mask(%m : !mask) : !heads -> tensor<?x8xf32, #attn.sizes<seq, 8>>
  attn.return %y : tensor<?x8xf32, #attn.sizes<seq, 8>>
}
attn.entry @pack(%x: !x {attn.name = "x"}, %w: !qkv {attn.name = "w"}, %m: !mask {attn.name = "m", attn.range = array<i64: 0, 1>})
    -> (!heads {attn.name = "y"}) sizes ["seq"] {
  %q, %k, %v = attn.qkv_projection %x, %w : !x, !qkv -> !heads, !heads, !heads
  %rows, %offsets = attn.pack_index %m : !mask -> tensor<?xi32, #attn.sizes<tokens>>, tensor<?xi32, #attn.sizes<seq + 1>>
  %z = attn.pack %k, %rows : !heads, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?x8xf32, #attn.sizes<tokens, 8>>
  %y = attn.unpack %z, %rows : tensor<?x8xf32, #attn.sizes<tokens, 8>>, tensor<?xi32, #attn.sizes<tokens>> -> !heads
  attn.return %y : !heads
}
attn.entry @unpack(%x: !x {attn.name = "x"}, %w: !qkv {attn.name = "w"}, %m: tensor<?x2xi32, #attn.sizes<seq, 2>> {attn.name = "m", attn.range = array<i64: 0, 1>})
    -> (tensor<?x2x3x4x8xf32, #attn.sizes<seq, 2, 3, 4, 8>> {attn.name = "y"}) sizes ["seq"] {
  %rows, %offsets = attn.pack_index %m : tensor<?x2xi32, #attn.sizes<seq, 2>> -> tensor<?xi32, #attn.sizes<pairs>>, tensor<?xi32, #attn.sizes<seq + 1>>
  %xs = attn.map element(%x at affine_map<(a, b, c) -> (0, c)> : !x) {
  ^bb0(%e: f32):
    %i = attn.index 1 : i32
    %f = arith.sitofp %i : i32 to f32
    %s = arith.addf %e, %f : f32
    attn.yield %s : f32
  } : tensor<?x3x6xf32, #attn.sizes<pairs, 3, 6>>
  %q, %k, %v = attn.qkv_projection %xs, %w : tensor<?x3x6xf32, #attn.sizes<pairs, 3, 6>>, !qkv -> tensor<?x3x4x8xf32, #attn.sizes<pairs, 3, 4, 8>>, tensor<?x3x4x8xf32, #attn.sizes<pairs, 3, 4, 8>>, tensor<?x3x4x8xf32, #attn.sizes<pairs, 3, 4, 8>>
  %y = attn.unpack %k, %rows : tensor<?x3x4x8xf32, #attn.sizes<pairs, 3, 4, 8>>, tensor<?xi32, #attn.sizes<pairs>> -> tensor<?x2x3x4x8xf32, #attn.sizes<seq, 2, 3, 4, 8>>
  attn.return %y : tensor<?x2x3x4x8xf32, #attn.sizes<seq, 2, 3, 4, 8>>
}
attn.size @pairs derived "2 * seq"
attn.entry @turn(%x: !x {attn.name = "x"}, %w: !qkv {attn.name = "w"}, %h: !turned {attn.name = "h"}) -> (!turned {attn.name = "y"}) sizes ["seq"] {
  %q, %k, %v = attn.qkv_projection %x, %w : !x, !qkv -> !heads, !heads, !heads
  %y = attn.rope %h, %k, %v : !turned, !heads
  attn.return %y : !turned
}
attn.entry @by_head(%x: tensor<4x6xf32> {attn.name = "x"}, %w: !qkv {attn.name = "w"}, %h: tensor<?x4x4xf32, #attn.sizes<seq, 4, 4>> {attn.name = "h"})
    -> (!heads {attn.name = "y"}) sizes ["seq"] {
  %q, %k, %v = attn.qkv_projection %x, %w : tensor<4x6xf32>, !qkv -> tensor<4x4x8xf32>, tensor<4x4x8xf32>, tensor<4x4x8xf32>
  %y = attn.head_linear %h, %k : tensor<?x4x4xf32, #attn.sizes<seq, 4, 4>>, tensor<4x4x8xf32> -> !heads
  attn.return %y : !heads
}
