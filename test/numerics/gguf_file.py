# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes GGUF files: values under keys, tensors in F32, BF16 and blocks, and the names
that llama.cpp's converter gives those of a Llama. Needs nothing but Python.
"""
import struct

UINT32, INT32, FLOAT32, STRING, ARRAY = 4, 5, 6, 8, 9
F32, Q4_0, Q4_1, Q8_0, Q4_K, Q6_K, BF16 = 0, 2, 3, 8, 12, 14, 30
NAMES = {Q8_0: "Q8_0", Q4_0: "Q4_0", Q4_1: "Q4_1", Q4_K: "Q4_K", Q6_K: "Q6_K",
         BF16: "BF16"}
BLOCK, LARGE_BLOCK = 32, 256
PARTS = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q",
         "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
         "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
         "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
WHOLE = {"model.embed_tokens.weight": "token_embd.weight",
         "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}
PACK = {UINT32: lambda x: struct.pack("<I", x), INT32: lambda x: struct.pack("<i", x),
        FLOAT32: lambda x: struct.pack("<f", x),
        STRING: lambda x: struct.pack("<Q", len(x.encode())) + x.encode()}


def rename(name):
    """What a tensor of a folder is called in GGUF."""
    if name in WHOLE:
        return WHOLE[name]
    layer, rest = name.removeprefix("model.layers.").split(".", 1)
    part, kind = rest.rsplit(".", 1)
    return "blk.%s.%s.%s" % (layer, PARTS[part], kind)


def pack_value(kind, value):
    if kind != ARRAY:
        return PACK[kind](value)
    inner, items = value
    return struct.pack("<IQ", inner, len(items)) + b"".join(map(PACK[inner], items))


def pack_half(value):
    return struct.pack("<e", value)


def cut_to_bf16(values):
    return b"".join(struct.pack("<f", value)[2:] for value in values)


def pack_q8(scale, steps):
    """A block of 32 steps from -128 to 127."""
    return pack_half(scale) + struct.pack("<32b", *steps)


def pack_q4(scale, steps):
    """A block of 32 steps from 0 to 15, of which 8 stands for none."""
    half = BLOCK // 2
    return pack_half(scale) + bytes(steps[i] | steps[i + half] << 4 for i in range(half))


def pack_any(kind, scale, least, draw):
    """A block of anything, but for its halves; `least` where the format has one."""
    halves = pack_half(scale) + pack_half(least)
    if kind == Q4_1:
        return halves + draw.randbytes(BLOCK // 2)
    if kind == Q4_K:  # scales and minima of 6 bits, nibbles
        return halves + draw.randbytes(12) + draw.randbytes(LARGE_BLOCK // 2)
    assert kind == Q6_K  # nibbles, pairs of bits, scales of 8 bits
    return draw.randbytes(LARGE_BLOCK // 4 * 3) + draw.randbytes(16) + pack_half(scale)


def quantize(kind, numbers):
    """The bytes of numbers in a format, as llama.cpp rounds blocks."""
    if kind == F32:
        return struct.pack("<%df" % len(numbers), *numbers)
    if kind == BF16:
        return cut_to_bf16(numbers)
    blocks = []
    for begin in range(0, len(numbers), BLOCK):
        block = numbers[begin:begin + BLOCK]
        largest = max(block, key=abs)
        scale = abs(largest) / 127 if kind == Q8_0 else largest / -8
        steps = [round(x / scale) if scale else 0 for x in block]
        if kind == Q8_0:
            blocks.append(pack_q8(scale, steps))
        else:
            blocks.append(pack_q4(scale, [min(step + 8, 15) for step in steps]))
    return b"".join(blocks)


def write(path, values, tensors):
    """`values`: key, kind and value; `tensors`: name, shape, format and bytes."""
    values, tensors = list(values), list(tensors)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values))
    for key, kind, value in values:
        head += PACK[STRING](key) + struct.pack("<I", kind) + pack_value(kind, value)
    body = b""
    for name, shape, kind, data in tensors:
        head += PACK[STRING](name) + struct.pack("<I", len(shape))
        head += struct.pack("<%dQ" % len(shape), *reversed(shape))
        head += struct.pack("<IQ", kind, len(body))
        body += data + b"\0" * (-len(data) % BLOCK)
    with open(path, "wb") as file:
        file.write(head + b"\0" * (-len(head) % BLOCK) + body)
