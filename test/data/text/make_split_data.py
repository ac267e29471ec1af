#!/usr/bin/env python3
# ===- make_split_data.py - BPE tokenizers that cut text in unusual ways -----===#
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
#
# Trains tokenizers that cut as Falcon's, BLOOM's and StarCoder's do (around
# punctuation and digits, before and behind the step that writes bytes as
# characters), and writes
#
#   trained/NAME/tokenizer.json
#   golden-split.tsv    what HuggingFace's tokenizers makes of texts with them,
#                       as in golden.tsv (make_text_data.py)
#
# Ties in training fall as they like, as in make_trained_data.py.
#
#   pip install tokenizers==0.23.3
#   python3 make_split_data.py
#
# ===-----------------------------------------------------------------------===#
import json
import os
import random

from tokenizers import Regex, Tokenizer, pre_tokenizers

from make_text_data import BYTES, HERE, TEXTS, golden
from make_trained_data import MORE, PROSE, byte_bpe, bytelevel, split, write_json

BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"

OWN = [
    "1234567 12 123 1 in 2021/03/04, 3.1415926", "a1b22c333d4444", "½²³ ٣٤٥٦ Ⅷ 一二三 ①②③",
    "--- !!! ?!,.;: (a)[b]{c} a...b", "…。，、।۔، x…y。z ،a", "(| a|b ) c", "  two  spaces . , ",
    "don't -- can't; \"quoted\" «so» „so“", "$5 +3 <a=b> ^~`", "a_b-c d—e", "\u0662\u00b2 \u0967\u0968",
]


def chain(*steps):
    return pre_tokenizers.Sequence(list(steps))


def tokenizers():
    plain = bytelevel(add_prefix_space=False, use_regex=False)
    yield "falcon", byte_bpe(chain(
        pre_tokenizers.Punctuation("contiguous"), bytelevel(add_prefix_space=False),
        pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")))
    yield "bloom", byte_bpe(split(BLOOM, "isolated"))
    yield "starcoder", byte_bpe(chain(
        pre_tokenizers.Digits(individual_digits=True), bytelevel(add_prefix_space=False)))
    yield "marks", byte_bpe(chain(
        pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Punctuation("isolated"),
        plain, pre_tokenizers.Punctuation("isolated")))


def main():
    pick = random.Random(7)
    texts = [t.encode() for t in OWN + MORE]
    others = [t.encode() for t in TEXTS + PROSE] + BYTES
    with open(os.path.join(HERE, "golden-split.tsv"), "w") as out:
        for name, file in tokenizers():
            write_json(os.path.join(HERE, "trained", name), "tokenizer.json", file)
            chosen = texts + [t for t in others if pick.random() < 0.3]
            out.writelines(golden(name, Tokenizer.from_str(json.dumps(file)), chosen))


if __name__ == "__main__":
    main()
