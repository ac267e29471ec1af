# ===- cached_program.py - attention with what came before ----------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""A program that appends its rows y to two states, and whose rows x attend to
them."""


def cached(size, heads, key_heads, regions="", window=0, positions=4096):
    width, narrow = heads * size, key_heads * size
    row = f"tensor<?x?x{width}xf32, #attn.sizes<batch, seq, {width}>>"
    packed = f"tensor<?x{width}xf32, #attn.sizes<tokens, {width}>>"
    query = f"tensor<?x{heads}x{size}xf32, #attn.sizes<tokens, {heads}, {size}>>"
    key = f"tensor<?x{key_heads}x{size}xf32, #attn.sizes<tokens, {key_heads}, {size}>>"
    flat = f"tensor<?x{narrow}xf32, #attn.sizes<tokens, {narrow}>>"
    given = f"tensor<?x?x{narrow}xf32, #attn.sizes<batch, seq, {narrow}>>"
    mask = "tensor<?x?xi32, #attn.sizes<batch, seq>>"
    rows = "tensor<?xi32, #attn.sizes<tokens>>"
    ends = "tensor<?xi32, #attn.sizes<batch + 1>>"
    past = "tensor<?xi32, #attn.sizes<batch>>"
    limit = f", window = {window}" if window else ""
    state = f"!attn.state<tensor<{key_heads}x{size}xf32>{limit}>"
    return f"""attn.size @batch min 1 max 64
attn.size @seq min 1 max {positions}
attn.size @tokens derived "batch * seq"
attn.state @k positions {positions} : {state}
attn.state @v positions {positions} : {state}
attn.entry @f(%m: {mask} {{attn.name = "m", attn.range = array<i64: 0, 1>}}, %x: {row} {{attn.name = "x"}}, %y: {given} {{attn.name = "y"}}, %u: {given} {{attn.name = "u"}}) -> ({row} {{attn.name = "z"}}) sizes ["batch", "seq"] {{
  %rows, %ends = attn.pack_index %m : {mask} -> {rows}, {ends}
  %past = attn.past : {past}
  %px = attn.pack %x, %rows : {row}, {rows} -> {packed}
  %py = attn.pack %y, %rows : {given}, {rows} -> {flat}
  %pu = attn.pack %u, %rows : {given}, {rows} -> {flat}
  %q = attn.split_heads %px : {packed} -> {query}
  %newk = attn.split_heads %py : {flat} -> {key}
  %newv = attn.split_heads %pu : {flat} -> {key}
  %k = attn.get_state @k : {state}
  %v = attn.get_state @v : {state}
  attn.append %newk, %ends to %k : {key}, {ends}, {state}
  attn.append %newv, %ends to %v : {key}, {ends}, {state}
  %o = attn.cached_attention %q, %k, %v offsets(%ends : {ends}) past(%past : {past}){regions} : {query}, {state}, {state} -> {query}
  %w = attn.merge_heads %o : {query} -> {packed}
  %z = attn.unpack %w, %rows : {packed}, {rows} -> {row}
  attn.return %z : {row}
}}
"""
