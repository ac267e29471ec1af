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
# the shape, so both are measured.
#
# ===----------------------------------------------------------------------===//
import collections
import logging

import numpy as np
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


FUSED = (
    "Attention",
    "BiasGelu",
    "EmbedLayerNormalization",
    "MultiHeadAttention",
    "SkipLayerNormalization",
)
PEERS = {"f32": [OnnxRuntime, OnnxRuntimeFused]}
