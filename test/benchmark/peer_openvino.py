# ===- peer_openvino.py - OpenVINO on the CPU -------------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# Compiled for the very shape of every call, which is OpenVINO's fastest way; the
# others, ours too, serve all shapes with one model.
#
# ===----------------------------------------------------------------------===//
import numpy as np
import openvino

VERSION = openvino.__version__.split("-")[0]


def properties(threads):
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        # The process is pinned already; this would pin by another order.
        "ENABLE_CPU_PINNING": False,
    }


class OpenVino:
    name = "OpenVINO"
    settings = (
        f"OpenVINO {VERSION}: PERFORMANCE_HINT LATENCY, INFERENCE_PRECISION_HINT "
        "f32, NUM_STREAMS 1, compiled for each shape by itself, outputs not "
        "copied; denormals as it decides"
    )

    def __init__(self, model, threads):
        self.core = openvino.Core()
        self.model = self.core.read_model(model.onnx().SerializeToString())
        self.config = properties(threads)

    def compile(self, shape):
        model = self.model.clone()
        model.reshape({name: shape for name in ("input_ids", "attention_mask")})
        compiled = self.core.compile_model(model, "CPU", self.config)
        return compiled.create_infer_request()

    def prepare(self, ids, mask):
        request = self.compile(list(ids.shape))
        request.set_tensor("input_ids", openvino.Tensor(ids))
        request.set_tensor("attention_mask", openvino.Tensor(mask))
        output = request.get_output_tensor(0)

        def run():
            request.infer()
            return output.data

        return run

    def prepare_each(self, rows):
        """Sequences one by one: one model for every length."""
        request = self.compile([1, -1])
        ids = [openvino.Tensor(np.ascontiguousarray(row[None])) for row in rows]
        ones = [openvino.Tensor(np.ones((1, len(row)), np.int64)) for row in rows]

        def run():
            outputs = []
            for tensor, mask in zip(ids, ones):
                request.set_tensor("input_ids", tensor)
                request.set_tensor("attention_mask", mask)
                request.infer()
                # The next call overwrites it.
                outputs.append(request.get_output_tensor(0).data[0].copy())
            return outputs

        return run


PEERS = {"f32": [OpenVino]}
