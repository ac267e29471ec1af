# ===- encoder.py - an encoder against onnxruntime --------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
#   encoder.py LIBRARY.so MODEL_FOLDER [--threads 1,2] [--json FILE]
#
# Times both on the same model and inputs, call by call in turn, in one process
# pinned to as many cores as threads; prints medians, spreads and ratios, after
# checking that the outputs agree. onnxruntime gets its whole graph optimization
# (ORT_ENABLE_ALL), its threads and sequential execution.
#
# ===----------------------------------------------------------------------===//
import argparse
import ctypes
import json
import os
import statistics
import time

import numpy as np
import onnxruntime

import bert_onnx

SHAPES = [(1, 16), (1, 128), (1, 384), (1, 512), (8, 128)]
TOLERANCE = 1e-4  # f32 against f32 through every layer


class Options(ctypes.Structure):
    """attn_options of attn/attn.h."""

    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("weights_path", ctypes.c_char_p),
        ("weights_data", ctypes.c_void_p),
        ("weights_size", ctypes.c_size_t),
        ("threads", ctypes.c_int32),
        ("executor", ctypes.c_void_p),
        ("allocator", ctypes.c_void_p),
        ("log", ctypes.c_void_p),
        ("log_context", ctypes.c_void_p),
        ("device", ctypes.c_char_p),
        ("variant", ctypes.c_char_p),
        ("max_bytes", ctypes.c_uint64),
    ]


class Ours:
    """A library with the entry encode(batch, seq, ids, mask, types) -> hidden."""

    def __init__(self, path, threads, hidden):
        self.name = os.path.basename(path)[3:-3]
        self.library = ctypes.CDLL(os.path.abspath(path))
        self.hidden = hidden
        options = Options(struct_size=ctypes.sizeof(Options), threads=threads)
        self.model, self.session = ctypes.c_void_p(), ctypes.c_void_p()
        self.call("open", ctypes.byref(options), ctypes.byref(self.model))
        self.call("session_open", self.model, ctypes.byref(self.session))

    def call(self, function, *arguments):
        if getattr(self.library, f"{self.name}_{function}")(*arguments):
            error = getattr(self.library, f"{self.name}_last_error")
            error.restype = ctypes.c_char_p
            raise RuntimeError(error().decode())

    def prepare(self, ids, mask):
        ids, mask = ids.astype(np.int32), mask.astype(np.int32)
        out = np.zeros(ids.shape + (self.hidden,), np.float32)

        def pointer(array):
            return array.ctypes.data_as(ctypes.c_void_p)

        batch, seq = (ctypes.c_int64(size) for size in ids.shape)

        def run():
            self.call(
                "encode",
                self.session,
                batch,
                seq,
                pointer(ids),
                pointer(mask),
                None,
                pointer(out),
            )
            return out

        return run


class OnnxRuntime:
    def __init__(self, model, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = (
            onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        )
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def prepare(self, ids, mask):
        feeds = {"input_ids": ids, "attention_mask": mask}
        return lambda: self.session.run(None, feeds)[0]


def milliseconds(run):
    begin = time.perf_counter()
    run()
    return (time.perf_counter() - begin) * 1e3


def measure(ours, peer, seconds):
    """Times of both, call by call in turn."""
    times = ([], [])
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 7:
        times[0].append(milliseconds(ours))
        times[1].append(milliseconds(peer))
    return times


def spread(times):
    quantiles = statistics.quantiles(times, n=10)
    return (quantiles[-1] - quantiles[0]) / statistics.median(times)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("folder")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    with open(os.path.join(arguments.folder, "config.json")) as file:
        config = json.load(file)
    model = bert_onnx.build(arguments.folder)
    random = np.random.default_rng(1)
    cores = sorted(os.sched_getaffinity(0))
    rows = []
    print(f"onnxruntime {onnxruntime.__version__}, graph optimization: all\n")
    print("| threads | batch | seq | attnc ms | onnxruntime ms | ratio | spread | max difference |")
    print("|---|---|---|---|---|---|---|---|")
    for threads in map(int, arguments.threads.split(",")):
        if threads > len(cores):
            continue
        os.sched_setaffinity(0, cores[:threads])
        ours = Ours(arguments.library, threads, config["hidden_size"])
        peer = OnnxRuntime(model, threads)
        for batch, seq in SHAPES:
            ids = random.integers(0, config["vocab_size"], (batch, seq))
            mask = np.ones((batch, seq), np.int64)
            run, run_peer = ours.prepare(ids, mask), peer.prepare(ids, mask)
            difference = float(np.abs(run() - run_peer()).max())
            if not difference <= TOLERANCE:
                raise SystemExit(f"outputs differ by {difference}")
            times, peer_times = measure(run, run_peer, arguments.seconds)
            median = statistics.median(times)
            peer_median = statistics.median(peer_times)
            row = {
                "threads": threads,
                "batch": batch,
                "seq": seq,
                "attnc_ms": median,
                "onnxruntime_ms": peer_median,
                "ratio": peer_median / median,
                "spread": max(spread(times), spread(peer_times)),
                "difference": difference,
            }
            rows.append(row)
            print(
                f"| {threads} | {batch} | {seq} | {median:.2f} | {peer_median:.2f} "
                f"| {row['ratio']:.2f} | {row['spread']:.0%} | {difference:.1e} |",
                flush=True,
            )
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
