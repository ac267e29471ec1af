#!/usr/bin/env python3
# ===- make_decoded_data.py - what decoders make of token ids ---------------===#
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
#
# Writes golden-decoded.tsv: tokenizer (a folder here), decoder (JSON), ids,
# whether special tokens are skipped, text (hexadecimal).
#
#   pip install tokenizers==0.23.3
#   python3 make_decoded_data.py
#
# ===-----------------------------------------------------------------------===#
import json
import os
import random

from tokenizers import Tokenizer

from make_text_data import HERE
from make_trained_data import MORE, PROSE


def metaspace(scheme):
    return {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme}


def sequence(*decoders):
    return {"type": "Sequence", "decoders": list(decoders)}


BYTES = {"type": "ByteFallback"}
FUSE = {"type": "Fuse"}
DECODERS = [
    None, {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True},
    {"type": "WordPiece", "prefix": "##", "cleanup": True},
    {"type": "WordPiece", "prefix": "##", "cleanup": False},
    metaspace("always"), metaspace("never"), metaspace("first"), BYTES, FUSE,
    sequence({"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, BYTES,
             FUSE, {"type": "Strip", "content": " ", "start": 1, "stop": 0}),
    sequence(BYTES, metaspace("always"),
             {"type": "Strip", "content": "a", "start": 1, "stop": 1})]
FOLDERS = ["trained/gpt2", "trained/clip", "trained/llama2", "trained/some-bytes",
           "trained/xlm-roberta", "trained/unigram-bytes", "tiny/added"]


def main():
    pick = random.Random(9)
    with open(os.path.join(HERE, "golden-decoded.tsv"), "w") as out:
        for folder in FOLDERS:
            with open(os.path.join(HERE, folder, "tokenizer.json")) as handle:
                file = json.load(handle)
            for decoder in DECODERS:
                tokenizer = Tokenizer.from_str(json.dumps(dict(file, decoder=decoder)))
                tokenizer.no_padding()
                size = tokenizer.get_vocab_size()
                for text in pick.sample(MORE + PROSE, 3) + [None] * 5:
                    ids = tokenizer.encode(text).ids if text is not None else \
                        [pick.randrange(size + 1) for _ in range(pick.randint(0, 9))]
                    skip = pick.random() < 0.5
                    try:
                        back = tokenizer.decode(ids, skip_special_tokens=skip)
                    except BaseException:  # Strip panics where it strips all
                        continue
                    out.write("\t".join([
                        folder, json.dumps(decoder), " ".join(map(str, ids)),
                        str(int(skip)), back.encode().hex()]) + "\n")


if __name__ == "__main__":
    main()
