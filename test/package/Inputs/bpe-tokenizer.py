# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gives a copy of test/data/tiny-sentence a byte-level BPE tokenizer.json.

    python3 bpe-tokenizer.py FOLDER

Its 50 ids are those that the model has: special tokens, a blank, letters, merges.
"""
import json
import os
import sys

folder = sys.argv[1]
os.remove(os.path.join(folder, "vocab.txt"))
special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
merges = ["t h", "th e", "\u0120 the", "\u0120 s", "i n", "a t", "\u0120 c", "\u0120c at",
          "s u", "su n", "e e", "b i", "\u0120 a", "\u0120 f", "r d", "bi rd"]
tokens = special + ["\u0120"] + [chr(c) for c in range(ord("a"), ord("z") + 1)]
tokens += [merge.replace(" ", "") for merge in merges]
ids = {token: index for index, token in enumerate(tokens)}
assert len(ids) == len(tokens) <= 50, len(tokens)
tokenizer = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [
        {"id": ids[token], "content": token, "single_word": False, "lstrip": False,
         "rstrip": False, "normalized": False, "special": True}
        for token in special
    ],
    "normalizer": {"type": "Sequence",
                   "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]},
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True,
                      "trim_offsets": True, "use_regex": True},
    "post_processor": {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                   {"Sequence": {"id": "A", "type_id": 0}},
                   {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                 {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
                 {"Sequence": {"id": "B", "type_id": 0}},
                 {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "special_tokens": {
            token: {"id": token, "ids": [ids[token]], "tokens": [token]}
            for token in ("[CLS]", "[SEP]")
        },
    },
    "decoder": {"type": "ByteLevel", "add_prefix_space": True,
                "trim_offsets": True, "use_regex": True},
    "model": {"type": "BPE", "dropout": None, "unk_token": "[UNK]",
              "continuing_subword_prefix": "", "end_of_word_suffix": "",
              "fuse_unk": False, "byte_fallback": False, "vocab": ids,
              "merges": merges},
}
with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as file:
    json.dump(tokenizer, file)
