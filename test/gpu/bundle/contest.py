# ===- contest.py - fair times on a GPU, and what they are held to ---------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""The clock, the table and the goals of timing.py."""

import statistics
import sys

import torch
from library import Session


class Machine:
    """A GPU, a stream of its own, and events."""

    def __init__(self):
        torch.cuda.set_stream(torch.cuda.Stream())
        self.stream = torch.cuda.current_stream().cuda_stream

    def time(self, calls, first, count):
        """Milliseconds of one of `count` calls."""
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for turn in range(first, first + count):
            calls[turn % len(calls)]()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / count

    def random(self, *shape, dtype=torch.float32):
        return torch.randn(*shape, device="cuda", dtype=dtype)

    def open(self, folder, name):
        return Session(folder / f"lib{name}.so", name, "cuda:0", self.stream)


def count_calls(ms, least=1.0, most=50):
    """How many calls of `ms` each make a sample that a launch's few microseconds
    do not blur."""
    return max(1, min(most, int(least / ms) + 1)) if ms < least else 1


def contest(machine, contestants, rounds, repeats=True):
    """Medians in ms by name; each contestant is a list of calls on inputs of its
    own. They take turns, so that a clock that falls is everybody's."""
    times, failed, counts = {name: [] for name in contestants}, {}, {}
    for name, calls in contestants.items():
        try:  # compiles, captures graphs, fills caches
            for turn in range(2 * len(calls) + 1):
                taken = machine.time(calls, turn, 1)
            counts[name] = count_calls(taken) if repeats else 1
        except (RuntimeError, torch.OutOfMemoryError) as error:
            failed[name] = (str(error).splitlines() or ["failed"])[0][:60]
    for turn in range(rounds):
        for name in counts:
            times[name].append(machine.time(
                contestants[name], turn * counts[name], counts[name]))
    return {name: statistics.median(taken) if taken else None
            for name, taken in times.items()}, failed


def kernel_times(calls, turns):
    """Milliseconds of a call in each kernel that it launches, by name: medians of
    the profiler's times, which hold no launch and no gap."""
    with torch.profiler.profile(
            activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        for turn in range(turns):
            calls[turn % len(calls)]()
        torch.cuda.synchronize()
    found = {}
    for event in profile.events():
        if event.device_type == torch.autograd.DeviceType.CUDA:
            found.setdefault(event.name, []).append(
                event.time_range.elapsed_us() * 1e-3)
    return {name: statistics.median(taken) * len(taken) / turns
            for name, taken in found.items()}


def distance(out, truth):
    """|out - truth| / |truth|; NaN where anything is."""
    a, b = out.float().flatten(), truth.float().flatten()
    return float((a - b).norm() / b.norm())


class Report:
    """One table, printed as it grows."""

    def __init__(self):
        self.rows, self.peaks, self.wrong = [], {}, 0

    def add(self, what, results, failed, work, unit, kernels=None):
        """`work` is that of all contestants, or one for each; `kernels` are
        (contestant, ms) of single kernels."""
        for name, ms in list(results.items()) + list(kernels or []):
            amount = work[name] if isinstance(work, dict) else work
            figure = amount / ms * 1e-9 if ms else None
            self.rows.append({"what": what, "contestant": name, "ms": ms,
                              "figure": figure, "unit": unit,
                              "error": failed.get(name)})
            taken, shown = "        -   ", failed.get(name)
            if ms:
                part = self.peaks.get(unit)
                taken, shown = f"{ms:9.3f} ms", f"{figure:9.1f} {unit}"
                shown += f" {100 * figure / part:5.1f}% of peak" if part else ""
            print(f"{what:28} {name:24} {taken} {shown}")
        sys.stdout.flush()

    def compare(self, what, error, allowed):
        """A result of these sizes against a peer's."""
        right = error <= allowed  # not where it is NaN
        self.wrong += not right
        print(f"{what:28} {'off by':24} {error:9.1e}    at most {allowed:.0e} "
              f"{'ok' if right else 'WRONG'}")

    def best(self, what, *contestants, column="figure"):
        """The best of these rows; None if none was measured."""
        found = [row[column] for row in self.rows if row["what"] == what
                 and row["contestant"] in contestants and row["ms"]]
        return (max if column == "figure" else min)(found) if found else None


def verdict(text, measured, wanted, aim=None, unit=""):
    """One line: what is wanted (at least), and whether it is reached."""
    if measured is None or wanted is None:
        print(f"{text:58} not measured")
        return None
    reached = measured >= wanted
    line = f"{text:58} {measured:8.2f} of {wanted:7.2f} {unit:8}"
    line += "reached" if reached else "falls short"
    if aim is not None:
        line += f"; the aim, {aim:.2f}, too" if measured >= aim else \
            f"; the aim is {aim:.2f}"
    print(line)
    return reached
