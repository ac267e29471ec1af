#!/usr/bin/env python3
# ===- check-ptxas.py - what ptxas says of our kernels ---------------------===#
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===#
"""Compiles programs to PTX, assembles them and fails where a kernel spills
registers, where ptxas runs products one after the other, or warns otherwise.

    check-ptxas.py ATTNC WORK MODEL...

Attention of every head size stands in programs that are written here; MODELs
are folders or .mlir files besides. Without ptxas ($ATTNC_PTXAS, PATH, CUDA's
usual folder) it says so and succeeds.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from cached_program import cached
from product_program import product, write_weight

SIZES = (32, 64, 96, 128, 256)
CAUSAL = """ mask() {
  ^bb0(%b: i32, %h: i32, %i: i32, %j: i32):
    %c = arith.cmpi sge, %i, %j : i32
    attn.yield %c : i1
  }"""
CAP = """ score() {
  ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32):
    %c = arith.constant 30.0 : f32
    %t = arith.divf %s, %c : f32
    %u = math.tanh %t : f32
    %r = arith.mulf %u, %c : f32
    attn.yield %r : f32
  }"""


NARROW = (["--weights=int8", "--activations=f32"],
          ["--weights=int8", "--group=128"], ["--weights=int4"],
          ["--weights=int4", "--products=f16"], ["--weights=int4", "--products=f32"])


def find_ptxas():
    named = os.environ.get("ATTNC_PTXAS")
    if named is not None:
        return named or None
    usual = "/usr/local/cuda/bin/ptxas"
    return shutil.which("ptxas") or (usual if os.access(usual, os.X_OK) else None)


def attention(size, regions):
    """A projection to heads, and attention between them."""
    width = 2 * size
    row = f"tensor<?x?x{width}xf32, #attn.sizes<batch, seq, {width}>>"
    head = f"tensor<?x?x2x{size}xf32, #attn.sizes<batch, seq, 2, {size}>>"
    return f"""attn.size @batch min 1 max 64
attn.size @seq min 1 max 4096
attn.entry @f(%x: {row} {{attn.name = "x"}}, %y: {row} {{attn.name = "y"}}) -> ({row} {{attn.name = "z"}}) sizes ["batch", "seq"] {{
  %sums = attn.map element(%x at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : {row}, %y at affine_map<(d0, d1, d2) -> (d0, d1, d2)> : {row}) {{
  ^bb0(%a: f32, %e: f32):
    %s = arith.addf %a, %e : f32
    attn.yield %s : f32
  }} : {row}
  %heads = attn.split_heads %sums : {row} -> {head}
  %o = attn.attention %heads, %heads, %heads{regions} : {head}, {head}, {head} -> {head}
  %m = attn.merge_heads %o : {head} -> {row}
  attn.return %m : {row}
}}
"""


def programs(work, models):
    """Programs, and the options that each is compiled with."""
    narrow, wide = ["--weights=bf16"], ["--products=f32"]
    for model in models:
        yield Path(model), narrow
    regions = {"plain": "", "causal": CAUSAL, "cap": CAP}

    def write(name, text):
        path = work / f"{name}.mlir"
        path.write_text(text)
        return path
    for size in SIZES:
        for name, region in regions.items():
            yield write(f"{name}-{size}", attention(size, region)), narrow
        path = write(f"cached-{size}", cached(size, 2, 2, CAUSAL))
        yield path, narrow
        # Exact products take most registers where heads are large.
        if size in (64, max(SIZES)):
            yield work / f"causal-{size}.mlir", wide
            yield path, wide
    for cache in ("bf16", "int8"):
        for size in (64, max(SIZES)):
            yield work / f"cached-{size}.mlir", [f"--cache={cache}"]
    columns, depth = 4096, 640
    path = write("product", product(columns, depth))
    write_weight(work / "w.safetensors", columns, depth, bytes(4 * columns * depth))
    for weights in NARROW:
        yield path, weights
    # More query heads to a key head than a product has rows.
    yield write("grouped-64", cached(64, 40, 2, CAUSAL)), narrow


def complaints(report):
    """Lines of ptxas that must not be there."""
    for line in report.splitlines():
        spill = re.search(r"(\d+) bytes spill stores, (\d+) bytes spill", line)
        if spill and spill.groups() != ("0", "0"):
            yield line.strip()
        elif "warning" in line.lower() or "serializ" in line.lower():
            yield line.strip()


def main():
    attnc, work, models = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    ptxas = find_ptxas()
    if not ptxas:
        print("skipped: ptxas is not installed, so no kernel was assembled")
        return 0
    work.mkdir(parents=True, exist_ok=True)
    kernels, failures = 0, []
    for program, options in programs(work, models):
        for target in ("sm_80", "sm_90a"):
            ptx = work / "kernels.ptx"
            with open(ptx, "w") as out:
                subprocess.run(
                    [attnc, "compile", program, f"--target={target}",
                     "--emit=ptx"] + options, check=True, stdout=out)
            done = subprocess.run(
                [ptxas, "-v", "-O3", f"-arch={target}", ptx, "-o",
                 work / "kernels.cubin"], capture_output=True, text=True)
            kernels += done.stderr.count("bytes stack frame")
            if done.returncode:
                failures.append(f"{program} {target}: {done.stderr}")
            failures += [f"{program} {target}: {line}"
                         for line in complaints(done.stderr)]
    for failure in failures:
        print(failure)
    print(f"{kernels} kernels assembled, {len(failures)} complaints")
    return 1 if failures or not kernels else 0


if __name__ == "__main__":
    sys.exit(main())
