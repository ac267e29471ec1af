# ===- kernels.py - kernels alone against their peers -----------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
#   kernels.py ATTNC FOLDER --json FILE [--threads N] [--smoke]
#
# Compiles the programs of kernel_programs.py into FOLDER and times them: matrix
# products at the shapes of the encoders' layers, against onnxruntime and against
# OpenVINO (oneDNN's kernels), and attention by sequence length, against
# onnxruntime's fused op, OpenVINO's and PyTorch's scaled dot product attention.
#
# ===----------------------------------------------------------------------===//
import argparse
import os
import subprocess
import sys

import numpy as np

import attnc_library
import kernel_programs
import measure

TOLERANCE = 1e-4  # relative to the largest number of the output
WEIGHTS = 48 << 20  # bytes of a chain's weights, at least

HIDDEN_AND_WIDE = [(384, 1152), (384, 1536), (768, 2304), (768, 3072)]
ROWS = [1, 8, 16, 128, 512]
HEADS_AND_SIZES = [(12, 32), (12, 64)]
QUICK_ROWS, QUICK_LENGTHS = [1, 128], [128, 512, 2048]
LENGTHS = [64, 128, 256, 512, 1024, 2048, 4096, 8192]


def onnxruntime_run(kernel, inputs, threads):
    import peer_onnxruntime

    session = peer_onnxruntime.session(kernel.onnx(), threads)
    names = [value.name for value in session.get_inputs()]
    feeds = {
        name: values if values.ndim == 2 else values.reshape(*values.shape[:2], -1)
        for name, values in zip(names, inputs)
    }
    return lambda: session.run(None, feeds)[0]


def openvino_run(kernel, inputs, threads):
    import openvino
    from openvino import opset13

    import peer_openvino

    core = openvino.Core()
    if isinstance(kernel, kernel_programs.Chain):
        model = core.read_model(kernel.onnx().SerializeToString())
        model.reshape({"x": list(inputs[0].shape)})
    else:
        shape = list(inputs[0].shape)
        parameters = [opset13.parameter(shape, np.float32) for _ in inputs]
        order = opset13.constant(np.array([0, 2, 1, 3]))
        heads = [opset13.transpose(value, order) for value in parameters]
        output = opset13.scaled_dot_product_attention(*heads)
        model = openvino.Model([opset13.transpose(output, order)], parameters)
    properties = peer_openvino.properties(threads)
    request = core.compile_model(model, "CPU", properties).create_infer_request()
    for index, values in enumerate(inputs):
        request.set_input_tensor(index, openvino.Tensor(values))
    result = request.get_output_tensor(0)

    def run():
        request.infer()
        return result.data

    return run


def torch_run(kernel, inputs, threads):
    import torch
    from torch.nn import functional

    torch.set_num_threads(threads)
    tensors = [torch.from_numpy(values) for values in inputs]
    if isinstance(kernel, kernel_programs.Chain):
        weights = [torch.from_numpy(weight) for weight in kernel.weights]

        @torch.inference_mode()
        def run():
            value = tensors[0]
            for weight in weights:
                value = functional.linear(value, weight)
            return value.numpy()

    else:

        @torch.inference_mode()
        def run():
            heads = [tensor.transpose(1, 2) for tensor in tensors]
            output = functional.scaled_dot_product_attention(*heads)
            return output.transpose(1, 2).contiguous().numpy()

    return run


def onednn_run(kernel, inputs, threads):
    """oneDNN's products as PyTorch carries them, weights packed beforehand."""
    import torch

    if not isinstance(kernel, kernel_programs.Chain):
        raise measure.Skipped("oneDNN: products alone")
    torch.set_num_threads(threads)
    value = torch.from_numpy(inputs[0])
    ops = torch.ops.mkldnn
    weights = [
        ops._reorder_linear_weight(torch.from_numpy(weight), len(value))
        for weight in kernel.weights
    ]

    @torch.inference_mode()
    def run():
        result = value
        for weight in weights:
            result = ops._linear_pointwise(result, weight, None, "none", [], "")
        return result.numpy()

    return run


# The columns of each peer.
RUNS = {
    "onnxruntime": {"onnxruntime": onnxruntime_run},
    "openvino": {"OpenVINO": openvino_run},
    "torch": {"torch": torch_run, "oneDNN": onednn_run},
    "iree": {},
}


def prepare_all(kernel, inputs, arguments, skip):
    runs = {}
    for peer in arguments.peers.split(","):
        for name, prepare in RUNS[peer].items():
            try:
                runs[name] = prepare(kernel, inputs, arguments.threads)
            except measure.Skipped:
                pass
            except Exception as failure:  # whatever a peer raises
                skip(f"{name}: {measure.first_line(failure)}")
    return runs


class Different(Exception):
    """Outputs that are not the same work."""


def compare(expected, name, actual):
    """The largest difference over the largest number; ends if it is too large."""
    actual = np.asarray(actual).reshape(expected.shape)
    difference = float(np.abs(actual - expected).max() / np.abs(expected).max())
    # Written so that NaN fails.
    if not difference <= TOLERANCE:
        raise Different(
            f"outputs of attnc and {name} differ by {difference} of the largest; "
            f"at most {TOLERANCE} is expected"
        )
    return difference


def compare_all(expected, runs, skip):
    """Differences of outputs, by column. Peers that fail are taken out of
    `runs`."""
    differences = {}
    for name in list(runs):
        try:
            actual = runs[name]()
        except Exception as failure:  # whatever a peer raises
            skip(f"{name}: {measure.first_line(failure)}")
            del runs[name]
            continue
        differences[name] = compare(expected, name, actual)
    return differences


def measure_kernel(label, kernel, size, inputs, library, arguments, skip):
    output = np.zeros_like(inputs[0])
    ours = library.bind(kernel.entry, (size,), inputs, output)
    runs = prepare_all(kernel, inputs, arguments, skip)
    differences = compare_all(ours().copy(), runs, skip)
    times = measure.rounds({"attnc": ours, **runs}, arguments.seconds, arguments.threads)
    row = {
        "threads": arguments.threads,
        "dtype": "f32",
        "shape": label,
        "operations": kernel.operations(size),
        "weight_bytes": kernel.weight_bytes(),
        "seconds": {name: measure.summary(of) for name, of in times.items()},
        "ratios": {name: measure.ratios(times, "attnc", name) for name in runs},
        "differences": differences,
    }
    medians = ", ".join(
        f"{name} {of['median'] * 1e3:.3f}" for name, of in row["seconds"].items()
    )
    print(f"  {label}: {medians} ms", file=sys.stderr, flush=True)
    return row


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("attnc")
    parser.add_argument("folder")
    parser.add_argument("--json", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peers", default="onnxruntime,openvino")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--smoke", action="store_true", help="tiny shapes")
    parser.add_argument("--quick", action="store_true", help="fewer shapes")
    parser.add_argument("--done", default="", help="rows to leave out, LABEL;LABEL")
    arguments = parser.parse_args()
    measure.limit_memory()
    cores = sorted(os.sched_getaffinity(0))[: arguments.threads]
    os.sched_setaffinity(0, cores)
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)

    if arguments.smoke:
        chains, rows = [kernel_programs.Chain(20, 40, 1)], [3]
        attentions, lengths = [kernel_programs.Attention(2, 8)], [16]
    else:
        chains = [
            kernel_programs.Chain(hidden, wide, -(-WEIGHTS // (8 * hidden * wide)))
            for hidden, wide in HIDDEN_AND_WIDE
        ]
        attentions = [kernel_programs.Attention(*of) for of in HEADS_AND_SIZES]
        rows, lengths = ROWS, LENGTHS
        if arguments.quick:
            rows, lengths = QUICK_ROWS, QUICK_LENGTHS
    path = kernel_programs.write(
        chains, attentions, max(rows), max(lengths), arguments.folder
    )
    subprocess.run(
        [arguments.attnc, "compile", path, "-o", arguments.folder,
         "--name", "kernels", "-q"],
        check=True,
    )
    library = attnc_library.Library(
        os.path.join(arguments.folder, "libkernels.so"), arguments.threads
    )
    progress = measure.Progress(arguments.json)
    done = arguments.done.split(";")

    def measure_one(label, kernel, size, make_inputs):
        if label in done:
            return
        skip = progress.begin(label)
        try:
            progress.add(
                measure_kernel(
                    label, kernel, size, make_inputs(size), library, arguments, skip
                )
            )
        except Different as difference:
            progress.fail(str(difference))

    for chain in chains:
        for count in rows:
            label = f"{count} rows, {chain.hidden} to {chain.wide} and back"
            measure_one(label, chain, count, lambda size: [chain.input(size)])
    for attention in attentions:
        for seq in lengths:
            label = f"attention {attention.heads}x{attention.size}, S={seq}"
            measure_one(label, attention, seq, attention.inputs)
    progress.end()


if __name__ == "__main__":
    main()
