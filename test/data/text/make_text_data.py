#!/usr/bin/env python3
# ===- make_text_data.py - what HuggingFace's tokenizers makes of texts -----===#
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
#
# Writes the files that the unit tests of runtime/text compare with:
#
#   tiny/NAME/*       tokenizers of a few hundred tokens, one per feature
#   golden.tsv        tokenizer, max_length, text, pair (hexadecimal; "-" for
#                     none), ids, token types
#   golden-minilm.tsv the same for a trained model, given as the argument
#   ../../fuzz/seeds/tokenizer/*
#   characters.tsv    hashes over each block of 4096 code points of what single
#                     steps make of every character
#
#   pip install tokenizers==0.23.3
#   python3 make_text_data.py [FOLDER_OF_ALL_MINILM_L6_V2]
#
# ===-----------------------------------------------------------------------===#
import json
import os
import random
import sys
import unicodedata

from tokenizers import (AddedToken, Regex, Tokenizer, models, normalizers,
                        pre_tokenizers)

HERE = os.path.dirname(os.path.abspath(__file__))

TEXTS = [
    "", " ", "a", "Hello, World!", "The quick brown fox jumps over the lazy dog.",
    "don't stop -- e.g. #1, $2, 3%, x^2 + y_2 = <z> | ~w`q`",
    "Ünïcödé ÀÉÎÕÜ ñ ß ẞ Ø Å ŉ", "İstanbul ISPARTA ılık i̇",
    "ΣΊΣΥΦΟΣ Ἀθῆναι ΐ ᾂ ᾏ", "Привет, мир! Ёлка й Й Ѷ",
    "שָׁלוֹם עֲלֵיכֶם", "السَّلَامُ عَلَيْكُمْ، ـ٣٤", "नमस्ते दुनिया क़ ड़ ढ़", "বাংলা ভাষা ড়",
    "தமிழ் மொழி ௌ", "ภาษาไทย ไม่มีช่องว่าง", "ພາສາລາວ", "မြန်မာဘာသာ", "ភាសាខ្មែរ", "བོད་སྐད།",
    "ქართული ᲥᲐᲠᲗᲣᲚᲘ", "Հայերեն և", "አማርኛ ቋንቋ።", "ᏣᎳᎩ ꮳꮃꭹ", "ᓄᓇᕗᑦ",
    "中文分词测试,混合English文字", "日本語のテキスト。カタカナ ガギグ がぎぐ ｶﾞ", "한국어 문장 각 갂 ㄱㅏ 각",
    "豈更車 﨎﨏 㐀䶵 𠀀𪛖𪜀 𫠝𫠠 丽", "𝐇𝐞𝐥𝐥𝐨 ＦＵＬＬ ｗｉｄｔｈ ﬁ ﬂ ①②", "𐐀𐐨 𞤀𞤢 Ꭰ Ᲊ Ꟃ",
    "emoji 😀 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 ☺️ 1️⃣", "é é ễ ễ q̣̇ q̣̇ ạ̄̈",
    "a\u302f\x01\U0001d165b \u302f\u200d\U0001d165 [x\u302f",
    "a〮〯b 𝅗𝅥𝅮 𝅘𝅥𝅯 ̀́ start", "x\u0327\u0301\u0323\u0308y\u200d\u0301z",
    "zero\u200bwidth\u200c\u200d\u2060\ufeffjoin soft\u00adhyphen",
    "bidi \u202aleft\u202c \u2066x\u2069 \u061cy", "nul\x00 bell\x07 esc\x1b[0m del\x7f nel\x85x",
    "tab\tnew\nline\r\nvt\x0bff\x0cfs\x1cus\x1f.",
    "sp\u00a0nb\u1680og\u2000en\u2003em\u2009th\u200ahs\u2028ls\u2029ps\u202fnn\u205fmm\u3000id",
    "private \ue000\uf8ff \U000f0000 unassigned \u0378\u0ad2 \U000e0041tag",
    "replacement \ufffd char", "noncharacter \ufdd0 \uffff \U0010ffff",
    "a" * 100, "a" * 101, "é" * 100 + " " + "é" * 101, "ab" * 60, "😀" * 101,
    "[CLS] hello [SEP] world [MASK] [PAD] [UNK]", "[cls] [ CLS ] [CLS][SEP]x[MASK]y",
    "hello[MASK].", "[MASK]ed", "<ent>hello<ent> <ent >", "Straße STRASSE straße",
    "fooword xfoo foo foox foo_ foo-foo (foo) foo\u0301 ÉTÉ été Été",
    "bar  bar   bar", "x  <sp>  y<sp>z \u3000<sp>\u00a0", "[] [[ ]] <>><",
    "hello world " * 40, "unaffable unaffably unaffordable xyzzy",
    "。、「」『』〜・ ¿¡ «» „“ ‐‑‒–—― … ‰ § ¶ † ‡ · ՚ ־ ׀ ؟ । ॥ ฿ ₿ € £",
    "\u166d \U000111c9 \u2e43 \u2e52 \U00010ead \u09fd \u0c77 \u1b7d",
    "߽ a࢘b a๎b", "𞥃𞤢 𑤸 𑱀a",
]

BYTES = [
    b"\xff", b"\xc3", b"\xc3(", b"\xe2\x82", b"\xe2\x82\xac\xe2\x82", b"a\x80b",
    b"\xf0\x9f\x98\x80\xf0\x9f\x98", b"\xed\xa0\x80\xed\xb0\x80", b"\xc0\xaf",
    b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xe0\x80\x80 x", b"\xf0\x80\x80\x80",
    b"ok \xfe\xfe\xff\xff [SEP]\xe2\x80 hello", b"\xef\xbf\xbd\xef\xbf",
    b"h\xc3\xa9llo\xc3 w\xe4rld", b"\xed\x9f\xbf\xee\x80\x80", b"\x00\x00",
]

PAIRS = [("hello world", "the quick brown fox"), ("", "a b c"), ("a b c", ""), ("", ""),
         ("a b c d e f g", "h i"), ("a b", "c d e f g h i"), ("a b c d e", "f g h i j"),
         ("a b c d e f g h i j k l m n", "a b c d e f g h i j k l m"),
         ("a b c d e f g h i j k l m", "a b c d e f g h i j k l m n")]


def tiny_vocabulary():
    """Special tokens, then pieces of the texts: a fixed part of their letters,
    both as beginnings and as continuations, so that some words are unknown."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = ["hello", "world", "the", "quick", "fox", "##ox", "un", "##aff", "##able",
             "##ably", "foo", "##foo", "foo##", "été", "ete", "##ing", "##s", "##ed",
             "a" * 10, "##" + "a" * 10, "##aa", "[", "##[", "ss", "##ss"]
    pick = random.Random(7)
    letters = []
    for text in TEXTS:
        for form in (text, unicodedata.normalize("NFD", text.lower())):
            for char in form:
                if not char.isspace() and char not in letters:
                    letters.append(char)
    letters.sort()
    for letter in letters:
        common = letter.isascii()
        if common or pick.random() < 0.5:
            words.append(letter)
        if common or pick.random() < 0.4:
            words.append("##" + letter)
    return {token: i for i, token in enumerate(dict.fromkeys(vocabulary + words))}


def added(id, content, special=False, **flags):
    token = dict(id=id, content=content, single_word=False, lstrip=False,
                 rstrip=False, normalized=not special, special=special)
    token.update(flags)
    return token


def bert(**flags):
    normalizer = dict(type="BertNormalizer", clean_text=True,
                      handle_chinese_chars=True, strip_accents=None, lowercase=True)
    normalizer.update(flags)
    return normalizer


def template(single, pair, tokens):
    def pieces(text):
        for piece in text.split():
            name, type_id = piece.rsplit(":", 1)
            kind = "Sequence" if name in "AB" else "SpecialToken"
            yield {kind: {"id": name, "type_id": int(type_id)}}
    return {"type": "TemplateProcessing", "single": list(pieces(single)),
            "pair": list(pieces(pair)),
            "special_tokens": {n: {"id": n, "ids": ids, "tokens": [n] * len(ids)}
                               for n, ids in tokens.items()}}


def more_tokens(vocabulary, special):
    tokens = special[:4] + [added(4, "[MASK]", True, lstrip=True)]
    following = len(vocabulary)
    for content, flags in [
            ("foo", dict(single_word=True)), ("<ent>", dict(special=True)),
            ("ÉTÉ", {}), ("bar", dict(rstrip=True, normalized=False)),
            ("<sp>", dict(lstrip=True, rstrip=True)),
            ("straße", dict(single_word=True, normalized=False)),
            ("[[", {}), ("[[ ]]", {}), ("😀", {}),
            ("  ", dict(lstrip=True, rstrip=True, normalized=False))]:
        id = vocabulary.get(content, following)
        following += id == following
        tokens.append(added(id, content, **flags))
    return tokens


def tiny_tokenizers(vocabulary):
    special = [added(i, t, True) for t, i in list(vocabulary.items())[:5]]
    size = len(vocabulary)
    usual = template("[CLS]:0 A:0 [SEP]:0", "[CLS]:0 A:0 [SEP]:0 B:1 [SEP]:1",
                     {"[CLS]": [2], "[SEP]": [3]})

    def make(name, **parts):
        model = dict(type="WordPiece", unk_token="[UNK]",
                     continuing_subword_prefix="##", max_input_chars_per_word=100,
                     vocab=vocabulary)
        model.update(parts.pop("model", {}))
        file = dict(version="1.0", truncation=None,
                    padding={"strategy": "BatchLongest", "direction": "Right",
                             "pad_to_multiple_of": None, "pad_id": 0,
                             "pad_type_id": 0, "pad_token": "[PAD]"},
                    added_tokens=special, normalizer=bert(),
                    pre_tokenizer={"type": "BertPreTokenizer"}, post_processor=usual,
                    decoder={"type": "WordPiece", "prefix": "##", "cleanup": True},
                    model=model)
        file.update(parts)
        return name, file

    return dict([
        make("uncased"),
        make("cased", normalizer=bert(lowercase=False)),
        make("accents", normalizer=bert(strip_accents=False, handle_chinese_chars=False)),
        make("unaccented", normalizer=bert(strip_accents=True, lowercase=False,
                                           clean_text=False)),
        make("plain", normalizer=None, post_processor=None,
             model={"max_input_chars_per_word": 5}),
        make("bert-processing",
             post_processor={"type": "BertProcessing", "sep": ["[SEP]", 3],
                             "cls": ["[CLS]", 2]}),
        make("template", post_processor=template(
            "two:3 A:1 [SEP]:2", "B:2 two:0 A:1", {"two": [2, 4], "[SEP]": [3]}),
            model={"continuing_subword_prefix": ""}),
        make("left", truncation={"direction": "Left", "max_length": 7,
                                 "strategy": "LongestFirst", "stride": 0}),
        make("added", added_tokens=more_tokens(vocabulary, special)),
    ])


def hexadecimal(data):
    return data.hex() if data else ""


def line(name, tokenizer, data, pair=None, limit=0, direction="right"):
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if limit:
        tokenizer.enable_truncation(limit, direction=direction)
    encoding = tokenizer.encode(
        data.decode("utf-8", "replace"),
        None if pair is None else pair.decode("utf-8", "replace"))
    return "\t".join([name, str(limit), hexadecimal(data),
                      "-" if pair is None else hexadecimal(pair),
                      " ".join(map(str, encoding.ids)),
                      " ".join(map(str, encoding.type_ids))]) + "\n"


def golden(name, tokenizer, texts, direction="right"):
    for data in texts:
        yield line(name, tokenizer, data)
    for first, second in PAIRS:
        first, second = first.encode(), second.encode()
        yield line(name, tokenizer, first, second)
        for limit in range(4, 12):
            yield line(name, tokenizer, first, second, limit, direction)
    for limit in range(3, 9):
        yield line(name, tokenizer, b"the quick brown fox", None, limit, direction)


def write_tokenizers(all_texts):
    vocabulary = tiny_vocabulary()
    pick = random.Random(11)
    with open(os.path.join(HERE, "golden.tsv"), "w") as out:
        for name, file in tiny_tokenizers(vocabulary).items():
            folder = os.path.join(HERE, "tiny", name)
            os.makedirs(folder, exist_ok=True)
            # Escaped in one file, so that both spellings are read.
            text = json.dumps(file, ensure_ascii=name == "added",
                              separators=(",", ":"))
            with open(os.path.join(folder, "tokenizer.json"), "w") as handle:
                handle.write(text + "\n")
            texts = all_texts if name in ("uncased", "added") else \
                [t for t in all_texts if pick.random() < 0.5]
            out.writelines(golden(name, Tokenizer.from_str(text), texts,
                                  "left" if name == "left" else "right"))
        out.writelines(write_vocabulary(vocabulary, all_texts))


def write_vocabulary(vocabulary, texts):
    """vocab.txt and the small files, and what `transformers` builds of them."""
    folder = os.path.join(HERE, "tiny", "vocabulary")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "vocab.txt"), "w", newline="") as handle:
        # A carriage return would end a line of its own.
        tokens = [t for t in vocabulary if "\r" not in t]
        handle.write("".join(t + "\n" for t in tokens))
    with open(os.path.join(folder, "tokenizer_config.json"), "w") as handle:
        json.dump({"do_lower_case": False, "strip_accents": True, "mask_token": "foo",
                   "tokenizer_class": "BertTokenizerFast",
                   "model_max_length": 1000000000000000019884624838656,
                   "additional_special_tokens": ["<ent>"]}, handle)
    with open(os.path.join(folder, "special_tokens_map.json"), "w") as handle:
        json.dump({"mask_token": {"content": "[MASK]", "lstrip": False}}, handle)
    with open(os.path.join(folder, "sentence_bert_config.json"), "w") as handle:
        json.dump({"max_seq_length": 24, "do_lower_case": False}, handle)
    tokenizer = Tokenizer(models.WordPiece({t: i for i, t in enumerate(tokens)},
                                           unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False,
                                                      strip_accents=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(["[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]",
                                  "<ent>"])
    from tokenizers.processors import TemplateProcessing
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    yield from golden("vocabulary", tokenizer, texts)


def write_characters():
    def fnv(state, data):
        for byte in data:
            state = ((state ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
        return state

    def normalizer(**on):
        flags = dict(clean_text=False, handle_chinese_chars=False,
                     strip_accents=False, lowercase=False)
        flags.update(on)
        normalize = normalizers.BertNormalizer(**flags).normalize_str
        return lambda char: normalize("a" + char + "b").encode()

    probe = Tokenizer(models.WordPiece({"[UNK]": 0, "x": 1}, unk_token="[UNK]"))
    probe.add_tokens([AddedToken("x", single_word=True, normalized=False)])
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    def form(kind):
        normalize = kind().normalize_str
        return lambda char: normalize("a" + char + "b").encode()

    def cut_out(pre_tokenizer):
        split = pre_tokenizer.pre_tokenize_str
        return lambda char: b"%d" % (len(split("\1" + char + "\1")) == 3)

    def member(pattern):
        return cut_out(pre_tokenizers.Split(Regex(pattern), "isolated"))

    steps = [
        normalizer(clean_text=True), normalizer(handle_chinese_chars=True),
        normalizer(strip_accents=True), normalizer(lowercase=True),
        normalizer(clean_text=True, handle_chinese_chars=True, strip_accents=True,
                   lowercase=True),
        lambda char: b"%d" % len(split("a" + char + "b")),
        lambda char: b"%d" % (probe.encode(char + "x").offsets[-1] != (1, 2)),
        form(normalizers.NFC), form(normalizers.NFD), form(normalizers.NFKC),
        form(normalizers.NFKD), form(normalizers.StripAccents),
        member(r"\p{L}"), member(r"\p{N}"), cut_out(pre_tokenizers.Digits(True))]
    with open(os.path.join(HERE, "characters.tsv"), "w") as out:
        for block in range(0, 0x110000, 0x1000):
            hashes = [0xCBF29CE484222325] * len(steps)
            for code in range(block, block + 0x1000):
                if 0xD800 <= code <= 0xDFFF:
                    continue
                for i, step in enumerate(steps):
                    hashes[i] = fnv(hashes[i], step(chr(code)) + b"\n")
            out.write("\t".join([f"{block:X}"] + [f"{h >> 32:08x}" for h in hashes])
                      + "\n")


def write_seeds():
    """Inputs to start fuzzing from; test/fuzz/tokenizer.cpp says their form."""
    folder = os.path.join(HERE, "..", "..", "fuzz", "seeds", "tokenizer")
    os.makedirs(folder, exist_ok=True)
    few = {t: i for i, t in enumerate(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "##s", "fox", "é"])}
    text = "hellos [SEP] É \u302f\u0301 中 <ent> fox".encode() + b" \xe2\x82 \xff"

    def seed(name, choice, file, rest):
        data = bytes([choice, len(file) & 255, len(file) >> 8]) + file + rest
        with open(os.path.join(folder, name), "wb") as out:
            out.write(data)

    for name in ("uncased", "plain", "template", "bert-processing", "left", "added"):
        file = tiny_tokenizers(few)[name] if name != "added" else \
            dict(tiny_tokenizers(few)[name], post_processor=None)
        file = json.dumps(file, separators=(",", ":")).encode()
        seed(name, 6, file, text)
        seed(name + "-pair", 6 | 8, file, text)
    lines = "".join(t + "\n" for t in few).encode()
    for choice, rest in ((1, b'{"do_lower_case":false,"model_max_length":512,'
                             b'"added_tokens_decoder":{"9":{"content":"<ent>"}},'
                             b'"additional_special_tokens":["x"]}'),
                         (3, b'{"mask_token":{"content":"fox"}}'),
                         (5, b'{"max_seq_length":8}'), (7 | 8, b"")):
        seed(f"vocabulary-{choice}", choice, lines, rest + b"\n" + text)


def main():
    write_seeds()
    all_texts = [t.encode() for t in TEXTS] + BYTES
    write_tokenizers(all_texts)
    write_characters()
    if len(sys.argv) > 1:
        tokenizer = Tokenizer.from_file(os.path.join(sys.argv[1], "tokenizer.json"))
        with open(os.path.join(HERE, "golden-minilm.tsv"), "w") as out:
            out.writelines(golden(".", tokenizer, all_texts))


if __name__ == "__main__":
    main()
