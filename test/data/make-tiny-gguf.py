#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes GGUF files of the tiny decoders, as llama.cpp's converter lays them out.

    pip install gguf==0.19.0 safetensors
    python3 test/data/make-tiny-gguf.py test/data/decoders test/data/gguf [FOLDER OUT]

test/data/gguf/NAME.gguf holds the tensors of test/data/decoders/NAME in F32 under
GGUF's names, queries and keys of Llama permuted to rotate adjacent pairs, joint
matrices of GPT-NeoX, Falcon and BLOOM with all queries first, those of GPT-2
transposed, so that the golden files of the decoders hold for them. With FOLDER and OUT it converts a
folder with a byte-fallback BPE tokenizer.json too, scores made of the merges'
ranks.
"""
import json
import math
import os
import sys

import gguf
import numpy as np
from safetensors.numpy import load_file

# Name of the file, the decoder, GGUF's architecture.
MODELS = {"llama": "llama", "llama3": "llama",
          "llama-linear": "llama", "qwen2": "qwen2", "qwen3": "qwen3",
          "gemma": "gemma", "gemma2": "gemma2", "phi3": "phi3", "phi3-long": "phi3",
          "smollm": "llama", "gpt2": "gpt2", "dialogpt": "gpt2",
          "gpt-neox": "gptneox", "falcon": "falcon",
          "falcon-new": "falcon", "falcon-new-one": "falcon", "bloom": "bloom"}
PARTS = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}
# Where an architecture has other names than the rest.
OWN_PARTS = {
    "gemma2": {"post_attention_layernorm": "post_attention_norm",
               "pre_feedforward_layernorm": "ffn_norm",
               "post_feedforward_layernorm": "post_ffw_norm"},
    "phi3": {"self_attn.qkv_proj": "attn_qkv", "mlp.gate_up_proj": "ffn_up"},
    "gpt2": {"ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output",
             "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"},
}
LAYER_NORMED = {"attention.query_key_value": "attn_qkv", "attention.dense": "attn_output",
                "self_attention.query_key_value": "attn_qkv",
                "self_attention.dense": "attn_output", "ln_mlp": "attn_norm",
                "ln_attn": "attn_norm_2", "mlp.dense_h_to_4h": "ffn_up",
                "mlp.dense_4h_to_h": "ffn_down"}
WHOLE = {"model.embed_tokens.weight": "token_embd.weight",
         "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight",
         "embed_out.weight": "output.weight"}
STEMS = {"wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm",
         "embed_in": "token_embd", "final_layer_norm": "output_norm",
         "word_embeddings": "token_embd", "word_embeddings_layernorm": "token_embd_norm"}
PREFIXES = ("transformer.", "gpt_neox.")


def rename(name, architecture):
    if name in WHOLE:
        return WHOLE[name]
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    stem, ending = name.rsplit(".", 1)
    if stem in STEMS:
        return f"{STEMS[stem]}.{ending}"
    _, layer, rest = name.removeprefix("model.").split(".", 2)
    module, ending = rest.rsplit(".", 1)
    parts = PARTS | LAYER_NORMED | OWN_PARTS.get(architecture, {})
    return f"blk.{layer}.{parts[module]}.{ending}"


def permute(tensor, heads):
    """Halves of a head to adjacent pairs, as the converter does for Llama."""
    shape = tensor.shape
    tensor = tensor.reshape(heads, 2, shape[0] // heads // 2, *shape[1:])
    return np.ascontiguousarray(tensor.swapaxes(1, 2).reshape(shape))


def split_groups(tensor, heads, key_heads):
    """Groups of queries, a key and a value: all queries, keys, values."""
    rest = tensor.shape[1:]
    groups = tensor.reshape(key_heads, heads // key_heads + 2, -1, *rest)
    parts = groups[:, :-2], groups[:, -2], groups[:, -1]
    return np.concatenate([part.reshape(-1, *rest) for part in parts])


def rope_factors(scaling, size):
    """Llama 3's scaling as divisors of the frequencies."""
    theta = scaling["rope_theta"]
    frequencies = 1 / theta ** (np.arange(0, size, 2) / size)
    lengths = 2 * np.pi / frequencies
    low = scaling["original_max_position_embeddings"] / scaling["low_freq_factor"]
    high = scaling["original_max_position_embeddings"] / scaling["high_freq_factor"]
    factors = np.ones(size // 2)
    for i, length in enumerate(lengths):
        if length > low:
            factors[i] = scaling["factor"]
        elif length > high:
            smooth = (scaling["original_max_position_embeddings"] / length
                      - scaling["low_freq_factor"]) / (
                          scaling["high_freq_factor"] - scaling["low_freq_factor"])
            factors[i] = 1 / ((1 - smooth) / scaling["factor"] + smooth)
    return factors.astype(np.float32)


def add_tokenizer(writer, path):
    with open(path) as file:
        tokenizer = json.load(file)
    model = tokenizer["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    special = {token["content"] for token in tokenizer["added_tokens"] if token["special"]}
    scores, kinds = [], []
    made = {}
    for rank, merge in enumerate(model["merges"]):
        left, right = merge if isinstance(merge, list) else merge.split(" ")
        made.setdefault(left + right, -float(rank))
    for token in tokens:
        is_byte = len(token) == 6 and token.startswith("<0x")
        kinds.append(6 if is_byte else 2 if token == "<unk>" else 3 if token in special else 1)
        scores.append(made.get(token, -1e6))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    for name, add in (("<s>", writer.add_bos_token_id), ("</s>", writer.add_eos_token_id),
                      ("<unk>", writer.add_unk_token_id)):
        if name in model["vocab"]:
            add(model["vocab"][name])


def either(config, *keys):
    return next((config[key] for key in keys if config.get(key) is not None), None)


def add_numbers(writer, config, architecture, heads, key_heads):
    hidden = either(config, "hidden_size", "n_embd", "n_embed")
    writer.add_block_count(either(config, "num_hidden_layers", "n_layer"))
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(
        either(config, "intermediate_size", "ffn_hidden_size", "n_inner") or 4 * hidden)
    writer.add_context_length(
        either(config, "max_position_embeddings", "n_positions", "seq_length"))
    writer.add_head_count(heads)
    if architecture not in ("gpt2", "gptneox"):
        writer.add_head_count_kv(key_heads)
    if "rms_norm_eps" in config:
        writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    else:
        writer.add_layer_norm_eps(either(config, "layer_norm_eps", "layer_norm_epsilon"))
    if architecture == "gptneox":
        writer.add_parallel_residual(config["use_parallel_residual"])
    if architecture == "falcon":
        writer.add_tensor_data_layout("jploski")


def add_scores(writer, config, architecture):
    if architecture == "gemma2":
        writer.add_attn_logit_softcapping(config["attn_logit_softcapping"])
        writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    if architecture in ("gemma2", "phi3"):
        writer.add_sliding_window(config.get("sliding_window") or 0)


def add_rotation(writer, config, architecture, size):
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    share = either(rope, "partial_rotary_factor") or config.get("rotary_pct", 1)
    # Of GPT-NeoX and Falcon the converter leaves out what follows from the rest.
    if architecture not in ("gptneox", "falcon"):
        writer.add_key_length(size)
    if architecture != "falcon":
        writer.add_rope_dimension_count(int(size * share))
    if architecture not in ("gptneox", "falcon"):
        writer.add_rope_freq_base(
            float(rope.get("rope_theta", config.get("rope_theta", 10000.0))))
    if rope.get("rope_type") == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    if rope.get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", rope_factors(rope, size))
    if rope.get("rope_type") == "longrope":
        original = config["original_max_position_embeddings"]
        scale = config["max_position_embeddings"] / original
        writer.add_rope_scaling_orig_ctx_len(original)
        writer.add_rope_scaling_attn_factors(
            math.sqrt(1 + math.log(scale) / math.log(original)))
        for part in ("short", "long"):
            writer.add_tensor(f"rope_factors_{part}.weight",
                              np.array(rope[part + "_factor"], np.float32))


def lay_out(name, tensor, architecture, heads, key_heads):
    """A tensor as the converter has it."""
    if architecture == "llama" and ".q_proj." in name:
        return permute(tensor, heads)
    if architecture == "llama" and ".k_proj." in name:
        return permute(tensor, key_heads)
    # llama.cpp multiplies by the weights alone.
    if architecture.startswith("gemma") and name.endswith("norm.weight"):
        return tensor + np.float32(1)
    if architecture == "gpt2" and name.endswith("weight") and ".c_" in name:
        return np.ascontiguousarray(tensor.T)
    if "query_key_value" in name:
        return split_groups(tensor, heads, key_heads)
    return tensor


def count_key_heads(config, architecture, heads):
    if architecture != "falcon":
        return config.get("num_key_value_heads", heads)
    return config["num_kv_heads"] if config["new_decoder_architecture"] else 1


def convert(folder, path, architecture):
    with open(os.path.join(folder, "config.json")) as file:
        config = json.load(file)
    tensors = load_file(os.path.join(folder, "model.safetensors"))
    heads = either(config, "num_attention_heads", "n_head")
    key_heads = count_key_heads(config, architecture, heads)
    size = config.get("head_dim") or (
        either(config, "hidden_size", "n_embd", "n_embed") // heads)
    writer = gguf.GGUFWriter(path, architecture)
    add_numbers(writer, config, architecture, heads, key_heads)
    if architecture not in ("gpt2", "bloom"):
        add_rotation(writer, config, architecture, size)
    add_scores(writer, config, architecture)
    tokenizer = os.path.join(folder, "tokenizer.json")
    if os.path.exists(tokenizer):
        add_tokenizer(writer, tokenizer)
    elif config.get("eos_token_id") is not None:
        writer.add_eos_token_id(config["eos_token_id"])
    for name, tensor in tensors.items():
        tensor = lay_out(name, tensor, architecture, heads, key_heads)
        writer.add_tensor(rename(name, architecture), tensor.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main(decoders, out, folder=None, target=None):
    os.makedirs(out, exist_ok=True)
    for name, architecture in MODELS.items():
        convert(os.path.join(decoders, name), os.path.join(out, name + ".gguf"), architecture)
    if folder:
        convert(folder, target, "llama")


if __name__ == "__main__":
    main(*sys.argv[1:])
