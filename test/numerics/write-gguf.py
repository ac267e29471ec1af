#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a folder of a Llama with a byte-fallback BPE tokenizer as a GGUF file.

    python3 write-gguf.py FOLDER FILE

As llama.cpp's converter does it: queries and keys permuted to rotate adjacent
pairs, the tokenizer as pieces with scores, which are made of the merges' ranks.
Tensors are F32, as in the folder. Needs nothing but Python.
"""
import json
import os
import sys

import gguf_file
from gguf_file import ARRAY, F32, FLOAT32, INT32, STRING, UINT32
from model_file import Model

NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6


def permute(data, heads, shape):
    """Row 2 i + h of a head becomes what row i of half h was."""
    row = len(data) // shape[0]
    half = shape[0] // heads // 2
    rows = [data[i * row:(i + 1) * row] for i in range(shape[0])]
    return b"".join(rows[(2 * head + side) * half + i] for head in range(heads)
                    for i in range(half) for side in range(2))


def describe(config):
    def number(key, kind, value):
        return "llama." + key, kind, value
    heads = config["num_attention_heads"]
    size = config["hidden_size"] // heads
    yield "general.architecture", STRING, "llama"
    yield number("block_count", UINT32, config["num_hidden_layers"])
    yield number("embedding_length", UINT32, config["hidden_size"])
    yield number("feed_forward_length", UINT32, config["intermediate_size"])
    yield number("context_length", UINT32, config["max_position_embeddings"])
    yield number("attention.head_count", UINT32, heads)
    yield number("attention.head_count_kv", UINT32, config["num_key_value_heads"])
    yield number("attention.layer_norm_rms_epsilon", FLOAT32, config["rms_norm_eps"])
    yield number("rope.dimension_count", UINT32, size)
    theta = (config.get("rope_parameters") or config).get("rope_theta", 10000.0)
    yield number("rope.freq_base", FLOAT32, theta)


def describe_tokens(tokenizer):
    model = tokenizer["model"]
    special = {token["content"] for token in tokenizer["added_tokens"] if token["special"]}
    ranks = {}
    for rank, merge in enumerate(model["merges"]):
        pair = merge if isinstance(merge, list) else merge.split(" ")
        ranks.setdefault("".join(pair), rank)
    tokens = sorted(model["vocab"], key=model["vocab"].get)

    def kind(token):
        if token == model["unk_token"]:
            return UNKNOWN
        if token in special:
            return CONTROL
        return BYTE if len(token) == 6 and token.startswith("<0x") else NORMAL
    yield "tokenizer.ggml.model", STRING, "llama"
    yield "tokenizer.ggml.tokens", ARRAY, (STRING, tokens)
    yield "tokenizer.ggml.token_type", ARRAY, (INT32, [kind(token) for token in tokens])
    yield "tokenizer.ggml.scores", ARRAY, (
        FLOAT32, [-float(ranks.get(token, len(ranks))) for token in tokens])
    for name, key in (("<s>", "bos"), ("</s>", "eos"), ("<unk>", "unknown")):
        if name in model["vocab"]:
            yield "tokenizer.ggml.%s_token_id" % key, UINT32, model["vocab"][name]


def main(folder, path):
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as file:
        tokenizer = json.load(file)
    tensors = []
    model = Model(os.path.join(folder, "model.safetensors"))
    for name, shape in model.shapes.items():
        data = model.tensors[name].tobytes()
        for part, heads in (("q", "num_attention_heads"), ("k", "num_key_value_heads")):
            if ".%s_proj." % part in name:
                data = permute(data, config[heads], shape)
        tensors.append((gguf_file.rename(name), shape, F32, data))
    gguf_file.write(path, [*describe(config), *describe_tokens(tokenizer)], tensors)


if __name__ == "__main__":
    main(*sys.argv[1:])
