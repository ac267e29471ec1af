#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the tiny random models under test/data that tests of import compile.

    python3 test/data/make-tiny-bert.py test/data

Needs numpy only; safetensors is written by hand. The numbers come from a fixed
seed, so the files are the same on every machine.

  tiny-bert      BertModel with pooler, f32, two layers, one file
  tiny-masked    BertForMaskedLM without its head: prefix "bert.", gamma/beta,
                 bf16 and f16 tensors, two shards with an index, tanh GELU
  tiny-sentence  sentence-transformers: Transformer, Pooling, Dense, Normalize
"""
import json
import os
import sys

import numpy as np

HIDDEN, HEADS, LAYERS, WIDE = 20, 5, 2, 36
VOCABULARY, POSITIONS, TYPES = 50, 40, 2

CONFIG = {
    "architectures": ["BertModel"],
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": HIDDEN,
    "initializer_range": 0.02,
    "intermediate_size": WIDE,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": POSITIONS,
    "model_type": "bert",
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "pad_token_id": 0,
    "position_embedding_type": "absolute",
    "transformers_version": "5.23.0",
    "type_vocab_size": TYPES,
    "use_cache": True,
    "vocab_size": VOCABULARY,
}

WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] a an and are big bird bread cat dog eats fast "
    "fish flies green grows has house in is it large little loves man mouse not of "
    "on red river runs sea sees ship sings sleeps small sun swims the tree under "
    "was water woman"
).split()
assert len(WORDS) == VOCABULARY


def make_tensors(rng, layers=LAYERS):
    """Names and float32 arrays of an encoder; larger than a trained model's
    initial weights, so that attention is not nearly uniform."""

    def matrix(*shape):
        return rng.normal(0.0, 1.0 / np.sqrt(shape[-1]), shape).astype(np.float32)

    def vector(size, mean=0.0):
        return rng.normal(mean, 0.2, size).astype(np.float32)

    tensors = {
        "embeddings.word_embeddings.weight": matrix(VOCABULARY, HIDDEN),
        "embeddings.position_embeddings.weight": matrix(POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": matrix(TYPES, HIDDEN),
        "embeddings.LayerNorm.weight": vector(HIDDEN, 1.0),
        "embeddings.LayerNorm.bias": vector(HIDDEN),
    }
    for index in range(layers):
        layer = f"encoder.layer.{index}"
        for name, outputs, inputs in (
            ("attention.self.query", HIDDEN, HIDDEN),
            ("attention.self.key", HIDDEN, HIDDEN),
            ("attention.self.value", HIDDEN, HIDDEN),
            ("attention.output.dense", HIDDEN, HIDDEN),
            ("intermediate.dense", WIDE, HIDDEN),
            ("output.dense", HIDDEN, WIDE),
        ):
            tensors[f"{layer}.{name}.weight"] = 1.5 * matrix(outputs, inputs)
            tensors[f"{layer}.{name}.bias"] = vector(outputs)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            tensors[f"{layer}.{name}.weight"] = vector(HIDDEN, 1.0)
            tensors[f"{layer}.{name}.bias"] = vector(HIDDEN)
    tensors["pooler.dense.weight"] = matrix(HIDDEN, HIDDEN)
    tensors["pooler.dense.bias"] = vector(HIDDEN)
    return tensors


def encode(array, dtype):
    """The bytes of an array as safetensors stores this type."""
    if dtype == "F32":
        return array.astype("<f4").tobytes()
    if dtype == "F16":
        return array.astype("<f2").tobytes()
    if dtype == "BF16":
        # Round to nearest even on the upper half of the bits.
        bits = array.astype("<f4").view("<u4").astype(np.uint64)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()
    if dtype == "I64":
        return array.astype("<i8").tobytes()
    raise ValueError(dtype)


def write_safetensors(path, tensors):
    """`tensors`: name -> (dtype, array)."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (dtype, array) in tensors.items():
        encoded = encode(array, dtype)
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(encoded)],
        }
        data += encoded
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")


def write_tokenizer(folder):
    with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8") as file:
        file.writelines(word + "\n" for word in WORDS)
    write_json(
        os.path.join(folder, "tokenizer_config.json"),
        {"do_lower_case": True, "model_max_length": POSITIONS,
         "tokenizer_class": "BertTokenizer"},
    )


def make_tiny_bert(folder):
    tensors = make_tensors(np.random.default_rng(1))
    stored = {name: ("F32", array) for name, array in tensors.items()}
    # A buffer that older versions of transformers saved.
    stored["embeddings.position_ids"] = ("I64", np.arange(POSITIONS)[None])
    write_safetensors(os.path.join(folder, "model.safetensors"), stored)
    write_json(os.path.join(folder, "config.json"), CONFIG)
    write_tokenizer(folder)


def make_tiny_masked(folder):
    tensors = make_tensors(np.random.default_rng(2))
    del tensors["pooler.dense.weight"], tensors["pooler.dense.bias"]
    shards = [{}, {}]
    for name, array in tensors.items():
        old = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        old = "bert." + old.replace("LayerNorm.bias", "LayerNorm.beta")
        late = "layer.1" in name
        shards[late][old] = ("F16" if late else "BF16", array)
    names = [f"model-{i + 1:05}-of-00002.safetensors" for i in range(2)]
    index = {}
    for file, shard in zip(names, shards):
        write_safetensors(os.path.join(folder, file), shard)
        index.update({name: file for name in shard})
    write_json(
        os.path.join(folder, "model.safetensors.index.json"),
        {"metadata": {"total_size": 0}, "weight_map": index},
    )
    write_json(
        os.path.join(folder, "config.json"),
        CONFIG | {"architectures": ["BertForMaskedLM"], "hidden_act": "gelu_new",
                  "layer_norm_eps": 1e-5},
    )


def make_tiny_sentence(folder):
    rng = np.random.default_rng(3)
    layers = 1
    tensors = make_tensors(rng, layers)
    stored = {name: ("F32", array) for name, array in tensors.items()}
    write_safetensors(os.path.join(folder, "model.safetensors"), stored)
    write_json(os.path.join(folder, "config.json"),
               CONFIG | {"num_hidden_layers": layers})
    write_tokenizer(folder)
    write_json(os.path.join(folder, "sentence_bert_config.json"),
               {"max_seq_length": 24, "do_lower_case": False})
    kinds = ("Transformer", "Pooling", "Dense", "Normalize")
    write_json(
        os.path.join(folder, "modules.json"),
        [{"idx": i, "name": str(i), "path": f"{i}_{kind}" if i else "",
          "type": f"sentence_transformers.models.{kind}"}
         for i, kind in enumerate(kinds)],
    )
    for name in ("1_Pooling", "2_Dense"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    write_json(
        os.path.join(folder, "1_Pooling", "config.json"),
        {"word_embedding_dimension": HIDDEN, "pooling_mode_cls_token": False,
         "pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False,
         "pooling_mode_mean_sqrt_len_tokens": False},
    )
    outputs = 12
    write_json(
        os.path.join(folder, "2_Dense", "config.json"),
        {"in_features": HIDDEN, "out_features": outputs, "bias": True,
         "activation_function": "torch.nn.modules.activation.Tanh"},
    )
    weight = rng.normal(0.0, 0.3, (outputs, HIDDEN)).astype(np.float32)
    bias = rng.normal(0.0, 0.2, outputs).astype(np.float32)
    write_safetensors(
        os.path.join(folder, "2_Dense", "model.safetensors"),
        {"linear.weight": ("F32", weight), "linear.bias": ("F32", bias)},
    )
    with open(os.path.join(folder, "LICENSE"), "w", encoding="utf-8") as file:
        file.write("Random numbers; no rights are claimed (CC0-1.0).\n")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for name, make in (("tiny-bert", make_tiny_bert),
                       ("tiny-masked", make_tiny_masked),
                       ("tiny-sentence", make_tiny_sentence)):
        folder = os.path.join(sys.argv[1], name)
        os.makedirs(folder, exist_ok=True)
        make(folder)


if __name__ == "__main__":
    main()
