#!/usr/bin/env python3
# ===- make_unicode_tables.py - write UnicodeTables.inc ---------------------===#
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
#
# Asks HuggingFace's `tokenizers` about every code point and writes what it
# answers as tables. Each of that package's steps follows its own version of
# Unicode, from 8 (nonspacing marks) to 17 (lower case),
# so that no one library agrees with it; these tables do, by construction.
#
#   pip install tokenizers==0.23.3
#   python3 make_unicode_tables.py > UnicodeTables.inc
#
# ===-----------------------------------------------------------------------===#
import sys

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

CODES = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]

# The bits of Unicode.h.
DROPPED, MARK, PUNCTUATION, WORD = 1, 2, 4, 8
DECOMPOSES, LOWERS, REORDERS, CHINESE = 16, 32, 64, 128

HANGUL = range(0xAC00, 0xD7A4)  # decomposed by arithmetic


def bert(**on):
    options = dict(clean_text=False, handle_chinese_chars=False,
                   strip_accents=False, lowercase=False)
    options.update(on)
    return normalizers.BertNormalizer(**options).normalize_str


clean = bert(clean_text=True)
chinese = bert(handle_chinese_chars=True)
strip = bert(strip_accents=True)
lower = bert(lowercase=True)
decompose = normalizers.NFD().normalize_str
split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str

word_probe = Tokenizer(models.WordPiece({"[UNK]": 0, "x": 1}, unk_token="[UNK]"))
word_probe.add_tokens([AddedToken("x", single_word=True, normalized=False)])


def is_word(char):
    """A token that must stand alone is not found beside a word character."""
    return word_probe.encode(char + "x").offsets[-1] != (1, 2)


def combining_classes():
    """The classes of all code points that have one, from how pairs of them are
    put in order. Only order matters, so ranks do instead of classes."""
    def swaps(a, b):
        return decompose("a" + a + b) != "a" + decompose(a) + decompose(b)
    # U+0345 has the highest class (240), U+0334 the lowest (1).
    marks = [c for c in CODES if decompose(chr(c)) == chr(c) and
             (c == 0x345 or swaps("\u0345", chr(c)) or swaps(chr(c), "\u0334"))]
    classes = []  # one member of each class, ascending
    ranks = {}
    for c in marks:
        low, high = 0, len(classes)
        while low < high:
            middle = (low + high) // 2
            if swaps(chr(c), chr(classes[middle])):
                low = middle + 1
            elif swaps(chr(classes[middle]), chr(c)):
                high = middle
            else:
                low = high = middle
                break
        else:
            classes.insert(low, c)
        ranks[c] = classes[low]
    order = {representative: i for i, representative in enumerate(classes)}
    return {c: order[r] + 1 for c, r in ranks.items()}


def flags_of(c, classes):
    char = chr(c)
    flags = 0
    around = clean("a" + char + "b")
    assert around in ("ab", "a b", "a" + char + "b")
    flags |= DROPPED if around == "ab" else 0
    # Tab, newline and carriage return are cleaned to a space, the other white
    # space controls (U+000B, U+000C, U+0085) dropped: isSpace() need not know.
    flags |= CHINESE if chinese(char) != char else 0
    parts = len(split("a" + char + "b"))
    flags |= PUNCTUATION if parts == 3 else 0
    flags |= WORD if is_word(char) else 0
    if decompose(char) != char:
        flags |= DECOMPOSES
    elif strip(char) == "":
        flags |= MARK
    flags |= LOWERS if lower(char) != char else 0
    flags |= REORDERS if c in classes else 0
    return flags, parts == 2


def lowercase_ranges():
    """[first, last, step, delta], U+0130 (the only one to become two) apart."""
    ranges = []
    for c in CODES:
        char = chr(c)
        if lower(char) == char or c == 0x130:
            continue
        assert len(lower(char)) == 1
        delta = ord(lower(char)) - c
        if ranges and ranges[-1][3] == delta:
            first, last, step, _ = ranges[-1]
            if c - last == step or (first == last and c - last in (1, 2)):
                ranges[-1] = [first, c, c - last, delta]
                continue
        ranges.append([c, c, 1, delta])
    assert lower("\u0130") == "i\u0307"
    return ranges


def rows(items, per_line):
    items = list(items)
    for i in range(0, len(items), per_line):
        print("    " + ", ".join(items[i:i + per_line]) + ",")


def main():
    classes = combining_classes()
    ranges, spaces, previous = [], [], None
    for c in range(0x110000):
        flags, space = (0, False) if 0xD800 <= c <= 0xDFFF else \
            flags_of(c, classes)
        if space:
            spaces.append(c)
        if flags != previous:
            ranges.append((c, flags))
            previous = flags
    assert spaces == [9, 10, 11, 12, 13, 0x20, 0x85, 0xA0, 0x1680,
                      *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F,
                      0x3000], "isSpace() in Unicode.h has another list"

    print("// Written by make_unicode_tables.py from tokenizers "
          f"{tokenizers.__version__}. Do not edit.")
    print("\n// The flags from a code point on: code << 8 | flags.")
    print(f"static const uint32_t flagRanges[{len(ranges)}] = {{")
    rows((f"0x{c << 8 | f:X}" for c, f in ranges), 7)
    print("};\n\n// Where in flagRanges each block of 128 code points starts.")
    blocks = 0x200  # the basic plane; beyond it, the search takes it all
    starts = [max(i for i, (c, _) in enumerate(ranges) if c <= b << 7)
              for b in range(blocks + 1)]
    print(f"static const uint16_t flagBlocks[{blocks + 1}] = {{")
    rows((str(s) for s in starts), 14)

    entries = [(c, decompose(chr(c)).encode()) for c in CODES
               if c not in HANGUL and decompose(chr(c)) != chr(c)]
    assert max(len(decompose(chr(c))) for c in CODES) <= 4
    # Sequences share their bytes where one holds another: longest first.
    text = b""
    for sequence in sorted({s for _, s in entries}, key=lambda s: (-len(s), s)):
        if sequence not in text:
            text += sequence
    assert len(text) < 1 << 16
    print("};\n\n// Code points that decompose, Hangul syllables apart.")
    print(f"static const uint32_t decompositionCodes[{len(entries)}] = {{")
    rows((f"0x{c << 4 | len(s):X}" for c, s in entries), 8)
    print("};\n\n// Where their decompositions start in decompositionText.")
    print(f"static const uint16_t decompositionStarts[{len(entries)}] = {{")
    rows((str(text.index(s)) for _, s in entries), 12)
    print("};\n\n// UTF-8; the low four bits of decompositionCodes hold lengths.")
    print(f"static const unsigned char decompositionText[{len(text)}] = {{")
    rows((str(b) for b in text), 16)

    lowers = lowercase_ranges()
    print("};\n\n// Every `step`th code point of first..last becomes itself plus "
          "delta.")
    print(f"static const LowercaseRange lowercaseRanges[{len(lowers)}] = {{")
    rows((f"{{0x{a:X}, 0x{b:X}, {s}, {d}}}" for a, b, s, d in lowers), 3)

    print("};")
    print(f"{len(ranges)} ranges, {len(entries)} decompositions "
          f"({len(text)} bytes), {len(lowers)} lower-case ranges",
          file=sys.stderr)


if __name__ == "__main__":
    main()
