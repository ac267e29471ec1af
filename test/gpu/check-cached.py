#!/usr/bin/env python3
# ===- check-cached.py - attention with states, every form of it ----------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Compiles attention with states and holds it to float64, call after call.

    check-cached.py ATTNC WORK TARGET PRODUCTS [--cache f32] [--only NAME]
                    [--device cuda:0]

Head sizes, grouped heads, masks, score regions and windows; in each, sequences
of different lengths grow by prompts (tails of every tile) and by a few rows, so
that the programs for prompts, for parts of the positions and the one that adds
these up all meet lengths that are no multiple of anything. For a device that is
not there, LD_LIBRARY_PATH and ATTNC_STUB_KERNELS (WORK/NAME/ir) name the stub
driver's; --stub DIR sets both. Needs NumPy.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from cached_program import cached
from stub_driver import restart_on_stub

sys.path.insert(0, str(Path(__file__).resolve().parent / "bundle"))

ARGUMENTS = "%b: i32, %h: i32, %i: i32, %j: i32"
CAUSAL = " mask() {\n^bb0(" + ARGUMENTS + """):
  %c = arith.cmpi sge, %i, %j : i32
  attn.yield %c : i1
}"""
# Not linear in the positions: every element is masked by itself, and rows at
# the beginning see little.
CHECKED = " mask() {\n^bb0(" + ARGUMENTS + """):
  %n = arith.constant 40 : i32
  %s = arith.muli %j, %j : i32
  %l = arith.muli %i, %n : i32
  %t = arith.cmpi slt, %s, %l : i32
  attn.yield %t : i1
}"""
# The head and the distance count.
ALIBI = " score() {\n^bb0(%s: f32, " + ARGUMENTS + """):
  %one = arith.constant 1 : i32
  %n = arith.addi %h, %one : i32
  %slope = arith.sitofp %n : i32 to f32
  %d = arith.subi %j, %i : i32
  %f = arith.sitofp %d : i32 to f32
  %p = arith.constant 0.01 : f32
  %rise = arith.mulf %slope, %p : f32
  %t = arith.mulf %rise, %f : f32
  %r = arith.addf %s, %t : f32
  attn.yield %r : f32
}"""

# name: head size, query heads, key heads, regions, window
CASES = {
    "plain": (32, 2, 2, "", 0),
    "causal": (64, 4, 2, CAUSAL, 0),
    "checked": (16, 3, 1, CHECKED, 0),
    "alibi": (64, 4, 4, ALIBI + CAUSAL, 0),
    "window": (32, 4, 1, CAUSAL, 70),
    "odd": (6, 4, 2, CAUSAL, 0),
    "many": (16, 20, 1, CAUSAL, 0),
    # So many heads that a part has several steps.
    "steps": (16, 64, 64, CAUSAL, 0),
    "d96": (96, 2, 1, CAUSAL, 0),
    "d128": (128, 2, 1, CAUSAL, 0),
    "d256": (256, 2, 1, CAUSAL, 0),
}
POSITIONS = 400
# New rows of each sequence, call by call.
CALLS = ((1, 130, 5), (1, 1, 1), (64, 3, 4), (2, 1, 0), (1, 70, 1), (1, 1, 1))
TOLERANCES = {"f32": 2e-5, "tf32": 4e-3, "bf16": 3e-2, "f16": 6e-3}


def attend(case, queries, keys, values, first):
    """Rows [n, heads, size] at positions from `first` on."""
    size, heads, key_heads, regions, window = case
    result = np.zeros_like(queries)
    q = first + np.arange(len(queries))[:, None]
    kv = np.arange(len(keys))[None, :]
    for head in range(heads):
        key = head // (heads // key_heads)
        scores = queries[:, head] @ keys[:, key].T
        if ALIBI in regions:
            scores = scores + (head + 1) * 0.01 * (kv - q)
        seen = np.ones(scores.shape, bool)
        if CAUSAL in regions:
            seen &= kv <= q
        if CHECKED in regions:
            seen &= kv * kv < 40 * q
        if window:
            seen &= kv > q - window
        scores = np.where(seen, scores, -np.inf)
        top = scores.max(axis=1, keepdims=True)
        weights = np.where(seen, np.exp(scores - np.where(np.isinf(top), 0, top)), 0)
        total = weights.sum(axis=1, keepdims=True)
        result[:, head] = weights / np.where(total == 0, 1, total) @ values[:, key]
    return result


def keep(rows, cache):
    """What states hold of rows [n, heads, size]."""
    if cache == "bf16":
        from bf16 import round_bf16
        return round_bf16(rows)
    if cache == "int8":
        largest = np.abs(rows).max(axis=-1, keepdims=True)
        # The kernels round once: a product inside of a fused multiply-add.
        steps = np.rint(np.float64(rows) * (np.float32(127) / largest))
        return steps.astype(np.float32) * (largest / 127)
    return rows


def run(case, session, cache):
    """The worst difference over all calls."""
    size, heads, key_heads = case[:3]
    random = np.random.default_rng(7)
    batch, worst = len(CALLS[0]), 0.0
    known = [[np.zeros((0, key_heads, size))] * 2 for _ in range(batch)]
    for counts in CALLS:
        seq = max(counts)
        mask = np.zeros((batch, seq), np.int32)
        for b, count in enumerate(counts):
            # Rows are kept where they stand: at the end of every other one.
            mask[b, seq - count:] = 1
            if b % 2:
                mask[b] = mask[b, ::-1]
        x, y, u = (random.standard_normal((batch, seq, n * size)).astype(np.float32)
                   for n in (heads, key_heads, key_heads))
        # Scores of a few units, whatever the heads' size.
        x *= 1.5 / np.sqrt(size)
        z = np.full_like(x, np.nan)
        session.call("f", [batch, seq], [mask, x, y, u], [z])
        for b in range(batch):
            rows = mask[b] != 0
            first = len(known[b][0])
            known[b] = [np.concatenate([old, keep(
                new[b, rows].reshape(-1, key_heads, size), cache).astype(np.float64)])
                for old, new in zip(known[b], (y, u))]
            truth = attend(case, x[b, rows].astype(np.float64).reshape(-1, heads, size),
                           known[b][0], known[b][1], first)
            if not np.isfinite(z[b]).all():
                return float("inf")
            off = np.abs(z[b, rows].reshape(truth.shape) - truth)
            worst = max(worst, float(off.max(initial=0)))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("attnc")
    parser.add_argument("work", type=Path)
    parser.add_argument("target")
    parser.add_argument("products", choices=TOLERANCES)
    parser.add_argument("--cache", choices=("f32", "bf16", "int8"), default="f32")
    parser.add_argument("--only", action="append", choices=CASES)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--stub", help="the folder of the stub driver")
    parser.add_argument("--kernels", type=Path,
                        help="kernels for it, and libraries that are compiled already")
    given = parser.parse_args()
    restart_on_stub(given.stub, given.target)
    from library import Session
    failed = 0
    for name in given.only or CASES:
        folder = given.work / name
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.mlir"
        path.write_text(cached(*CASES[name], positions=POSITIONS))
        if not given.kernels or not (folder / f"lib{name}.so").exists():
            subprocess.run([given.attnc, "compile", "-q", path, "-o", folder, "--name",
                            name, f"--target={given.target}",
                            f"--products={given.products}",
                            f"--cache={given.cache}",
                            f"--dump-ir={folder / 'ir'}"], check=True)
        os.environ["ATTNC_STUB_KERNELS"] = str(given.kernels or folder / "ir")
        session = Session(folder / f"lib{name}.so", name, given.device)
        worst = run(CASES[name], session, given.cache)
        session.close()
        good = worst <= TOLERANCES[given.products]
        failed += not good
        print(f"{given.target} {given.products} {given.cache:4} {name:8} {worst:.1e} "
              f"{'right' if good else 'WRONG'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
