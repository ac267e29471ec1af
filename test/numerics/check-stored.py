#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""GGUF's blocks and bf16 kept as they are, against the same file widened to f32.

    python3 check-stored.py ATTNC OUT FOLDER

Writes a random Llama as GGUF with matrices in Q8_0, Q4_0, Q4_1, Q4_K, Q6_K, BF16, in
several of them, as converters mix them within a layer too, with a table of its own
and without, and with scales and steps that no quantizer makes; compiles each with
--weights=stored, --weights=f32 and some with nothing said; logits must have the same bits,
and the weights file of the first must be smaller. With rows of i8 beside them,
attnc's own check must pass. The same for FOLDER, a tiny
language model in f32, once its tensors are cut to bf16 (and to f16, which stays
f32: no layout holds it), where nothing said means f32. Needs nothing but Python.
"""
import json
import os
import random
import shutil
import struct
import subprocess
import sys

import gguf_file
from attn_session import Library
from gguf_file import (BF16, BLOCK, F32, FLOAT32, LARGE_BLOCK, NAMES, Q4_0, Q4_1, Q4_K,
                       Q6_K, Q8_0, STRING, UINT32)
from model_file import Model

HEADS, KEY_HEADS, WORDS, LAYERS = 4, 2, 100, 2


def pack_blocks(kind, count, draw, unusual):
    """Blocks of random steps; unusual ones never reach the largest step."""
    if kind == BF16:
        return gguf_file.cut_to_bf16(draw.uniform(-0.2, 0.2) for _ in range(count))
    blocks = []
    if kind in (Q4_1, Q4_K, Q6_K):
        # Steps are around their middle, so that numbers are around zero.
        block, scale, least = {Q4_1: (BLOCK, 0.02, -0.15), Q4_K: (LARGE_BLOCK, 5e-4, 4e-3),
                               Q6_K: (LARGE_BLOCK, 5e-5, 0)}[kind]
        return b"".join(
            gguf_file.pack_any(kind, -scale if unusual else scale * draw.uniform(0.5, 1),
                               least, draw) for _ in range(count // block))
    for _ in range(count // 32):
        scale = draw.uniform(-0.02, 0.02) if kind == Q4_0 else draw.uniform(0, 0.002)
        if kind == Q8_0:
            most = 100 if unusual else 127
            steps = [draw.randint(-most, most) for _ in range(32)]
            if unusual:
                steps[draw.randrange(32)] = -128
            blocks.append(gguf_file.pack_q8(scale, steps))
        else:
            steps = [draw.randint(3 if unusual else 0, 15) for _ in range(32)]
            blocks.append(gguf_file.pack_q4(scale, steps))
    return b"".join(blocks)


def write_model(path, kinds, unusual, isMixed=False, isTied=False):
    """`kinds`: the format of the matrices of every layer, in turn; mixed, the values and
    what leads back are in the last of them in every layer."""
    isLarge = not {Q4_K, Q6_K}.isdisjoint(kinds)
    width, hidden = (256, 512) if isLarge else (64, 96)
    draw = random.Random(7)
    values = [("general.architecture", STRING, "llama")]
    for key, number in (("block_count", LAYERS), ("embedding_length", width),
                        ("feed_forward_length", hidden), ("context_length", 64),
                        ("attention.head_count", HEADS),
                        ("attention.head_count_kv", KEY_HEADS),
                        ("rope.dimension_count", width // HEADS)):
        values.append(("llama." + key, UINT32, number))
    for key, number in (("attention.layer_norm_rms_epsilon", 1e-5), ("rope.freq_base", 1e4)):
        values.append(("llama." + key, FLOAT32, number))
    tensors = []

    def add(name, shape, kind):
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        data = (b"".join(struct.pack("<f", draw.uniform(0.5, 1.5)) for _ in range(count))
                if kind == F32 else pack_blocks(kind, count, draw, unusual))
        tensors.append((name, shape, kind, data))

    add("token_embd.weight", (WORDS, width), kinds[-1 if isTied else 0])
    if not isTied:
        add("output.weight", (WORDS, width), kinds[-1])
    add("output_norm.weight", (width,), F32)
    of_keys = width // HEADS * KEY_HEADS
    for layer in range(LAYERS):
        for name, shape in (("attn_q", (width, width)), ("attn_k", (of_keys, width)),
                            ("attn_v", (of_keys, width)),
                            ("attn_output", (width, width)), ("ffn_gate", (hidden, width)),
                            ("ffn_up", (hidden, width)), ("ffn_down", (width, hidden))):
            kind = kinds[layer % len(kinds)]
            if isMixed:
                kind = kinds[-1 if name in ("attn_v", "ffn_down") else 0]
            add("blk.%d.%s.weight" % (layer, name), shape, kind)
        for name in ("attn_norm", "ffn_norm"):
            add("blk.%d.%s.weight" % (layer, name), (width,), F32)
    gguf_file.write(path, values, tensors)


def convert(folder, out, kind):
    """The folder with its tensors in a narrow format."""
    os.makedirs(out, exist_ok=True)
    shutil.copy(os.path.join(folder, "config.json"), out)
    model = Model(os.path.join(folder, "model.safetensors"))
    header, narrow = {}, b""
    for name, values in model.tensors.items():
        new = (gguf_file.cut_to_bf16(values) if kind == "BF16"
               else b"".join(map(gguf_file.pack_half, values)))
        header[name] = {"dtype": kind, "shape": model.shapes[name],
                        "data_offsets": [len(narrow), len(narrow) + len(new)]}
        narrow += new
    head = json.dumps(header).encode()
    with open(os.path.join(out, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head + narrow)
    with open(os.path.join(out, "config.json")) as file:
        return json.load(file)["vocab_size"]


def logits(attnc, model, out, *options, words=WORDS):
    subprocess.run([attnc, "compile", "-q", model, "-o", out, "--name", "m", *options],
                   check=True)
    session = Library(os.path.join(out, "libm.so")).session()
    ids = [1 + 37 * i % (words - 1) for i in range(40)]
    rows = [bytes(session.run("decode", [ids[:33]], words)[0])]
    for token in ids[33:]:
        rows.append(bytes(session.run("decode", [[token]], words)[0]))
    return rows, os.path.getsize(os.path.join(out, "m.weights"))


def check_folder(attnc, folder, out, kind):
    model = os.path.join(out, "folder-" + kind)
    words = convert(folder, model, kind)
    stored, small = logits(attnc, model, model + "-stored", "--weights=stored", words=words)
    widened, large = logits(attnc, model, model + "-default", words=words)
    assert len(set(widened)) > 1, kind + ": all logits are alike"
    assert stored == widened, kind + ": stored weights give other bits"
    # Products of few columns, and the table, stay f32.
    assert small < large if kind == "BF16" else small == large, \
        "%s: %d of %d bytes" % (kind, small, large)
    print("folder of %s: equal bits, %d of %d bytes" % (kind, small, large))


def main(attnc, out, folder):
    for kind in ("BF16", "F16"):
        check_folder(attnc, folder, out, kind)
    plain = ((Q8_0,), (Q4_0,), (BF16,), (Q8_0, Q4_0), (Q8_0, BF16))
    cases = [(kinds, unusual, False) for kinds in plain for unusual in (False, True)]
    cases += [((Q4_1,), True, False), ((Q6_K, Q4_K), False, True),
              ((Q4_K, Q6_K), True, True)]
    for kinds, unusual, isMixed in cases:
        name = ("+".join(NAMES[kind] for kind in kinds) + "-unusual" * unusual +
                "-mixed" * isMixed)
        model = os.path.join(out, name + ".gguf")
        write_model(model, kinds, unusual, isMixed, isTied=isMixed)
        place = os.path.join(out, name)
        # Half of the vectors' width, for one of them.
        target = ["--target=x86-64-v3"] if kinds == (Q6_K, Q4_K) else []
        stored, small = logits(attnc, model, place + "-stored", "--weights=stored", *target)
        widened, large = logits(attnc, model, place + "-f32", "--weights=f32", *target)
        default, same = ((stored, small) if unusual
                         else logits(attnc, model, place + "-default", *target))
        assert len({row for row in widened}) > 1, name + ": all logits are alike"
        assert stored == widened, name + ": stored weights give other bits"
        assert default == stored and same == small, name + ": another default"
        assert small < 0.75 * large, "%s: %d of %d bytes" % (name, small, large)
        print("%s: equal bits, %d of %d bytes" % (name, small, large))
        if kinds[0] in (Q4_1, Q4_K, Q6_K):
            logits(attnc, model, place + "-rows", "--weights=stored", "--activations=int8")
            subprocess.run([attnc, "verify", "--quick",
                            os.path.join(place + "-rows", "libm.so"), model],
                           check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(*sys.argv[1:])
