# ===- estimate.py - how long a benchmark will take -------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# Seconds of a run, reckoned from the operations of every row, the measured peak
# and what peers need to get ready: for the line that a run begins with. Within
# some 30%, as the peers' share of the peak varies.
#
# ===----------------------------------------------------------------------===//
import json
import os

import measure

# Of the peak of f32, by all columns on average; a batch with padding costs a
# peer twice.
SHARE = {"f32": 0.6, "bf16": 1.0, "int8": 1.0}
RAGGED_LENGTHS = [8 + (512 - 8) * index // 15 for index in range(16)]
PADDED = 2
# Columns of a peer, and seconds to make them, once and for every row.
COLUMNS = {
    "onnxruntime": {"f32": 2, "int8": 2},
    "openvino": {"f32": 1, "bf16": 1, "int8": 1},
    "torch": {"f32": 2, "bf16": 2},
    "iree": {"f32": 1},
}
START = {"onnxruntime": 10, "openvino": 5, "torch": 5, "iree": 5}
PREPARE = {"onnxruntime": 0, "openvino": 1, "torch": 20, "iree": 15}
START_INT8 = 60  # NNCF's calibration, the quantizer
COMPILE = 10
# The kernels alone: 20 chains and 16 attentions of a second or two.
KERNEL_ROWS, KERNEL_ROWS_QUICK, KERNEL_SECONDS = 36, 14, 3


def operations(config, lengths):
    hidden = config.get("hidden_size", config.get("dim", 768))
    wide = config.get("intermediate_size", config.get("hidden_dim", 4 * hidden))
    layers = config.get("num_hidden_layers", config.get("n_layers", 12))
    return layers * sum(
        2 * length * hidden * (4 * hidden + 2 * wide) + 4 * length * length * hidden
        for length in lengths
    )


def lengths_of(shape):
    if shape == "ragged":
        return RAGGED_LENGTHS
    batch, seq = map(int, shape.split("x"))
    return [seq] * batch


def row_seconds(config, shape, dtype, threads, peers, seconds, peak):
    columns = 1 + sum(COLUMNS[peer].get(dtype, 0) for peer in peers)
    columns += dtype == "f32"  # ours unfused
    rate = peak * SHARE[dtype]
    call = operations(config, lengths_of(shape)) / rate
    if shape == "ragged":
        call *= PADDED
    pause = measure.PAUSE + measure.WARM if threads > 1 else measure.WARM
    # A call to compare, one to see how long it is, the rounds.
    calls = columns * (2 * call + measure.FEWEST * (call + pause))
    prepare = sum(PREPARE[peer] for peer in peers if dtype in COLUMNS[peer])
    return prepare + max(calls, seconds + 2 * columns * call)


def total(plan, peaks, peers, seconds, kernels):
    """`plan`: [(folder, dtype, threads, shapes)]; `kernels`: the threads that
    they are timed with, and whether few."""
    sum_of_all = 0
    for folder, dtype, threads, shapes in plan:
        with open(os.path.join(folder, "config.json")) as file:
            config = json.load(file)
        of_threads = peaks.get(str(threads), {})
        peak = of_threads.get("fma_gflops", 100 * int(threads)) * 1e9
        sum_of_all += COMPILE + sum(START[peer] for peer in peers)
        sum_of_all += START_INT8 if dtype == "int8" else 0
        for shape in shapes:
            each = row_seconds(
                config, shape, dtype, int(threads), peers, seconds, peak
            )
            sum_of_all += each * (2 if shape == "ragged" else 1)
    threads_list, is_quick = kernels
    rows = KERNEL_ROWS_QUICK if is_quick else KERNEL_ROWS
    return sum_of_all + len(threads_list) * rows * KERNEL_SECONDS
