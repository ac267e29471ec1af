# ===- peers.py - what PyTorch does instead -------------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""PyTorch's attention, variants of attention and encoder, as they are fastest:
bf16, contiguous inputs, compiled and tuned where that helps."""

import torch
from torch.nn import functional


def sdpa(kind, q, k, v, causal):
    """A call of one back end; it fails where that back end declines."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    backend = getattr(SDPBackend, kind)

    def call():
        with sdpa_kernel(backend):
            return functional.scaled_dot_product_attention(
                q, k, v, is_causal=causal)
    return call


# As bundle/cases.py has them.
SCORES = {
    "alibi": lambda s, b, h, i, j: s + 0.0625 * (j - i),
    "softcap": lambda s, b, h, i, j: 8 * torch.tanh(s / 8),
}
MASKS = {
    "causal": lambda b, h, i, j: i >= j,
    "window": lambda b, h, i, j: (i >= j) & (i - j < 512),
}


def flex(seq, mask, score, tuned):
    """Compiled FlexAttention; `tuned` tries its tiles out first."""
    from torch.nn.attention.flex_attention import (create_block_mask,
                                                   flex_attention)
    mode = "max-autotune-no-cudagraphs" if tuned else "default"
    kernel = torch.compile(flex_attention, mode=mode, dynamic=False)
    block = None
    if mask:
        block = create_block_mask(MASKS[mask], None, None, seq, seq,
                                  device="cuda")
    return lambda q, k, v: kernel(q, k, v, score_mod=SCORES.get(score),
                                  block_mask=block)


class Encoder(torch.nn.Module):
    """The encoder of bundle/encoder.py in plain PyTorch, in bf16, without
    padding."""

    def __init__(self, weights, layers, heads):
        super().__init__()
        self.heads, self.layers = heads, layers
        for name, array in weights.items():
            self.register_buffer(name.replace(".", "_"), torch.tensor(
                array, device="cuda", dtype=torch.bfloat16))

    def norm(self, x, name):
        name = name.replace(".", "_")
        return functional.layer_norm(
            x, x.shape[-1:], getattr(self, name + "_weight"),
            getattr(self, name + "_bias"), 1e-12)

    def linear(self, x, name):
        name = name.replace(".", "_")
        return functional.linear(x, getattr(self, name + "_weight"),
                                 getattr(self, name + "_bias"))

    def forward(self, ids):
        batch, seq = ids.shape
        x = (self.embeddings_word_embeddings_weight[ids]
             + self.embeddings_position_embeddings_weight[:seq]
             + self.embeddings_token_type_embeddings_weight[0])
        x = self.norm(x, "embeddings.LayerNorm")
        for layer in range(self.layers):
            base = f"encoder.layer.{layer}."
            q, k, v = (self.linear(x, base + "attention.self." + part)
                       .view(batch, seq, self.heads, -1).transpose(1, 2)
                       for part in ("query", "key", "value"))
            a = functional.scaled_dot_product_attention(q, k, v)
            a = a.transpose(1, 2).reshape(batch, seq, -1)
            x = self.norm(x + self.linear(a, base + "attention.output.dense"),
                          base + "attention.output.LayerNorm")
            h = functional.gelu(self.linear(x, base + "intermediate.dense"))
            x = self.norm(x + self.linear(h, base + "output.dense"),
                          base + "output.LayerNorm")
        return x
