#!/usr/bin/env python3
# ===- timing.py - kernels and the encoder against PyTorch ----------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Times compiled libraries and PyTorch on one GPU, in one run and one table.

    timing.py BUNDLE [--rounds N] [--json FILE] [--dry-run]

Every figure is the median over rounds of a CUDA event pair around one call;
rounds take turns between the contestants and between several sets of random
inputs, so that neither a cache nor a clock favours one of them. TFLOP/s count
the products that a mask leaves. With --dry-run everything is done but on tiny
sizes, on the CPU and without events, to check the script itself.

Contestants: attnc (arguments on the device, its own CUDA graph), SDPA with the
flash and the cuDNN back end in bf16, compiled FlexAttention, torch.matmul
(cuBLAS), the encoder in plain PyTorch under torch.compile with CUDA graphs.
Entries of attnc read and write f32: its figures carry that traffic.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import torch
from encoder import load
from library import Session


class Machine:
    """A GPU with events, or, for a dry run, the CPU and its clock."""

    def __init__(self, dry):
        self.dry = dry
        self.device = "cpu" if dry else "cuda"
        self.stream = None
        if not dry:
            torch.cuda.set_stream(torch.cuda.Stream())
            self.stream = torch.cuda.current_stream().cuda_stream

    def time(self, call):
        """Milliseconds of one call."""
        if self.dry:
            start = time.perf_counter()
            call()
            return 1e3 * (time.perf_counter() - start)
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        call()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end)

    def random(self, *shape, dtype=torch.float32):
        return torch.randn(*shape, device=self.device, dtype=dtype)

    def open(self, folder, name):
        device = "cpu" if self.dry else "cuda:0"
        return Session(folder / f"lib{name}.so", name, device, self.stream)


def contest(machine, contestants, rounds):
    """Medians in ms by name; each contestant is a list of calls."""
    times, failed = {name: [] for name in contestants}, {}
    for turn in range(rounds + 3):
        for name, calls in contestants.items():
            if name in failed:
                continue
            try:
                taken = machine.time(calls[turn % len(calls)])
            except (RuntimeError, torch.OutOfMemoryError) as error:
                failed[name] = str(error).splitlines()[0][:60]
                continue
            if turn >= 3:
                times[name].append(taken)
    return {name: statistics.median(taken) if name not in failed else None
            for name, taken in times.items()}, failed


class Report:
    def __init__(self):
        self.rows = []

    def add(self, what, results, failed, work, unit):
        best = None
        for name, ms in results.items():
            figure = work / ms * 1e-9 if ms else None
            self.rows.append({"what": what, "contestant": name, "ms": ms,
                              "figure": figure, "unit": unit,
                              "error": failed.get(name)})
            shown = f"{figure:10.1f} {unit}" if ms else failed[name]
            taken = f"{ms:9.3f} ms" if ms else "        -   "
            print(f"{what:34} {name:22} {taken} {shown}")
            best = best or figure
        sys.stdout.flush()


def attention(machine, bundle, report, name, heads, seq, width, rounds,
              mask="", score=""):
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.functional import scaled_dot_product_attention as sdpa
    session = machine.open(bundle / name, name)
    ours, flash, cudnn, flex = [], [], [], []
    causal = mask == "causal"

    def backend(kind, q, k, v):
        def call():
            with sdpa_kernel(kind):
                sdpa(q, k, v, is_causal=causal)
        return call

    compiled = None
    if not machine.dry:
        compiled = make_flex(seq, mask, score)
    for _ in range(3):
        q, k, v = (machine.random(1, seq, heads, width) for _ in range(3))
        ours.append(session.prepare("run", [1, seq], [q, k, v],
                                    [torch.empty_like(q)]))
        q, k, v = (x.to(torch.bfloat16).transpose(1, 2).contiguous()
                   for x in (q, k, v))
        flash.append(backend(SDPBackend.MATH if machine.dry
                             else SDPBackend.FLASH_ATTENTION, q, k, v))
        cudnn.append(backend(SDPBackend.MATH if machine.dry
                             else SDPBackend.CUDNN_ATTENTION, q, k, v))
        if compiled:
            flex.append(lambda q=q, k=k, v=v: compiled(q, k, v))
    contestants = {"attnc": ours}
    if not score and mask in ("", "causal"):
        contestants.update({"SDPA flash": flash, "SDPA cuDNN": cudnn})
    if flex:
        contestants["FlexAttention"] = flex
    results, failed = contest(machine, contestants, rounds)
    pairs = seq * seq if not mask else seq * (seq + 1) / 2
    if mask == "window":
        pairs = seq * 40
    report.add(f"{name} {heads}x{seq}", results, failed,
               4.0 * heads * width * pairs, "TFLOP/s")
    session.close()


def make_flex(seq, mask, score):
    from torch.nn.attention.flex_attention import (create_block_mask,
                                                   flex_attention)
    kernel = torch.compile(flex_attention)
    block = None
    if mask == "causal":
        block = create_block_mask(lambda b, h, i, j: i >= j, None, None, seq,
                                  seq)
    elif mask == "window":
        block = create_block_mask(
            lambda b, h, i, j: (i >= j) & (i - j < 40), None, None, seq, seq)
    change = None
    if score == "alibi":
        def change(s, b, h, i, j):
            return s + 0.0625 * (j - i)
    elif score == "softcap":
        def change(s, b, h, i, j):
            return 8 * torch.tanh(s / 8)
    return lambda q, k, v: kernel(q, k, v, score_mod=change, block_mask=block)


def decode(machine, bundle, report, name, heads, keys, width, rounds):
    session = machine.open(bundle / name, name)
    batch = 8
    ours, plain = [], []
    for _ in range(3):
        q = machine.random(batch, 1, heads, width)
        k, v = (machine.random(batch, keys, heads, width) for _ in range(2))
        ours.append(session.prepare("run", [batch, 1, keys], [q, k, v],
                                    [torch.empty_like(q)]))
        a, b, c = (x.transpose(1, 2).contiguous() for x in (q, k, v))
        plain.append(
            lambda a=a, b=b, c=c:
            torch.nn.functional.scaled_dot_product_attention(a, b, c))
    results, failed = contest(machine, {"attnc": ours, "SDPA f32": plain},
                              rounds)
    report.add(f"{name} {batch}x{heads}x{keys}", results, failed,
               1e3 * 2.0 * 4 * batch * heads * keys * width, "GB/s")
    session.close()


def product(machine, bundle, report, name, n, rounds):
    session = machine.open(bundle / name, name)
    ours, cublas = [], []
    for _ in range(2):
        x, w = machine.random(n, n), machine.random(n, n)
        ours.append(session.prepare("run", [n, n], [x, w],
                                    [machine.random(n, n)]))
        a, b = x.to(torch.bfloat16), w.to(torch.bfloat16)
        cublas.append(lambda a=a, b=b: torch.matmul(a, b.T))
    results, failed = contest(machine, {"attnc": ours, "cuBLAS bf16": cublas},
                              rounds)
    report.add(f"{name} {n}", results, failed, 2.0 * n ** 3, "TFLOP/s")
    session.close()


class Encoder(torch.nn.Module):
    """The same model in plain PyTorch, in bf16, without padding."""

    def __init__(self, folder, device, dtype):
        super().__init__()
        config = json.loads((folder / "config.json").read_text())
        self.heads = config["num_attention_heads"]
        self.layers = config["num_hidden_layers"]
        for name, array in load(folder / "model.safetensors").items():
            self.register_buffer(name.replace(".", "_"), torch.tensor(
                array, device=device, dtype=dtype))

    def norm(self, x, name):
        name = name.replace(".", "_")
        return torch.nn.functional.layer_norm(
            x, x.shape[-1:], getattr(self, name + "_weight"),
            getattr(self, name + "_bias"), 1e-12)

    def linear(self, x, name):
        name = name.replace(".", "_")
        return torch.nn.functional.linear(x, getattr(self, name + "_weight"),
                                          getattr(self, name + "_bias"))

    def forward(self, ids):
        batch, seq = ids.shape
        x = (self.embeddings_word_embeddings_weight[ids]
             + self.embeddings_position_embeddings_weight[:seq]
             + self.embeddings_token_type_embeddings_weight[0])
        x = self.norm(x, "embeddings.LayerNorm")
        for layer in range(self.layers):
            base = f"encoder.layer.{layer}."
            q, k, v = (self.linear(x, base + "attention.self." + part)
                       .view(batch, seq, self.heads, -1).transpose(1, 2)
                       for part in ("query", "key", "value"))
            a = torch.nn.functional.scaled_dot_product_attention(q, k, v)
            a = a.transpose(1, 2).reshape(batch, seq, -1)
            x = self.norm(x + self.linear(a, base + "attention.output.dense"),
                          base + "attention.output.LayerNorm")
            h = torch.nn.functional.gelu(
                self.linear(x, base + "intermediate.dense"))
            x = self.norm(x + self.linear(h, base + "output.dense"),
                          base + "output.LayerNorm")
        return x


def encoder(machine, bundle, report, name, batch, seq, rounds):
    session = machine.open(bundle / name, name)
    reference = Encoder(bundle / name, machine.device, torch.bfloat16)
    width = json.loads((bundle / name / "config.json").read_text())
    vocabulary, width = width["vocab_size"], width["hidden_size"]
    compiled = reference
    if not machine.dry:
        compiled = torch.compile(reference, mode="reduce-overhead")
    ours, torchs = [], []
    for _ in range(3):
        ids = torch.randint(0, vocabulary, (batch, seq),
                            device=machine.device, dtype=torch.int32)
        mask, types = torch.ones_like(ids), torch.zeros_like(ids)
        ours.append(session.prepare(
            "encode", [batch, seq], [ids, mask, types],
            [machine.random(batch, seq, width)]))
        wide = ids.long()
        torchs.append(lambda wide=wide: compiled(wide))
    with torch.no_grad():
        results, failed = contest(
            machine, {"attnc": ours, "torch.compile bf16": torchs}, rounds)
    report.add(f"{name} {batch}x{seq}", results, failed, 1e9 * batch,
               "rows/ms")
    session.close()


def peaks(machine, report, rounds):
    """What the machine does at best: a copy, and cuBLAS."""
    count = 1 << (16 if machine.dry else 28)
    source, target = machine.random(count), machine.random(count)
    results, failed = contest(
        machine, {"copy": [lambda: target.copy_(source)]}, rounds)
    report.add("memory", results, failed, 1e3 * 8.0 * count, "GB/s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--dry-run", action="store_true")
    arguments = parser.parse_args()
    dry, bundle = arguments.dry_run, arguments.bundle
    if not dry and not torch.cuda.is_available():
        print("timing.py: PyTorch sees no GPU; --dry-run checks the script",
              file=sys.stderr)
        return 2
    rounds = 2 if dry else arguments.rounds
    machine, report = Machine(dry), Report()
    if not dry:
        print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, "
              f"CUDA {torch.version.cuda}")
    long = (96, 128) if dry else (8192, 16384)

    def there(name):
        if (bundle / name / f"lib{name}.so").exists():
            return True
        print(f"{name:34} not in this bundle")
        return False

    peaks(machine, report, rounds)
    for seq in long:
        for name, width, mask, score in (
                ("attention_d64", 64, "", ""), ("causal_d64", 64, "causal", ""),
                ("attention_d128", 128, "", ""),
                ("causal_d128", 128, "causal", ""),
                ("window_d128", 128, "window", ""),
                ("alibi_d128", 128, "causal", "alibi"),
                ("softcap_d128", 128, "", "softcap")):
            if there(name):
                attention(machine, bundle, report, name, 4, seq, width, rounds,
                          mask, score)
    if there("decode_d128"):
        decode(machine, bundle, report, "decode_d128", 8,
               64 if dry else 16384, 128, rounds)
    if there("product_8192"):
        # Its depth is fixed; the others match it.
        product(machine, bundle, report, "product_8192", 8192, rounds) \
            if not dry else print("product_8192: too much for a dry run")
    for batch in (1, 64):
        if there("encoder"):
            encoder(machine, bundle, report, "encoder", batch,
                    16 if dry else 128, rounds)
    if arguments.json:
        arguments.json.write_text(json.dumps(report.rows, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
