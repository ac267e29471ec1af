# ===- bf16.py - numbers of bf16 in NumPy ---------------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""NumPy has no bf16: its bits are uint16, its numbers f32."""

import numpy as np


def to_bits(array):
    """The nearest bf16, ties to even."""
    bits = array.astype(np.float32).view(np.uint32)
    return ((bits + 0x7fff + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def to_numbers(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


def round_bf16(array):
    return to_numbers(to_bits(array))
