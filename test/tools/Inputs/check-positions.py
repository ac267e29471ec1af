# ===- check-positions.py - what attention reads of a session ---------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
#   check-positions.py LONG SHORT POSITIONS CONFIG
#
# Two rooflines of one token, one with so many positions more before it: attention
# with a cache reads a key and a value in f32 of each more, and multiplies by them.
#
# ===----------------------------------------------------------------------===//
import json
import sys

long, short = (
    {kernel["kernels"]: kernel for kernel in json.load(open(path))["roofline"]["kernels"]}
    for path in sys.argv[1:3]
)
positions = int(sys.argv[3])
config = json.load(open(sys.argv[4]))
heads = config["num_attention_heads"]
size = config.get("head_dim") or config["hidden_size"] // heads
key_heads = config.get("num_key_value_heads", heads)
changed = {name for name in long if long[name]["bytes"] != short[name]["bytes"]}
assert changed and all("attention" in name for name in changed), changed
layers = sum(long[name]["phases"] for name in changed)
assert layers == config["num_hidden_layers"], layers
for unit, each in (("bytes", 2 * 4 * key_heads * size), ("flops", 4 * heads * size)):
    more = sum(long[name][unit] - short[name][unit] for name in changed)
    assert more == positions * layers * each, (unit, more, positions * layers * each)
