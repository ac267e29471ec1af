# ===- decoders.py - language models, one class for each who runs them ------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# Each keeps one sequence: append(ids) returns the logits behind the last of them,
# truncate(length) takes tokens back. What a timed call does besides is a few
# microseconds of Python.
#
# ===----------------------------------------------------------------------===//
import ctypes
import json
import os

import numpy as np

import attnc_library


class Attnc:
    """A library with the entry decode(batch, seq, ids, mask) -> logits."""

    def __init__(self, path, threads):
        self.library = attnc_library.Library(path, threads)
        entry = self.library.entries["decode"]
        self.words = entry["outputs"][0]["dims"][1]
        self.calls = {}

    def append(self, ids):
        count = len(ids)
        if count not in self.calls:
            given = np.zeros((1, count), np.int32)
            output = np.zeros((1, self.words), np.float32)
            call = self.library.bind("decode", (1, count),
                                     (given, np.ones_like(given)), output)
            self.calls[count] = given, call
        given, call = self.calls[count]
        given[0] = ids
        return call()[0]

    def truncate(self, length):
        self.library.call("session_truncate", self.library.session,
                          ctypes.c_int64(0), ctypes.c_int64(length))

    def close(self):
        self.library.close()


class LlamaCpp:
    def __init__(self, path, threads):
        import llamacpp

        self.model = llamacpp.Model(path, 2048, threads)
        self.info = self.model.info()

    def append(self, ids):
        for first in range(0, len(ids), 512):
            self.model.append(ids[first:first + 512])
        return np.ctypeslib.as_array(
            self.model.logits_pointer(), (self.model.vocabulary,))

    def truncate(self, length):
        self.model.truncate(length)

    def close(self):
        self.model.close()


class Torch:
    """The model in PyTorch's own fused functions, keys and values in arrays made
    beforehand; no model library around them."""

    def __init__(self, folder, threads):
        import torch
        from torch.nn import functional

        import safetensors_file

        torch.set_num_threads(threads)
        self.torch, self.functional = torch, functional
        with open(os.path.join(folder, "config.json")) as file:
            self.config = json.load(file)
        tensors = safetensors_file.read_folder(folder)
        self.weights = {name: torch.from_numpy(np.array(values))
                        for name, values in tensors.items()}
        del tensors
        config = self.config
        self.size, self.key_heads = config["head_dim"], config["num_key_value_heads"]
        shape = (2, config["num_hidden_layers"], self.key_heads, 2048, self.size)
        self.cache = torch.zeros(shape)
        frequencies = config["rope_theta"] ** (-torch.arange(0, self.size, 2) / self.size)
        angles = torch.outer(torch.arange(2048), frequencies).repeat(1, 2)
        self.cos, self.sin = angles.cos(), angles.sin()
        for layer in range(config["num_hidden_layers"]):
            prefix = f"model.layers.{layer}."
            self.join(prefix + "self_attn.", ("q_proj", "k_proj", "v_proj"), "qkv")
            self.join(prefix + "mlp.", ("gate_proj", "up_proj"), "wide")
        self.length = 0

    def join(self, prefix, names, joined):
        parts = [self.weights.pop(prefix + name + ".weight") for name in names]
        self.weights[prefix + joined] = self.torch.cat(parts)

    def rotate(self, x, first, last):
        left, right = x.chunk(2, dim=-1)
        turned = self.torch.cat((-right, left), dim=-1)
        return x * self.cos[first:last] + turned * self.sin[first:last]

    def norm(self, x, name):
        return self.functional.rms_norm(x, x.shape[-1:], self.weights[name + ".weight"],
                                        self.config["rms_norm_eps"])

    def layer(self, x, number, first, last):
        prefix, linear = f"model.layers.{number}.", self.functional.linear
        heads = self.config["num_attention_heads"]
        rows = linear(self.norm(x, prefix + "input_layernorm"),
                      self.weights[prefix + "self_attn.qkv"])
        rows = rows.view(len(x), -1, self.size).transpose(0, 1)
        query, key, value = rows.split((heads, self.key_heads, self.key_heads))
        keys, values = self.cache[0, number], self.cache[1, number]
        keys[:, first:last] = self.rotate(key, first, last)
        values[:, first:last] = value
        query = self.rotate(query, first, last)
        # A prompt is at the beginning or a single token at the end.
        attended = self.functional.scaled_dot_product_attention(
            query[None], keys[None, :, :last], values[None, :, :last],
            is_causal=len(x) > 1, enable_gqa=heads != self.key_heads)[0]
        attended = attended.transpose(0, 1).reshape(len(x), -1)
        x = x + linear(attended, self.weights[prefix + "self_attn.o_proj.weight"])
        gate, up = linear(self.norm(x, prefix + "post_attention_layernorm"),
                          self.weights[prefix + "mlp.wide"]).chunk(2, dim=-1)
        wide = self.functional.silu(gate) * up
        return x + linear(wide, self.weights[prefix + "mlp.down_proj.weight"])

    def append(self, ids):
        assert len(ids) == 1 or self.length == 0, "a prompt, or one token"
        with self.torch.inference_mode():
            first, last = self.length, self.length + len(ids)
            table = self.weights["model.embed_tokens.weight"]
            x = table[self.torch.tensor(ids)]
            for number in range(self.config["num_hidden_layers"]):
                x = self.layer(x, number, first, last)
            self.length = last
            return self.functional.linear(self.norm(x[-1:], "model.norm"), table)[0].numpy()

    def truncate(self, length):
        self.length = length

    def close(self):
        pass
