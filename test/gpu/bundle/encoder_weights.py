# ===- encoder_weights.py - weights of an encoder, drawn again ------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""The random weights of encoder.py, by name: numbers of bf16, as f32."""

import numpy as np
from bf16 import round_bf16



def make_weights(layers, width, vocabulary):
    """Always the same: a peer elsewhere draws them again."""
    random = np.random.default_rng(20)

    def draw(*shape, scale=0.05, center=0.0):
        return round_bf16(center + scale * random.standard_normal(shape))
    weights = {
        "embeddings.word_embeddings.weight": draw(vocabulary, width),
        "embeddings.position_embeddings.weight": draw(512, width),
        "embeddings.token_type_embeddings.weight": draw(2, width),
        "embeddings.LayerNorm.weight": draw(width, center=1.0),
        "embeddings.LayerNorm.bias": draw(width)}
    for layer in range(layers):
        base = f"encoder.layer.{layer}."
        for name, rows, columns in (
                ("attention.self.query", width, width),
                ("attention.self.key", width, width),
                ("attention.self.value", width, width),
                ("attention.output.dense", width, width),
                ("intermediate.dense", 4 * width, width),
                ("output.dense", width, 4 * width)):
            weights[base + name + ".weight"] = draw(rows, columns)
            weights[base + name + ".bias"] = draw(rows)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            weights[base + name + ".weight"] = draw(width, center=1.0)
            weights[base + name + ".bias"] = draw(width)
    return weights
