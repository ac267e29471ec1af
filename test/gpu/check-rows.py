#!/usr/bin/env python3
# ===- check-rows.py - softmax, norms, rotations, pooling, emulated --------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Holds kernels over rows on a device to the definition of their op, in float64.

    check-rows.py ATTNC WORK TARGET [--device cuda:0] [--stub DIR]

Softmax and norms of rows that stay in registers and of longer ones, rotations of
whole heads and of their beginnings, every kind of pooling with sequences that
keep all, some and none of their rows. For a device that is not there, --stub
names the stub driver's folder. Needs NumPy.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from stub_driver import restart_on_stub

sys.path.insert(0, str(Path(__file__).resolve().parent / "bundle"))

ROWS, BATCH, SEQ = 37, 4, 9
POOLS = ("mean", "first", "last", "max", "mean_sqrt_len", "weighted_mean")
# Sums of up to 3000 numbers in f32, exp2 and rsqrt to 2 ulp.
ALLOWED = 2e-5


def norm(kind, x, weight, bias):
    if kind == "l2":
        return x / np.maximum(np.sqrt((x * x).sum(-1, keepdims=True)), 1e-6)
    if kind == "layer":
        x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)
    return x * weight + (bias if kind == "layer" else 0)


def softmax(x):
    p = np.exp(x - x.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def rotate(x, cos, sin, interleaved):
    y, angles = x.copy(), cos.shape[-1]
    first = slice(0, 2 * angles, 2) if interleaved else slice(0, angles)
    second = (slice(1, 2 * angles, 2) if interleaved
              else slice(angles, 2 * angles))
    a, b = x[..., first], x[..., second]
    c, s = cos[:, None], sin[:, None]
    y[..., first], y[..., second] = a * c - b * s, b * c + a * s
    return y


def pool(kind, x, mask):
    result = np.zeros((len(x), x.shape[-1]))
    for b, kept in enumerate(mask != 0):
        rows = x[b, kept]
        if len(rows):
            places = np.arange(1, len(rows) + 1)[:, None]
            result[b] = {
                "mean": rows.mean(0), "first": rows[0], "last": rows[-1],
                "max": rows.max(0),
                "mean_sqrt_len": rows.sum(0) / len(rows) ** 0.5,
                "weighted_mean": (places * rows).sum(0) / places.sum()}[kind]
    return result


def entries():
    """Text, inputs, sizes and truth of every entry, by name."""
    random = np.random.default_rng(3)

    def draw(*shape):
        return random.standard_normal(shape).astype(np.float32)

    def take(name, arguments, body, inputs, sizes, wanted):
        given = ", ".join(f'%{x}: {kind} {{attn.name = "{x}"}}'
                          for x, kind in arguments)
        known = ", ".join(f'"{x}"' for x in sizes)
        result = body[1]
        text = (f"attn.entry @{name}({given}) -> ({result} "
                f'{{attn.name = "out"}}) sizes [{known}] {{\n'
                f"  %out = {body[0]}\n  attn.return %out : {result}\n}}\n")
        return name, (text, inputs, list(sizes.values()), wanted)

    rows = {"rows": ROWS}
    for n in (300, 3000):
        row = f"tensor<?x{n}xf32, #attn.sizes<rows, {n}>>"
        flat = f"tensor<{n}xf32>"
        x, g, c = 2 * draw(ROWS, n) + 1, draw(n), draw(n)
        yield take(f"softmax_{n}", [("x", row)], (f"attn.softmax %x : {row}", row),
                   [x], rows, softmax(np.float64(x)))
        for kind, more in (("layer", ("g", "c")), ("rms", ("g",)), ("l2", ())):
            words = "".join(f" {word}(%{y} : {flat})" for word, y in
                            zip(("weight", "bias"), more))
            yield take(f"{kind}_{n}", [("x", row)] + [(y, flat) for y in more],
                       (f"attn.norm {kind} %x{words} epsilon 1.0e-06 : {row}", row),
                       [x, g, c][:1 + len(more)], rows,
                       norm(kind, np.float64(x), g, c))
    head = "tensor<?x3x48xf32, #attn.sizes<rows, 3, 48>>"
    for angles in (24, 10):
        kind = f"tensor<?x{angles}xf32, #attn.sizes<rows, {angles}>>"
        x, cos, sin = draw(ROWS, 3, 48), draw(ROWS, angles), draw(ROWS, angles)
        for way in ("", " interleaved"):
            yield take(f"rope_{angles}{way.strip()}",
                       [("x", head), ("c", kind), ("s", kind)],
                       (f"attn.rope %x, %c, %s{way} : {head}, {kind}", head),
                       [x, cos, sin], rows, rotate(np.float64(x), cos, sin, way))
    x = draw(BATCH, SEQ, 70)
    mask = (random.integers(0, 2, (BATCH, SEQ))).astype(np.int32)
    mask[0], mask[1] = 1, 0
    given = "tensor<?x?x70xf32, #attn.sizes<batch, seq, 70>>"
    kept = "tensor<?x?xi32, #attn.sizes<batch, seq>>"
    out = "tensor<?x70xf32, #attn.sizes<batch, 70>>"
    for kind in POOLS:
        yield take(f"pool_{kind}", [("x", given), ("m", kept)],
                   (f"attn.pool {kind} %x mask(%m : {kept}) : {given} -> {out}",
                    out), [x, mask], {"batch": BATCH, "seq": SEQ},
                   pool(kind, np.float64(x), mask))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("attnc")
    parser.add_argument("work", type=Path)
    parser.add_argument("target")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--stub", help="the folder of the stub driver")
    given = parser.parse_args()
    restart_on_stub(given.stub, given.target, seed=1, kernels=given.work / "ir")
    from library import Session
    known = dict(entries())
    given.work.mkdir(parents=True, exist_ok=True)
    path = given.work / "rows.mlir"
    path.write_text('module attributes {attn.name = "rows"} {\n' + "".join(
        f"attn.size @{size} min 1 max 512\n" for size in ("rows", "batch", "seq"))
        + "".join(text for text, *_ in known.values()) + "}\n")
    subprocess.run([given.attnc, "compile", "-q", path, "-o", given.work, "--name",
                    "rows", f"--target={given.target}",
                    f"--dump-ir={given.work / 'ir'}"], check=True,
                   env=dict(os.environ, ATTNC_PTXAS=""))
    session = Session(given.work / "librows.so", "rows", given.device)
    failed = 0
    for name, (_, inputs, sizes, wanted) in known.items():
        output = np.full(wanted.shape, np.nan, np.float32)
        session.call(name, sizes, inputs, [output])
        error = np.abs(output - wanted).max()
        good = error <= ALLOWED
        failed += not good
        print(f"{given.target} {name:18} {error:.1e} "
              f"{'right' if good else 'WRONG'}", flush=True)
    session.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
