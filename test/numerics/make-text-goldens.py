#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes what the reference implementation makes of texts, for check-texts.py.

    python3 test/numerics/make-text-goldens.py test/data/images/clip-words \\
        test/numerics/data/clip-words.json

Per text its ids, cut to the model's positions, and its embedding in float64; for
all of them together the root mean square of the reference's own error in f32.
"""
import json
import sys

import numpy as np
import torch
import transformers

TEXTS = [
    "a photo of a cat", "A PHOTO OF A CAT", "  a photo\tof \n a cat  ", "",
    "two dogs on the beach", "the quick brown fox jumps over the lazy dog",
    "people walking in the rain with umbrellas, at night, far from the house",
    "It's 12:30; they'll say we've won, he'd go, I'm sure you're 2nd!",
    "naïve Éclair, ǅ ﬁne Straße ΑΣ", "🙂👩‍👩‍👧 ¿qué? ¡sí!", "東京タワーの写真", "Привет, мир!",
    "x<|endoftext|>y", "<|startoftext|>", "<|ENDOFTEXT|> <|endoftext", "'s't're",
    "١٢٣ ⅷ 4²", "a\u0301 e\u0308 \u00a0\u2003b", "\u200b\ufeff",
    "word" * 40, "1234567890" * 5, "!?" * 30,
]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, out = sys.argv[1:]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    single = transformers.CLIPTextModelWithProjection.from_pretrained(
        folder, dtype=torch.float32).eval()
    double = transformers.CLIPTextModelWithProjection.from_pretrained(
        folder, dtype=torch.float32).double().eval()
    cases, errors = [], []
    for text in TEXTS:
        ids = tokenizer(text, truncation=True).input_ids
        with torch.no_grad():
            exact = double(torch.tensor([ids])).text_embeds[0].numpy()
            rough = single(torch.tensor([ids])).text_embeds[0].numpy()
        assert exact.dtype == np.float64
        errors.append(rough - exact)
        cases.append({"text": text, "ids": ids,
                      "embedding": [float(f"{x:.12g}") for x in exact]})
    error = float(np.sqrt(np.mean(np.square(errors))))
    with open(out, "w", encoding="utf-8") as file:
        lines = ",\n".join(json.dumps(case) for case in cases)
        file.write('{"f32_rms": %.6g, "cases": [\n%s\n]}\n' % (error, lines))


if __name__ == "__main__":
    main()
