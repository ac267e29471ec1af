# ===- decoder_onnx.py - a Llama folder as a graph for onnxruntime ----------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# In onnxruntime's own fused ops, as its model builder for generation writes them:
# GroupQueryAttention with rotation on buffers that keep past and present in one
# place, SkipSimplifiedLayerNormalization, and MatMul, or MatMulNBits with blocks of
# 32 weights and the scales of f32. Logits are those of the last token.
#
# ===----------------------------------------------------------------------===//
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CONTRIB = "com.microsoft"
BLOCK = 32


def quantize(rows, bits):
    """Symmetric, in blocks along a row [n, k]: (packed, scales)."""
    blocks = rows.reshape(len(rows), -1, BLOCK)
    zero = 1 << (bits - 1)
    scales = np.abs(blocks).max(axis=2) / (zero - 1)
    steps = np.rint(blocks / np.where(scales == 0, 1, scales)[..., None]) + zero
    steps = steps.astype(np.uint8)
    if bits == 4:
        steps = steps[..., 0::2] | steps[..., 1::2] << 4
    return steps, scales.astype(np.float32).reshape(-1)


class Graph:
    def __init__(self, config, tensors, bits):
        self.config, self.tensors, self.bits = config, tensors, bits
        self.nodes, self.weights = [], []

    def keep(self, name, values):
        self.weights.append(numpy_helper.from_array(np.array(values, order="C"), name))
        return name

    def op(self, kind, inputs, output, domain="", outputs=None, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, outputs or [output],
                                           name=output, domain=domain, **attributes))
        return output

    def product(self, x, rows, name):
        """x times the transposed `rows` [n, k]."""
        if self.bits == 32:
            return self.op("MatMul", [x, self.keep(name + ".w", rows.T)], name)
        packed, scales = quantize(rows, self.bits)
        # Level 4: rows become int8, which is what the CPU does fastest.
        return self.op("MatMulNBits", [x, self.keep(name + ".q", packed),
                                       self.keep(name + ".s", scales)], name, CONTRIB,
                       K=rows.shape[1], N=rows.shape[0], bits=self.bits,
                       block_size=BLOCK, accuracy_level=4)

    def of(self, prefix, *names):
        return np.concatenate([self.tensors[f"{prefix}{name}.weight"] for name in names])

    def norm(self, x, delta, name, output):
        """(normalized, sum) of x + delta; delta may be missing."""
        scale = self.keep(output + ".scale", self.tensors[name + ".weight"])
        epsilon = self.config["rms_norm_eps"]
        if delta is None:
            return self.op("SimplifiedLayerNormalization", [x, scale], output,
                           epsilon=epsilon, axis=-1), x
        total = output + ".sum"
        self.op("SkipSimplifiedLayerNormalization", [delta, x, scale], output, CONTRIB,
                [output, "", "", total], epsilon=epsilon)
        return output, total

    def layer(self, x, delta, number):
        config, prefix, name = self.config, f"model.layers.{number}.", f"l{number}."
        rows, x = self.norm(x, delta, prefix + "input_layernorm", name + "norm")
        joined = self.of(prefix + "self_attn.", "q_proj", "k_proj", "v_proj")
        attended = name + "attended"
        self.op("GroupQueryAttention",
                [self.product(rows, joined, name + "qkv"), "", "", f"past_key_{number}",
                 f"past_value_{number}", "last", "total", "cos", "sin"], attended, CONTRIB,
                [attended, f"key_{number}", f"value_{number}"],
                num_heads=config["num_attention_heads"],
                kv_num_heads=config["num_key_value_heads"], do_rotary=1)
        delta = self.product(attended, self.of(prefix + "self_attn.", "o_proj"), name + "o")
        rows, x = self.norm(x, delta, prefix + "post_attention_layernorm", name + "norm2")
        gate = self.product(rows, self.of(prefix + "mlp.", "gate_proj"), name + "gate")
        up = self.product(rows, self.of(prefix + "mlp.", "up_proj"), name + "up")
        gate = self.op("QuickGelu", [gate], name + "silu", CONTRIB, alpha=1.0)
        wide = self.op("Mul", [gate, up], name + "wide")
        return x, self.product(wide, self.of(prefix + "mlp.", "down_proj"), name + "down")

    def build(self, positions):
        config = self.config
        size, layers = config["head_dim"], config["num_hidden_layers"]
        angles = np.outer(np.arange(positions),
                          config["rope_theta"] ** (-np.arange(0, size, 2) / size))
        self.keep("cos", np.cos(angles).astype(np.float32))
        self.keep("sin", np.sin(angles).astype(np.float32))
        table = self.tensors["model.embed_tokens.weight"]
        x, delta = self.op("Gather", [self.keep("table", table), "ids"], "embedded"), None
        for number in range(layers):
            x, delta = self.layer(x, delta, number)
        rows, _ = self.norm(x, delta, "model.norm", "norm")
        end = self.op("Gather", [rows, self.keep("end", np.array(-1, np.int64))], "row", axis=1)
        self.product(end, table, "logits")

        def value(name, kind, *shape):
            return helper.make_tensor_value_info(name, kind, shape)

        def caches(prefix):
            heads = config["num_key_value_heads"]
            return [value(f"{prefix}{kind}_{number}", TensorProto.FLOAT, 1, heads, positions,
                          size) for number in range(layers) for kind in ("key", "value")]

        inputs = [value("ids", TensorProto.INT64, 1, "seq"), value("last", TensorProto.INT32, 1),
                  value("total", TensorProto.INT32)]
        outputs = [value("logits", TensorProto.FLOAT, 1, len(table))]
        graph = helper.make_graph(self.nodes, "decoder", inputs + caches("past_"),
                                  outputs + caches(""), self.weights)
        return helper.make_model(graph, ir_version=10, opset_imports=[
            helper.make_opsetid("", 21), helper.make_opsetid(CONTRIB, 1)])


def write(config, tensors, bits, positions, path):
    """bits: 32 (f32), 8 or 4."""
    onnx.save(Graph(config, tensors, bits).build(positions), path,
              save_as_external_data=True, location="weights.bin")
