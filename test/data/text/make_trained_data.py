#!/usr/bin/env python3
# ===- make_trained_data.py - BPE tokenizers and what they make of texts ----===#
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
#
# Trains tokenizers of a few hundred tokens on the texts below, laid out as
# GPT-2's, RoBERTa's, Llama's and CLIP's are, and writes
#
#   trained/NAME/*      their files
#   golden-trained.tsv  what HuggingFace's tokenizers makes of texts with them,
#                       as in golden.tsv (make_text_data.py)
#   ../../fuzz/seeds/tokenizer/*
#
# Ties in training fall as they like: each run gives other files, and the golden
# lines that belong to them.
#
#   pip install tokenizers==0.23.3
#   python3 make_trained_data.py
#
# ===-----------------------------------------------------------------------===#
import json
import os
import random

from tokenizers import (Regex, Tokenizer, models, normalizers, pre_tokenizers,
                        processors, trainers)

from make_text_data import BYTES, HERE, TEXTS, golden

PROSE = """The mill stood where the river bends, and its wheel had turned for three hundred
years before anyone thought to ask what it was for. They're still there, the
stones; you'll find them if you've time to look, and I'd say it's worth an hour.
In 1987 the roof went, in 1988 the floor; by 1990 nothing was left but the wheel.
def turn(wheel, times=12):
    for _ in range(times):
        wheel.step += 1  # don't stop
    return [w ** 2 for w in wheel.steps if w != 0]
Under the willow the water is deeper than it looks. The children were told so,
and told their children, who weren't listening either. Nobody drowned.
She said: "We'll see." He said he'd see to it that they'd see. Nothing came of it.
<a href="http://example.org/wheel?turns=12&amp;speed=3.5">The wheel</a>
""".split("\n")

MORE = [
    "it's IT'S we'll WE'LL they've I'd 'tis rock'n'roll ''s '", "it'\u017f 'Re 'VE'M",
    "a  b   c\td\t\te\n\nf \n g\r\n\r\nh  ", "  leading", "trailing  ", "\n", " \n ", "   ",
    "1 12 123 1234 12345 1234567 x1y22z333", "3.14 1,000 ½ ² ٣٤ Ⅷ 一二",
    "for (int i = 0; i < n; ++i) {\n\tsum += a[i]; // ok\n}\r\n",
    "!!! ... --- ?!\n\n(){}[] \u00a0x \u3000y \u2028z", "\u2581a \u2581 b", "\u0120x \u010a",
    "<s>a</s> <mask> b<mask>c <pad><unk> <|endoftext|>x <|startoftext|> <0x41>",
    "e\u0301 o\u0323\u0302 \u1112\u1161\u11ab \uac00\u11a8 \ufb01 \u2460 \u32ff \ufdfa \u212b",
    "Ａ\u0301 ｶﾞ か\u3099 x\u0338 \u0300\u0301a \u0344 \u1e9b\u0323 \U0001d15e",
    "👩\u200d👩\u200d👧 🇩🇪🇫 ☺\ufe0f क्षि นี้", "ΑΣ Σ. İ ǅ ŉ",
]

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]

bytelevel = pre_tokenizers.ByteLevel


def bpe(pre, post=None, normalizer=None, special=SPECIAL, size=560, trainer={},
        **model):
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = pre
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.train_from_iterator(PROSE * 3 + TEXTS, trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, show_progress=False, **trainer))
    if post:
        tokenizer.post_processor = post
    return json.loads(tokenizer.to_str())


def byte_bpe(*arguments, **options):
    alphabet = dict(initial_alphabet=bytelevel.alphabet())
    alphabet.update(options.pop("trainer", {}))
    return bpe(*arguments, trainer=alphabet, **options)


def roberta(**options):
    return processors.RobertaProcessing(("</s>", 2), ("<s>", 0), **options)


def split(pattern, *how, **options):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), *how, **options),
        bytelevel(add_prefix_space=False, use_regex=False)])


def bos(tokens):
    return processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", tokens)])


def with_bytes(file, skip=0):
    """Adds <0x00> and so on, some left out, behind the vocabulary."""
    vocabulary = file["model"]["vocab"]
    for byte in range(256):
        if not skip or byte % skip:
            vocabulary[f"<0x{byte:02X}>"] = len(vocabulary)
    return file


def changed(file, **parts):
    return dict(file, **parts)


def bpe_tokenizers():
    gpt2 = byte_bpe(bytelevel(add_prefix_space=False),
                    processors.ByteLevel(trim_offsets=False),
                    special=["<|endoftext|>"])
    yield "gpt2", gpt2
    # As old files have it: no type, merges as text, an empty unknown token.
    model = {k: v for k, v in gpt2["model"].items() if k != "type"}
    model.update(merges=["#version: 0.2"] + [" ".join(m) for m in model["merges"]],
                 unk_token="", continuing_subword_prefix="", end_of_word_suffix="")
    yield "gpt2-old", changed(gpt2, model=model)
    yield "roberta", byte_bpe(bytelevel(add_prefix_space=True), roberta())
    yield "llama3", byte_bpe(
        split(LLAMA3, "isolated"),
        processors.Sequence([processors.ByteLevel(trim_offsets=False), bos(0)]),
        ignore_merges=True)
    yield "qwen2", byte_bpe(split(LLAMA3.replace("{1,3}", ""), "isolated"),
                            normalizer=normalizers.NFC())
    yield "clip", byte_bpe(
        split(CLIP, "removed", invert=True),
        processors.RobertaProcessing(("<|endoftext|>", 1), ("<|startoftext|>", 0)),
        normalizers.Sequence([normalizers.NFC(),
                              normalizers.Replace(Regex(r"\s+"), " "),
                              normalizers.Lowercase()]),
        special=["<|startoftext|>", "<|endoftext|>"],
        trainer=dict(end_of_word_suffix="</w>"), end_of_word_suffix="</w>",
        unk_token="<|endoftext|>")
    yield "forms", byte_bpe(
        bytelevel(add_prefix_space=False, use_regex=False), roberta(),
        normalizers.Sequence([
            normalizers.NFKC(), normalizers.Strip(), normalizers.Replace("ab", "X y"),
            normalizers.NFD(), normalizers.Replace(Regex(" {2,}"), "\u00bb"),
            normalizers.Prepend("\u00ab")]))
    yield "stripped", byte_bpe(
        bytelevel(add_prefix_space=True),
        normalizer=normalizers.Sequence([normalizers.NFKD(),
                                         normalizers.StripAccents()]))
    # Unknown characters: one by one, together, gone; with marks of subwords.
    few = dict(limit_alphabet=60)
    words = pre_tokenizers.WhitespaceSplit()
    yield "unknown", bpe(words, size=300, trainer=few, unk_token="<unk>")
    yield "silent", bpe(words, size=300, trainer=few)
    yield "prefix", bpe(words, size=300, unk_token="<unk>", fuse_unk=True,
                        trainer=dict(few, continuing_subword_prefix="##"),
                        continuing_subword_prefix="##")
    # Llama 2: a text is one word, and unknown characters fall back to bytes.
    llama2 = with_bytes(bpe(pre_tokenizers.Metaspace(), bos(0), size=400, trainer=few,
                            unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    yield "metaspace", llama2
    yield "metaspace-first", changed(llama2, pre_tokenizer={
        "type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first",
        "split": False})
    yield "llama2", changed(llama2, pre_tokenizer=None, normalizer={
        "type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "\u2581"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]})
    yield "some-bytes", with_bytes(bpe(words, size=300, trainer=few,
                                       unk_token="<unk>", byte_fallback=True), 7)
    # Gemma: cut behind spaces, of which its normalizer leaves none.
    spaces = {"type": "Split", "pattern": {"String": " "},
              "behavior": "MergedWithPrevious", "invert": False}
    yield "gemma", changed(llama2, pre_tokenizer=spaces, normalizer={
        "type": "Replace", "pattern": {"String": " "}, "content": "\u2581"})
    yield "spaces", changed(gpt2, pre_tokenizer={
        "type": "Sequence", "pretokenizers": [
            spaces, {"type": "ByteLevel", "add_prefix_space": False,
                     "trim_offsets": True, "use_regex": False}]})


def write_json(folder, name, value):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "w") as out:
        out.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def write_merges(name, file, config):
    """vocab.json and merges.txt, and what `transformers` builds of them."""
    folder = os.path.join(HERE, "trained", name)
    write_json(folder, "vocab.json", file["model"]["vocab"])
    with open(os.path.join(folder, "merges.txt"), "w") as out:
        out.write("#version: 0.2\n")
        out.writelines(" ".join(merge) + "\n" for merge in file["model"]["merges"])
    write_json(folder, "tokenizer_config.json", config)


def write_seed(name, choice, file, text):
    """An input to start fuzzing from; test/fuzz/tokenizer.cpp says its form."""
    file = json.dumps(file, ensure_ascii=False, separators=(",", ":")).encode()
    with open(os.path.join(HERE, "..", "..", "fuzz", "seeds", "tokenizer", name),
              "wb") as out:
        out.write(bytes([choice, len(file) & 255, len(file) >> 8]) + file + text)


def write_seeds(files):
    text = "it's  A\u030a \r\n 12345 \u00e9<s>x ab".encode() + b" \xe2\x82 \xff"
    few = ["<unk>", "<s>", "a", "b", "\u0120", "i", "t", "'", "s", "\u2581", "<0xC3>",
           "<0xA9>", "1"]
    merges = [["a", "b"], ["i", "t"], ["\u0120", "a"], ["\u2581", "a"]]
    vocabulary = {t: i for i, t in enumerate(few + ["".join(m) for m in merges])}
    for name in ("gpt2", "llama3", "forms", "stripped", "qwen2", "metaspace-first",
                 "llama2", "prefix"):
        file = dict(files[name], added_tokens=[], post_processor=None)
        file["model"] = dict(file["model"], vocab=vocabulary, merges=merges,
                             unk_token="<unk>", continuing_subword_prefix=None)
        write_seed(name, 6, file, text)
    alphabet = {c: i for i, c in enumerate(sorted(bytelevel.alphabet()) + ["ab"])}
    write_seed("merges", 0x20, alphabet, b"#version: 0.2\na b\n")


def main():
    pick = random.Random(5)
    all_texts = [t.encode() for t in TEXTS + MORE + PROSE] + BYTES
    with open(os.path.join(HERE, "golden-trained.tsv"), "w") as out:
        def compare(name, file):
            texts = [t.encode() for t in MORE] + \
                [t for t in all_texts if pick.random() < 0.3]
            out.writelines(golden(name, Tokenizer.from_str(json.dumps(file)), texts))

        files = dict(bpe_tokenizers())
        write_seeds(files)
        for name, file in files.items():
            write_json(os.path.join(HERE, "trained", name), "tokenizer.json", file)
            compare(name, file)
        write_merges("gpt2-merges", files["gpt2"], {"tokenizer_class": "GPT2Tokenizer"})
        compare("gpt2-merges", changed(files["gpt2"], post_processor=None))
        write_merges("roberta-merges", files["roberta"],
                     {"tokenizer_class": "RobertaTokenizerFast",
                      "add_prefix_space": True, "model_max_length": 512})
        mask = [dict(t, lstrip=t["content"] == "<mask>")
                for t in files["roberta"]["added_tokens"]]
        compare("roberta-merges", changed(files["roberta"], added_tokens=mask))


if __name__ == "__main__":
    main()
