#!/usr/bin/env python3
# ===- check-attention.py - every form of attention, emulated --------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Compiles attention in every form (attention_program.py), of every head size and
every format of products, and holds the kernels to float64.

    check-attention.py ATTNC WORK [--targets sm_80,sm_90a] [--sizes 32,64]
                       [--formats bf16,f16] [--only FORM] [--jobs 2]
                       [--stub DIR | --device cuda:0]

Without --sizes and --formats: all sizes for products of bf16, some for others,
or all where ATTNC_TEST_ALL is set.

bf16 and f16 are what callers' tensors hold, too, so that tensor maps reach them
on sm_90a. Products of tf32 and f32 take the same programs there as on sm_80:
instead of running them twice, their texts are compared. For a device that is not
there, --stub names the stub driver's folder. Needs NumPy.
"""

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from attention_program import FORMS, program
from attention_truth import draw, truth
from stub_driver import describe_stub

sys.path.insert(0, str(Path(__file__).resolve().parent / "bundle"))
from cases import PLACES, draw_bf16  # noqa: E402
from check import to_bits, to_numbers  # noqa: E402

SIZES = (32, 64, 96, 128, 256)
OWN = {"bf16": "bf16", "f16": "f16", "tf32": None, "f32": None}
# Formats share what they do with scores; tiles depend on the size of elements.
USUAL = {"bf16": SIZES, "f16": (96,), "tf32": (128,), "f32": (64, 256)}


def write(folder, size, products):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "forms.mlir"
    path.write_text(program(size, OWN[products]))
    return path


def compile_forms(attnc, folder, target, size, products):
    environment = dict(os.environ, ATTNC_PTXAS="")  # check-ptxas.py does that
    subprocess.run([attnc, "compile", "-q", write(folder, size, products), "-o",
                    folder, "--name", "forms", f"--target={target}",
                    f"--products={products}", f"--dump-ir={folder / 'ir'}"],
                   check=True, env=environment)


def programs_of(attnc, folder, target, size, products):
    """The programs that a target runs, without their names."""
    text = subprocess.run(
        [attnc, "compile", write(folder, size, products), f"--target={target}",
         f"--products={products}", "--emit=warp"],
        check=True, capture_output=True, text=True).stdout
    programs = text[text.index("warp.program"):]
    return re.sub(r"sm_(80|90a)", "sm", programs)


def run(folder, target, size, products, only, device):
    """In a process of its own: the stub driver is chosen when it begins."""
    from library import Session
    own, wrong = OWN[products], 0
    session = Session(folder / "libforms.so", "forms", device)
    for name in only or FORMS:
        form = FORMS[name]
        inputs, sizes = draw(form, size, np.random.default_rng(5), draw_bf16)
        wanted = truth(form, size, inputs)
        given = [to_bits(x, own) if own and x.ndim > 2 else x for x in inputs]
        output = np.full(inputs[0].shape, np.nan, np.float32)
        output = to_bits(output, own) if own else output
        # By launches, and once by the graph made of them.
        for _ in range(1 + (name == "packed")):
            session.call(name, sizes, given, [output])
        # Rows of no sequence are nobody's.
        output = to_numbers(output, own) if own else output
        output = output[:len(wanted)]
        error = float(np.abs(output - wanted).max(initial=0))
        # As in bundle/cases.py; rows that see few keys are averages of one.
        allowed = (PLACES[products] + PLACES.get(own, 0)) * 4.5
        good = error <= allowed
        wrong += not good
        print(f"{target} {products:4} d{size:<3} {name:8} {error:.1e} of "
              f"{allowed:.1e} {'right' if good else 'WRONG'}", flush=True)
    session.close()
    return wrong


def check(given, target, size, products):
    """Starts run() on the stub driver; what it says, and whether all is right."""
    folder = given.work / target / f"{products}-d{size}"
    if target == "sm_90a" and not OWN[products]:
        same = len({programs_of(given.attnc, folder, x, size, products)
                    for x in ("sm_80", target)}) == 1
        return f"{target} {products:4} d{size:<3} the programs of sm_80: " \
               f"{'right' if same else 'WRONG'}\n", same
    compile_forms(given.attnc, folder, target, size, products)
    environment = dict(os.environ)
    if given.stub:
        environment.update(describe_stub(given.stub, target, strict=1, seed=1,
                                         kernels=folder / "ir"))
    only = [x for name in given.only or () for x in ("--only", name)]
    done = subprocess.run(
        [sys.executable, __file__, "--run", folder, target, str(size), products,
         "--device", given.device] + only, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout, done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("attnc")
    parser.add_argument("work", type=Path)
    parser.add_argument("--targets", default="sm_80,sm_90a")
    parser.add_argument("--sizes")
    parser.add_argument("--formats", default=",".join(OWN))
    parser.add_argument("--only", action="append", choices=FORMS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--stub", help="the folder of the stub driver")
    given = parser.parse_args()
    usual = USUAL if not os.environ.get("ATTNC_TEST_ALL") else dict.fromkeys(
        OWN, SIZES)
    wanted = [(target, int(size), products)
              for target in given.targets.split(",")
              for products in given.formats.split(",")
              for size in (given.sizes or ",".join(map(str, usual[products])))
              .split(",")]
    failed = 0
    with ThreadPoolExecutor(given.jobs) as pool:
        for text, good in pool.map(lambda x: check(given, *x), wanted):
            print(text, end="", flush=True)
            failed += not good
    print(f"{len(wanted) - failed} of {len(wanted)} head sizes and formats right")
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        place, chip, width, kind, *rest = sys.argv[2:]
        chosen = [x for flag, x in zip(rest, rest[1:]) if flag == "--only"]
        sys.exit(min(run(Path(place), chip, int(width), kind, chosen,
                         rest[rest.index("--device") + 1]), 100))
    sys.exit(main())
