# ===- flex_attention.py - the stand-in's FlexAttention -------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
import math

import numpy as np
import torch
from torch.nn.functional import softmax_of


def indices(*shape):
    return [torch.Tensor(index) for index in np.ogrid[tuple(slice(n) for n in shape)]]


def create_block_mask(mask, batch, heads, queries, keys, device):
    assert batch is None and heads is None and device == "cuda"
    i, j = indices(queries, keys)
    return mask(None, None, i, j)


def flex_attention(q, k, v, score_mod, block_mask):
    s = q.read() @ np.swapaxes(k.read(), -1, -2) / math.sqrt(q.shape[-1])
    if score_mod:
        s = score_mod(torch.Tensor(s), *indices(*s.shape)).read()
    if block_mask:
        s = np.where(block_mask.read(), s, -np.inf)
    return softmax_of(s, v.read(), q.dtype)
