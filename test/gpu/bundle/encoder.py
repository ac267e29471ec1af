#!/usr/bin/env python3
# ===- encoder.py - a sentence encoder of random weights ------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""An encoder of MiniLM's shape, as a model folder and in plain arrays.

    encoder.py FOLDER [--layers N] [--width N] [--vocabulary N]

Writes config.json and model.safetensors (bf16, so that it compresses to half of
f32 once compiled), and a case for check.py: the options it is compiled with,
inputs with padding, and the truth, computed in float64 by the forward pass below.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
import tensor_file
from bf16 import round_bf16, to_bits
from encoder_weights import make_weights


def config(layers, width, heads, vocabulary):
    return {"architectures": ["BertModel"], "model_type": "bert",
            "hidden_size": width, "num_hidden_layers": layers,
            "num_attention_heads": heads, "intermediate_size": 4 * width,
            "vocab_size": vocabulary, "max_position_embeddings": 512,
            "type_vocab_size": 2, "layer_norm_eps": 1e-12,
            "hidden_act": "gelu", "pad_token_id": 0}


def save(path, weights):
    tensor_file.write(path, {name: ("BF16", x.shape, to_bits(x).tobytes())
                             for name, x in weights.items()})


def erf(x):
    return np.vectorize(math.erf)(x)


def exact(x):
    return x


def rounded(x):
    return round_bf16(x).astype(np.float64)


def forward(weights, heads, ids, mask, operand=exact, stored=exact):
    """last_hidden_state in float64; rows that the mask drops are zero.

    `operand` is what becomes of numbers that are multiplied (weights are bf16
    already), `stored` of those that lie between kernels: of products, norms, and
    sums that wait for their norm."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
        return stored(x * w[name + ".weight"] + w[name + ".bias"])

    def linear(x, name):
        return operand(x) @ w[name + ".weight"].T + w[name + ".bias"]

    batch, seq = ids.shape
    x = norm(w["embeddings.word_embeddings.weight"][ids]
             + w["embeddings.position_embeddings.weight"][:seq]
             + w["embeddings.token_type_embeddings.weight"][0],
             "embeddings.LayerNorm")
    layers = 1 + max(int(name.split(".")[2]) for name in w
                     if name.startswith("encoder.layer."))
    for layer in range(layers):
        base = f"encoder.layer.{layer}."
        q, k, v = (operand(stored(linear(x, base + "attention.self." + part)))
                   .reshape(batch, seq, heads, -1).transpose(0, 2, 1, 3)
                   for part in ("query", "key", "value"))
        s = q @ k.transpose(0, 1, 3, 2) / math.sqrt(q.shape[-1])
        s = np.where(mask[:, None, None, :] != 0, s, -np.inf)
        p = np.exp(s - s.max(-1, keepdims=True))
        a = stored(operand(p) @ v / p.sum(-1, keepdims=True))
        a = a.transpose(0, 2, 1, 3).reshape(batch, seq, -1)
        x = norm(stored(x + linear(a, base + "attention.output.dense")),
                 base + "attention.output.LayerNorm")
        h = linear(x, base + "intermediate.dense")
        h = stored(0.5 * h * (1 + erf(h / math.sqrt(2))))
        x = norm(stored(x + linear(h, base + "output.dense")),
                 base + "output.LayerNorm")
    return x * mask[:, :, None]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--vocabulary", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=3)
    parser.add_argument("--seq", type=int, default=37)
    parser.add_argument("--stored", action="store_true",
                        help="everything between kernels is bf16, too")
    a = parser.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(21)
    weights = make_weights(a.layers, a.width, a.vocabulary)
    save(a.folder / "model.safetensors", weights)
    (a.folder / "config.json").write_text(json.dumps(
        config(a.layers, a.width, a.heads, a.vocabulary)))
    ids = random.integers(0, a.vocabulary, (a.batch, a.seq), dtype=np.int32)
    lengths = random.integers(1, a.seq + 1, a.batch)
    lengths[0] = a.seq
    mask = (np.arange(a.seq) < lengths[:, None]).astype(np.int32)
    np.save(a.folder / "in0.npy", ids)
    np.save(a.folder / "in1.npy", mask)
    np.save(a.folder / "in2.npy", np.zeros_like(ids))
    truth = forward(weights, a.heads, ids, mask)
    np.save(a.folder / "out0.npy", truth.astype(np.float32))
    (a.folder / "options").write_text(
        "--weights=bf16" if a.stored else "--weights=f32")
    # What the roundings of bf16 cost the definition itself. Kernels add in other
    # orders and round some numbers the other way: their error has the same
    # distribution, but not the same largest draw.
    error = forward(weights, a.heads, ids, mask, rounded,
                    rounded if a.stored else exact) - truth
    (a.folder / "case.json").write_text(json.dumps({
        "name": a.folder.name, "entry": "encode", "sizes": [a.batch, a.seq],
        "inputs": 3, "outputs": 1, "tolerance": 1.4 * float(np.abs(error).max()),
        "rms": 1.2 * float(np.sqrt(np.mean(error ** 2)))}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
