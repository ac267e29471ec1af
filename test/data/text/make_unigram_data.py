#!/usr/bin/env python3
# ===- make_unigram_data.py - Unigram tokenizers and what they make of texts ===#
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
#
# Trains SentencePiece models of a few hundred tokens with a character map of
# their own (the real one is 240 KB), laid out as T5's, XLM-RoBERTa's and
# ALBERT's tokenizers are, and writes
#
#   trained/NAME/*      their files
#   golden-unigram.tsv  what HuggingFace's tokenizers makes of texts with them,
#                       as in golden.tsv (make_text_data.py)
#
#   pip install tokenizers==0.23.3 sentencepiece==0.2.3 regex
#   python3 make_unigram_data.py
#
# ===-----------------------------------------------------------------------===#
import base64
import io
import json
import os
import random
import struct
import sys
import tempfile
import unicodedata

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer

from make_text_data import BYTES, HERE, TEXTS, golden
from make_trained_data import MORE, PROSE, write_json, write_seed

sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "runtime", "text"))
from make_grapheme_table import byte_map  # noqa: E402


def rules():
    """Lines of SentencePiece: code points, then what they become."""
    sources = [chr(c) for c in (*range(0xFF01, 0xFFA0), *range(0x2460, 0x2474),
                                *range(0x2000, 0x200B), *range(0x1D400, 0x1D41A),
                                *range(0xFB00, 0xFB07), 0xA0, 0xBD, 0x2026, 0x2028,
                                0x3000, 0xFDFA, 0x1E9B, 0x212B)]
    sources += ["e\u0301", "a\u0308", "か\u3099", "ｶﾞ", "ﾊﾟ", "\u1112\u1161", "q\u0323\u0307"]
    found = {s: unicodedata.normalize("NFKC", s) for s in sources}
    found.update({c: " " for c in "\t\n\r\u2028\u200b"})
    found.update({chr(c): "" for c in (0, *range(1, 9), 0xB, 0x7F, 0xAD)})
    found.pop("\0")
    # SentencePiece's own mark, and one that is longer than a cluster may be.
    found.update({"\u2581": "\u2581\u2581", "a\u0301\u0302": "A"})
    for source, target in sorted((s, t) for s, t in found.items() if s != t):
        yield "\t".join(" ".join(f"{ord(c):X}" for c in text)
                        for text in (source, target)) + "\n"


def train(**options):
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="utf-8") as out:
        out.writelines(rules())
        out.flush()
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([line for line in PROSE * 50 + TEXTS if line]),
            model_writer=model, model_type="unigram", character_coverage=0.985,
            normalization_rule_tsv=out.name, hard_vocab_limit=False, num_threads=1,
            minloglevel=2, **options)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto


METASPACE = {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True,
             "prepend_scheme": "always"}
SPACES = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}


def sequence(kind, parts):
    return {"type": "Sequence", kind: parts}


def unigram_tokenizers():
    plain, bytes_too = train(vocab_size=400), train(vocab_size=700, byte_fallback=True)

    def file(model, normalizer, pre_tokenizer, post_processor=None, **parts):
        pieces = [[p.piece, p.score] for p in model.pieces]
        first = [p for p, _ in pieces[:3]]
        return dict(dict(
            version="1.0", truncation=None, padding=None,
            added_tokens=[dict(id=i, content=c, single_word=False, lstrip=c == "<mask>",
                               rstrip=False, normalized=c == "<mask>", special=True)
                          for i, c in (*enumerate(first), (len(pieces), "<mask>"))],
            normalizer=normalizer, pre_tokenizer=pre_tokenizer,
            post_processor=post_processor, decoder=METASPACE,
            model=dict(type="Unigram", unk_id=0, vocab=pieces,
                       byte_fallback=model is bytes_too)), **parts)

    def mapped(model):
        charsmap = base64.b64encode(model.normalizer_spec.precompiled_charsmap)
        return {"type": "Precompiled", "precompiled_charsmap": charsmap.decode()}

    def row(*pieces):
        return [{"Sequence" if p in "AB" else "SpecialToken": {"id": p, "type_id": 0}}
                for p in pieces]

    special = {t: {"id": t, "ids": [i], "tokens": [t]}
               for i, t in ((1, "<s>"), (2, "</s>"))}
    yield "t5", file(plain, mapped(plain), METASPACE, dict(
        type="TemplateProcessing", single=row("A", "</s>"),
        pair=row("A", "</s>", "B", "</s>"), special_tokens=special))
    yield "xlm-roberta", file(
        plain, sequence("normalizers", [mapped(plain), SPACES]),
        sequence("pretokenizers", [{"type": "WhitespaceSplit"}, METASPACE]), dict(
            type="TemplateProcessing", single=row("<s>", "A", "</s>"),
            pair=row("<s>", "A", "</s>", "</s>", "B", "</s>"), special_tokens=special))
    yield "albert", file(plain, sequence("normalizers", [
        {"type": "Replace", "pattern": {"String": "''"}, "content": "\""},
        {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"},
        mapped(plain), SPACES]), METASPACE)
    yield "unigram-first", file(plain, None, dict(METASPACE, prepend_scheme="first"))
    yield "unigram-bytes", file(bytes_too, mapped(bytes_too), dict(
        METASPACE, prepend_scheme="never", add_prefix_space=False, split=False))


def cluster_tokenizer():
    """Its ids are as many as clusters below six bytes, and as characters of the
    others (make_grapheme_table.py)."""
    charsmap = base64.b64encode(byte_map()).decode()
    return dict(version="1.0", truncation=None, padding=None, added_tokens=[],
                normalizer={"type": "Precompiled", "precompiled_charsmap": charsmap},
                pre_tokenizer=None, post_processor=None, decoder=None,
                model=dict(type="BPE", vocab={"X": 0}, merges=[]))


def small_map():
    """From "A" to "a", and from "C" to nothing."""
    units = [0] * 256
    units[0] = 64 << 10
    for byte in b"AC":
        units[64 ^ byte] = 128 << 10 | 1 << 8 | byte
        units[64 ^ byte ^ 128] = 1 << 31 | (2 if byte == 67 else 0)
    return struct.pack("<257I", 4 * len(units), *units) + b"a\0\0"


def cluster_texts():
    pool = ("\u0301\u0308\u0483\u064b\u07eb \u0903\u093e\u0e33 \u0600\u06dd\u0d4e \u1100\u115f"
            "\u1161\u11a7\u11a8\u11ff\uac00\uac01\uac1c\uac1d \u200d\u200d\u200d\u200b\u0085\r\n"
            "\u00a9\u00ae\u203c\u2764\U0001f469\U0001f1e9 \u0915\u0937\u0cb7\u094d\u0ccd\u09cd"
            "\u0995ab\u00e9\u0301\u0301\ufe0f\U0001f3fd")
    pick = random.Random(3)
    for _ in range(400):
        yield "".join(pick.choice(pool) for _ in range(pick.randint(1, 8)))


def main():
    pick = random.Random(5)
    all_texts = [t.encode() for t in TEXTS + MORE + PROSE] + BYTES
    with open(os.path.join(HERE, "golden-unigram.tsv"), "w") as out:
        def compare(name, file, texts):
            write_json(os.path.join(HERE, "trained", name), "tokenizer.json", file)
            out.writelines(golden(name, Tokenizer.from_str(json.dumps(file)), texts))

        for name, file in unigram_tokenizers():
            compare(name, file, [t.encode() for t in MORE] +
                    [t for t in all_texts if pick.random() < 0.5])
            few = dict(file, added_tokens=[], post_processor=None)
            few["model"] = dict(file["model"], vocab=[
                ["<unk>", 0], ["\u2581a", -2.5], ["a", -1], ["\u2581", -1e-1],
                ["<0xC3>", -9], ["<0xA9>", -9], ["12", -3]])
            if few["normalizer"]:
                few["normalizer"] = {"type": "Precompiled", "precompiled_charsmap":
                                     base64.b64encode(small_map()).decode()}
            write_seed(name, 6, few, "a\u00e9 A\u0301 12  \r\n".encode() + b"\xff")
        compare("clusters", cluster_tokenizer(), [t.encode() for t in cluster_texts()])


if __name__ == "__main__":
    main()
