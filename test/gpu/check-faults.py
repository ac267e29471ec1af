#!/usr/bin/env python3
# ===- check-faults.py - faults of synchronization that must show ---------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Takes synchronization out of kernels, one piece at a time, and fails where the
emulator does not notice.

    check-faults.py [--quick] [--seeds N] [--programs REGEX] [--classes A,B]
                    IR STUB COMMAND...

IR is the folder of a compiled library's dumped IR, COMMAND runs the library on the
stub driver in STUB and checks its numbers; {} in it stands for the folder whose
kernels it shall take (ATTNC_STUB_KERNELS names it, too). Every barrier, wait,
arrival and end of a group of copies (or those of --classes) in programs whose names match REGEX (those of
attention) is removed from the optimized IR in turn; COMMAND, which has to run
them, must then fail at one of the seeds, for each class in each program.
Single pieces that may go are listed: a group may be empty on the way that its end
lies on, nobody waits for the last arrivals. Those that COMMAND never comes to are
told apart: in their place even a store to address 0 harms nobody. --quick looks no
further once a class has been noticed in a program.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

CLASSES = {"barrier": "llvm.nvvm.barrier.cta.sync",
           "copies": "llvm.nvvm.cp.async.wait.group",
           "commit": "llvm.nvvm.cp.async.commit.group",
           "wait": "mbarrier.try_wait.parity",
           "arrive": "mbarrier.arrive.shared",
           "fence": "fence.proxy.async",
           "clear": "bar.sync $0, 384;"}  # three groups; two take turns
PROGRAM = re.compile(r"define ptx_kernel void @(\w+)\(")
SECONDS, TIMES = 60, 30  # a run that takes longer, and so much longer than the
# kernels as they are, does not end


def sites(lines, programs):
    """Program, class and number of the line of each piece."""
    program = None
    for number, line in enumerate(lines):
        found = PROGRAM.match(line)
        if found:
            program = found.group(1)
            program = program if re.search(programs, program) else None
        elif line.startswith("}"):
            program = None
        for name, callee in CLASSES.items():
            if program and " call void " in line and callee in line:
                yield program, name, number


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ir", type=Path)
    parser.add_argument("stub")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--programs", default="attention")
    parser.add_argument("--classes", default=",".join(CLASSES))
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()

    limit = SECONDS

    def fails(kernels, seed):
        environment = dict(
            os.environ, ATTNC_STUB_SEED=str(seed), ATTNC_STUB_KERNELS=str(kernels),
            LD_LIBRARY_PATH=given.stub)
        command = [part.replace("{}", str(kernels)) for part in given.command]
        try:
            return subprocess.run(command, env=environment, timeout=limit,
                                  capture_output=True).returncode != 0
        except subprocess.TimeoutExpired:
            return True

    started = time.monotonic()
    if fails(given.ir, 0):
        print("check-faults.py: the kernels are wrong as they are", file=sys.stderr)
        return 1
    limit = max(SECONDS, TIMES * (time.monotonic() - started))
    lines = next(given.ir.glob("*ll.ll")).read_text().split("\n")
    mutated = given.ir.parent / "mutated"
    shutil.rmtree(mutated, ignore_errors=True)
    mutated.mkdir()
    trap = "  store volatile i8 0, ptr addrspace(1) null"

    def mutate(number, *instead):
        (mutated / "00-ll.ll").write_text("\n".join(
            lines[:number] + list(instead) + lines[number + 1:]))

    noticed, silent = {}, []
    for program, name, number in sites(lines, given.programs):
        key = (program, name)
        if name not in given.classes.split(","):
            continue
        if noticed.setdefault(key, 0) and given.quick:
            continue
        mutate(number)
        if any(fails(mutated, seed) for seed in range(given.seeds)):
            noticed[key] += 1
        else:
            mutate(number, trap)
            silent.append("%s %s, line %d%s" % (
                program, name, number + 1,
                "" if fails(mutated, 0) else ": not executed"))
    for (program, name), count in sorted(noticed.items()):
        print("%s %-8s %d noticed" % (program, name, count))
    for line in silent:
        print("not noticed:", line)
    return 1 if not noticed or 0 in noticed.values() else 0


if __name__ == "__main__":
    sys.exit(main())
