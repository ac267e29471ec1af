# ===- random_bert.py - a BERT-base folder with random weights --------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
#   random_bert.py FOLDER
#
# Writes config.json and model.safetensors (438 MB) of BERT-base's sizes. The
# speed of a dense model does not depend on its numbers, as long as they are of
# the usual size; these are the same on every machine.
#
# ===----------------------------------------------------------------------===//
import json
import os
import sys

import numpy as np

import safetensors_file

CONFIG = {
    "architectures": ["BertModel"],
    "hidden_act": "gelu",
    "hidden_size": 768,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "bert",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pad_token_id": 0,
    "position_embedding_type": "absolute",
    "type_vocab_size": 2,
    "vocab_size": 30522,
}


def make_tensors(config, seed=1):
    random = np.random.default_rng(seed)
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    tensors = {}

    def normal(name, *shape):
        values = random.standard_normal(shape, np.float32)
        tensors[name] = values * np.float32(0.02)

    def norm(name):
        tensors[name + ".weight"] = np.ones(hidden, np.float32)
        tensors[name + ".bias"] = np.zeros(hidden, np.float32)

    normal("embeddings.word_embeddings.weight", config["vocab_size"], hidden)
    normal(
        "embeddings.position_embeddings.weight",
        config["max_position_embeddings"],
        hidden,
    )
    normal(
        "embeddings.token_type_embeddings.weight", config["type_vocab_size"], hidden
    )
    norm("embeddings.LayerNorm")
    for index in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{index}."
        for name, outputs, inputs in (
            ("attention.self.query", hidden, hidden),
            ("attention.self.key", hidden, hidden),
            ("attention.self.value", hidden, hidden),
            ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", wide, hidden),
            ("output.dense", hidden, wide),
        ):
            normal(layer + name + ".weight", outputs, inputs)
            normal(layer + name + ".bias", outputs)
        norm(layer + "attention.output.LayerNorm")
        norm(layer + "output.LayerNorm")
    return tensors


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    safetensors_file.write(
        os.path.join(folder, "model.safetensors"), make_tensors(CONFIG)
    )
    # Last, so that a folder with a config is whole.
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(CONFIG, file, indent=2)


if __name__ == "__main__":
    main()
