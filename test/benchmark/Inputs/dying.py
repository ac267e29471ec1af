# ===- dying.py - a process of the benchmark that ends early ----------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# Rows one to five: a peer fails in the first, the process is killed in the
# second, the third's outputs differ, and in the fourth it runs out of memory. With
# --stop it is interrupted in the second.
#
# ===----------------------------------------------------------------------===//
import argparse
import os
import signal

import measure

parser = argparse.ArgumentParser()
parser.add_argument("--json")
parser.add_argument("--done")
parser.add_argument("--stop", action="store_true")
arguments = parser.parse_args()
measure.limit_memory()
signal.signal(signal.SIGINT, signal.default_int_handler)
progress = measure.Progress(arguments.json)
for label in ("one", "two", "three", "four", "five"):
    if label in arguments.done.split(";"):
        continue
    skip = progress.begin(label)
    if label == "one":
        skip("peer: " + measure.first_line(RuntimeError("no such op\nand more")))
    if label == "two" and arguments.stop:
        os.kill(os.getppid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    if label == "two":
        os.kill(os.getpid(), signal.SIGKILL)
    if label == "three":
        progress.fail("outputs differ")
        continue
    if label == "four":
        bytearray(measure.MOST_MEMORY)
    progress.add({"shape": label})
progress.end()
