# ===- random_decoder.py - Llamas with random weights, in every form --------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
#   random_decoder.py SIZE FOLDER FORMAT,...
#
# Writes FOLDER/config.json and FOLDER/model.safetensors in f32, and for every
# FORMAT (F32, Q8_0, Q4_0) FOLDER/FORMAT.gguf of the same numbers. SIZE is "gpt2"
# (a Llama of GPT-2's 124 million parameters), "llama-1b" (Llama 3.2 1B's sizes)
# or "tiny". Tensor after tensor, so that memory holds one; the numbers of one are
# drawn again for every file.
#
# ===----------------------------------------------------------------------===//
import json
import os
import struct
import sys

import gguf
import numpy as np

# hidden, intermediate, layers, heads, key heads, vocabulary.
SIZES = {
    "tiny": (64, 96, 2, 4, 2, 128),
    "gpt2": (768, 2048, 12, 12, 12, 50304),
    "llama-1b": (2048, 8192, 16, 32, 8, 128256),
}
POSITIONS = 2048


def config_of(size):
    hidden, wide, layers, heads, key_heads, words = SIZES[size]
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama",
        "hidden_size": hidden, "intermediate_size": wide, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": key_heads,
        "head_dim": hidden // heads, "vocab_size": words, "hidden_act": "silu",
        "max_position_embeddings": POSITIONS, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "tie_word_embeddings": True,
        "bos_token_id": 1, "eos_token_id": 2,
    }


def shapes_of(config):
    """[(name in the folder, name in GGUF, shape)]"""
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    keys = config["num_key_value_heads"] * config["head_dim"]
    shapes = [("model.embed_tokens.weight", "token_embd.weight",
               (config["vocab_size"], hidden)),
              ("model.norm.weight", "output_norm.weight", (hidden,))]
    for layer in range(config["num_hidden_layers"]):
        for name, other, shape in (
                ("self_attn.q_proj", "attn_q", (hidden, hidden)),
                ("self_attn.k_proj", "attn_k", (keys, hidden)),
                ("self_attn.v_proj", "attn_v", (keys, hidden)),
                ("self_attn.o_proj", "attn_output", (hidden, hidden)),
                ("mlp.gate_proj", "ffn_gate", (wide, hidden)),
                ("mlp.up_proj", "ffn_up", (wide, hidden)),
                ("mlp.down_proj", "ffn_down", (hidden, wide)),
                ("input_layernorm", "attn_norm", (hidden,)),
                ("post_attention_layernorm", "ffn_norm", (hidden,))):
            shapes.append((f"model.layers.{layer}.{name}.weight",
                           f"blk.{layer}.{other}.weight", shape))
    return shapes


def draw(index, shape):
    if len(shape) == 1:
        return np.ones(shape, np.float32)
    values = np.random.default_rng(index).standard_normal(shape, np.float32)
    values *= np.float32(0.02)
    return values


def permute(values, heads):
    """Halves of a head to adjacent pairs, as llama.cpp's converter does."""
    shape = values.shape
    values = values.reshape(heads, 2, shape[0] // heads // 2, shape[1])
    return np.ascontiguousarray(values.swapaxes(1, 2)).reshape(shape)


def write_folder(config, folder):
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=1)
    header, offset = {}, 0
    for name, _, shape in shapes_of(config):
        size = 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": list(shape),
                        "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for index, (_, _, shape) in enumerate(shapes_of(config)):
            file.write(draw(index, shape).data)


def write_gguf(config, path, kind):
    """Tensors are written as they are made: the writer asks for them late."""
    wanted = gguf.GGMLQuantizationType[kind]
    writer = gguf.GGUFWriter(path, "llama", use_temp_file=False)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(POSITIONS)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("none")
    shapes = shapes_of(config)
    types = [wanted if len(shape) == 2 else gguf.GGMLQuantizationType.F32
             for _, _, shape in shapes]
    for (_, name, shape), of in zip(shapes, types):
        if of == gguf.GGMLQuantizationType.F32:
            writer.add_tensor_info(name, shape, np.dtype(np.float32),
                                   4 * int(np.prod(shape)))
            continue
        block, size = gguf.GGML_QUANT_SIZES[of]
        stored = (shape[0], shape[1] // block * size)
        writer.add_tensor_info(name, stored, np.dtype(np.uint8), int(np.prod(stored)),
                               raw_dtype=of)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for index, ((_, name, shape), of) in enumerate(zip(shapes, types)):
        values = draw(index, shape)
        if name.endswith("attn_q.weight"):
            values = permute(values, config["num_attention_heads"])
        if name.endswith("attn_k.weight"):
            values = permute(values, config["num_key_value_heads"])
        if of != gguf.GGMLQuantizationType.F32:
            values = gguf.quants.quantize(values, of)
        writer.write_tensor_data(values)
    writer.close()


def main(size, folder, kinds):
    os.makedirs(folder, exist_ok=True)
    config = config_of(size)
    write_folder(config, folder)
    for kind in kinds.split(","):
        write_gguf(config, os.path.join(folder, kind + ".gguf"), kind)


if __name__ == "__main__":
    main(*sys.argv[1:])
