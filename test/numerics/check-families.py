#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles, verifies and compares every model of a folder of families.

    python3 check-families.py ATTNC MODELS GOLDENS OUT [--only A,B] [OPTION...]

MODELS holds a folder per model, GOLDENS a JSON file per model, of the same names;
libraries are written below OUT. The options go to `attnc compile`. Every model
fails alone; the exit status says whether all passed.
"""
import os
import subprocess
import sys


def passes(name, arguments):
    result = subprocess.run(arguments, capture_output=True, text=True)
    if result.returncode:
        print("FAILED", name + ":", " ".join(arguments))
        print(result.stdout + result.stderr)
    return result.returncode == 0


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    attnc, models, goldens, out, *options = sys.argv[1:]
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "check-library.py")
    names = sorted(os.listdir(models))
    expected = sorted(file.removesuffix(".json") for file in os.listdir(goldens))
    good = bool(names) and names == expected
    if not good:
        print("models and goldens are not the same:", names, expected)
    if options[:1] == ["--only"]:
        assert set(options[1].split(",")) <= set(names), options[1]
        names, options = options[1].split(","), options[2:]
    for name in names:
        model = os.path.join(models, name)
        library = os.path.join(out, name, "libm.so")
        good &= (
            passes(name, [attnc, "compile", "-q", model, "-o",
                          os.path.dirname(library), "--name", "m"] + options)
            and passes(name, [attnc, "verify", library, model])
            and passes(name, [sys.executable, script, attnc, library,
                              os.path.join(goldens, name + ".json")])
        )
    print(len(names), "models")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
