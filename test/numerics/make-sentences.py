#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes sentences, one a line, for `attnc verify --texts`.

    python3 make-sentences.py FILE [COUNT]

They are COUNT (400) sentences of 5 to 60 words from the documentation strings of
Python's standard library, drawn by a fixed seed: text that people wrote, much of it
alike, so that the nearest sentences of one are close calls. The same release of
Python gives the same file; between releases the share that stays differs by half a
percent.
"""
import ast
import glob
import os
import random
import re
import sys

SENTENCE = re.compile(r"[A-Z][a-zA-Z ,'\-()]+\.")


def sentences_of(path):
    try:
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read())
    except (SyntaxError, UnicodeDecodeError):
        return  # lib2to3 and others ship files of other versions and encodings
    for node in ast.walk(tree):
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)):
            continue
        for piece in re.split(r"(?<=[.!?])\s+|\n\n", ast.get_docstring(node) or ""):
            sentence = " ".join(piece.split())
            if 5 <= len(sentence.split()) <= 60 and SENTENCE.fullmatch(sentence):
                yield sentence


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    count = int(sys.argv[2]) if len(sys.argv) == 3 else 400
    library = os.path.dirname(os.__file__)
    # Packages that a distribution leaves out or adds would change the draw.
    foreign = ("dist-packages", "site-packages", "test", "idlelib", "tkinter", "lib2to3")
    found = set()
    for path in glob.glob(library + "/*.py") + glob.glob(library + "/*/*.py"):
        if os.path.relpath(path, library).split(os.sep)[0] not in foreign:
            found.update(sentences_of(path))
    if not 0 < count <= len(found):
        sys.exit("%s holds %d sentences, %d are wanted" % (library, len(found), count))
    drawn = random.Random(7).sample(sorted(found), count)
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write("\n".join(drawn) + "\n")


if __name__ == "__main__":
    main()
