# ===- decoder_peers.py - onnxruntime and OpenVINO with a cache -------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# As decoders.py has them: append(ids) returns the logits behind the last of them.
# Both read graphs of our own making, since neither reads such a folder:
# onnxruntime's is in decoder_onnx.py; OpenVINO's is built by its Python API in the
# form that its CPU plugin fuses (state, scaled_dot_product_attention).
#
# ===----------------------------------------------------------------------===//
import json
import os
import tempfile

import numpy as np

import safetensors_file

POSITIONS = 2048
BITS = {"F32": 32, "Q8_0": 8, "Q4_0": 4}


def read(folder):
    with open(os.path.join(folder, "config.json")) as file:
        return json.load(file), safetensors_file.read_folder(folder)


class OnnxRuntime:
    name = "onnxruntime"

    def __init__(self, folder, kind, threads):
        import onnxruntime

        import decoder_onnx

        config, tensors = read(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        with tempfile.TemporaryDirectory() as place:
            path = os.path.join(place, "decoder.onnx")
            decoder_onnx.write(config, tensors, BITS[kind], POSITIONS, path)
            del tensors
            self.session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"])
        self.info = (f"onnxruntime {onnxruntime.__version__}: GroupQueryAttention, past and "
                     "present in one buffer of f32; int8 and int4 by MatMulNBits, blocks of "
                     "32, accuracy level 4")
        self.binding = self.session.io_binding()
        shape = (1, config["num_key_value_heads"], POSITIONS, config["head_dim"])
        self.caches = []
        for number in range(config["num_hidden_layers"]):
            for which in ("key", "value"):
                cache = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(shape, np.float32))
                self.caches.append(cache)
                self.binding.bind_ortvalue_input(f"past_{which}_{number}", cache)
                self.binding.bind_ortvalue_output(f"{which}_{number}", cache)
        self.logits = np.zeros((1, config["vocab_size"]), np.float32)
        self.binding.bind_output("logits", "cpu", 0, np.float32, self.logits.shape,
                                 self.logits.ctypes.data)
        self.length = 0

    def append(self, ids):
        self.length += len(ids)
        given = {"ids": np.array([ids], np.int64),
                 "last": np.array([self.length - 1], np.int32),
                 "total": np.array(self.length, np.int32)}
        for name, array in given.items():
            self.binding.bind_cpu_input(name, array)
        self.session.run_with_iobinding(self.binding)
        return self.logits[0]

    def truncate(self, length):
        self.length = length

    def close(self):
        pass


class OpenVinoGraph:
    """A folder as a stateful model: inputs ids and positions [1, seq], and beam."""

    def __init__(self, config, tensors):
        import openvino.opset13 as ops

        self.ops, self.config, self.tensors = ops, config, tensors
        self.sinks = []

    def scalar(self, value):
        return self.ops.constant(np.array(value, np.float32))

    def whole(self, *values):
        return self.ops.constant(np.array(values, np.int64))

    def product(self, x, *names):
        rows = np.concatenate([self.tensors[name + ".weight"] for name in names])
        return self.ops.matmul(x, self.ops.constant(rows), False, True)

    def norm(self, x, name):
        ops = self.ops
        mean = ops.reduce_mean(ops.power(x, self.scalar(2)), self.whole(-1), True)
        root = ops.sqrt(ops.add(mean, self.scalar(self.config["rms_norm_eps"])))
        scaled = ops.multiply(x, ops.divide(self.scalar(1), root))
        return ops.multiply(ops.constant(self.tensors[name + ".weight"]), scaled)

    def heads(self, x, count):
        shape = self.whole(0, 0, count, self.config["head_dim"])
        return self.ops.transpose(self.ops.reshape(x, shape, True), self.whole(0, 2, 1, 3))

    def rotate(self, x):
        ops, half = self.ops, self.config["head_dim"] // 2

        def part(begin, end):
            return ops.slice(x, self.whole(begin), self.whole(end), self.whole(1),
                             self.whole(3))

        turned = ops.concat([ops.multiply(part(half, 2 * half), self.scalar(-1)),
                             part(0, half)], -1)
        return ops.add(ops.multiply(x, self.cos), ops.multiply(turned, self.sin))

    def state(self, rows, name):
        """What was kept, and `rows` behind it."""
        import openvino
        from openvino.op import util

        ops, config = self.ops, self.config
        heads, size = config["num_key_value_heads"], config["head_dim"]
        info = util.VariableInfo()
        info.data_shape = openvino.PartialShape([-1, heads, -1, size])
        info.data_type = openvino.Type.f32
        info.variable_id = name
        variable = util.Variable(info)
        empty = ops.constant(np.zeros((1, heads, 0, size), np.float32))
        kept = ops.gather(ops.read_value(empty, variable), self.beam, self.whole(0))
        joined = ops.concat([kept, rows], 2)
        self.sinks.append(ops.assign(joined, variable))
        return joined

    def attention(self, x, number):
        ops, config = self.ops, self.config
        prefix, name = f"model.layers.{number}.self_attn.", f"layer{number}."
        heads, kept = config["num_attention_heads"], config["num_key_value_heads"]
        query = self.rotate(self.heads(self.product(x, prefix + "q_proj"), heads))
        key = self.rotate(self.heads(self.product(x, prefix + "k_proj"), kept))
        value = self.heads(self.product(x, prefix + "v_proj"), kept)
        key, value = self.state(key, name + "key"), self.state(value, name + "value")
        if heads != kept:
            key, value = (self.repeat(rows, heads // kept) for rows in (key, value))
        attended = ops.scaled_dot_product_attention(query, key, value, self.mask)
        attended = ops.transpose(attended, self.whole(0, 2, 1, 3))
        attended = ops.reshape(attended, self.whole(0, 0, heads * config["head_dim"]), True)
        return self.product(attended, prefix + "o_proj")

    def repeat(self, rows, times):
        """The form that the plugin takes for grouped heads."""
        ops, config = self.ops, self.config
        wide = ops.broadcast(ops.unsqueeze(rows, self.whole(2)),
                             self.whole(1, 1, times, 1, 1), None, "BIDIRECTIONAL")
        shape = self.whole(0, config["num_attention_heads"], -1, config["head_dim"])
        return ops.reshape(wide, shape, True)

    def angles(self, positions):
        ops, config = self.ops, self.config
        size = config["head_dim"]
        frequencies = config["rope_theta"] ** (-np.arange(0, size, 2) / size)
        row = ops.constant(frequencies.astype(np.float32).reshape(1, 1, -1))
        column = ops.unsqueeze(ops.convert(positions, "f32"), self.whole(2))
        half = ops.multiply(column, row)
        both = ops.unsqueeze(ops.concat([half, half], -1), self.whole(1))
        self.cos, self.sin = ops.cos(both), ops.sin(both)

    def causal(self, positions):
        """0 where a key is not behind the query, else -inf."""
        ops = self.ops
        total = ops.add(ops.reduce_max(positions, self.whole(0, 1), False),
                        ops.constant(np.int64(1)))
        keys = ops.range(ops.constant(np.int64(0)), total,
                         ops.constant(np.int64(1)), "i64")
        query = ops.unsqueeze(ops.unsqueeze(positions, self.whole(1)), self.whole(3))
        self.mask = ops.select(ops.less_equal(keys, query), self.scalar(0),
                               self.scalar(-np.inf))

    def build(self):
        import openvino

        ops = self.ops
        ids, positions = (ops.parameter([1, -1], np.int64) for _ in range(2))
        self.beam = ops.parameter([-1], np.int32)
        for name, given in (("ids", ids), ("positions", positions), ("beam", self.beam)):
            given.output(0).get_tensor().set_names({name})
        self.angles(positions)
        self.causal(positions)
        table = ops.constant(self.tensors["model.embed_tokens.weight"])
        x = ops.gather(table, ids, ops.constant(np.int64(0)))
        for number in range(self.config["num_hidden_layers"]):
            prefix = f"model.layers.{number}."
            rows = self.norm(x, prefix + "input_layernorm")
            x = ops.add(x, self.attention(rows, number))
            rows = self.norm(x, prefix + "post_attention_layernorm")
            gate = ops.swish(self.product(rows, prefix + "mlp.gate_proj"))
            up = self.product(rows, prefix + "mlp.up_proj")
            wide = ops.multiply(gate, up)
            x = ops.add(x, self.product(wide, prefix + "mlp.down_proj"))
        end = ops.slice(x, self.whole(-1), self.whole(2**31 - 1), self.whole(1), self.whole(1))
        logits = ops.matmul(self.norm(end, "model.norm"), table, False, True)
        return openvino.Model([ops.result(logits)], self.sinks, [ids, positions, self.beam])


class OpenVino:
    name = "OpenVINO"
    SPARE = 256  # tokens more than asked for, before the sequence is begun anew

    def __init__(self, folder, kind, threads):
        import openvino

        import peer_openvino

        model = OpenVinoGraph(*read(folder)).build()
        options = {**peer_openvino.properties(threads), "KV_CACHE_PRECISION": "f32",
                   "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0 if kind == "F32" else 32}
        if kind != "F32":
            import nncf

            mode = {"Q8_0": nncf.CompressWeightsMode.INT8_SYM,
                    "Q4_0": nncf.CompressWeightsMode.INT4_SYM}[kind]
            more = {"group_size": 32, "all_layers": True} if kind == "Q4_0" else {}
            model = nncf.compress_weights(model, mode=mode, **more)
        self.request = openvino.Core().compile_model(model, "CPU", options).create_infer_request()
        self.info = (f"OpenVINO {peer_openvino.VERSION}: stateful, PERFORMANCE_HINT LATENCY, "
                     "f32 with a cache of f32; int8 (a scale per column) and int4 (groups of "
                     "32) by nncf.compress_weights, rows int8 in groups of 32")
        self.request.set_tensor("beam", openvino.Tensor(np.zeros(1, np.int32)))
        self.tensor = openvino.Tensor
        self.length, self.ids = 0, []

    def append(self, ids):
        positions = np.arange(self.length, self.length + len(ids), dtype=np.int64)[None]
        self.request.set_tensor("ids", self.tensor(np.array([ids], np.int64)))
        self.request.set_tensor("positions", self.tensor(positions))
        self.request.infer()
        self.length += len(ids)
        self.ids.extend(ids)
        return self.request.get_output_tensor(0).data.reshape(-1)

    def truncate(self, length):
        """To nothing at once. Tokens behind `length` stay otherwise, since to cut
        its state means to copy it: a call has some more keys than the others', until
        the sequence is begun anew."""
        if 0 < length and self.length - length < self.SPARE:
            return
        ids = self.ids[:length]
        self.request.reset_state()
        self.length, self.ids = 0, []
        if ids:
            self.append(ids)

    def close(self):
        pass


PEERS = {"onnxruntime": OnnxRuntime, "openvino": OpenVino}
