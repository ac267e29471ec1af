#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""llama.cpp's perplexity over the stories that the trained decoder tells.

    pip install xllamacpp==2026.10.11549 gguf==0.19.0 safetensors tokenizers
    python3 test/numerics/make-stories-perplexity.py FOLDER [ATTNC LIB.so]

FOLDER is that of the trained Llama. Writes test/numerics/data/stories.json: for its
GGUF file in F32, Q8_0 and Q4_0 (matrices whose rows are no multiple of 32 long stay
F32, which neither format can hold) the perplexity over data/stories.txt and the
bytes of the file. With ATTNC and a library of the folder in f32, data/stories.txt is
told anew first: six beginnings, each continued 32 times by draws from the whole
vocabulary at temperature 1, and once greedily, by 240 tokens. What is drawn so costs
another model the more the further its distribution lies from the one that drew.
"""
import importlib.util
import json
import math
import os
import re
import subprocess
import sys
import tempfile

import gguf
import numpy as np
from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
TEXTS = os.path.join(HERE, "data", "stories.txt")
BEGINNINGS = ("Once upon a time", "One day, Tom", "There was a big dog",
              "Lily and Ben", "The sun was", "Sara had a red ball")


def tell(attnc, library):
    with open(TEXTS, "w", encoding="utf-8") as file:
        for beginning in BEGINNINGS:
            for seed in [*range(1, 33), None]:
                draws = ["--greedy"] if seed is None else [
                    "--temperature", "1", "--top-p", "1", "--top-k", "0",
                    "--seed", str(seed)]
                made = subprocess.run(
                    [attnc, "run", library, "--prompt", beginning,
                     "--max-tokens", "240", *draws],
                    check=True, capture_output=True, text=True).stdout
                lines = filter(str.strip, (beginning + made).split("\n"))
                file.write("\n".join(lines) + "\n\n\n")


def module(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def rewrite(source, target, kind):
    """An F32 file with its matrices in another format."""
    reader = gguf.GGUFReader(source)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(target, architecture)
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        array = field.types[0] == gguf.GGUFValueType.ARRAY
        writer.add_key_value(field.name, field.contents(), field.types[0],
                             field.types[-1] if array else None)
    for tensor in reader.tensors:
        numbers = np.array(tensor.data, dtype=np.float32)
        if numbers.ndim == 2 and numbers.shape[1] % 32 == 0:
            writer.add_tensor(tensor.name, gguf.quants.quantize(numbers, kind),
                              raw_dtype=kind)
        else:
            writer.add_tensor(tensor.name, numbers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def measure(llamacpp, path, texts):
    model = llamacpp.Model(path, 512, 1)
    surprise = tokens = 0
    for ids in texts:
        model.truncate(0)
        model.append(ids, True)
        for i, following in enumerate(ids[1:]):
            logits = np.array(model.logits(i), dtype=np.float64)
            highest = logits.max()
            surprise += (highest + math.log(np.exp(logits - highest).sum())
                         - logits[following])
            tokens += 1
    model.close()
    return {"perplexity": round(math.exp(surprise / tokens), 6), "tokens": tokens,
            "bytes": os.path.getsize(path)}


def main(folder, attnc=None, library=None):
    if attnc:
        tell(attnc, library)
    llamacpp = module(os.path.join(HERE, "../benchmark/llamacpp.py"), "llamacpp")
    converter = module(os.path.join(HERE, "../data/make-tiny-gguf.py"), "converter")
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    with open(TEXTS, encoding="utf-8") as file:
        parts = [part.strip("\n") for part in re.split(r"\n\s*\n", file.read())]
    texts = []
    for part in filter(None, parts):
        ids = tokenizer.encode(part).ids
        texts.append(ids if ids[0] == 1 else [1] + ids)
    with tempfile.TemporaryDirectory() as place:
        wide = os.path.join(place, "F32.gguf")
        converter.convert(folder, wide, "llama")
        found = {"F32": measure(llamacpp, wide, texts)}
        for name in ("Q8_0", "Q4_0"):
            narrow = os.path.join(place, name + ".gguf")
            rewrite(wide, narrow, getattr(gguf.GGMLQuantizationType, name))
            found[name] = measure(llamacpp, narrow, texts)
    with open(os.path.join(HERE, "data", "stories.json"), "w") as file:
        json.dump({"llama.cpp": found}, file, indent=2)
        file.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
