# ===- kernel_programs.py - kernels as programs of one op -------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# Chains of matrix products, H to N and back to H, long enough that their weights
# do not stay in L2 and mostly not in L3 (a loop over one matrix flatters), and
# attention alone: as MLIR text for attnc with a file of weights, and as ONNX or
# OpenVINO graphs for the peers.
#
# ===----------------------------------------------------------------------===//
import os

import numpy as np

import safetensors_file


class Chain:
    """y = x W0^T W1^T ..., W0 [N, H], W1 [H, N]; x [rows, H]."""

    def __init__(self, hidden, wide, pairs):
        self.hidden, self.wide, self.pairs = hidden, wide, pairs
        self.entry = f"chain_{hidden}_{wide}"
        random = np.random.default_rng(hidden + wide)
        self.weights = []
        for index in range(2 * pairs):
            shape = (hidden, wide) if index % 2 else (wide, hidden)
            values = random.standard_normal(shape, np.float32)
            self.weights.append(values / np.float32(np.sqrt(shape[1])))

    def names(self):
        return [f"{self.entry}.{index}" for index in range(len(self.weights))]

    def operations(self, rows):
        return 2 * rows * sum(weight.size for weight in self.weights)

    def weight_bytes(self):
        return sum(weight.nbytes for weight in self.weights)

    def input(self, rows):
        random = np.random.default_rng(rows)
        return random.standard_normal((rows, self.hidden), np.float32)

    def mlir(self):
        def rows(width):
            return f"tensor<?x{width}xf32, #attn.sizes<rows, {width}>>"

        ends, lines, value = rows(self.hidden), [], "x"
        declarations = []
        for index, (name, weight) in enumerate(zip(self.names(), self.weights)):
            kind = "tensor<{}x{}xf32>".format(*weight.shape)
            declarations.append(f'  attn.weight @{name} from ["{name}"] : {kind}')
            lines.append(f"    %w{index} = attn.get_weight @{name} : {kind}")
            lines.append(
                f"    %y{index} = attn.linear %{value}, %w{index} : "
                f"{rows(weight.shape[1])}, {kind} -> {rows(weight.shape[0])}"
            )
            value = f"y{index}"
        return "\n".join(
            declarations
            + [
                f'  attn.entry @{self.entry}(%x: {ends} {{attn.name = "x"}})',
                f'      -> ({ends} {{attn.name = "y"}}) sizes ["rows"] {{',
                *lines,
                f"    attn.return %{value} : {ends}",
                "  }",
            ]
        )

    def onnx(self):
        from onnx import TensorProto, helper, numpy_helper

        nodes, value = [], "x"
        for name in self.names():
            nodes.append(helper.make_node("MatMul", [value, name], ["y" + name]))
            value = "y" + name
        shape = ["rows", self.hidden]
        graph = helper.make_graph(
            nodes,
            self.entry,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(value, TensorProto.FLOAT, shape)],
            [
                numpy_helper.from_array(np.ascontiguousarray(weight.T), name)
                for name, weight in zip(self.names(), self.weights)
            ],
        )
        opset = helper.make_opsetid("", 17)
        return helper.make_model(graph, opset_imports=[opset], ir_version=10)


class Attention:
    """softmax(Q K^T / sqrt(D)) V, every tensor [1, seq, heads, D]."""

    def __init__(self, heads, size):
        self.heads, self.size = heads, size
        self.entry = f"attention_{heads}_{size}"

    def operations(self, seq):
        return 4 * seq * seq * self.heads * self.size

    def weight_bytes(self):
        return 0

    def inputs(self, seq):
        random = np.random.default_rng(seq)
        shape = (1, seq, self.heads, self.size)
        return [random.standard_normal(shape, np.float32) for _ in range(3)]

    def mlir(self):
        kind = (
            f"tensor<1x?x{self.heads}x{self.size}xf32, "
            f"#attn.sizes<1, seq, {self.heads}, {self.size}>>"
        )
        inputs = ", ".join(f'%{n}: {kind} {{attn.name = "{n}"}}' for n in "qkv")
        scale = float(np.float32(self.size) ** np.float32(-0.5))
        return f"""\
  attn.entry @{self.entry}({inputs})
      -> ({kind} {{attn.name = "o"}}) sizes ["seq"] {{
    %o = attn.attention %q, %k, %v score() {{
    ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      %c = arith.constant {scale:.9e} : f32
      %r = arith.mulf %s, %c : f32
      attn.yield %r : f32
    }} : {kind}, {kind}, {kind} -> {kind}
    attn.return %o : {kind}
  }}"""

    def onnx(self):
        """onnxruntime's own fused op."""
        from onnx import TensorProto, helper

        shape = [1, "seq", self.heads * self.size]
        values = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name in "qkvo"
        ]
        node = helper.make_node(
            "MultiHeadAttention",
            list("qkv"),
            ["o"],
            domain="com.microsoft",
            num_heads=self.heads,
        )
        graph = helper.make_graph([node], self.entry, values[:3], values[3:])
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def write(chains, attentions, most_rows, most_seq, folder):
    """Writes kernels.mlir and kernels.safetensors; returns the first's path."""
    os.makedirs(folder, exist_ok=True)
    tensors = {
        name: weight
        for chain in chains
        for name, weight in zip(chain.names(), chain.weights)
    }
    weights = os.path.abspath(os.path.join(folder, "kernels.safetensors"))
    safetensors_file.write(weights, tensors)
    path = os.path.join(folder, "kernels.mlir")
    with open(path, "w") as file:
        file.write(
            "// Written by test/benchmark/kernel_programs.py.\n"
            f'module attributes {{attn.name = "kernels", attn.files = ["{weights}"]}} {{\n'
            f"  attn.size @rows min 1 max {most_rows}\n"
            f"  attn.size @seq min 1 max {most_seq}\n"
        )
        for kernel in (*chains, *attentions):
            file.write(kernel.mlir() + "\n")
        file.write("}\n")
    return path
