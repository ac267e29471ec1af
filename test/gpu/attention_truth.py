# ===- attention_truth.py - what attention gives, in every form -----------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Inputs of the entries of attention_program.py and their truth, in float64."""

import numpy as np
from attention_program import (ALIBI, CAP, CAUSAL, CHECKED, FREE, LOOKUP, NEAR,
                               PADDING, WINDOW)


def draw(form, size, random, number):
    """Inputs in order, and the sizes of the call; `number` draws numbers."""
    if form.packed:
        lengths = form.sizes[0]
        total = sum(lengths)
        ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        inputs = [number(random, total, form.heads, size),
                  number(random, total, form.key_heads, size),
                  number(random, total, form.key_heads, size)]
        if form.unseen:
            ends = ends[:form.unseen + 1]
            for x in inputs[1:]:
                x[ends[-1]:] = np.nan
        return inputs + [ends], [total, len(ends)]
    batch, queries, keys = form.sizes
    inputs = [number(random, batch, queries, form.heads, size),
              number(random, batch, keys, form.key_heads, size),
              number(random, batch, keys, form.key_heads, size)]
    if form.unseen:
        for x in inputs[1:]:
            x[:, form.unseen:] = np.nan
    if form.score is LOOKUP:
        inputs.append(number(random, form.heads, NEAR))
    if form.mask is PADDING:  # the last sequence keeps nothing
        lengths = random.integers(1, keys, batch)
        lengths[-1] = 0
        inputs.append((np.arange(keys) < lengths[:, None]).astype(np.int32))
    return inputs, [batch] + ([] if form.few else [queries]) + [keys]


def attend(form, size, batch, q, k, v, more):
    """Rows [Q, heads, size] of one sequence; `more` is what regions capture."""
    result = np.zeros(q.shape)
    v = np.nan_to_num(v)  # 0 * NaN, of those that nobody sees
    i, j = np.arange(len(q))[:, None], np.arange(len(k))[None, :]
    seen = np.ones((len(q), len(k)), bool)
    if form.mask in (CAUSAL, WINDOW):
        seen &= j <= i
    if form.mask is WINDOW:
        seen &= i - j < 40
    if form.mask is CHECKED:
        seen &= j * j < 40 * i
    if form.mask is PADDING:
        seen &= more[batch] != 0
    for head in range(form.heads):
        key = head // (form.heads // form.key_heads)
        s = q[:, head].astype(np.float64) @ k[:, key].astype(np.float64).T
        s *= size ** -0.5
        if form.score is ALIBI:
            s = s + 0.01 * (head + 1) * (j - i)
        if form.score is CAP:
            s = 8 * np.tanh(s / 8)
        if form.score is LOOKUP:
            s = s + more[head][np.clip(j - i + NEAR // 2, 0, NEAR - 1)]
        if form.score is FREE:
            s = s - 0.25 * ((j - i) % 2 + batch)
        s = np.where(seen, s, -np.inf)
        top = s.max(axis=1, keepdims=True, initial=-np.inf)
        p = np.exp(s - np.where(np.isinf(top), 0, top))
        total = p.sum(axis=1, keepdims=True)
        result[:, head] = p / np.where(total == 0, 1, total) @ v[:, key]
    return result


def truth(form, size, inputs):
    q, k, v = inputs[:3]
    more = inputs[-1]
    if form.packed:
        ends = inputs[3]
        return np.concatenate([
            attend(form, size, b, q[x:y], k[x:y], v[x:y], more)
            for b, (x, y) in enumerate(zip(ends, ends[1:]))])
    return np.stack([attend(form, size, b, q[b], k[b], v[b], more)
                     for b in range(len(q))])
