#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Holds perplexity and bytes of a narrow library to those of another's file.

    python3 check-quality.py ATTNC TEXTS STORIES.json PEER FOLDER [FOLDER...]

PEER is a name of STORIES.json, as make-stories-perplexity.py measured it: the
library in each FOLDER (libm.so, m.weights) must not be worse over TEXTS, in no more
bytes. Of F32 the numbers must be the same but for rounding, whatever the bytes.
"""
import json
import os
import subprocess
import sys


def main(attnc, texts, numbers, name, *folders):
    with open(numbers) as file:
        peer = json.load(file)["llama.cpp"][name]
    for folder in folders:
        library = os.path.join(folder, "libm.so")
        got = json.loads(subprocess.run(
            [attnc, "bench", library, "--perplexity", texts, "--json"],
            check=True, capture_output=True).stdout)
        size = os.path.getsize(os.path.join(folder, "m.weights"))
        print("%s: %.4f in %d bytes; %s: %.4f in %d" % (
            folder, got["perplexity"], size, name, peer["perplexity"], peer["bytes"]))
        assert got["tokens"] == peer["tokens"], (got, peer)
        if name == "F32":
            # llama.cpp keeps keys and values in halves.
            assert abs(got["perplexity"] / peer["perplexity"] - 1) < 1e-4
            continue
        assert got["perplexity"] <= peer["perplexity"], (got, peer)
        assert size <= peer["bytes"], (size, peer)


if __name__ == "__main__":
    main(*sys.argv[1:])
