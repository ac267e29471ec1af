# ===- measure-dying.py - what run.py makes of it -----------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# measure-dying.py FOLDER [--stop]: prints the rows, failures and left-out columns
# of dying.py, as run.py collects them, with FOLDER for its files.
#
# ===----------------------------------------------------------------------===//
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
os.environ["PYTHONPATH"] = sys.path[0]

import run

# Who runs in the background may ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
run.WORK = sys.argv[1]
results = {"settings": [], "skipped": [], "failures": [], "memory": 0.0}
shapes = []


def add(rows):
    shapes.extend(row["shape"] for row in rows)
    return list(shapes)


script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dying.py")
try:
    run.measure_rows("table", script, sys.argv[2:], results, add)
except KeyboardInterrupt:
    print("interrupted")
print("rows:", *shapes)
for kind in ("failures", "skipped"):
    for line in results[kind]:
        print(f"{kind}: {line}")
