//===- Programs.h - programs that the tests compile ------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Small models in attn text: an encoder with everything fused and packed, one
// with nothing fused, and entries whose results are not computed.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_UNIT_SCHEDULE_PROGRAMS_H
#define ATTNC_TEST_UNIT_SCHEDULE_PROGRAMS_H

namespace attnc::test {

// Two layers of width 40 (a tail in every tile), two heads, packed rows.
inline constexpr char kFusedEncoder[] = R"mlir(
!ids = tensor<?x?xi32, #attn.sizes<batch, seq>>
!rows = tensor<?xi32, #attn.sizes<tokens>>
!bounds = tensor<?xi32, #attn.sizes<batch + 1>>
!x = tensor<?x40xf32, #attn.sizes<tokens, 40>>
!heads = tensor<?x2x20xf32, #attn.sizes<tokens, 2, 20>>
attn.size @batch min 1 max 64
attn.size @seq min 1 max 512
attn.size @tokens derived "batch * seq"
attn.weight @words from ["words"] : tensor<99x40xf32>
attn.weight @qkv from ["q", "k", "v"] concat 0 : tensor<120x40xf32>
attn.weight @out from ["out"] : tensor<40x40xf32>
attn.weight @bias from ["bias"] : tensor<40xf32>
attn.entry @encode(%ids: !ids {attn.name = "input_ids", attn.range = array<i64: 0, 98>},
                   %mask: !ids {attn.name = "attention_mask", attn.default = 1 : i32})
    -> (tensor<?x?x40xf32, #attn.sizes<batch, seq, 40>> {attn.name = "last_hidden_state"},
        tensor<?x40xf32, #attn.sizes<batch, 40>> {attn.name = "pooled"}) sizes ["batch", "seq"] {
  %rows, %bounds = attn.pack_index %mask : !ids -> !rows, !bounds
  %packed = attn.pack %ids, %rows : !ids, !rows -> !rows
  %words = attn.get_weight @words : tensor<99x40xf32>
  %bias = attn.get_weight @bias : tensor<40xf32>
  %x0 = attn.embedding(%packed), (%words) : (!rows), (tensor<99x40xf32>) -> !x loc("embeddings")
  %qkv = attn.get_weight @qkv : tensor<120x40xf32>
  %out = attn.get_weight @out : tensor<40x40xf32>
  %q0, %k0, %v0 = attn.qkv_projection %x0, %qkv : !x, tensor<120x40xf32> -> !heads, !heads, !heads loc("layer.0.qkv")
  %a0 = attn.attention %q0, %k0, %v0 offsets(%bounds : !bounds) length_bound "seq" : !heads, !heads, !heads -> !heads
  %x1 = attn.output_projection %a0, %out element(%bias at affine_map<(d0, d1) -> (d1)> : tensor<40xf32>, %x0 at affine_map<(d0, d1) -> (d0, d1)> : !x) {
  ^bb0(%acc: f32, %b: f32, %residual: f32):
    %s = arith.addf %acc, %b : f32
    %t = arith.addf %s, %residual : f32
    attn.yield %t : f32
  } row(%bias at affine_map<(d0) -> ()> : tensor<40xf32>) {
  ^bb0(%row: tensor<40xf32>, %gain: tensor<40xf32>):
    %n = attn.norm layer %row weight(%gain : tensor<40xf32>) epsilon 1.0e-12 : tensor<40xf32>
    attn.yield %n : tensor<40xf32>
  } : !heads, tensor<40x40xf32> -> !x
  %q1, %k1, %v1 = attn.qkv_projection %x1, %qkv : !x, tensor<120x40xf32> -> !heads, !heads, !heads
  %a1 = attn.attention %q1, %k1, %v1 offsets(%bounds : !bounds) length_bound "seq" : !heads, !heads, !heads -> !heads
  %m1 = attn.merge_heads %a1 : !heads -> !x
  %x2 = attn.linear %m1, %out : !x, tensor<40x40xf32> -> !x
  %pooled = attn.pool mean %x2 offsets(%bounds : !bounds) : !x -> tensor<?x40xf32, #attn.sizes<batch, 40>>
  %y = attn.unpack %x2, %rows : !x, !rows -> tensor<?x?x40xf32, #attn.sizes<batch, seq, 40>>
  attn.return %y, %pooled : tensor<?x?x40xf32, #attn.sizes<batch, seq, 40>>, tensor<?x40xf32, #attn.sizes<batch, 40>>
})mlir";

// Attention in parts, norms and softmax on their own, a table that is read by
// an embedding and by a product, a product with a constant and one with values.
inline constexpr char kUnfused[] = R"mlir(
!ids = tensor<?x18xi32, #attn.sizes<batch, 18>>
!x = tensor<?x18x8xf32, #attn.sizes<batch, 18, 8>>
!heads = tensor<?x18x2x4xf32, #attn.sizes<batch, 18, 2, 4>>
!by_head = tensor<?x2x18x4xf32, #attn.sizes<batch, 2, 18, 4>>
!scores = tensor<?x2x18x18xf32, #attn.sizes<batch, 2, 18, 18>>
!logits = tensor<?x18x50xf32, #attn.sizes<batch, 18, 50>>
attn.size @batch min 1 max 8
attn.weight @words from ["words"] : tensor<50x8xf32>
attn.weight @qkv from ["qkv"] : tensor<24x8xf32>
attn.entry @f(%ids: !ids {attn.name = "ids", attn.range = array<i64: 0, 49>})
    -> (!logits {attn.name = "logits"},
        !x {attn.name = "hidden"},
        !heads {attn.name = "query"}) sizes ["batch"] {
  %words = attn.get_weight @words : tensor<50x8xf32>
  %qkv = attn.get_weight @qkv : tensor<24x8xf32>
  %positions = attn.positions : !ids
  %x = attn.embedding(%ids, %positions), (%words, %words) : (!ids, !ids), (tensor<50x8xf32>, tensor<50x8xf32>) -> !x
  %gain = attn.constant dense<[0.25, -0.5, 0.75, 1.0, 0.25, 0.5, -0.75, 1.0]> : tensor<8xf32>
  %n = attn.norm rms %x weight(%gain : tensor<8xf32>) epsilon 1.0e-6 : !x
  %q, %k, %v = attn.qkv_projection %n, %qkv : !x, tensor<24x8xf32> -> !heads, !heads, !heads
  %qt = attn.map element(%q at affine_map<(b, h, s, d) -> (b, s, h, d)> : !heads) {
  ^bb0(%e: f32):
    attn.yield %e : f32
  } : !by_head
  %kt = attn.map element(%k at affine_map<(b, h, s, d) -> (b, s, h, d)> : !heads) {
  ^bb0(%e: f32):
    attn.yield %e : f32
  } : !by_head
  %vt = attn.map element(%v at affine_map<(b, h, s, d) -> (b, s, h, d)> : !heads) {
  ^bb0(%e: f32):
    attn.yield %e : f32
  } : !by_head
  %scores = attn.matmul %qt, %kt transpose_rhs : !by_head, !by_head -> !scores
  %p = attn.softmax %scores : !scores
  %o = attn.matmul %p, %vt : !scores, !by_head -> !by_head
  %back = attn.map element(%o at affine_map<(b, s, h, d) -> (b, h, s, d)> : !by_head) {
  ^bb0(%e: f32):
    attn.yield %e : f32
  } : !heads
  %merged = attn.merge_heads %back : !heads -> !x
  %matrix = attn.constant dense<[[1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.25], [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]]> : tensor<8x8xf32>
  %hidden = attn.linear %merged, %matrix element(%gain at affine_map<(b, s, n) -> (n)> : tensor<8xf32>) {
  ^bb0(%acc: f32, %b: f32):
    %s = arith.mulf %acc, %b : f32
    attn.yield %s : f32
  } : !x, tensor<8x8xf32> -> !x
  %logits = attn.linear %hidden, %words : !x, tensor<50x8xf32> -> !logits
  attn.return %logits, %hidden, %q : !logits, !x, !heads
})mlir";

// Results that are an argument, a constant, a view, and one value twice.
inline constexpr char kCopies[] = R"mlir(
!x = tensor<?x6xf32, #attn.sizes<n, 6>>
attn.size @n min 0 max 100
attn.entry @f(%x: !x {attn.name = "x"}, %i: tensor<?xi32, #attn.sizes<n>> {attn.name = "i"})
    -> (!x {attn.name = "same"}, tensor<2xi32> {attn.name = "fixed"},
        tensor<?x2x3xf32, #attn.sizes<n, 2, 3>> {attn.name = "split"},
        !x {attn.name = "once"}, !x {attn.name = "twice"},
        tensor<?xi32, #attn.sizes<n>> {attn.name = "ids"}) sizes ["n"] {
  %fixed = attn.constant dense<[3, -4]> : tensor<2xi32>
  %double = attn.map element(%x at affine_map<(r, c) -> (r, c)> : !x) {
  ^bb0(%e: f32):
    %s = arith.addf %e, %e : f32
    attn.yield %s : f32
  } : !x
  %split = attn.split_heads %double : !x -> tensor<?x2x3xf32, #attn.sizes<n, 2, 3>>
  attn.return %x, %fixed, %split, %double, %double, %i : !x, tensor<2xi32>, tensor<?x2x3xf32, #attn.sizes<n, 2, 3>>, !x, !x, tensor<?xi32, #attn.sizes<n>>
})mlir";

} // namespace attnc::test

#endif // ATTNC_TEST_UNIT_SCHEDULE_PROGRAMS_H
