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

Attention of every head size and form (attention_program.py) is assembled for
products of bf16, for other products of two sizes, or of all with ATTNC_TEST_ALL;
then attention with states and narrow weights. MODELs are folders or .mlir files
besides. Without ptxas ($ATTNC_PTXAS, PATH, CUDA's
usual folder) it says so and succeeds.
"""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attention_program import program as forms
from cached_program import cached
from product_program import product

sys.path.insert(0, str(Path(__file__).resolve().parent / "bundle"))
import tensor_file  # noqa: E402

SIZES = (32, 64, 96, 128, 256)
CAUSAL = """ mask() {
  ^bb0(%b: i32, %h: i32, %i: i32, %j: i32):
    %c = arith.cmpi sge, %i, %j : i32
    attn.yield %c : i1
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


def programs(work, models):
    """Programs, and the options that each is compiled with."""
    narrow, wide = ["--weights=bf16"], ["--products=f32"]
    for model in models:
        yield Path(model), narrow

    def write(name, text):
        path = work / f"{name}.mlir"
        path.write_text(text)
        return path
    for size in SIZES:
        # Large heads take most registers, those of 64 the most groups.
        tight = size in (64, max(SIZES))
        for products in ("bf16", "f16", "tf32", "f32"):
            if products == "bf16" or tight or os.environ.get("ATTNC_TEST_ALL"):
                own = products if products.endswith("f16") else None
                yield (write(f"forms-{size}-{own}", forms(size, own)),
                       [f"--products={products}"])
        path = write(f"cached-{size}", cached(size, 2, 2, CAUSAL))
        yield path, narrow
        if tight:
            yield path, wide
    for cache in ("bf16", "int8"):
        for size in (64, max(SIZES)):
            yield work / f"cached-{size}.mlir", [f"--cache={cache}"]
    columns, depth = 4096, 640
    path = write("product", product(columns, depth))
    tensor_file.write(work / "w.safetensors", {
        "w": ("F32", (columns, depth), bytes(4 * columns * depth))})
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


def assemble(attnc, ptxas, work, number, target, path, options):
    """Status and words of ptxas."""
    ptx = work / f"{number}.ptx"
    with open(ptx, "w") as out:
        subprocess.run([attnc, "compile", path, f"--target={target}",
                        "--emit=ptx"] + options, check=True, stdout=out)
    done = subprocess.run([ptxas, "-v", "-O3", f"-arch={target}", ptx, "-o",
                           work / f"{number}.cubin"],
                          capture_output=True, text=True)
    return done.returncode, done.stderr


def main():
    attnc, work, models = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    ptxas = find_ptxas()
    if not ptxas:
        print("skipped: ptxas is not installed, so no kernel was assembled")
        return 0
    work.mkdir(parents=True, exist_ok=True)
    kernels, failures = 0, []
    tasks = [(target, *each) for each in programs(work, models)
             for target in ("sm_80", "sm_90a")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        reports = pool.map(
            lambda each: assemble(attnc, ptxas, work, each[0], *each[1]),
            enumerate(tasks))
        for (target, path, options), (status, report) in zip(tasks, reports):
            kernels += report.count("bytes stack frame")
            label = f"{path} {' '.join(options)} {target}"
            if status:
                failures.append(f"{label}: {report}")
            failures += [f"{label}: {line}" for line in complaints(report)]
    for failure in failures:
        print(failure)
    print(f"{kernels} kernels assembled, {len(failures)} complaints")
    return 1 if failures or not kernels else 0


if __name__ == "__main__":
    sys.exit(main())
