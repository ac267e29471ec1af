#!/usr/bin/env python3
# ===- check-products.py - products with weights of every format ----------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Holds products with narrow weights on a device to the processor's.

    check-products.py ATTNC WORK TARGET [--only NAME] [--device cuda:0]
                      [--stub DIR]

Weights of 8 and 4 bits in groups of every size, and of bf16, times few rows and
many, columns and depths that are no multiple of anything. Rows are numbers of
bf16, so that sums of products with q are exact but for what adding in f32 loses;
only tiles of numbers in groups round scale * q to the products' format. For a
device that is not there, --stub names the stub driver's folder. Needs NumPy.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from product_program import product
from stub_driver import restart_on_stub

sys.path.insert(0, str(Path(__file__).resolve().parent / "bundle"))

EXACT = 3e-5
FEW = 16
# name: options, error of tiles where it is not that of sums
CASES = {
    "int8": (["--weights=int8", "--activations=f32"], EXACT),
    "int8-f16": (["--weights=int8", "--activations=f32", "--products=f16"], EXACT),
    "int8-tf32": (["--weights=int8", "--activations=f32", "--products=tf32"], EXACT),
    "int8-f32": (["--weights=int8", "--activations=f32", "--products=f32"], EXACT),
    "int8-16": (["--weights=int8", "--group=16"], 2e-2),
    "int8-24": (["--weights=int8", "--group=24"], 2e-2),
    "int8-128": (["--weights=int8", "--group=128"], 2e-2),
    "int4": (["--weights=int4", "--activations=f32"], 2e-2),
    "int4-f16": (["--weights=int4", "--activations=f32", "--products=f16"], 3e-3),
    "int4-f32": (["--weights=int4", "--activations=f32", "--products=f32"], EXACT),
    "int4-96": (["--weights=int4", "--activations=f32", "--group=96"], 2e-2),
    "int4-128": (["--weights=int4", "--activations=f32", "--group=128"], 2e-2),
    # Few rows of these are multiplied in tiles too.
    "int4-8": (["--weights=int4", "--activations=f32", "--group=8"], 2e-2),
    "bf16": (["--weights=bf16", "--activations=f32"], EXACT),
}
UNSTREAMED = ("int4-8", "int8-24")
SHAPES = ((50, 96), (130, 200), (48, 1304), (200, 64))  # columns, depth
ROWS = (1, 7, 8, 9, 16, 17, 70)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("attnc")
    parser.add_argument("work", type=Path)
    parser.add_argument("target")
    parser.add_argument("--only", action="append", choices=CASES)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--stub", help="the folder of the stub driver")
    given = parser.parse_args()
    restart_on_stub(given.stub, given.target)
    import tensor_file
    from bf16 import round_bf16
    from library import Session
    failed = 0
    for name in given.only or CASES:
        options, bound = CASES[name]
        random = np.random.default_rng(11)
        worst = {"few": 0.0, "many": 0.0}
        for columns, depth in SHAPES:
            folder = given.work / f"{name}-{columns}x{depth}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "product.mlir").write_text(product(columns, depth))
            weights = random.standard_normal((columns, depth)) / depth ** 0.5
            tensor_file.write(folder / "w.safetensors", {
                "w": ("F32", weights.shape, weights.astype(np.float32).tobytes())})
            subprocess.run([given.attnc, "compile", "-q", folder / "product.mlir",
                            "-o", folder, "--name", "product",
                            f"--target=x86-64-v3,{given.target}",
                            f"--dump-ir={folder / 'ir'}"] + options, check=True)
            os.environ["ATTNC_STUB_KERNELS"] = str(folder / "ir")
            sessions = [Session(folder / "libproduct.so", "product", device)
                        for device in ("cpu", given.device)]
            for rows in ROWS:
                x = round_bf16(random.standard_normal((rows, depth)))
                results = [np.full((rows, columns), np.nan, np.float32)
                           for _ in sessions]
                for session, result in zip(sessions, results):
                    session.call("run", [rows], [x], [result])
                error = np.abs(results[0] - results[1]).max()
                size = "few" if rows <= FEW else "many"
                worst[size] = max(worst[size],
                                  error if np.isfinite(error) else np.inf)
            for session in sessions:
                session.close()
        few = bound if name in UNSTREAMED else EXACT
        good = worst["few"] <= few and worst["many"] <= bound
        failed += not good
        print(f"{given.target} {name:10} few rows {worst['few']:.1e} many "
              f"{worst['many']:.1e} {'right' if good else 'WRONG'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
