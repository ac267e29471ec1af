#!/usr/bin/env python3
# ===- cases.py - programs, inputs and truths for a GPU -------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Writes small programs in the attn dialect with inputs and truths.

    cases.py FOLDER [CASE...]    one folder per case: NAME/NAME.mlir, *.npy
    cases.py --list

The truths are computed in float64 with NumPy alone, from the definition of
attention and products, so that they depend on nothing of the compiler. Sizes
are no multiples of any tile. Inputs are numbers of bf16, so that rounding them
changes nothing and what a case tolerates is what the kernel itself may do.
"""

import json
import sys
from pathlib import Path

import numpy as np

BF16 = 2.0 ** -9  # half of the last place


def draw_bf16(random, *shape):
    """Standard normal numbers of bf16, as f32."""
    bits = random.standard_normal(shape).astype(np.float32).view(np.uint32)
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & np.uint32(0xffff0000)
    return bits.view(np.float32)


class Attention:
    """One attention of every kind of mask and score."""

    def __init__(self, width, heads=4, key_heads=4, batch=2, queries=150,
                 keys=None, mask="", score=""):
        self.width, self.heads, self.key_heads = width, heads, key_heads
        self.batch, self.queries = batch, queries
        self.keys = keys or queries
        self.mask, self.score = mask, score

    MASKS = {
        "causal": """
      %c = arith.cmpi sge, %i, %j : i32""",
        "window": """
      %w = arith.constant 40 : i32
      %d = arith.subi %i, %j : i32
      %near = arith.cmpi slt, %d, %w : i32
      %past = arith.cmpi sge, %i, %j : i32
      %c = arith.andi %near, %past : i1""",
    }
    SCORES = {
        "": "",
        "alibi": """
      %d = arith.subi %j, %i : i32
      %f = arith.sitofp %d : i32 to f32
      %slope = arith.constant 0.0625 : f32
      %bias = arith.mulf %f, %slope : f32
      %y = arith.addf %x, %bias : f32""",
        "softcap": """
      %cap = arith.constant 8.0 : f32
      %part = arith.divf %x, %cap : f32
      %bent = math.tanh %part : f32
      %y = arith.mulf %bent, %cap : f32""",
    }

    def program(self, name):
        same = self.keys == self.queries
        rows = "seq" if same else "queries"
        columns = "seq" if same else "keys"
        sizes = ["batch", rows] + ([] if same else [columns])
        d, h, g = self.width, self.heads, self.key_heads
        mask = ""
        if self.mask:
            mask = f""" mask() {{
    ^bb0(%b: i32, %h: i32, %i: i32, %j: i32):{self.MASKS[self.mask]}
      attn.yield %c : i1
    }}"""
        result = "%y" if self.score else "%x"
        declared = "\n".join(
            f"attn.size @{size} min 1 max {64 if size == 'batch' else 32768}"
            for size in sizes)
        listed = ", ".join(f'"{size}"' for size in sizes)
        return f"""\
!q = tensor<?x?x{h}x{d}xf32, #attn.sizes<batch, {rows}, {h}, {d}>>
!k = tensor<?x?x{g}x{d}xf32, #attn.sizes<batch, {columns}, {g}, {d}>>
module attributes {{attn.name = "{name}"}} {{
{declared}
attn.entry @run(%q: !q {{attn.name = "q"}}, %k: !k {{attn.name = "k"}}, %v: !k {{attn.name = "v"}}) -> (!q {{attn.name = "out"}}) sizes [{listed}] {{
    %o = attn.attention %q, %k, %v score() {{
    ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      %scale = arith.constant {d ** -0.5:.9e} : f32
      %x = arith.mulf %s, %scale : f32{self.SCORES[self.score]}
      attn.yield {result} : f32
    }}{mask} : !q, !k, !k -> !q
    attn.return %o : !q
}}
}}
"""

    def sizes(self):
        same = self.keys == self.queries
        return [self.batch, self.queries] + ([] if same else [self.keys])

    def inputs(self, random):
        def draw(rows, heads):
            return draw_bf16(random, self.batch, rows, heads, self.width)
        return [draw(self.queries, self.heads), draw(self.keys, self.key_heads),
                draw(self.keys, self.key_heads)]

    def truth(self, q, k, v):
        q, k, v = (x.astype(np.float64).transpose(0, 2, 1, 3)
                   for x in (q, k, v))
        k, v = (np.repeat(x, self.heads // self.key_heads, axis=1)
                for x in (k, v))
        s = q @ k.transpose(0, 1, 3, 2) * self.width ** -0.5
        i = np.arange(self.queries)[:, None]
        j = np.arange(self.keys)[None, :]
        if self.score == "alibi":
            s = s + 0.0625 * (j - i)
        if self.score == "softcap":
            s = 8 * np.tanh(s / 8)
        if self.mask:
            allowed = j <= i
            if self.mask == "window":
                allowed &= i - j < 40
            s = np.where(allowed, s, -np.inf)
        p = np.exp(s - s.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        return [(p @ v).transpose(0, 2, 1, 3)]

    # Probabilities are rounded to bf16, so an average of values moves by at most
    # that part of their magnitude; the largest of 10^5 values is 4.5.
    tolerance = BF16 * 4.5


class Product:
    """out = x w^T."""

    def __init__(self, rows, columns, depth):
        self.rows, self.columns, self.depth = rows, columns, depth

    def program(self, name):
        n, k = self.columns, self.depth
        return f"""\
!x = tensor<?x{k}xf32, #attn.sizes<rows, {k}>>
!w = tensor<?x{k}xf32, #attn.sizes<columns, {k}>>
!y = tensor<?x?xf32, #attn.sizes<rows, columns>>
module attributes {{attn.name = "{name}"}} {{
attn.size @rows min 1 max 32768
attn.size @columns min 1 max 32768
attn.entry @run(%x: !x {{attn.name = "x"}}, %w: !w {{attn.name = "w"}}) -> (!y {{attn.name = "out"}}) sizes ["rows", "columns"] {{
    %y = attn.matmul %x, %w transpose_rhs : !x, !w -> !y
    attn.return %y : !y
}}
}}
"""

    def sizes(self):
        return [self.rows, self.columns]

    def inputs(self, random):
        return [draw_bf16(random, self.rows, self.depth),
                draw_bf16(random, self.columns, self.depth)]

    def truth(self, x, w):
        return [x.astype(np.float64) @ w.astype(np.float64).T]

    @property
    def tolerance(self):
        # The products are exact. Tensor cores cut sums to f32 every 16 terms or
        # so, by up to 2^-23 of a sum that is seldom above 4 sqrt(depth).
        return 2.0 ** -23 * 4 * self.depth ** 0.5 * self.depth / 16


CASES = {
    **{f"attention_d{d}": Attention(d) for d in (32, 64, 96, 128, 256)},
    **{f"causal_d{d}": Attention(d, mask="causal") for d in (64, 128)},
    "window_d64": Attention(64, mask="window"),
    "window_d128": Attention(128, mask="window"),
    "alibi_d64": Attention(64, mask="causal", score="alibi"),
    "alibi_d128": Attention(128, mask="causal", score="alibi"),
    "softcap_d128": Attention(128, score="softcap"),
    "grouped_d64": Attention(64, heads=8, key_heads=2, mask="causal"),
    "multi_query_d128": Attention(128, heads=8, key_heads=1),
    "cross_d64": Attention(64, queries=37, keys=211),
    "decode_d128": Attention(128, heads=8, key_heads=8, batch=1, queries=1,
                             keys=700),
    "product": Product(130, 75, 200),
    "product_deep": Product(65, 129, 1024),
    "product_8192": Product(70, 40, 8192),
}


def write(folder, name):
    case = CASES[name]
    place = Path(folder) / name
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.mlir").write_text(case.program(name))
    random = np.random.default_rng(list(name.encode()))
    inputs = case.inputs(random)
    for i, array in enumerate(inputs):
        np.save(place / f"in{i}.npy", array)
    for i, array in enumerate(case.truth(*inputs)):
        np.save(place / f"out{i}.npy", array.astype(np.float32))
    (place / "case.json").write_text(json.dumps({
        "name": name, "entry": "run", "sizes": case.sizes(),
        "inputs": len(inputs), "outputs": 1, "tolerance": case.tolerance}))


def main():
    if sys.argv[1:] == ["--list"]:
        print("\n".join(CASES))
        return 0
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    for name in sys.argv[2:] or CASES:
        if name not in CASES:
            print(f"cases.py: no case '{name}'; --list names them",
                  file=sys.stderr)
            return 2
        write(sys.argv[1], name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
