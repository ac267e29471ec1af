# ===- encoder.py - a compiled encoder against its peers --------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
#   encoder.py LIBRARY.so MODEL_FOLDER --json FILE [--threads N] [--shapes ...]
#
# One process, pinned to as many cores as threads before any peer is loaded:
# all run the same ids and mask, in rounds (measure.py), after their outputs were
# compared. Shapes are BATCHxSEQ, or "ragged" for one batch of 16 sequences of
# lengths spread evenly from 8 to the longest (512 at most): padded for the peers,
# and in a second row given to them one by one. FILE is written anew after every
# row. A peer that fails is left out of that row, with a line; run.py goes on
# behind the row in which the process itself ended.
#
# ===----------------------------------------------------------------------===//
import argparse
import importlib
import json
import os
import sys

import numpy as np

import attnc_library
import bert_onnx
import families
import measure

# How far outputs may be apart. f32: the largest difference from ours, through
# every layer, of numbers about 1. Others: 1 - the mean cosine of tokens' vectors
# to f32's, ours too: each side rounds in its own way.
TOLERANCE = {"f32": 1e-4, "bf16": 1e-3, "int8": 0.05}
RAGGED_BATCH = 16


class Batch:
    """Ids and mask of one row of the table."""

    def __init__(self, shape, config, one_by_one=False):
        longest = min(config["max_position_embeddings"], 512)
        random = np.random.default_rng(1)
        if shape == "ragged":
            lengths = np.linspace(8, longest, RAGGED_BATCH).astype(int)
            random.shuffle(lengths)
            self.label = "ragged, one by one" if one_by_one else "ragged"
        else:
            batch, seq = map(int, shape.split("x"))
            lengths = np.full(batch, min(seq, longest))
            self.label = f"{batch}x{lengths[0]}"
        self.lengths = [int(length) for length in lengths]
        self.one_by_one = one_by_one
        size = (len(lengths), max(self.lengths))
        self.mask = (np.arange(size[1]) < lengths[:, None]).astype(np.int64)
        ids = random.integers(config["lowest_id"], config["vocab_size"], size)
        self.ids = np.where(self.mask, ids, config["pad_token_id"])

    def operations(self, config):
        """Multiplications and additions of the products that are asked for."""
        hidden, wide = config["hidden_size"], config["intermediate_size"]
        layer = 0
        for length in self.lengths:
            layer += 2 * length * hidden * (4 * hidden + 2 * wide)
            layer += 4 * length * length * hidden
        return layer * config["num_hidden_layers"]

    def prepare(self, peer):
        if not self.one_by_one:
            return peer.prepare(self.ids, self.mask)
        return peer.prepare_each(
            [row[:length] for row, length in zip(self.ids, self.lengths)]
        )

    def rows(self, output):
        """What counts of an output: rows of real tokens."""
        return np.concatenate(
            [output[i][:length] for i, length in enumerate(self.lengths)]
        )


def batches_of(shapes, config, has_peers):
    batches = [Batch(shape, config) for shape in shapes]
    if "ragged" in shapes and has_peers:
        batches.append(Batch("ragged", config, one_by_one=True))
    # Lengths beyond the model's longest have become that one.
    return list({batch.label: batch for batch in batches}.values())


def load_peers(names, dtype):
    """Classes of the modules peer_NAME.py."""
    return [
        peer
        for name in names
        for peer in importlib.import_module("peer_" + name).PEERS.get(dtype, [])
    ]


def angle(rows, expected):
    """1 - the mean cosine of the rows."""
    dots = (rows * expected).sum(axis=1)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(expected, axis=1)
    return float(1 - (dots / lengths).mean())


class Different(Exception):
    """Outputs that are not the same work."""


def compare(batch, ours, runs, dtype, exact, skip):
    """Differences of outputs, by column. `exact`: f32's output, where dtype is
    narrower. Peers that fail are taken out of `runs`."""
    expected = np.array(batch.rows(ours() if exact is None else exact()))
    differences = {}
    for name, run in (runs if exact is None else {"attnc": ours, **runs}).items():
        try:
            rows = batch.rows(run())
        except Exception as failure:  # whatever a peer raises
            skip(f"{name}: {measure.first_line(failure)}")
            continue
        if exact is None:
            difference = float(np.abs(rows - expected).max())
        else:
            difference = angle(rows.astype(np.float64), expected)
        # Written so that NaN fails.
        if not difference <= TOLERANCE[dtype]:
            raise Different(
                f"outputs of attnc and {name} differ by {difference}; at most "
                f"{TOLERANCE[dtype]} is expected"
            )
        differences[name] = difference
    for name in list(runs):
        if name not in differences:
            del runs[name]
    return differences


def prepare_all(batch, peers, skip):
    """Runs of the peers that can do this batch; a line for those that cannot."""
    runs = {}
    for peer in peers:
        try:
            runs[peer.name] = batch.prepare(peer)
        except measure.Skipped as skipped:
            print(f"  {batch.label}: skipped: {skipped}", file=sys.stderr, flush=True)
        except Exception as failure:  # whatever a peer raises
            skip(f"{peer.name}: {measure.first_line(failure)}")
    return runs


def measure_batch(batch, ours, unfused, peers, exact, arguments, config, skip):
    run = ours.prepare(batch.ids, batch.mask)
    runs = prepare_all(batch, peers, skip)
    if unfused:
        runs[measure.UNFUSED] = unfused.prepare(batch.ids, batch.mask)
    reference = exact.prepare(batch.ids, batch.mask) if exact else None
    differences = compare(batch, run, runs, arguments.dtype, reference, skip)
    rested = {}
    times = measure.rounds(
        {"attnc": run, **runs}, arguments.seconds, arguments.threads, rested
    )
    return {
        "threads": arguments.threads,
        "dtype": arguments.dtype,
        "shape": batch.label,
        "lengths": batch.lengths,
        "operations": batch.operations(config),
        "seconds": {name: measure.summary(of) for name, of in times.items()},
        "rested": {name: measure.summary(of) for name, of in rested.items()},
        "ratios": {name: measure.ratios(times, "attnc", name) for name in runs},
        "differences": differences,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("folder")
    parser.add_argument("--json", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", default="f32", choices=TOLERANCE)
    parser.add_argument("--peers", default="onnxruntime,openvino")
    parser.add_argument("--shapes", default="1x16,1x128,1x384,1x512,ragged")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--unfused", help="the same model without our rewrites")
    parser.add_argument("--done", default="", help="rows to leave out, LABEL;LABEL")
    arguments = parser.parse_args()
    measure.limit_memory()

    cores = sorted(os.sched_getaffinity(0))[: arguments.threads]
    if len(cores) < arguments.threads:
        raise SystemExit(f"encoder.py: there are only {len(cores)} cores")
    os.sched_setaffinity(0, cores)
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    names = arguments.peers.split(",")
    try:
        model = bert_onnx.Model(arguments.folder)
        config = model.config
    except families.Unknown as unknown:
        print(f"  ours alone: {unknown}", file=sys.stderr, flush=True)
        with open(os.path.join(arguments.folder, "config.json")) as file:
            config = families.alone(json.load(file))
        names = []
    ours = attnc_library.Encoder(
        arguments.library, arguments.threads, config["hidden_size"]
    )
    unfused = arguments.unfused and attnc_library.Encoder(
        arguments.unfused, arguments.threads, config["hidden_size"]
    )
    progress = measure.Progress(arguments.json)
    peers = []
    for peer in load_peers(names, arguments.dtype):
        try:
            peers.append(peer(model, arguments.threads))
        except Exception as failure:  # whatever a peer raises
            progress.skip(f"{peer.name}: {measure.first_line(failure)}")
    progress.settings = [peer.settings for peer in peers]
    exact = None
    if arguments.dtype != "f32" and names:
        of_f32 = load_peers(names, "f32")[0]
        exact = of_f32(model, arguments.threads)
    done = arguments.done.split(";")
    for batch in batches_of(arguments.shapes.split(","), config, bool(names)):
        if batch.label in done:
            continue
        skip = progress.begin(batch.label)
        try:
            row = measure_batch(
                batch, ours, unfused, peers, exact, arguments, config, skip
            )
        except Different as difference:
            progress.fail(str(difference))
            continue
        progress.add(row)
        medians = ", ".join(
            f"{name} {of['median'] * 1e3:.2f}" for name, of in row["seconds"].items()
        )
        print(f"  {batch.label}: {medians} ms", file=sys.stderr, flush=True)
    progress.end()


if __name__ == "__main__":
    main()
