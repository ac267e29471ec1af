# ===- peer_onnxruntime.py - onnxruntime on the CPU -------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# Two columns: the session's own graph optimization at its highest level, and the
# graph that onnxruntime's optimizer for transformers makes of it first (Attention,
# SkipLayerNormalization and BiasGelu as single ops). Which is faster depends on
# the shape, so both are measured. With int8, both graphs as onnxruntime's dynamic
# quantizer leaves them: weights per channel, activations found in every call.
#
# ===----------------------------------------------------------------------===//
import collections
import logging
import os
import tempfile

import numpy as np
import onnx
import onnxruntime

VERSION = onnxruntime.__version__


def session(model, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = (
        onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    )
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


class OnnxRuntime:
    name = "onnxruntime"
    settings = (
        f"onnxruntime {VERSION}: graph optimization all (ORT_ENABLE_ALL), "
        "sequential execution, spinning threads, denormals kept"
    )

    def __init__(self, model, threads):
        self.session = session(self.graph(model), threads)

    def graph(self, model):
        return model.onnx()

    def prepare(self, ids, mask):
        feeds = {"input_ids": ids, "attention_mask": mask}
        return lambda: self.session.run(None, feeds)[0]

    def prepare_each(self, rows):
        mask = [np.ones((1, len(row)), np.int64) for row in rows]
        runs = [self.prepare(row[None], ones) for row, ones in zip(rows, mask)]
        return lambda: [run()[0] for run in runs]


class OnnxRuntimeFused(OnnxRuntime):
    name = "onnxruntime fused"

    def graph(self, model):
        # Imported here: it is slow, and warns about parts that are not needed.
        logging.getLogger("onnxruntime.transformers").setLevel(logging.ERROR)
        from onnxruntime.transformers import optimizer

        fused = optimizer.optimize_model(
            model.onnx(),
            model_type="bert",
            num_heads=model.config["num_attention_heads"],
            hidden_size=model.config["hidden_size"],
            opt_level=0,
        ).model
        kinds = collections.Counter(node.op_type for node in fused.graph.node)
        layers = model.config["num_hidden_layers"]
        if kinds["Attention"] + kinds["MultiHeadAttention"] != layers:
            raise RuntimeError(f"attention was not fused: {dict(kinds)}")
        self.settings = (
            f"onnxruntime {VERSION} fused: the same, on the graph of "
            "onnxruntime.transformers.optimizer (model_type bert): "
            + ", ".join(
                f"{count} {kind}"
                for kind, count in sorted(kinds.items())
                if kind in FUSED
            )
        )
        return fused


def quantize(graph):
    # Imported here, as above.
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # The optimizer leaves out where its ops come from, which the quantizer asks.
    if all(of.domain != "com.microsoft" for of in graph.opset_import):
        graph.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "int8.onnx")
        logging.getLogger().setLevel(logging.ERROR)
        quantize_dynamic(
            graph,
            path,
            per_channel=True,
            weight_type=QuantType.QInt8,
            # It knows no types behind fused ops.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return onnx.load(path)


class OnnxRuntimeInt8(OnnxRuntime):
    settings = OnnxRuntime.settings.replace(
        ": ", " int8: quantize_dynamic (QInt8 weights per channel), ", 1
    )

    def graph(self, model):
        return quantize(super().graph(model))


class OnnxRuntimeFusedInt8(OnnxRuntimeFused):
    def graph(self, model):
        graph = quantize(super().graph(model))
        self.settings = self.settings.replace(
            " fused: the same", " int8 fused: the same, quantize_dynamic", 1
        )
        return graph


FUSED = (
    "Attention",
    "BiasGelu",
    "EmbedLayerNormalization",
    "MultiHeadAttention",
    "SkipLayerNormalization",
)
PEERS = {
    "f32": [OnnxRuntime, OnnxRuntimeFused],
    "int8": [OnnxRuntimeInt8, OnnxRuntimeFusedInt8],
}
