#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the seeds of fuzz-gguf: a model of one layer per architecture.

    pip install gguf==0.19.0
    python3 test/fuzz/make-gguf-seeds.py test/fuzz/seeds/gguf

Rows have 4 numbers, in one model 32, so that blocks of Q4_0 fit.
"""
import os
import sys

import gguf
import numpy as np

TOKENS = ["<s>", "a", "b", "ab", "\u2581", "<0x0A>"]
KINDS = [3, 1, 1, 1, 1, 6]


def add_tokenizer(writer, architecture):
    is_pieces = architecture in ("llama", "gemma2", "phi3")
    writer.add_tokenizer_model("llama" if is_pieces else "gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types(KINDS)
    if is_pieces:
        writer.add_token_scores([0.0, -3.0, -4.0, -1.0, -5.0, 0.0])
        writer.add_chat_template("{{ messages[0]['content'] }}")
    else:
        writer.add_tokenizer_pre({"falcon": "falcon", "bloom": "bloom", "qwen3": "qwen2",
                                  "gptneox": "mpt"}.get(architecture, "gpt-2"))
        writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)


def write(folder, architecture, width=4, quantized=False):
    writer = gguf.GGUFWriter(
        os.path.join(folder, architecture + "-q4" * quantized), architecture)
    heads, inner = 2, width if quantized else 4 * width
    is_normed = architecture in ("gpt2", "gptneox", "falcon", "bloom")
    writer.add_block_count(1)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(inner)
    writer.add_context_length(16)
    writer.add_head_count(heads)
    writer.add_head_count_kv(1 if architecture == "falcon" else heads)
    if is_normed:
        writer.add_layer_norm_eps(1e-5)
    else:
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_key_length(width // heads)
        writer.add_rope_freq_base(10000.0)
    if architecture not in ("gpt2", "bloom"):
        writer.add_rope_dimension_count(width // heads)
    if architecture == "gemma2":
        writer.add_attn_logit_softcapping(50.0)
        writer.add_final_logit_softcapping(30.0)
        writer.add_sliding_window(8)
    if architecture == "llama":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(2.0)
        writer.add_float32("general.sampling.temp", 0.7)
    add_tokenizer(writer, architecture)

    def add(name, *shape):
        values = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
        if quantized and len(shape) == 2:
            kind = gguf.GGMLQuantizationType.Q4_0
            writer.add_tensor(name, gguf.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, values)

    def add_norm(name):
        add(name + ".weight", width)
        if is_normed:
            add(name + ".bias", width)

    def add_product(name, rows, columns):
        add(name + ".weight", rows, columns)
        if is_normed and architecture != "falcon":
            add(name + ".bias", rows)

    add("token_embd.weight", len(TOKENS), width)
    if architecture == "gpt2":
        add("position_embd.weight", 16, width)
    if architecture == "bloom":
        add_norm("token_embd_norm")
    add_norm("output_norm")
    layer = "blk.0."
    add_norm(layer + "attn_norm")
    if architecture != "falcon":
        add_norm(layer + "ffn_norm")
    if is_normed or architecture == "phi3":
        rows = 2 * width if architecture == "falcon" else 3 * width
        add_product(layer + "attn_qkv", rows, width)
    else:
        for part in "qkv":
            add(f"{layer}attn_{part}.weight", width, width)
            if architecture == "qwen2":
                add(f"{layer}attn_{part}.bias", width)
    if architecture == "qwen3":
        add(layer + "attn_q_norm.weight", width // heads)
        add(layer + "attn_k_norm.weight", width // heads)
    if architecture == "gemma2":
        add_norm(layer + "post_attention_norm")
        add_norm(layer + "post_ffw_norm")
    add_product(layer + "attn_output", width, width)
    if architecture == "phi3":
        add(layer + "ffn_up.weight", 2 * inner, width)
    else:
        add_product(layer + "ffn_up", inner, width)
        if not is_normed:
            add(layer + "ffn_gate.weight", inner, width)
    add_product(layer + "ffn_down", width, inner)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main(folder):
    os.makedirs(folder, exist_ok=True)
    for architecture in ("llama", "qwen3", "gemma2", "phi3", "gpt2", "gptneox", "falcon",
                         "bloom"):
        write(folder, architecture)
    write(folder, "qwen2", width=32, quantized=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
