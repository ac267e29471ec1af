# ===- product_program.py - one product with a weight ---------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""A program out = x w^T, whose weight is in w.safetensors."""


def product(columns, depth):
    return f"""\
!x = tensor<?x{depth}xf32, #attn.sizes<rows, {depth}>>
!w = tensor<{columns}x{depth}xf32>
!y = tensor<?x{columns}xf32, #attn.sizes<rows, {columns}>>
module attributes {{attn.name = "product", attn.files = ["w.safetensors"]}} {{
attn.size @rows min 1 max 4096
attn.weight @w from ["w"] : !w
attn.entry @run(%x: !x {{attn.name = "x"}}) -> (!y {{attn.name = "out"}}) sizes ["rows"] {{
    %w = attn.get_weight @w : !w
    %y = attn.linear %x, %w : !x, !w -> !y
    attn.return %y : !y
}}
}}
"""
