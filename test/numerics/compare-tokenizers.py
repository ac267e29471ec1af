#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares every kind of tokenizer with HuggingFace's on lines of mixed text.

    python3 test/numerics/compare-tokenizers.py build/bin/unit-text OUT [LINES]

The lines (10,000, the same every time) mix scripts, code, numbers, emoji,
spaces, marks, special tokens, characters of every plane, joined in one line or
cut anywhere. OUT becomes a folder of what `tokenizers` makes of them: texts, a
line each in hexadecimal, and NAME.ids for each tokenizer.json below
test/data/text, which the test Golden.MixedTexts of unit-text reads. Exits with 1
where ids differ, and with 77 where the package is not installed.
"""
import os
import random
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DATA = os.path.join(ROOT, "test", "data", "text")

WORDS = """the quick brown fox jumps over a lazy dog It's don't we'll I'M they'Re
naïve Éclair Straße İstanbul ﬁne ǅ Ünïcödé ﾊﾝｶｸ ＦＵＬＬ ①② ½ x² 10³ Ⅷ
Привет мир Ёлка ΣΊΣΥΦΟΣ Ἀθῆναι שָׁלוֹם السَّلَامُ عليكم नमस्ते दुनिया বাংলা தமிழ்
ภาษาไทย ພາສາລາວ မြန်မာ ភាសាខ្មែរ བོད་སྐད ქართული Հայերեն አማርኛ ᏣᎳᎩ ᓄᓇᕗᑦ
中文分词 測試 日本語の テキスト。 ｶﾞｷﾞ がぎぐ 한국어 문장 ㄱㅏ 豈更車 𠀀𪛖 𝐇𝐞𝐥𝐥𝐨 𐐀𐐨
😀 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 ☺️ 1️⃣ 🫠 e\u0301\u0323 q\u0307\u0323 a\u0308\u0304
0 7 42 1234567 3.14159 1,000,000 -0.5e-10 0xFF ١٢٣ ४५६ 12:30 2026-11-22
int main(void) { return x->y[i++] && !z; } def f(a, *b): #include <stdio.h>
print("%s\\n" % s) // /* ... */ <div class="a"> </div> ${HOME} a_b_c camelCase
https://example.com/a?b=c&d=%20#e user@host.org C:\\dir\\file.txt ~/.bashrc
... --- === !!! ??? «» „“ ‐‑‒–— … ‰ € £ ₿ § । ॥ ؟ 、。「」 () [] {} <> || ` ' "
<s> </s> <unk> <pad> <mask> [CLS] [SEP] [MASK] [PAD] [UNK] <|endoftext|> [cls]
<|startoftext|> <|im_start|> <ent> <sp> foo bar ▁ ▁▁ ## ##s Ġ Ċ </w> <0x0A>""".split()

# Between words; most often one space.
JOINTS = [" "] * 12 + ["", "", "  ", "   ", "\t", "\u00a0", "\u3000", "\u2009",
                       "\u200b", "\u200d", "\ufeff", "\u00ad", "\n", "\r\n", "\x85"]

# Where assigned characters are, by how often they are drawn.
PLANES = [(0x20, 0x7F, 4), (0xA0, 0x250, 4), (0x250, 0x1000, 6),
          (0x1000, 0x2000, 4), (0x2000, 0x3100, 4), (0x3100, 0xA000, 2),
          (0xA000, 0xD800, 2), (0xE000, 0x10000, 2), (0x10000, 0x20000, 4),
          (0x20000, 0x30000, 1), (0, 0x20, 1), (0xE0000, 0x110000, 1)]


def make_character(pick):
    first, end, _ = pick.choices(PLANES, [plane[2] for plane in PLANES])[0]
    return chr(pick.randrange(first, end))


def make_line(pick):
    kind = pick.random()
    if kind < 0.15:
        return "".join(make_character(pick) for _ in range(pick.randrange(1, 24)))
    text = ""
    for _ in range(pick.randrange(0, 20)):
        word = pick.choice(WORDS)
        change = pick.random()
        if change < 0.05:
            word = word.upper()
        elif change < 0.08:
            word = word[::-1]
        elif change < 0.12:
            word = word[:pick.randrange(len(word) + 1)]
        elif change < 0.15:
            word += make_character(pick)
        elif change < 0.17:
            word *= pick.randrange(2, 9)
        text += word + pick.choice(JOINTS)
    if kind < 0.6:
        text = text.rstrip(" ")
    return text


def write_ids(folder, out, name, texts):
    """One line of ids for each text; the first line names the folder."""
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(os.path.join(DATA, folder, name,
                                                 "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    with open(os.path.join(out, name + ".ids"), "w") as file:
        file.write("%s/%s\n" % (folder, name))
        for encoding in tokenizer.encode_batch(texts):
            file.write(" ".join(map(str, encoding.ids)) + "\n")


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    try:
        import tokenizers
    except ImportError as error:
        print("not compared: %s" % error)
        sys.exit(77)
    unit_text, out = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) == 4 else 10000
    os.makedirs(out, exist_ok=True)
    pick = random.Random(20261122)
    texts = [make_line(pick) for _ in range(count)]
    with open(os.path.join(out, "texts"), "w") as file:
        file.writelines(text.encode().hex() + "\n" for text in texts)
    names = 0
    for folder in ("tiny", "trained"):
        for name in sorted(os.listdir(os.path.join(DATA, folder))):
            if os.path.exists(os.path.join(DATA, folder, name, "tokenizer.json")):
                write_ids(folder, out, name, texts)
                names += 1
    print("tokenizers %s, %d tokenizers, %d lines"
          % (tokenizers.__version__, names, count), flush=True)
    environment = dict(os.environ, ATTNC_TEST_TEXTS=os.path.abspath(out))
    sys.exit(subprocess.run([unit_text, "--gtest_filter=Golden.MixedTexts"],
                            env=environment).returncode)


if __name__ == "__main__":
    main()
