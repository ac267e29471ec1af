#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gives a library texts and compares ids and embeddings with goldens.

    python3 check-texts.py ATTNC LIB GOLDENS

GOLDENS is a file of make-text-goldens.py. Ids must be equal; over all texts, the
root mean square of the error against float64 may be twice that of the reference
in f32.
"""
import json
import math
import subprocess
import sys


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    attnc, library, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        goldens = json.load(file)
    squares, count, good = 0.0, 0, True
    cases = goldens["cases"]
    command = [attnc, "run", library, "--json"]
    for case in cases:
        command.append("--text=" + case["text"])
    given = json.loads(subprocess.run(command, check=True,
                                      stdout=subprocess.PIPE).stdout)
    (embeddings,) = given["outputs"].values()
    for case, ids, embedding in zip(cases, given["ids"], embeddings, strict=True):
        if ids != case["ids"]:
            print("ids of %r: expected %s, got %s" % (case["text"], case["ids"], ids))
            good = False
        for got, expected in zip(embedding, case["embedding"], strict=True):
            squares += (got - expected) ** 2
            count += 1
    error = math.sqrt(squares / count)
    print("%d texts: rms error %.3g, the reference's %.3g"
          % (len(cases), error, goldens["f32_rms"]))
    sys.exit(0 if good and error <= 2 * goldens["f32_rms"] else 1)


if __name__ == "__main__":
    main()
