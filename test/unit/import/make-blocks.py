# ===- make-blocks.py - a GGUF file of every block format --------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
#   pip install gguf==0.19.0 numpy
#   make-blocks.py Inputs/blocks.gguf
#
# For every type a tensor of random blocks and, as NAME.expected in F32, what the
# gguf package reads in it.
#
# ===----------------------------------------------------------------------===//
import sys

import gguf
import numpy as np

random = np.random.default_rng(5)
writer = gguf.GGUFWriter(sys.argv[1], "llama")
writer.add_uint32("llama.block_count", 2)
writer.add_float32("llama.rope.freq_base", 10000.0)
writer.add_bool("test.true", True)
writer.add_array("tokenizer.ggml.tokens", ["<s>", "a", "ä"])
writer.add_array("test.numbers", [1, -2, 3])

# Where the half-precision scales of a block stand.
SCALES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q4_K": [0, 2], "Q6_K": [208]}
for name, places in SCALES.items():
    kind = gguf.GGMLQuantizationType[name]
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    rows, blocks = 3, 512 // elements
    data = random.integers(0, 256, (rows, blocks, size), dtype=np.uint8)
    for place in places:
        scales = random.normal(size=(rows, blocks, 1)).astype(np.float16)
        data[:, :, place : place + 2] = scales.view(np.uint8).reshape(rows, blocks, 2)
    data = data.reshape(rows, blocks * size)
    writer.add_tensor(name, data, raw_dtype=kind)
    writer.add_tensor(f"{name}.expected", gguf.dequantize(data, kind).astype(np.float32))
numbers = random.normal(size=(2, 5)).astype(np.float32)
writer.add_tensor("F16", numbers.astype(np.float16))
writer.add_tensor("F16.expected", numbers.astype(np.float16).astype(np.float32))
# Every pattern of bits but those that are no numbers, zeros and halves of ulps.
bits = random.integers(0, 1 << 16, (2, 300), dtype=np.uint16)
bits[(bits >> 7 & 0xFF) == 0xFF] = 0x8000
kind = gguf.GGMLQuantizationType.BF16
writer.add_tensor("BF16", bits.view(np.uint8), raw_dtype=kind)
writer.add_tensor("BF16.expected", gguf.dequantize(bits.view(np.uint8), kind))
writer.add_tensor("F32", numbers)
writer.add_tensor("F32.expected", gguf.dequantize(numbers, gguf.GGMLQuantizationType.F32))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
