# ===- peer_openvino.py - OpenVINO on the CPU -------------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# Compiled for the very shape of every call, which is OpenVINO's fastest way; the
# others, ours too, serve all shapes with one model. With int8, the model that
# OpenVINO's own quantizer, NNCF, makes of it: weights per channel, activations
# with scales found beforehand on random texts, which is its fastest way.
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


class OpenVinoBf16(OpenVino):
    settings = OpenVino.settings.replace("_HINT f32", "_HINT bf16")

    def __init__(self, model, threads):
        super().__init__(model, threads)
        self.config["INFERENCE_PRECISION_HINT"] = "bf16"


class OpenVinoInt8(OpenVino):
    CALLS, LENGTH = 64, 128

    def __init__(self, model, threads):
        super().__init__(model, threads)
        import nncf  # slow to import

        random = np.random.default_rng(2)
        size = (self.CALLS, 1, min(self.LENGTH, model.config["max_position_embeddings"]))
        texts = random.integers(1, model.config["vocab_size"], size)
        ones = np.ones(size[1:], np.int64)
        self.model = nncf.quantize(
            self.model,
            nncf.Dataset([{"input_ids": ids, "attention_mask": ones} for ids in texts]),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=self.CALLS,
        )
        self.settings = self.settings.replace(
            ": ", f" int8: nncf.quantize {nncf.__version__} (model type transformer, "
            f"{self.CALLS} random texts), ", 1
        )


PEERS = {"f32": [OpenVino], "bf16": [OpenVinoBf16], "int8": [OpenVinoInt8]}
