# ===- wide-sentence.py - a sentence model wide enough to be narrowed -------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
#   wide-sentence.py TINY_SENTENCE_FOLDER FOLDER TEXTS
#
# Writes the model of test/data/tiny-sentence with two layers four times as wide,
# random weights and no dense layer behind its pooling: its products have more
# columns than a panel, so that --weights applies to them. TEXTS gets lines of
# words of its vocabulary.
#
# ===----------------------------------------------------------------------===//
import json
import math
import os
import random
import shutil
import struct
import sys

WIDER, LAYERS, TEXTS = 4, 2, 40


def read(path):
    with open(path) as file:
        return json.load(file)


def write(path, value):
    with open(path, "w") as file:
        json.dump(value, file)


def shapes_of(path):
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(length))
    return {name: of["shape"] for name, of in header.items() if name[0] != "_"}


def numbers(name, shape, engine):
    count = math.prod(shape)
    if name.endswith("LayerNorm.weight"):
        return [engine.gauss(1, 0.1) for _ in range(count)]
    scale = 1 if "embeddings" in name else shape[-1] ** -0.5
    return [engine.gauss(0, scale) for _ in range(count)]


def write_weights(path, shapes, engine):
    header, data = {}, b""
    for name, shape in shapes.items():
        values = numbers(name, shape, engine)
        packed = struct.pack(f"<{len(values)}f", *values)
        header[name] = {
            "dtype": "F32",
            "shape": shape,
            "data_offsets": [len(data), len(data) + len(packed)],
        }
        data += packed
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def main():
    source, folder, texts = sys.argv[1:]
    engine = random.Random(1)
    shutil.copytree(source, folder)
    for path, _, names in os.walk(folder):
        for name in [""] + names:
            os.chmod(os.path.join(path, name), 0o755)
    config = read(os.path.join(folder, "config.json"))
    narrow = [config["hidden_size"], config["intermediate_size"]]
    weights = os.path.join(folder, "model.safetensors")
    shapes = {}
    for name, shape in shapes_of(weights).items():
        wide = [n * WIDER if n in narrow else n for n in shape]
        for layer in range(LAYERS if ".0." in name else 1):
            shapes[name.replace(".0.", f".{layer}.")] = wide
    config["hidden_size"] *= WIDER
    config["intermediate_size"] *= WIDER
    config["num_hidden_layers"] = LAYERS
    write(os.path.join(folder, "config.json"), config)
    write_weights(weights, shapes, engine)

    pooling = os.path.join(folder, "1_Pooling", "config.json")
    settings = read(pooling)
    settings["word_embedding_dimension"] = config["hidden_size"]
    write(pooling, settings)
    modules = os.path.join(folder, "modules.json")
    write(modules, [m for m in read(modules) if "Dense" not in m["type"]])
    shutil.rmtree(os.path.join(folder, "2_Dense"))

    with open(os.path.join(folder, "vocab.txt")) as file:
        words = [word for word in file.read().split() if word.isalpha()]
    with open(texts, "w") as file:
        for _ in range(TEXTS):
            line = engine.choices(words, k=engine.randint(3, 12))
            file.write(" ".join(line) + "\n")


main()
