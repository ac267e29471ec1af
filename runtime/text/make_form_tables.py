#!/usr/bin/env python3
# ===- make_form_tables.py - letters, numbers, normalization forms ----------===#
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
#
# Asks HuggingFace's `tokenizers` about every code point, as
# make_unicode_tables.py does, for what byte-level BPE and SentencePiece need:
# \p{L} and \p{N} of its regular expressions, what Digits cuts (of a later
# Unicode), the marks that StripAccents drops, all combining classes, compatibility decompositions, compositions.
#
#   pip install tokenizers==0.23.3
#   python3 make_form_tables.py > FormTables.inc
#
# ===-----------------------------------------------------------------------===#
import sys

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

from make_unicode_tables import CODES, HANGUL, combining_classes, rows

LETTER, NUMBER, ACCENT, DIGIT = 1, 2, 4, 8  # UnicodeForms.h

nfc, nfd, nfkd = (form().normalize_str for form in
                  (normalizers.NFC, normalizers.NFD, normalizers.NFKD))


def cut_out(pre_tokenizer):
    split = pre_tokenizer.pre_tokenize_str
    return {c for c in CODES if len(split("\1" + chr(c) + "\1")) == 3}


def matching(pattern):
    return cut_out(pre_tokenizers.Split(Regex(pattern), "isolated"))


def changes(values):
    """[(first code point, value)] where the value changes."""
    found, previous = [], None
    for c in range(0x110000):
        value = values.get(c, 0)
        if value != previous:
            found.append((c, value))
            previous = value
    return found


def compositions():
    found = {}
    for c in CODES:
        parts = nfd(chr(c))
        if c in HANGUL or len(parts) < 2 or nfc(chr(c)) != chr(c):
            continue
        first, second = nfc(parts[:-1]), parts[-1]
        assert len(first) == 1 and nfc(first + second) == chr(c), hex(c)
        found[ord(first), ord(second)] = c
    return found


def main():
    classes = {}
    strip = normalizers.StripAccents().normalize_str
    for flag, members in ((LETTER, matching(r"\p{L}")),
                          (NUMBER, matching(r"\p{N}")),
                          (DIGIT, cut_out(pre_tokenizers.Digits(True))),
                          (ACCENT, [c for c in CODES if strip(chr(c)) == ""])):
        for c in members:
            classes[c] = classes.get(c, 0) | flag
    ranges = changes(classes)
    print("// Written by make_form_tables.py from tokenizers "
          f"{tokenizers.__version__}. Do not edit.")
    print("\n// The classes from a code point on: code << 8 | classes.")
    print(f"static const uint32_t classRanges[{len(ranges)}] = {{")
    rows((f"0x{c << 8 | f:X}" for c, f in ranges), 7)
    blocks = 0x200
    starts = [max(i for i, (c, _) in enumerate(ranges) if c <= b << 7)
              for b in range(blocks + 1)]
    print("};\n\n// Where in classRanges each block of 128 code points starts.")
    print(f"static const uint16_t classBlocks[{blocks + 1}] = {{")
    rows((str(s) for s in starts), 14)

    ranks = changes(combining_classes())
    print("};\n\n// Ranks of combining classes from a code point on: "
          "code << 8 | rank.")
    print(f"static const uint32_t rankRanges[{len(ranks)}] = {{")
    rows((f"0x{c << 8 | r:X}" for c, r in ranks), 7)

    entries = [(c, nfkd(chr(c)).encode()) for c in CODES
               if nfkd(chr(c)) != nfd(chr(c))]
    text = b""
    for sequence in sorted({s for _, s in entries}, key=lambda s: (-len(s), s)):
        if sequence not in text:
            text += sequence
    assert len(text) < 1 << 16 and max(len(s) for _, s in entries) < 64
    print("};\n\n// Code points whose compatibility decomposition is not the "
          "canonical one:\n// code << 6 | bytes of it.")
    print(f"static const uint32_t compatibilityCodes[{len(entries)}] = {{")
    rows((f"0x{c << 6 | len(s):X}" for c, s in entries), 7)
    print("};\n\n// Where it starts in compatibilityText.")
    print(f"static const uint16_t compatibilityStarts[{len(entries)}] = {{")
    rows((str(text.index(s)) for _, s in entries), 12)
    print("};\n\n// UTF-8.")
    print(f"static const unsigned char compatibilityText[{len(text)}] = {{")
    rows((str(b) for b in text), 16)

    pairs = sorted(compositions().items())
    print("};\n\n// Canonical compositions: first << 42 | second << 21 | both.")
    print(f"static const uint64_t compositions[{len(pairs)}] = {{")
    rows((f"0x{a << 42 | b << 21 | c:X}" for (a, b), c in pairs), 4)
    print("};")
    print(f"{len(ranges)} classes, {len(ranks)} ranks, {len(entries)} "
          f"compatibility decompositions ({len(text)} bytes), "
          f"{len(pairs)} compositions", file=sys.stderr)


if __name__ == "__main__":
    main()
