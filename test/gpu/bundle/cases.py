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

Callers' tensors are f32, or bf16 or f16 where the case's name says "own". Where a case is "stored" the operands of its kernel lie
in the arena as bf16, which is where tensor maps and wgmma come in: a map that
changes nothing (the larger of x and -100, which nothing folds) writes them.
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensor_file
from bf16 import round_bf16, to_bits

# Half of the last place of what products multiply; f32 is a sum of three tf32.
PLACES = {"bf16": 2.0 ** -9, "f16": 2.0 ** -12, "tf32": 2.0 ** -12,
          "f32": 2.0 ** -18}


def draw_bf16(random, *shape):
    """Standard normal numbers of bf16, as f32."""
    return round_bf16(random.standard_normal(shape))


def store(name, kind, rank):
    """A copy of %NAME in the arena, called %NAME_stored."""
    axes = ", ".join("abcd"[:rank])
    return f"""\
    %{name}_stored = attn.map element(%{name} at affine_map<({axes}) -> ({axes})> : {kind}) {{
    ^bb0(%given: f32):
      %least = arith.constant -1.0e+02 : f32
      %same = arith.maximumf %given, %least : f32
      attn.yield %same : f32
    }} : {kind}
"""


class Attention:
    """One attention of every kind of mask and score."""

    def __init__(self, width, heads=4, key_heads=4, batch=2, queries=130,
                 keys=None, mask="", score="", stored=False, products="bf16",
                 window=40, own=None):
        self.width, self.heads, self.key_heads = width, heads, key_heads
        self.stored, self.products, self.window = stored, products, window
        self.batch, self.queries, self.own = batch, queries, own
        self.keys = keys or queries
        self.mask, self.score = mask, score

    MASKS = {
        "causal": """
      %c = arith.cmpi sge, %i, %j : i32""",
        "window": """
      %w = arith.constant {window} : i32
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
    ^bb0(%b: i32, %h: i32, %i: i32, %j: i32):{self.MASKS[self.mask].format(window=self.window)}
      attn.yield %c : i1
    }}"""
        result = "%y" if self.score else "%x"
        declared = "\n".join(
            f"attn.size @{size} min 1 max {64 if size == 'batch' else 32768}"
            for size in sizes)
        listed = ", ".join(f'"{size}"' for size in sizes)
        end = "_stored" if self.stored else ""
        copies = "".join(store(*each, 4) for each in
                         (("q", "!q"), ("k", "!k"), ("v", "!k"))) if end else ""
        own = f", attn.storage = {self.own}" if self.own else ""
        return f"""\
!q = tensor<?x?x{h}x{d}xf32, #attn.sizes<batch, {rows}, {h}, {d}>>
!k = tensor<?x?x{g}x{d}xf32, #attn.sizes<batch, {columns}, {g}, {d}>>
module attributes {{attn.name = "{name}"}} {{
{declared}
attn.entry @run(%q: !q {{attn.name = "q"{own}}}, %k: !k {{attn.name = "k"{own}}}, %v: !k {{attn.name = "v"{own}}}) -> (!q {{attn.name = "out"{own}}}) sizes [{listed}] {{
{copies}    %o = attn.attention %q{end}, %k{end}, %v{end} score() {{
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
                allowed &= i - j < self.window
            s = np.where(allowed, s, -np.inf)
        p = np.exp(s - s.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        return [(p @ v).transpose(0, 2, 1, 3)]

    @property
    def tolerance(self):
        # Probabilities are rounded, so an average of values moves by at most that
        # part of their magnitude; the largest of 10^5 values is 4.5. A result
        # that is not f32 is rounded once more.
        return (PLACES[self.products] + PLACES.get(self.own, 0)) * 4.5

    def options(self):
        return ["--weights=bf16"] if self.stored else [
            f"--products={self.products}"]

    def write_files(self, place):
        pass


class Product:
    """out = x w^T, both from the caller."""

    def __init__(self, rows, columns, depth, products="bf16"):
        self.rows, self.columns, self.depth = rows, columns, depth
        self.products = products

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

    def options(self):
        return [f"--products={self.products}"]

    def write_files(self, place):
        pass

    @property
    def tolerance(self):
        # The products are exact. Tensor cores cut sums to f32 every 16 terms or
        # so, by up to 2^-23 of a sum that is seldom above 4 sqrt(depth).
        return 2.0 ** -23 * 4 * self.depth ** 0.5 * self.depth / 16


class Linear(Product):
    """out = x w^T, x in the arena as bf16, w a weight of bf16.

    Rows of the weight are the same 48 again and again: 8192 x 8192 numbers then
    travel in 3 MB."""

    PERIOD = 48

    def program(self, name):
        n, k = self.columns, self.depth
        return f"""\
!x = tensor<?x{k}xf32, #attn.sizes<rows, {k}>>
!w = tensor<{n}x{k}xf32>
!y = tensor<?x{n}xf32, #attn.sizes<rows, {n}>>
module attributes {{attn.name = "{name}", attn.files = ["w.safetensors"]}} {{
attn.size @rows min 1 max 32768
attn.weight @w from ["w"] : !w
attn.entry @run(%x: !x {{attn.name = "x"}}) -> (!y {{attn.name = "out"}}) sizes ["rows"] {{
{store("x", "!x", 2)}    %w = attn.get_weight @w : !w
    %y = attn.linear %x_stored, %w : !x, !w -> !y
    attn.return %y : !y
}}
}}
"""

    def sizes(self):
        return [self.rows]

    def weight(self):
        few = draw_bf16(np.random.default_rng(48), self.PERIOD, self.depth)
        return few[np.arange(self.columns) % self.PERIOD]

    def inputs(self, random):
        return [draw_bf16(random, self.rows, self.depth)]

    def truth(self, x):
        few = self.weight()[:self.PERIOD]
        known = x.astype(np.float64) @ few.astype(np.float64).T
        return [known[:, np.arange(self.columns) % self.PERIOD]]

    def options(self):
        return ["--weights=bf16"]

    def write_files(self, place):
        data = to_bits(self.weight())
        tensor_file.write(place / "w.safetensors",
                          {"w": ("BF16", data.shape, data.tobytes())})


# So many keys that each stage of a pipeline is filled again.
LONG = {
    **{f"d{d}": {"width": d} for d in (32, 64, 96, 128, 256)},
    **{f"causal_d{d}": {"width": d, "mask": "causal"}
       for d in (32, 64, 96, 128)},
    "alibi_d128": {"width": 128, "mask": "causal", "score": "alibi"},
    "softcap_d128": {"width": 128, "score": "softcap"},
    "grouped_d64": {"width": 64, "heads": 8, "key_heads": 2, "mask": "causal"},
    "grouped_d32": {"width": 32, "heads": 8, "key_heads": 2, "mask": "window"},
    "alibi_d96": {"width": 96, "heads": 6, "key_heads": 2, "mask": "causal",
                  "score": "alibi"},
}
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
    **{f"attention_d64_{products}": Attention(64, products=products)
       for products in ("f16", "tf32", "f32")},
    **{f"stored_{name}": Attention(batch=1, queries=270, stored=True, **more)
       for name, more in LONG.items()
       if name not in ("alibi_d128", "softcap_d128")},  # of these, callers' own
    "stored_softcap_d96": Attention(96, score="softcap", batch=1, queries=77,
                                    keys=300, stored=True),
    "stored_cross_d64": Attention(64, queries=37, keys=411, stored=True),
    **{f"own_{name}": Attention(batch=1, queries=270, own="bf16", **LONG[name])
       for name in ("d32", "d64", "d128", "causal_d64", "causal_d128",
                    "alibi_d128", "softcap_d128")},
    "own_window_d128": Attention(128, mask="window", batch=1, queries=600,
                                 window=512, own="bf16"),
    "own_causal_d96": Attention(96, heads=6, key_heads=2, mask="causal",
                                batch=1, queries=270, own="bf16"),
    "own_window_d64_f16": Attention(64, mask="window", queries=210,
                                    products="f16", own="f16"),
    "own_d64_f32": Attention(64, products="f32", own="bf16"),
    "product": Product(130, 75, 200),
    "product_deep": Product(65, 129, 1024),
    "product_8192": Product(70, 40, 8192),
    **{f"product_{products}": Product(130, 75, 200, products)
       for products in ("f16", "tf32", "f32")},
    "linear": Linear(130, 160, 328),
    "linear_256": Linear(130, 256, 256),
    "linear_8192": Linear(70, 8192, 8192),
}
SMALL = ("linear_256",)  # instead of linear_8192, where a GPU is emulated


def write(folder, name):
    case = CASES[name]
    place = Path(folder) / name
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.mlir").write_text(case.program(name))
    (place / "options").write_text(" ".join(case.options()))
    case.write_files(place)
    random = np.random.default_rng(list(name.encode()))
    inputs = case.inputs(random)
    for i, array in enumerate(inputs):
        np.save(place / f"in{i}.npy", array)
    for i, array in enumerate(case.truth(*inputs)):
        array = array.astype(np.float32, order="C")
        if case.tolerance > 1e-3:  # ten bits less travel lighter
            array = (array.view(np.uint32) & np.uint32(0xfffffc00)).view(np.float32)
        np.save(place / f"out{i}.npy", array)
    (place / "case.json").write_text(json.dumps({
        "name": name, "entry": "run", "sizes": case.sizes(),
        "inputs": len(inputs), "outputs": 1, "tolerance": case.tolerance,
        "own": getattr(case, "own", None)}))


def main():
    if sys.argv[1:] == ["--list"]:
        print("\n".join(CASES))
        return 0
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    for name in sys.argv[2:] or [name for name in CASES if name not in SMALL]:
        if name not in CASES:
            print(f"cases.py: no case '{name}'; --list names them",
                  file=sys.stderr)
            return 2
        write(sys.argv[1], name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
