# ===- bert_onnx.py - a BERT folder as an ONNX graph ------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# Writes the encoder of a HuggingFace folder (BERT, or a relative: families.py) with the op patterns that
# exporters produce, so that onnxruntime's optimizer recognises and fuses them:
# input_ids [batch, seq] and attention_mask [batch, seq] to
# last_hidden_state [batch, seq, hidden].
#
# ===----------------------------------------------------------------------===//
import json
import math
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import families
import safetensors_file


class Graph:
    """Nodes and initializers under construction; ops return output names."""

    def __init__(self):
        self.nodes, self.initializers, self.count = [], [], 0

    def constant(self, value, dtype=None):
        name = f"c{len(self.initializers)}"
        array = np.ascontiguousarray(np.array(value, dtype=dtype))
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def op(self, kind, *inputs, **attributes):
        self.count += 1
        output = f"t{self.count}"
        self.nodes.append(
            helper.make_node(kind, list(inputs), [output], name=output, **attributes)
        )
        return output


def linear(graph, tensors, prefix, x):
    weight = graph.constant(tensors[prefix + ".weight"].T)
    product = graph.op("MatMul", x, weight)
    return graph.op("Add", graph.constant(tensors[prefix + ".bias"]), product)


def layer_norm(graph, tensors, prefix, x, epsilon):
    return graph.op(
        "LayerNormalization",
        x,
        graph.constant(tensors[prefix + ".weight"]),
        graph.constant(tensors[prefix + ".bias"]),
        axis=-1,
        epsilon=epsilon,
    )


def attention(graph, tensors, prefix, x, mask, heads, hidden):
    size = hidden // heads

    def split(name, permutation):
        y = linear(graph, tensors, prefix + ".self." + name, x)
        y = graph.op("Reshape", y, graph.constant([0, 0, heads, size], np.int64))
        return graph.op("Transpose", y, perm=permutation)

    query = split("query", [0, 2, 1, 3])
    key = split("key", [0, 2, 3, 1])
    value = split("value", [0, 2, 1, 3])
    scores = graph.op("MatMul", query, key)
    scores = graph.op("Div", scores, graph.constant(math.sqrt(size), np.float32))
    scores = graph.op("Add", scores, mask)
    weights = graph.op("Softmax", scores, axis=-1)
    out = graph.op("MatMul", weights, value)
    out = graph.op("Transpose", out, perm=[0, 2, 1, 3])
    return graph.op("Reshape", out, graph.constant([0, 0, hidden], np.int64))


def gelu(graph, x):
    scaled = graph.op("Div", x, graph.constant(math.sqrt(2), np.float32))
    erf = graph.op("Erf", scaled)
    total = graph.op("Add", erf, graph.constant(1, np.float32))
    product = graph.op("Mul", x, total)
    return graph.op("Mul", product, graph.constant(0.5, np.float32))


class Model:
    """A folder of BERT or a relative as peers take it: sizes, tensors, graph.
    Raises families.Unknown for others."""

    def __init__(self, folder):
        with open(os.path.join(folder, "config.json")) as file:
            self.config = json.load(file)
        self.config, self.tensors = families.as_bert(
            self.config, safetensors_file.read_folder(folder)
        )

    def onnx(self):
        return build(self.config, self.tensors)


def build(config, tensors):
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    epsilon = config["layer_norm_eps"]
    graph = Graph()

    words = graph.op(
        "Gather",
        graph.constant(tensors["embeddings.word_embeddings.weight"]),
        "input_ids",
    )
    types = graph.constant(tensors["embeddings.token_type_embeddings.weight"][0])
    shape = graph.op("Shape", "input_ids")
    seq = graph.op(
        "Slice",
        shape,
        graph.constant([1], np.int64),
        graph.constant([2], np.int64),
    )
    positions = graph.op(
        "Slice",
        graph.constant(tensors["embeddings.position_embeddings.weight"]),
        graph.constant([0], np.int64),
        seq,
    )
    x = graph.op("Add", graph.op("Add", words, types), positions)
    x = layer_norm(graph, tensors, "embeddings.LayerNorm", x, epsilon)

    # One axis at a time: onnxruntime's fusion looks for two ops.
    mask = graph.op("Unsqueeze", "attention_mask", graph.constant([1], np.int64))
    mask = graph.op("Unsqueeze", mask, graph.constant([2], np.int64))
    mask = graph.op("Cast", mask, to=TensorProto.FLOAT)
    mask = graph.op("Sub", graph.constant(1, np.float32), mask)
    mask = graph.op("Mul", mask, graph.constant(-1e4, np.float32))

    for index in range(config["num_hidden_layers"]):
        prefix = f"encoder.layer.{index}"
        y = attention(graph, tensors, prefix + ".attention", x, mask, heads, hidden)
        y = linear(graph, tensors, prefix + ".attention.output.dense", y)
        x = layer_norm(
            graph,
            tensors,
            prefix + ".attention.output.LayerNorm",
            graph.op("Add", y, x),
            epsilon,
        )
        y = gelu(graph, linear(graph, tensors, prefix + ".intermediate.dense", x))
        y = linear(graph, tensors, prefix + ".output.dense", y)
        x = layer_norm(
            graph,
            tensors,
            prefix + ".output.LayerNorm",
            graph.op("Add", y, x),
            epsilon,
        )

    ids = ["batch", "seq"]
    graph.nodes[-1].output[0] = "last_hidden_state"
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            "bert",
            [
                helper.make_tensor_value_info("input_ids", TensorProto.INT64, ids),
                helper.make_tensor_value_info(
                    "attention_mask", TensorProto.INT64, ids
                ),
            ],
            [
                helper.make_tensor_value_info(
                    "last_hidden_state", TensorProto.FLOAT, ids + [hidden]
                )
            ],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=10,
    )
