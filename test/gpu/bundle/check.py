#!/usr/bin/env python3
# ===- check.py - the numbers of every kernel on a device -----------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Runs the cases of a bundle and compares them with their truths.

    check.py BUNDLE [--device cuda:0] [--case NAME]... [--rounds N]

Each case is called several times, which takes it through single launches and
through its graph; every round must give the same bits. Ends with status 1 if a
case is wrong.
"""

import argparse
import json
import sys
from pathlib import Path

import bf16
import numpy as np
from library import Session


def to_bits(array, own):
    """What a caller of bf16 or f16 passes."""
    if own == "f16":
        return array.astype(np.float16)
    return bf16.to_bits(array)


def to_numbers(array, own):
    if own == "bf16":
        return bf16.to_numbers(array)
    return array.astype(np.float32)


def run(folder, device, rounds):
    case = json.loads((folder / "case.json").read_text())
    name = case["name"]
    inputs = [np.load(folder / f"in{i}.npy") for i in range(case["inputs"])]
    truths = [np.load(folder / f"out{i}.npy") for i in range(case["outputs"])]
    own = case.get("own")
    if own:
        inputs = [to_bits(array, own) for array in inputs]
    session = Session(folder / f"lib{name}.so", name, device)
    first = None
    for _ in range(rounds):
        outputs = [np.full_like(truth, np.nan) for truth in truths]
        if own:
            outputs = [to_bits(output, own) for output in outputs]
        session.call(case["entry"], case["sizes"], inputs, outputs)
        outputs = [to_numbers(output, own) for output in outputs]
        if first is None:
            first = outputs
        same = all(np.array_equal(a, b) for a, b in zip(first, outputs))
        if not same:
            raise RuntimeError("a later call gives other bits than the first")
    variant = json.loads(session.info())["variant"]
    session.close()
    # A difference that is NaN is wrong too.
    worst = max(float(np.max(np.abs(a - b))) if np.isfinite(a).all()
                else float("inf") for a, b in zip(first, truths))
    # Nor may many be off by what is allowed to one.
    usual = max(float(np.sqrt(np.mean((a - b) ** 2.0)))
                for a, b in zip(first, truths))
    allowed = case["tolerance"] if usual <= case.get("rms", usual) else 0.0
    return worst, allowed, variant


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--case", action="append")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    found = sorted(arguments.bundle.glob("*/case.json"))
    folders = [path.parent for path in found
               if not arguments.case or path.parent.name in arguments.case]
    if not folders:
        print(f"check.py: no cases in {arguments.bundle}", file=sys.stderr)
        return 2
    failed = 0
    print(f"{'case':24} {'variant':10} {'max error':>10} {'allowed':>10}")
    for folder in folders:
        try:
            worst, allowed, variant = run(folder, arguments.device,
                                          arguments.rounds)
            verdict = "ok" if worst <= allowed else "WRONG"
            print(f"{folder.name:24} {variant:10} {worst:10.2e} "
                  f"{allowed:10.2e} {verdict}")
            failed += verdict != "ok"
        except (RuntimeError, OSError) as error:
            print(f"{folder.name:24} FAILED {error}")
            failed += 1
    print(f"{len(folders) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
