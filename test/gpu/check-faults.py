#!/usr/bin/env python3
# ===- check-faults.py - faults of synchronization that must show ---------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Takes synchronization out of the kernels with states, one piece at a time, and
fails where the emulator does not notice.

    check-faults.py ATTNC WORK TARGET STUB [--seeds N]

Every barrier, every wait for copies and every end of a group of copies in the
programs for parts and for prompts is removed from the optimized IR in turn; the
case then has to end with an error or with wrong numbers at one of the seeds, for
each class in each program. Single pieces that may go, since they end a group that
is empty on the way they lie on, are listed. Needs NumPy.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

CLASSES = {"barrier": "llvm.nvvm.barrier.cta.sync",
           "wait": "llvm.nvvm.cp.async.wait.group",
           "commit": "llvm.nvvm.cp.async.commit.group"}
CASE = "steps"


def sites(lines):
    """Program, class and number of the line of each piece."""
    program = None
    for number, line in enumerate(lines):
        found = re.match(r"define ptx_kernel void @\w+cached_attention_\w+_(\w+)\(", line)
        if found:
            program = found.group(1)
        elif line.startswith("}"):
            program = None
        for name, callee in CLASSES.items():
            if program and " call " in line and callee in line:
                yield program, name, number


def is_noticed(run, folder, lines, number, seeds):
    (folder / "00-ll.ll").write_text("\n".join(
        line for i, line in enumerate(lines) if i != number))
    return any(run(folder, seed) for seed in range(seeds))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("attnc")
    parser.add_argument("work", type=Path)
    parser.add_argument("target")
    parser.add_argument("stub")
    parser.add_argument("--seeds", type=int, default=4)
    given = parser.parse_args()
    script = Path(__file__).resolve().parent / "check-cached.py"

    def run(kernels, seed):
        """Whether the case fails with these kernels."""
        environment = dict(os.environ, ATTNC_STUB_SEED=str(seed))
        done = subprocess.run(
            [sys.executable, script, given.attnc, given.work, given.target, "f32",
             "--only", CASE, "--stub", given.stub, "--kernels", kernels],
            env=environment, capture_output=True, text=True)
        return done.returncode != 0

    ir = given.work / CASE / "ir"
    if run(ir, 0):
        print("check-faults.py: the kernels are wrong as they are", file=sys.stderr)
        return 1
    lines = next(ir.glob("*ll.ll")).read_text().split("\n")
    mutated = given.work / "mutated"
    shutil.rmtree(mutated, ignore_errors=True)
    mutated.mkdir()
    noticed, silent = {}, []
    for program, name, number in sites(lines):
        key = (program, name)
        noticed.setdefault(key, 0)
        if is_noticed(run, mutated, lines, number, given.seeds):
            noticed[key] += 1
        else:
            silent.append("%s %s, line %d" % (program, name, number + 1))
    for (program, name), count in sorted(noticed.items()):
        print("%s %-8s %d noticed" % (program, name, count))
    for line in silent:
        print("not noticed:", line)
    return 1 if not noticed or 0 in noticed.values() else 0


if __name__ == "__main__":
    sys.exit(main())
