#!/usr/bin/env python3
# ===- make_grapheme_table.py - where characters hang together --------------===#
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
#
# Writes the Grapheme_Cluster_Break classes of Graphemes.h. They are the
# standard's, corrected where HuggingFace's `tokenizers` shows another version:
# its normalizer Precompiled, given a map from every first byte to "X", writes
# one X for each cluster below six bytes.
#
#   pip install tokenizers==0.23.3 regex
#   python3 make_grapheme_table.py > GraphemeTable.inc
#
# ===-----------------------------------------------------------------------===#
import struct
import sys

import regex
import tokenizers
from tokenizers import normalizers

from make_unicode_tables import CODES, HANGUL, rows

(OTHER, CR, LF, CONTROL, EXTEND, JOINER, SPACING, PREPEND, LEAD, VOWEL, TAIL,
 PICTURE, CONSONANT, LINKER) = range(14)  # Graphemes.cpp


def byte_map():
    units = [0] * 1536
    units[0] = 256 << 10
    for byte in range(1, 256):
        units[256 + byte] = 1280 << 10 | 1 << 8 | byte
        units[1024 + byte] = 1 << 31  # the string at 0
    return struct.pack("<I", 4 * len(units)) + struct.pack(f"<{len(units)}I", *units) \
        + b"X\0"


clusters = normalizers.Precompiled(byte_map()).normalize_str


def joins(text):
    return clusters(text) == "X"


def main():
    names = {"CR": CR, "LF": LF, "Control": CONTROL, "Extend": EXTEND, "ZWJ": JOINER,
             "SpacingMark": SPACING, "Prepend": PREPEND, "L": LEAD, "V": VOWEL,
             "T": TAIL}
    classes = {}
    for name, value in names.items():
        pattern = regex.compile(rf"\p{{GCB={name}}}")
        for c in CODES:
            if pattern.match(chr(c)):
                classes[c] = value
    for name, value in (("Extended_Pictographic", PICTURE),):
        pattern = regex.compile(rf"\p{{{name}}}")
        for c in CODES:
            if c not in classes and pattern.match(chr(c)):
                classes[c] = value
    conjuncts = clusters("\u0915\u094d\u0937\u0301") == "XXXX"
    if conjuncts:
        for name, value in (("Consonant", CONSONANT), ("Linker", LINKER)):
            pattern = regex.compile(rf"\p{{InCB={name}}}")
            for c in CODES:
                if pattern.match(chr(c)):
                    classes[c] = value
    corrected = 0
    hanging = (EXTEND, JOINER, SPACING, LINKER)
    for c in CODES:
        value = classes.get(c, OTHER)
        hangs = joins("a" + chr(c))
        if hangs != (value in hanging):
            classes[c] = EXTEND if hangs else OTHER
            corrected += 1
        elif value == PREPEND and not joins(chr(c) + "a"):
            classes[c] = OTHER
            corrected += 1
    ranges, previous = [], None
    for c in range(0x110000):
        value = OTHER if c in HANGUL else classes.get(c, OTHER)
        if value != previous:
            ranges.append((c, value))
            previous = value
    print("// Written by make_grapheme_table.py from tokenizers "
          f"{tokenizers.__version__}. Do not edit.")
    print("\n// The class from a code point on: code << 8 | class.")
    print(f"static const uint32_t graphemeRanges[{len(ranges)}] = {{")
    rows((f"0x{c << 8 | v:X}" for c, v in ranges), 7)
    print("};")
    print(f"{len(ranges)} ranges, {corrected} corrected, conjuncts: {conjuncts}",
          file=sys.stderr)


if __name__ == "__main__":
    main()
