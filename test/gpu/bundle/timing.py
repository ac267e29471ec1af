#!/usr/bin/env python3
# ===- timing.py - kernels and the encoder against PyTorch ----------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Times compiled libraries and PyTorch on one GPU, in one run and one table.

    timing.py BUNDLE [--rounds N] [--json FILE] [--only WORD,...] [--small]

A figure is the median over rounds of a pair of CUDA events around a sample, which
is as many calls as take a millisecond (around one call for the encoder); rounds
take turns between the contestants, calls between three sets of random inputs.
TFLOP/s count the products that a mask leaves. Results of the timed sizes are held
to a peer's.

Contestants: attnc (arguments on the device, its own CUDA graph), SDPA with the
flash and the cuDNN back end, FlexAttention compiled and tuned, torch.matmul
(cuBLAS), the encoder under torch.compile with CUDA graphs, plain and tuned; all
in bf16. Attention of attnc is timed on entries that take and give bf16 (own_*),
or, where a bundle has none, f32 (stored_*), as products, decoding and the encoder
do; peers do not pay for that. "attnc" is such a call, "attnc, its kernel" the time
of the kernel that does the work, by PyTorch's profiler. Goals are for H100 and
H200, and are told from the kernel.
--small does all of it at sizes that an emulator manages.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from contest import Machine, Report, contest, distance, kernel_times, verdict
from encoder_weights import make_weights
from peers import Encoder, flex, sdpa

# case, mask, score; of 16384 tokens and 2048 columns each
ATTENTIONS = (
    ("d64", 64, "", ""), ("causal_d64", 64, "causal", ""),
    ("d128", 128, "", ""), ("causal_d128", 128, "causal", ""),
    ("window_d128", 128, "window", ""), ("alibi_d128", 128, "causal", "alibi"),
    ("softcap_d128", 128, "", "softcap"))
HEADS = 4
SETS = 3
MIXED = 1e-2  # results of bf16 products against those of a peer


class Sizes:
    def __init__(self, small):
        self.small = small
        self.sequences = (96,) if small else (8192, 16384)
        self.tokens = 96 if small else 16384
        self.columns = 512 if small else 2048
        self.decode = (2, 64) if small else (8, 16384)
        self.encoder = ((1, 16), (2, 16)) if small else ((1, 128), (64, 128))
        self.product = 256 if small else 8192
        self.copy = 1 << (12 if small else 28)


def bf16(x):
    return x.to(torch.bfloat16).transpose(1, 2).contiguous()


def own_kernel(report_name, calls, word):
    """("attnc, its kernel", ms) if the profiler sees kernels of that name."""
    times = kernel_times(calls, 2 * SETS)
    for name, ms in sorted(times.items(), key=lambda item: -item[1]):
        print(f"{report_name:28}   {name[:44]:44} {ms:9.3f} ms")
    mine = [ms for name, ms in times.items() if word in name]
    return [("attnc, its kernel", sum(mine))] if mine else []


def attention(bench, name, width, mask, score, seq):
    machine, sizes = bench.machine, bench.sizes
    batch = max(1, sizes.tokens // seq * sizes.columns // (HEADS * width))
    session = machine.open(bench.bundle / name, name)
    ours, peers, pairs = [], {}, []
    plain = not score and mask in ("", "causal")
    kinds = {"SDPA flash": "FLASH_ATTENTION", "SDPA cuDNN": "CUDNN_ATTENTION"}
    variants = {} if plain else {"FlexAttention": flex(seq, mask, score, False),
                                 "FlexAttention tuned":
                                 flex(seq, mask, score, True)}
    taken = torch.bfloat16 if name.startswith("own") else torch.float32
    for _ in range(SETS):
        q, k, v = (machine.random(batch, seq, HEADS, width, dtype=taken)
                   for _ in range(3))
        out = torch.full_like(q, float("nan"))
        ours.append(session.prepare("run", [batch, seq], [q, k, v], [out]))
        a, b, c = (bf16(x) for x in (q, k, v))
        pairs.append((out, a, b, c))
        if plain:
            for peer, kind in kinds.items():
                peers.setdefault(peer, []).append(
                    sdpa(kind, a, b, c, mask == "causal"))
        for peer, call in variants.items():
            peers.setdefault(peer, []).append(
                lambda call=call, a=a, b=b, c=c: call(a, b, c))
    results, failed = contest(machine, {"attnc": ours, **peers}, bench.rounds)
    count = seq * seq
    if mask == "causal":
        count = seq * (seq + 1) / 2
    elif mask == "window":
        near = min(seq, 512)
        count = near * (near + 1) / 2 + (seq - near) * near
    what = f"{name} {batch}x{HEADS}x{seq}"
    bench.report.add(what, results, failed,
                     4.0 * batch * HEADS * width * count, "TFLOP/s",
                     own_kernel(what, ours, "attention"))
    bench.compare(what, [peers[peer][0] for peer in peers
                         if peer not in failed],
                  ours[0], pairs[0][0], lambda x: x.transpose(1, 2))
    bench.names[name, seq] = what
    session.close()


def decode(bench, name, heads, width):
    """One query to each sequence of many keys: a matter of bandwidth."""
    machine = bench.machine
    batch, keys = bench.sizes.decode
    session = machine.open(bench.bundle / name, name)
    ours, outs, peers = [], [], {}
    for _ in range(SETS):
        q = machine.random(batch, 1, heads, width)
        k, v = (machine.random(batch, keys, heads, width) for _ in range(2))
        outs.append(torch.full_like(q, float("nan")))
        ours.append(session.prepare("run", [batch, 1, keys], [q, k, v],
                                    [outs[-1]]))
        a, b, c = (bf16(x) for x in (q, k, v))
        for peer, kind in (("SDPA flash", "FLASH_ATTENTION"),
                           ("SDPA cuDNN", "CUDNN_ATTENTION")):
            peers.setdefault(peer, []).append(sdpa(kind, a, b, c, False))
    results, failed = contest(machine, {"attnc": ours, **peers}, bench.rounds)
    numbers = 2e3 * batch * heads * keys * width
    work = {peer: 2 * numbers for peer in peers}
    work["attnc"] = work["attnc, its kernel"] = 4 * numbers  # it reads f32
    what = f"{name} {batch}x{heads}x{keys}"
    bench.report.add(what, results, failed, work, "GB/s",
                     own_kernel(what, ours, "attention"))
    bench.compare(what, [peers[peer][0] for peer in peers
                         if peer not in failed],
                  ours[0], outs[0], lambda x: x.transpose(1, 2))
    bench.names[name, 0] = what
    session.close()


def product(bench, name, n):
    machine = bench.machine
    session = machine.open(bench.bundle / name, name)
    ours, cublas = [], []
    for _ in range(SETS):
        x, w = machine.random(n, n), machine.random(n, n)
        ours.append(session.prepare("run", [n], [x],
                                    [torch.full_like(x, float("nan"))]))
        a, b = x.to(torch.bfloat16), w.to(torch.bfloat16)
        c = torch.empty_like(a)
        cublas.append(lambda a=a, b=b, c=c: torch.matmul(a, b.T, out=c))
    results, failed = contest(machine, {"attnc": ours, "cuBLAS": cublas},
                              bench.rounds)
    what = f"{name} {n}x{n}x{n}"
    bench.report.add(what, results, failed, 2.0 * n ** 3, "TFLOP/s",
                     own_kernel(what, ours, "linear"))
    bench.names[name, 0] = what
    session.close()


def encoder(bench, name, batch, seq):
    machine = bench.machine
    session = machine.open(bench.bundle / name, name)
    shape = json.loads((bench.bundle / name / "config.json").read_text())
    layers, width = shape["num_hidden_layers"], shape["hidden_size"]
    weights = make_weights(layers, width, shape["vocab_size"])
    plain = Encoder(weights, layers, shape["num_attention_heads"])
    modes = {"torch.compile": "reduce-overhead",
             "torch.compile tuned": "max-autotune"}
    compiled = {peer: torch.compile(plain, mode=mode)
                for peer, mode in modes.items()}
    ours, outs, peers = [], [], {peer: [] for peer in compiled}
    for _ in range(SETS):
        ids = torch.randint(0, shape["vocab_size"], (batch, seq),
                            device="cuda", dtype=torch.int32)
        mask, types = torch.ones_like(ids), torch.zeros_like(ids)
        outs.append(machine.random(batch, seq, width))
        ours.append(session.prepare("encode", [batch, seq], [ids, mask, types],
                                    [outs[-1]]))
        wide = ids.long()
        for peer, call in compiled.items():
            peers[peer].append(lambda call=call, wide=wide: call(wide))
        if len(ours) == 1:
            def truth(wide=wide):
                return plain(wide)
    what = f"{name} {batch}x{seq}"
    with torch.no_grad():
        results, failed = contest(machine, {"attnc": ours, **peers},
                                  bench.rounds, repeats=False)
        bench.report.add(what, results, failed, 1e9 * batch, "rows/ms")
        own_kernel(what, ours, "")
        # Both round every product of every layer to bf16.
        bench.compare(what, [truth], ours[0], outs[0], lambda x: x, 4 * MIXED)
    bench.names[name, batch] = what
    session.close()


def peaks(bench):
    """What the machine does at best: a copy, and cuBLAS."""
    machine, n = bench.machine, bench.sizes.product
    source, target = (machine.random(bench.sizes.copy) for _ in range(2))
    results, failed = contest(
        machine, {"copy": [lambda: target.copy_(source)]}, bench.rounds)
    bench.report.add("memory", results, failed, 8e3 * bench.sizes.copy, "GB/s")
    a, b = (machine.random(n, n, dtype=torch.bfloat16) for _ in range(2))
    c = torch.empty_like(a)
    results, failed = contest(
        machine, {"cuBLAS": [lambda: torch.matmul(a, b, out=c)]}, bench.rounds)
    bench.report.add("product", results, failed, 2.0 * n ** 3, "TFLOP/s")
    bench.report.peaks = {"GB/s": bench.report.best("memory", "copy"),
                          "TFLOP/s": bench.report.best("product", "cuBLAS")}


class Bench:
    def __init__(self, bundle, rounds, sizes):
        self.machine, self.report = Machine(), Report()
        self.bundle, self.rounds, self.sizes = bundle, rounds, sizes
        self.names = {}  # (case, sequence or batch): what the report calls it
        own = (bundle / "own_d128").exists()
        self.prefix = "own_" if own else "stored_"

    def holds(self, name):
        if (self.bundle / name / f"lib{name}.so").exists():
            return True
        print(f"{name:28} not in this bundle")
        return False

    def compare(self, what, peers, call, out, turned, allowed=MIXED):
        """Holds a call's result to the first peer that works."""
        for peer in peers[:1]:
            call()
            torch.cuda.synchronize()
            self.report.compare(what, distance(out, turned(peer())), allowed)

    def run(self, wants):
        peaks(self)
        if wants("attention"):
            for seq in self.sizes.sequences:
                for name, *case in ATTENTIONS:
                    if self.holds(self.prefix + name):
                        attention(self, self.prefix + name, *case, seq)
        if wants("decode") and self.holds("decode_d128"):
            decode(self, "decode_d128", 8, 128)
        name = f"linear_{self.sizes.product}"
        if wants("product") and self.holds(name):
            product(self, name, self.sizes.product)
        if wants("encoder") and self.holds("encoder"):
            for batch, seq in self.sizes.encoder:
                encoder(self, "encoder", batch, seq)

    def figure(self, case, at, *contestants, column="figure"):
        return self.report.best(self.names.get((case, at)), *contestants,
                                column=column)

    def own(self, case, at, column="figure"):
        """Of the kernel; of the call where no profiler sees kernels."""
        kernel = self.figure(case, at, "attnc, its kernel", column=column)
        return kernel if kernel is not None else \
            self.figure(case, at, "attnc", column=column)

    def attention_goals(self):
        for seq in self.sizes.sequences:
            for case, least, aim in (("d128", 450, 650), ("d64", 350, 500),
                                     ("causal_d128", 400, 600)):
                verdict(f"{case} at {seq}", self.own(self.prefix + case, seq),
                        least, aim, "TFLOP/s")
            for case, plain in (("alibi_d128", "causal_d128"),
                                ("window_d128", "causal_d128"),
                                ("softcap_d128", "d128")):
                ms = self.own(self.prefix + case, seq, "ms")
                base = self.own(self.prefix + plain, seq, "ms")
                peer = self.figure(self.prefix + case, seq, "FlexAttention",
                                   "FlexAttention tuned", column="ms")
                verdict(f"{case} at {seq}: plain attention's time / its own",
                        base and ms and base / ms, 1 / 1.1)
                verdict(f"{case} at {seq}: FlexAttention's time / its own",
                        peer and ms and peer / ms, 1)

    def goals(self):
        self.attention_goals()
        copy = self.report.peaks["GB/s"]
        verdict("decode_d128, of what a copy moves",
                self.own("decode_d128", 0), copy and 0.8 * copy, None, "GB/s")
        name = f"linear_{self.sizes.product}"
        cublas = self.figure(name, 0, "cuBLAS")
        verdict(name, self.own(name, 0), 600, cublas and 0.95 * cublas,
                "TFLOP/s")
        for batch, seq in self.sizes.encoder:
            peer = self.figure("encoder", batch, "torch.compile",
                               "torch.compile tuned", column="ms")
            ms = self.figure("encoder", batch, "attnc", column="ms")
            verdict(f"encoder {batch}x{seq}: torch.compile's time / its own",
                    peer and ms and peer / ms, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", default="attention,decode,product,encoder")
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        print("timing.py: PyTorch sees no GPU", file=sys.stderr)
        return 2
    bench = Bench(given.bundle, given.rounds, Sizes(given.small))
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, "
          f"CUDA {torch.version.cuda}")
    bench.run(lambda word: word in given.only.split(","))
    print("\nwhat is wanted of H100 and H200")
    bench.goals()
    if given.json:
        given.json.write_text(json.dumps(bench.report.rows, indent=1))
    return 1 if bench.report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
